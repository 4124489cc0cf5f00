#include "graticule/train/export.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/build.h"
#include "graticule/train/safetensors.h"

namespace graticule {

namespace {

using nlohmann::json;

std::string model_json(const Problem& problem) {
  const ModelShape& shape = problem.shape;
  const Catalog& catalog = problem.source->catalog();
  const DataOptions& data = problem.options.data;
  const PlaceWaves waves = shape.waves();
  return json{{"tokens", name_of(shape.grid.mode)},
              {"patch", shape.grid.patch},
              {"rows", shape.grid.rows},
              {"columns", shape.grid.columns},
              {"latitudes", catalog.latitudes},
              {"longitudes", catalog.longitudes},
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
              {"head_layers", shape.head_layers}}
      .dump();
}

}  // namespace

void export_weights(const CheckpointInfo& info, const std::string& out, Taken taken) {
  const Problem problem = define_problem(info.options);
  refuse_other_data(info.path, info.data, problem.source->catalog());
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
