#include "graticule/train/weights_file.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "graticule/core/error.h"
#include "graticule/train/safetensors.h"

namespace graticule {

namespace {

// "blocks.3.mlp.fc1.weight" -> "blocks.3"; "head.norm.weight" -> "head".
std::string block_of(const std::string& name) {
  const size_t first = name.find('.');
  const bool numbered = name.starts_with("blocks.") && first != std::string::npos;
  return name.substr(0, numbered ? name.find('.', first + 1) : first);
}

// The parameters of this rank's blocks, by full name.
std::map<std::string, const Parameter*> parameters_of(Chain& chain) {
  std::map<std::string, const Parameter*> all;
  for (const auto* part : chain.parts()) {
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
  return blocks;
}

// What the names and shapes of weights do not tell, from the file's metadata.
std::vector<std::string> differences_of_form(const SafetensorsReader& file, const ModelShape& shape) {
  const auto found = file.metadata().find("model");
  if (found == file.metadata().end()) return {};
  const auto theirs = nlohmann::json::parse(found->second, nullptr, false);
  const nlohmann::json ours = {{"heads", shape.heads}, {"place", name_of(shape.place)}};
  std::vector<std::string> differences;
  for (const auto& [key, value] : ours.items()) {
    if (theirs.is_object() && theirs.contains(key) && theirs[key] != value)
      differences.push_back(
          text("its model.", key, " is ", theirs[key].dump(), ", the recipe's is ", value.dump()));
  }
  return differences;
}

std::vector<std::string> differences_of_weights(const SafetensorsReader& file, const ModelShape& shape,
                                                Chain& chain) {
  const auto ours = parameters_of(chain);
  const auto present = blocks_in(file), all = blocks_of(shape);
  std::set<std::string> here;  // blocks of this rank
  std::vector<std::string> differences;
  for (const auto& [name, parameter] : ours) {
    const std::string block = block_of(name);
    here.insert(block);
    if (!file.contains(name)) {
      if (block.starts_with("blocks.") && present.contains(block))
        differences.push_back(text("it has no ", name, ", which the recipe's model has"));
    } else if (file.entry(name).shape != parameter->shape) {
      differences.push_back(text("its ", name, " is ", at::IntArrayRef(file.entry(name).shape),
                                 ", the recipe's is ", at::IntArrayRef(parameter->shape)));
    }
  }
  for (const auto& entry : file.entries()) {
    const std::string block = block_of(entry.name);
    if (!all.contains(block) || (here.contains(block) && !ours.contains(entry.name)))
      differences.push_back(text("it has ", entry.name, ", which the recipe's model does not have"));
  }
  return differences;
}

void refuse_other_weights(const SafetensorsReader& file, const ModelShape& shape, Chain& chain) {
  auto differences = differences_of_form(file, shape);
  const auto of_weights = differences_of_weights(file, shape, chain);
  differences.insert(differences.end(), of_weights.begin(), of_weights.end());
  if (file.entries().empty()) differences.emplace_back("it has no tensors");
  if (differences.empty()) return;
  std::string list;
  for (const auto& difference : differences) list += (list.empty() ? "" : "; ") + difference;
  refuse("weights", file.path(), " is of another model: ", list,
         "; give the recipe's [model] the sizes and the form of the file (docs/training.md)");
}

}  // namespace

void read_weights_file(const std::string& path, const ModelShape& shape, Chain& chain) {
  const SafetensorsReader file(path);
  refuse_other_weights(file, shape, chain);
  for (auto* part : chain.parts()) {
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

std::string contents_of_weights_file(const std::string& path) {
  const SafetensorsReader file(path);
  std::string blocks;
  for (const auto& block : blocks_in(file)) blocks += (blocks.empty() ? "" : ", ") + block;
  return text(file.entries().size(), " tensors: ", blocks);
}

}  // namespace graticule
