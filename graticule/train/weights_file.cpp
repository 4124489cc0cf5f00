#include "graticule/train/weights_file.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "graticule/core/error.h"
#include "graticule/train/safetensors.h"
#include "graticule/train/saved_weights.h"

namespace graticule {

namespace {

bool of_transformer_block(const std::string& name) {
  return name.starts_with("blocks.") || name.starts_with("decoder.blocks.");
}

// "blocks.3.mlp.fc1.weight" -> "blocks.3"; "decoder.blocks.0.norm1.bias" -> "decoder.blocks.0"; "head.norm.weight" ->
// "head".
std::string block_of(const std::string& name) {
  if (!of_transformer_block(name)) return name.substr(0, name.find('.'));
  const size_t number = name.find("blocks.") + std::string("blocks.").size();
  return name.substr(0, name.find('.', number));
}

// What the file says of its model; null: nothing, or no JSON.
nlohmann::json model_in(const SafetensorsReader& file) {
  const auto found = file.metadata().find("model");
  if (found == file.metadata().end()) return {};
  const auto model = nlohmann::json::parse(found->second, nullptr, false);
  return model.is_object() ? model : nlohmann::json();
}

// The task of an exported model; "" of a trunk, which has none.
std::string task_in(const SafetensorsReader& file) {
  const auto model = model_in(file);
  if (!model.contains("variables")) return "";
  const auto task = model.find("task");
  if (task == model.end()) return std::string(name_of(TaskKind::forecast));
  return task->is_string() ? task->get<std::string>() : task->dump();
}

// What is taken of the file: another task has other ends.
Taken taken_of(const SafetensorsReader& file, TaskKind task) {
  const std::string theirs = task_in(file);
  return theirs.empty() || theirs == name_of(task) ? Taken::weights : Taken::encoder;
}

// The parameters of this rank's blocks that are taken, by full name.
std::map<std::string, const Parameter*> parameters_of(Chain& chain, Taken taken) {
  std::map<std::string, const Parameter*> all;
  for (const auto* part : chain.parts()) {
    if (!takes(taken, part->block())) continue;
    for (const auto& parameter : part->parameters()) all[part->block() + "." + parameter.name] = &parameter;
  }
  return all;
}

std::set<std::string> blocks_in(const SafetensorsReader& file) {
  std::set<std::string> blocks;
  for (const auto& entry : file.entries()) blocks.insert(block_of(entry.name));
  return blocks;
}

// The names of all blocks of the model, on this rank or not.
std::set<std::string> blocks_of(const ModelShape& shape) {
  std::set<std::string> blocks = {"tokenizer", "head"};
  for (int64_t i = 0; i < shape.depth; ++i) blocks.insert(text("blocks.", i));
  if (shape.has_decoder()) blocks.insert("decoder");
  for (int64_t i = 0; i < shape.decoder.depth; ++i) blocks.insert(text("decoder.blocks.", i));
  return blocks;
}

// What the names and shapes of weights do not tell, from the file's metadata.
std::vector<std::string> differences_of_form(const SafetensorsReader& file, const ModelShape& shape,
                                             Taken taken) {
  const auto theirs = model_in(file);
  std::vector<std::string> differences;
  const auto compare = [&](const nlohmann::json& their, const std::string& name, const nlohmann::json& our) {
    if (!their.is_null() && their != our)
      differences.push_back(text("its ", name, " is ", their.dump(), ", the recipe's is ", our.dump()));
  };
  const auto their = [&](const char* key) {
    return theirs.is_null() ? theirs : theirs.value(key, nlohmann::json());
  };
  compare(their("heads"), "model.heads", shape.heads);
  compare(their("place"), "model.place", name_of(shape.place));
  if (taken == Taken::encoder) compare(their("depth"), "model.depth", shape.depth);
  if (const auto decoder = their("decoder"); taken != Taken::encoder && decoder.is_object())
    compare(decoder.value("heads", nlohmann::json()), "task.decoder_heads", shape.decoder.heads);
  return differences;
}

std::vector<std::string> differences_of_weights(const SafetensorsReader& file, const ModelShape& shape,
                                                Chain& chain, Taken taken) {
  const auto ours = parameters_of(chain, taken);
  const auto present = blocks_in(file), all = blocks_of(shape);
  std::set<std::string> here;  // blocks of this rank
  std::vector<std::string> differences;
  for (const auto& [name, parameter] : ours) {
    const std::string block = block_of(name);
    here.insert(block);
    if (!file.contains(name)) {
      if (of_transformer_block(block) && present.contains(block))
        differences.push_back(text("it has no ", name, ", which the recipe's model has"));
    } else if (file.entry(name).shape != parameter->shape) {
      differences.push_back(text("its ", name, " is ", at::IntArrayRef(file.entry(name).shape),
                                 ", the recipe's is ", at::IntArrayRef(parameter->shape)));
    }
  }
  for (const auto& entry : file.entries()) {
    const std::string block = block_of(entry.name);
    if (!takes(taken, block)) continue;
    if (!all.contains(block) || (here.contains(block) && !ours.contains(entry.name)))
      differences.push_back(text("it has ", entry.name, ", which the recipe's model does not have"));
  }
  return differences;
}

void refuse_other_weights(const SafetensorsReader& file, const ModelShape& shape, Chain& chain, Taken taken) {
  auto differences = differences_of_form(file, shape, taken);
  const auto of_weights = differences_of_weights(file, shape, chain, taken);
  differences.insert(differences.end(), of_weights.begin(), of_weights.end());
  if (file.entries().empty()) differences.emplace_back("it has no tensors");
  if (differences.empty()) return;
  std::string list;
  for (const auto& difference : differences) list += (list.empty() ? "" : "; ") + difference;
  refuse("weights", file.path(), " is of another model: ", list,
         "; give the recipe's [model] the sizes and the form of the file (docs/training.md)");
}

}  // namespace

void read_weights_file(const std::string& path, TaskKind task, const ModelShape& shape, Chain& chain) {
  const SafetensorsReader file(path);
  const Taken taken = taken_of(file, task);
  refuse_other_weights(file, shape, chain, taken);
  for (auto* part : chain.parts()) {
    if (!takes(taken, part->block())) continue;
    int64_t offset = 0;
    for (const auto& parameter : part->parameters()) {
      const Span held{offset, offset + parameter.numel()}, shared = intersect(part->owned(), held);
      offset = held.end;
      const std::string name = part->block() + "." + parameter.name;
      if (shared.empty() || !file.contains(name)) continue;
      const at::Tensor mine = cut_of(parameter, file.read(name).to(at::kFloat))
                                  .reshape(-1)
                                  .narrow(0, shared.begin - held.begin, shared.size());
      for (const at::Tensor& weights : {part->state().master, part->state().average}) {
        if (weights.defined())
          weights.narrow(0, shared.begin - part->owned().begin, shared.size()).copy_(mine);
      }
    }
  }
  chain.refresh();
}

std::string contents_of_weights_file(const std::string& path, TaskKind task) {
  const SafetensorsReader file(path);
  std::string blocks;
  for (const auto& block : blocks_in(file)) blocks += (blocks.empty() ? "" : ", ") + block;
  std::string contents = text(file.entries().size(), " tensors: ", blocks);
  if (taken_of(file, task) != Taken::encoder) return contents;
  return text(contents, "; its task is ", task_in(file), ", so the head is not taken");
}

}  // namespace graticule
