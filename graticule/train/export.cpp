#include "graticule/train/export.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/safetensors.h"

namespace graticule {

namespace {

using nlohmann::json;

// One number where all sides are equal, else rows and columns, on a volume layers before them.
json patch_json(const TokenGrid& grid) {
  const Patch& patch = grid.patch;
  if (grid.kind == GridKind::cells) return patch.rows;
  const bool volume = grid.kind == GridKind::volume;
  if (patch.rows == patch.columns && (!volume || patch.layers == patch.rows)) return patch.rows;
  return volume ? json{patch.layers, patch.rows, patch.columns} : json{patch.rows, patch.columns};
}

// What a task that does not look ahead has in addition.
void add_task(json& model, const Problem& problem) {
  const TaskOptions& task = problem.options.task;
  const ModelShape& shape = problem.shape;
  model["task"] = name_of(task.kind);
  model["outputs"] = shape.outputs();
  model["output_values"] = shape.output_values();
  switch (task.kind) {
    case TaskKind::forecast:
    case TaskKind::regress:
      break;
    case TaskKind::segment:
    case TaskKind::classify:
      model["classes"] = task.classes;
      break;
    case TaskKind::downscale:
      model["factor"] = task.factor;
      break;
    case TaskKind::reconstruct: {
      const ModelShape narrow = shape.decoder_shape();
      const PlaceWaves waves = narrow.waves();
      model["visible_tokens"] = shape.visible_tokens();
      model["decoder"] = {{"dim", narrow.dim},
                          {"depth", narrow.depth},
                          {"heads", narrow.heads},
                          {"kv_heads", narrow.key_heads()},
                          {"place_waves", {{"columns", waves.columns}, {"rows", waves.rows}}}};
      if (shape.grid.kind == GridKind::volume) model["decoder"]["place_waves"]["layers"] = waves.layers;
      break;
    }
  }
}

// What another grid than a sphere has in addition.
void add_grid(json& model, const TokenGrid& grid, const PlaceWaves& waves) {
  model["grid"] = name_of(grid.kind);
  model["periodic"] = json::array();
  for (const auto& [name, axis] : choices_of<GridAxis>) {
    if (grid.periodic(axis)) model["periodic"].push_back(name);
  }
  if (grid.kind == GridKind::cells) {
    model["patches_side_by_side"] = {{"rows", grid.patches(GridAxis::rows)},
                                     {"columns", grid.patches(GridAxis::columns)}};
  }
  if (grid.kind != GridKind::volume) return;
  model["layers"] = grid.layers;
  model["place_waves"]["layers"] = waves.layers;
}

// Of a grid of another size than the trained one: where its patches lie among those.
void add_trained_grid(json& model, const TokenGrid& grid) {
  for (const auto& [name, axis] : choices_of<GridAxis>) {
    const TrainedAxis& trained = grid.trained[static_cast<size_t>(axis)];
    if (trained.patches == 0) continue;
    model["trained"][name] = {
        {"patches", trained.patches}, {"scale", trained.scale}, {"shift", trained.shift}};
  }
}

std::string model_json(const Problem& problem) {
  const ModelShape& shape = problem.shape;
  const Catalog& catalog = problem.source->catalog();
  const DataOptions& data = problem.options.data;
  const PlaceWaves waves = shape.waves();
  json model = {{"tokens", name_of(shape.grid.mode)},
                {"patch", patch_json(shape.grid)},
                {"rows", shape.grid.rows},
                {"columns", shape.grid.columns},
                {"latitudes", catalog.places_north()},
                {"longitudes", catalog.places_east()},
                {"variables", data.variables},
                {"targets", data.targets},
                {"lead_hours", data.lead_hours},
                {"history", shape.grid.states},
                {"predict", data.predict == Predict::difference ? "difference" : "state"},
                {"dim", shape.dim},
                {"depth", shape.depth},
                {"heads", shape.heads},
                {"kv_heads", shape.key_heads()},
                {"hidden", shape.hidden()},
                {"place", name_of(shape.place)},
                {"place_waves", {{"columns", waves.columns}, {"rows", waves.rows}}},
                {"qk_norm", name_of(shape.qk_norm)},
                {"qk_variables", shape.embedded_variables() > 1},
                {"calendar", shape.calendar},
                {"add_merged", shape.adds_merged()},
                {"head_layers", shape.head_layers}};
  if (problem.options.task.kind != TaskKind::forecast) add_task(model, problem);
  if (shape.grid.kind != GridKind::sphere) add_grid(model, shape.grid, waves);
  add_trained_grid(model, shape.grid);
  return model.dump();
}

}  // namespace

void export_weights(const CheckpointInfo& info, const Problem& problem, const std::string& out, Taken taken) {
  // Only names and shapes of the parameters are needed, so the chain has no tokens and no attention.
  Chain chain = chain_of(problem.shape, Layers());
  load_checkpoint(info, chain, taken);
  std::vector<TensorEntry> entries;
  for (const auto* part : chain.parts()) {
    for (const auto& parameter : part->parameters())
      entries.push_back({part->block() + "." + parameter.name, at::kFloat, parameter.shape});
  }
  AsideFile aside(out, "export");
  SafetensorsWriter writer(
      aside.path(), entries,
      {{"format", "pt"}, {"model", model_json(problem)}, {"statistics", to_json(info.statistics)}});
  for (auto* part : chain.parts()) {
    const Weights weights = as_weights(part->parameters(), part->state().master);
    for (const auto& [name, value] : weights.items()) {
      writer.write(part->block() + "." + name, value);
    }
  }
  writer.close();
  aside.publish();
}

}  // namespace graticule
