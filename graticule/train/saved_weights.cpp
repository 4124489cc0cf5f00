#include "graticule/train/saved_weights.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "graticule/core/error.h"
#include "graticule/train/safetensors.h"

namespace graticule {

namespace {

using nlohmann::json;

struct StatePart {
  const char* suffix;
  at::Tensor OwnedState::*member;
};
constexpr StatePart state_parts[] = {{".master", &OwnedState::master},
                                     {".moment1", &OwnedState::moment1},
                                     {".moment2", &OwnedState::moment2},
                                     {".average", &OwnedState::average}};

// Whether a part of the model holds this part of the state: not every run averages its weights.
bool has(ShardedPart& part, const StatePart& of_state) { return (part.state().*of_state.member).defined(); }

// The tensors that are loaded, each with the suffix of the saved tensor that it is loaded from.
std::vector<StatePart> loaded_parts(Taken taken, bool averaged) {
  const char* const weights =
      averaged && (taken == Taken::weights || taken == Taken::encoder) ? ".average" : ".master";
  const char* const average = averaged && taken == Taken::state ? ".average" : weights;
  std::vector<StatePart> parts = {{weights, &OwnedState::master}, {average, &OwnedState::average}};
  if (taken == Taken::state)
    parts.insert(parts.end(), std::begin(state_parts) + 1, std::begin(state_parts) + 3);
  return parts;
}

// The name of a part's flat tensor. A part that the tensor axis cuts differs between tensor ranks, so it gets
// their number.
std::string flat_name(const ShardedPart& part, int tensor_rank) {
  const bool cut = part.parameters().front().cut.has_value();
  return cut ? text(part.block(), ".tensor-", tensor_rank) : part.block();
}

bool writes(const ShardedPart& part) { return part.replicas().copies.rank() == 0; }

Span written_span(const ShardedPart& part) {
  const Group& shard = part.replicas().shard;
  return span_of(part.numel(), shard.size(), shard.rank());
}

json pieces_of(const std::optional<Cut>& cut) {
  if (!cut) return nullptr;
  json pieces = json::array();
  for (const Span& piece : cut->pieces) pieces.push_back({piece.begin, piece.end});
  return {{"dim", cut->dim}, {"pieces", pieces}};
}

// A whole number of a manifest from 0 to `most`. Throws json's error for anything else.
int64_t count_in(const json& number, int64_t most) {
  const bool whole = number.is_number_integer() && number.get<int64_t>() >= 0;
  if (!whole || number.get<uint64_t>() > static_cast<uint64_t>(most))
    throw json::out_of_range::create(401, "no size", &number);
  return number.get<int64_t>();
}

// The sizes of a parameter. So many elements that they pass 2^53 are no sizes: their sums could overflow.
std::vector<int64_t> shape_from(const json& saved) {
  constexpr int64_t most = int64_t{1} << 53;
  std::vector<int64_t> shape;
  int64_t left = most;
  for (const json& size : saved.get<std::vector<json>>()) {
    shape.push_back(count_in(size, left));
    left /= std::max<int64_t>(1, shape.back());
  }
  return shape;
}

std::optional<Cut> cut_from(const json& saved, const std::vector<int64_t>& shape) {
  if (saved.is_null()) return std::nullopt;
  Cut cut{count_in(saved.at("dim"), std::ssize(shape) - 1), {}};
  const int64_t size = shape[static_cast<size_t>(cut.dim)];
  for (const json& piece : saved.at("pieces").get<std::vector<json>>()) {
    const int64_t end = count_in(piece.at(1), size);
    cut.pieces.push_back({count_in(piece.at(0), end), end});
  }
  return cut;
}

bool same_cut(const std::optional<Cut>& a, const std::optional<Cut>& b) {
  return a.has_value() == b.has_value() && (!a || (a->dim == b->dim && a->pieces == b->pieces));
}

// One flat tensor of a checkpoint and its files.
struct SavedFlat {
  std::string name;
  int64_t numel;
  std::vector<std::string> files;
};

// A parameter, or the part of it on one tensor rank, inside a flat tensor.
struct SavedPiece {
  const SavedFlat* flat;
  int64_t offset;
  Parameter parameter;
};

class SavedWeights {
 public:
  using Check = std::function<void(const std::string& name)>;
  SavedWeights(const json& flats, std::string folder, const Check& check)
      : folder_(std::move(folder)), check_(check) {
    try {
      take(flats);
    } catch (const json::exception&) {
      fail("checkpoint", folder_,
           "/manifest.json: its entry \"flats\" has not the form that this version reads: ",
           "copy the checkpoint again, or take the one before it");
    }
  }

  int64_t blocks(Taken taken) const {
    return std::count_if(blocks_.begin(), blocks_.end(),
                         [&](const auto& block) { return takes(taken, block); });
  }
  bool holds(const std::string& name) const { return pieces_.contains(name); }
  const std::vector<int64_t>& shape_of(const std::string& name) const {
    return pieces_.at(name).front().parameter.shape;
  }

  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& [name, pieces] : pieces_) all.insert(name);
    return all;
  }

  /// Elements `wanted` of this rank's part of a parameter (flattened), of one kind of state.
  at::Tensor read(const Parameter& mine, const std::string& name, const std::string& suffix,
                  const Span& wanted) {
    const auto& pieces = pieces_.at(name);
    for (const SavedPiece& piece : pieces) {
      if (same_cut(piece.parameter.cut, mine.cut)) {
        return read_flat(*piece.flat, suffix, {piece.offset + wanted.begin, piece.offset + wanted.end});
      }
    }
    const at::Tensor whole = at::empty(mine.shape, at::kFloat);
    int64_t found = 0;
    for (const SavedPiece& piece : pieces) {
      found += piece.parameter.numel();
      const Span span{piece.offset, piece.offset + piece.parameter.numel()};
      place(piece.parameter, read_flat(*piece.flat, suffix, span).view(piece.parameter.local_shape()), whole);
    }
    if (found != whole.numel()) {
      fail("checkpoint", folder_, " holds ", found, " of the ", whole.numel(), " elements of ", name,
           ": it is damaged; resume from the checkpoint before it");
    }
    return cut_of(mine, whole).reshape(-1).narrow(0, wanted.begin, wanted.size());
  }

 private:
  void take(const json& flats) {
    flats_.reserve(flats.size());
    for (const auto& saved : flats) {
      flats_.push_back({saved.at("flat"), 0, saved.at("files").get<std::vector<std::string>>()});
      SavedFlat& flat = flats_.back();
      blocks_.insert(saved.at("block").get<std::string>());
      for (const auto& entry : saved.at("parameters")) {
        Parameter parameter{entry.at("name"), shape_from(entry.at("shape"))};
        parameter.cut = cut_from(entry.at("cut"), parameter.shape);
        const int64_t offset = flat.numel;
        flat.numel += parameter.numel();
        auto& pieces = pieces_[parameter.name];
        pieces.push_back({&flat, offset, std::move(parameter)});
      }
    }
  }

  at::Tensor read_flat(const SavedFlat& flat, const std::string& suffix, const Span& wanted) {
    at::Tensor values = at::empty({wanted.size()}, at::kFloat);
    const auto writers = std::ssize(flat.files);
    if (writers == 0) fail("checkpoint", folder_, "/manifest.json names no file of ", flat.name);
    for (int64_t w = 0; w < writers; ++w) {
      const Span held = span_of(flat.numel, writers, w), shared = intersect(wanted, held);
      if (shared.empty()) continue;
      const SafetensorsReader& reader = file(flat.files[static_cast<size_t>(w)]);
      const std::string name = flat.name + suffix;
      if (reader.entry(name).elements() != held.size())
        fail("checkpoint", reader.path(), ": its tensor ", name, " has ", reader.entry(name).elements(),
             " elements, the manifest gives it ", held.size(),
             ": copy the checkpoint again, or take the one before it");
      values.narrow(0, shared.begin - wanted.begin, shared.size())
          .copy_(reader.read_elements(name, {shared.begin - held.begin, shared.end - held.begin}));
    }
    return values;
  }

  const SafetensorsReader& file(const std::string& name) {
    const auto found = open_.find(name);
    if (found != open_.end()) return found->second;
    check_(name);
    return open_.emplace(name, SafetensorsReader(folder_ + "/" + name)).first->second;
  }

  std::string folder_;
  const Check& check_;
  std::vector<SavedFlat> flats_;
  std::set<std::string> blocks_;
  std::map<std::string, std::vector<SavedPiece>> pieces_;  ///< by full name of the parameter
  std::map<std::string, SafetensorsReader> open_;
};

// Names all parameters of this rank's blocks that differ, so that one try shows all that must change.
void refuse_another_model(const SavedWeights& saved, const std::string& folder, Chain& chain, Taken taken) {
  std::string differences;
  const auto differs = [&](const auto&... difference) {
    differences += text(differences.empty() ? "" : "; ", difference...);
  };
  std::set<std::string> ours, blocks;
  for (const auto* part : chain.parts()) {
    if (!takes(taken, part->block())) continue;
    blocks.insert(part->block());
    for (const auto& parameter : part->parameters()) {
      const std::string name = part->block() + "." + parameter.name;
      ours.insert(name);
      if (!saved.holds(name)) {
        differs("it has no ", name, ", which the recipe's model has");
      } else if (saved.shape_of(name) != parameter.shape) {
        differs("its ", name, " is ", at::IntArrayRef(saved.shape_of(name)), ", the recipe's is ",
                at::IntArrayRef(parameter.shape));
      }
    }
  }
  for (const auto& name : saved.names()) {
    const bool of_ours = std::any_of(blocks.begin(), blocks.end(),
                                     [&](const auto& block) { return name.starts_with(block + "."); });
    if (of_ours && !ours.contains(name)) differs("it has ", name, ", which the recipe's model does not have");
  }
  if (taken != Taken::encoder && saved.blocks(taken) != chain.model_blocks()) {
    differs("it has ", saved.blocks(taken), " blocks, tokenizer and head among them, the recipe's has ",
            chain.model_blocks());
  }
  if (differences.empty()) return;
  refuse("checkpoint", folder, " is of another model: ", differences,
         "; give the recipe the sizes that it was trained with (", folder, "/../../recipe.toml)");
}

}  // namespace

bool takes(Taken taken, const std::string& block) {
  return taken != Taken::encoder || block == "tokenizer" || block.starts_with("blocks.");
}

std::vector<SavedPart> parts_to_save(Run& run) {
  std::vector<SavedPart> parts;
  for (auto* part : run.chain.parts()) {
    if (!writes(*part)) continue;
    const Span span = written_span(*part);
    for (const StatePart& of_state : state_parts) {
      if (!has(*part, of_state)) continue;
      const at::Tensor& state = part->state().*of_state.member;
      parts.push_back(
          {{flat_name(*part, run.mesh.tensor.rank()) + of_state.suffix, state.scalar_type(), {span.size()}},
           state.narrow(0, span.begin - part->owned().begin, span.size())});
    }
  }
  std::stable_sort(parts.begin(), parts.end(), [](const SavedPart& a, const SavedPart& b) {
    return at::elementSize(a.entry.dtype) > at::elementSize(b.entry.dtype);  // as the format wants it
  });
  return parts;
}

json describe_weights(Run& run) {
  json described = json::array();
  for (const auto* part : run.chain.parts()) {
    if (!writes(*part)) continue;
    const Group& shard = part->replicas().shard;
    json parameters;
    if (shard.rank() == 0) {
      for (const auto& parameter : part->parameters())
        parameters.push_back({{"name", part->block() + "." + parameter.name},
                              {"shape", parameter.shape},
                              {"cut", pieces_of(parameter.cut)}});
    }
    described.push_back({{"flat", flat_name(*part, run.mesh.tensor.rank())},
                         {"block", part->block()},
                         {"place", shard.rank()},
                         {"of", shard.size()},
                         {"parameters", parameters}});
  }
  return described;
}

json join_descriptions(const std::vector<json>& of_ranks, const std::vector<std::string>& files) {
  json flats = json::array();
  std::map<std::string, size_t> place_of;
  for (size_t rank = 0; rank < of_ranks.size(); ++rank) {
    for (const auto& described : of_ranks[rank]) {
      const auto [found, fresh] = place_of.try_emplace(described.at("flat"), flats.size());
      if (fresh) {
        flats.push_back({{"flat", described.at("flat")},
                         {"block", described.at("block")},
                         {"parameters", json::array()},
                         {"files", std::vector<std::string>(described.at("of").get<size_t>())}});
      }
      json& flat = flats[found->second];
      flat["files"][described.at("place").get<size_t>()] = files[rank];
      if (described.at("place") == 0) flat["parameters"] = described.at("parameters");
    }
  }
  return flats;
}

void read_weights(const json& flats, const std::string& folder, Chain& chain, Taken taken, bool averaged,
                  const std::function<void(const std::string& name)>& check) {
  SavedWeights saved(flats, folder, check);
  refuse_another_model(saved, folder, chain, taken);
  for (auto* part : chain.parts()) {
    if (!takes(taken, part->block())) continue;
    int64_t offset = 0;
    for (const auto& parameter : part->parameters()) {
      const Span held{offset, offset + parameter.numel()}, shared = intersect(part->owned(), held);
      offset = held.end;
      if (shared.empty()) continue;
      for (const StatePart& loaded : loaded_parts(taken, averaged)) {
        if (!has(*part, loaded)) continue;
        (part->state().*loaded.member)
            .narrow(0, shared.begin - part->owned().begin, shared.size())
            .copy_(saved.read(parameter, part->block() + "." + parameter.name, loaded.suffix,
                              {shared.begin - held.begin, shared.end - held.begin}));
      }
    }
  }
  chain.refresh();
}

}  // namespace graticule
