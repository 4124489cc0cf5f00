#include "graticule/train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/train/checksum.h"
#include "graticule/train/safetensors.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int format_version = 1;
const std::string prefix = "step-";

std::string file_of(int rank) { return text("rank-", rank, ".safetensors"); }

// A renamed folder survives a power cut only once its parent is on the disk.
void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0 || ::fsync(descriptor) != 0)
    fail("checkpoint", folder.string(), " cannot be synced to the disk");
  ::close(descriptor);
}

std::optional<int64_t> step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  int64_t step = 0;
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(step) : std::nullopt;
}

// Whole checkpoints of a run, oldest first.
std::vector<fs::path> checkpoints_of(const fs::path& run_folder) {
  std::vector<fs::path> found;
  const fs::path folder = run_folder / "checkpoints";
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (step_of(entry.path())) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return *step_of(a) < *step_of(b); });
  return found;
}

const std::vector<std::pair<const char*, at::Tensor OwnedState::*>>& state_parts() {
  static const std::vector<std::pair<const char*, at::Tensor OwnedState::*>> parts = {
      {".master", &OwnedState::master},
      {".moment1", &OwnedState::moment1},
      {".moment2", &OwnedState::moment2}};
  return parts;
}

// This rank's part of every block, written and synced.
void write_rank_file(Run& run, const fs::path& path) {
  const Group& replicas = run.mesh.replicas;
  std::vector<TensorEntry> entries;
  for (const auto& block : run.chain.blocks()) {
    const Span part = span_of(block.numel(), replicas.size(), replicas.rank());
    for (const auto& [suffix, member] : state_parts())
      entries.push_back({block.name() + suffix, at::kFloat, {part.size()}});
  }
  SafetensorsWriter writer(path.string(), entries);
  for (auto& block : run.chain.blocks()) {
    const Span part = span_of(block.numel(), replicas.size(), replicas.rank());
    for (const auto& [suffix, member] : state_parts()) {
      const at::Tensor mine =
          (block.state().*member).narrow(0, part.begin - block.owned().begin, part.size());
      writer.write(block.name() + suffix, mine.cpu());
    }
  }
  writer.close();
}

json manifest_of(Run& run, const std::vector<std::string>& checksums) {
  json files = json::array(), blocks = json::array();
  for (size_t rank = 0; rank < checksums.size(); ++rank) {
    files.push_back({{"name", file_of(static_cast<int>(rank))}, {"checksum", checksums[rank]}});
  }
  for (const auto& block : run.chain.blocks())
    blocks.push_back({{"name", block.name()}, {"elements", block.numel()}});
  return {{"format", format_version},
          {"step", run.step},
          {"position", run.loader ? run.loader->position() : 0},
          {"recipe", to_toml(run.options)},
          {"statistics", json::parse(to_json(run.statistics))},
          {"blocks", blocks},
          {"files", files}};
}

void write_manifest(const fs::path& path, const json& manifest) {
  const std::string content = manifest.dump(1) + "\n";
  File file = File::create(path.string(), "checkpoint");
  file.write_at(0, std::as_bytes(std::span(content)));
  file.sync();
}

void remove_old(const fs::path& run_folder, int64_t keep) {
  const auto all = checkpoints_of(run_folder);
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) fs::remove_all(all[i]);
}

json read_manifest(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  std::ifstream file(path);
  if (!file) {
    refuse("checkpoint", "'", folder.string(),
           "' is no checkpoint: it has no manifest.json; name a folder RUN/checkpoints/step-N");
  }
  try {
    return json::parse(file);
  } catch (const json::exception&) {
    fail("checkpoint", path.string(), " is damaged (no JSON): resume from the checkpoint before it");
  }
}

// Copies elements [span) of one flat tensor out of the files of all its writers.
void read_span(const std::vector<SafetensorsReader>& files, const std::string& name, int64_t numel,
               const Span& span, const at::Tensor& out) {
  const auto writers = static_cast<int64_t>(files.size());
  for (int64_t w = 0; w < writers; ++w) {
    const Span held = span_of(numel, writers, w), wanted = intersect(span, held);
    if (wanted.empty()) continue;
    const at::Tensor values = files[static_cast<size_t>(w)].read_elements(
        name, {wanted.begin - held.begin, wanted.end - held.begin});
    out.narrow(0, wanted.begin - span.begin, wanted.size()).copy_(values);
  }
}

}  // namespace

void save_checkpoint(Run& run, const World& world) {
  const fs::path folder = fs::path(run.options.run.out) / "checkpoints";
  const fs::path whole = folder / text(prefix, run.step), aside = folder / text(prefix, run.step, ".part");
  std::string checksum;
  agree(world, run.mesh.world, [&] {
    std::error_code error;
    fs::create_directories(aside, error);
    if (error)
      fail("checkpoint", aside.string(), " cannot be made: ", error.message(), "; choose another run.out");
  });
  try {
    agree(world, run.mesh.world, [&] {
      const fs::path mine = aside / file_of(world.rank);
      write_rank_file(run, mine);
      checksum = file_checksum(mine.string());
    });
    const std::vector<std::string> checksums = gather_texts(checksum, run.mesh.world);
    agree(world, run.mesh.world, [&] {
      if (world.rank != 0) return;
      write_manifest(aside / "manifest.json", manifest_of(run, checksums));
      sync_folder(aside);
      fs::remove_all(whole);
      fs::rename(aside, whole);
      sync_folder(folder);
      remove_old(run.options.run.out, run.options.run.keep);
    });
  } catch (...) {
    std::error_code ignored;
    if (world.rank == 0) fs::remove_all(aside, ignored);
    throw;
  }
}

CheckpointInfo read_checkpoint_info(const std::string& folder) {
  const json manifest = read_manifest(folder);
  try {
    if (manifest.at("format") != format_version) {
      refuse("checkpoint", folder, " has format ", manifest.at("format").dump(), ", this version reads ",
             format_version);
    }
    return {folder, manifest.at("step"), manifest.at("position"),
            parse_recipe(manifest.at("recipe").get<std::string>(), folder + "/manifest.json"),
            statistics_from_json(manifest.at("statistics").dump(), folder + "/manifest.json")};
  } catch (const json::exception& error) {
    fail("checkpoint", folder, "/manifest.json is damaged (", error.what(),
         "): resume from the checkpoint before it");
  }
}

void verify_checkpoint(const CheckpointInfo& info) {
  const json manifest = read_manifest(info.path);
  for (const auto& file : manifest.at("files")) {
    const std::string path = info.path + "/" + file.at("name").get<std::string>();
    const bool there = fs::exists(path);
    if (there && file_checksum(path) == file.at("checksum")) continue;
    std::string way_out = "there is no checkpoint before it: start the run anew";
    for (const auto& older : checkpoints_of(fs::path(info.path).parent_path().parent_path())) {
      if (*step_of(older) < info.step) way_out = "resume from the one before it: --resume " + older.string();
    }
    fail("checkpoint", path, there ? " is damaged (its checksum differs)" : " is missing", "; ", way_out);
  }
}

std::optional<std::string> newest_checkpoint(const std::string& run_folder) {
  const auto all = checkpoints_of(run_folder);
  return all.empty() ? std::nullopt : std::optional(all.back().string());
}

void load_checkpoint(const CheckpointInfo& info, Chain& chain, bool moments) {
  const json manifest = read_manifest(info.path);
  const auto& known = manifest.at("blocks");
  auto& blocks = chain.blocks();
  for (size_t i = 0; i < std::max(known.size(), blocks.size()); ++i) {
    const std::string theirs =
        i < known.size() ? text(known[i].at("name").get<std::string>(), " of ", known[i].at("elements"))
                         : "none";
    const std::string ours = i < blocks.size() ? text(blocks[i].name(), " of ", blocks[i].numel()) : "none";
    if (theirs != ours) {
      refuse("checkpoint", info.path, " is of another model: its block ", i, " is ", theirs,
             " weights, the recipe's is ", ours, "; use the recipe that it was trained with (", info.path,
             "/../../recipe.toml)");
    }
  }
  std::vector<SafetensorsReader> files;
  for (const auto& file : manifest.at("files"))
    files.emplace_back(info.path + "/" + file.at("name").get<std::string>());
  for (auto& block : blocks) {
    for (const auto& [suffix, member] : state_parts()) {
      if (moments || member == &OwnedState::master) {
        read_span(files, block.name() + suffix, block.numel(), block.owned(), block.state().*member);
      }
    }
  }
  chain.refresh();
}

}  // namespace graticule
