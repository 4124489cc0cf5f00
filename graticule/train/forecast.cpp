#include "graticule/train/forecast.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/crop.h"
#include "graticule/data/field_writer.h"
#include "graticule/data/time.h"
#include "graticule/train/rollout.h"

namespace graticule {

namespace {

int64_t index_of_initial(const Catalog& catalog, int64_t time) {
  if (const auto index = catalog.index_of_time(time)) return *index;
  const auto& times = catalog.times;
  const auto found = std::lower_bound(times.begin(), times.end(), time);
  const int64_t nearest =
      found == times.end() || (found != times.begin() && time - *(found - 1) < *found - time) ? *(found - 1)
                                                                                              : *found;
  refuse("forecast", "the data have nothing at the initial time ", format_time(time, catalog.calendar),
         ": the nearest time is ", format_time(nearest, catalog.calendar));
}

// The axes of a plane or volume, of crops those of the middle one.
std::vector<ImageAxis> axes_of_samples(const Catalog& catalog, const TokenGrid& grid) {
  std::vector<ImageAxis> axes = catalog.axes;
  if (axes.empty()) return axes;
  const Crop crop = middle_crop(catalog, grid);
  const std::array<std::pair<int64_t, int64_t>, 3> kept = {
      {{crop.layer, grid.layers}, {crop.row, grid.rows}, {crop.column, grid.columns}}};
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto [first, size] = kept[kept.size() - axes.size() + i];
    const std::vector<double> all = axes[i].values;
    axes[i].values.assign(all.begin() + first, all.begin() + first + size);
  }
  return axes;
}

FieldWriterOptions layout(const Run& run, const ForecastOptions& options, int lead, const std::string& path,
                          const std::string& title) {
  const Catalog& catalog = run.source->catalog();
  FieldWriterOptions file;
  file.path = path;
  file.latitudes = catalog.latitudes, file.longitudes = catalog.longitudes;
  file.latitude_descending = catalog.latitude_descending;
  file.cells = catalog.cells;
  file.axes = axes_of_samples(catalog, run.shape.grid);
  file.times = options.initial_times;
  file.calendar = catalog.calendar;
  for (int64_t k = 1; k <= options.steps; ++k) file.lead_hours.push_back(static_cast<int>(k * lead));
  for (const auto& name : run.options.data.targets)
    file.variables.push_back(catalog.variables[catalog.index_of(name)]);
  file.attributes = {{"title", title},
                     {"source", text("graticule; data: ", catalog.path,
                                     catalog.provenance.empty() ? "" : "; ", catalog.provenance)}};
  return file;
}

// Gathers one variable from the ranks that have tokens of it: patches of all places in order (S P).
at::Tensor gather_variable(const Run& run, const at::Tensor& mine_tP, int64_t variable) {
  const TokenGrid& grid = run.shape.grid;
  std::vector<int64_t> rows;
  for (int r = 0; r < run.mesh.holders.size(); ++r) {
    const Span tokens = span_of(grid.tokens(), run.mesh.holders.size(), r);
    rows.push_back(grid.tokens_of(tokens, variable).size());
  }
  return run.mesh.holders.all_gather(mine_tP.contiguous(), rows).wait();
}

// Writes the targets one by one. `part_of` returns this rank's patches of a variable in physical units.
void write_targets(const Run& run, const std::function<at::Tensor(int64_t variable)>& part_of, int64_t time,
                   int64_t step, std::optional<FieldWriter>& writer) {
  const auto& data = run.options.data;
  for (const auto& target : data.targets) {
    const auto v = std::find(data.variables.begin(), data.variables.end(), target) - data.variables.begin();
    const at::Tensor patches_SP = gather_variable(run, part_of(v), v);
    if (!writer) continue;
    const at::Tensor field_YX = from_patches(patches_SP, run.shape.grid);
    writer->write(target, time, step, {field_YX.data_ptr<float>(), static_cast<size_t>(field_YX.numel())});
  }
}

// Opens the writer on rank 0. When that fails, all ranks throw, so that none waits.
void agree_on_writer(const World& world, const Group& everyone, std::optional<FieldWriter>& writer,
                     const FieldWriterOptions& file) {
  agree(world, everyone, [&] {
    if (world.rank == 0) writer.emplace(file);
  });
}

// The index in the data of each valid time of one initial time.
std::vector<int64_t> truth_of(const Catalog& catalog, int64_t initial_time, int64_t lead_seconds,
                              int64_t steps) {
  std::vector<int64_t> indices;
  for (int64_t k = 1; k <= steps; ++k) {
    const int64_t valid = initial_time + k * lead_seconds;
    const auto index = catalog.index_of_time(valid);
    if (!index) {
      refuse("forecast", "--truth: the data have nothing at ", format_time(valid, catalog.calendar),
             ": give fewer steps, an earlier --until, or no --truth");
    }
    indices.push_back(*index);
  }
  return indices;
}

}  // namespace

void write_forecast(Run& run, const World& world, const ForecastOptions& options) {
  const Catalog& catalog = run.source->catalog();
  const bool with_truth = !options.truth.empty();
  int lead = 0;
  int64_t lead_seconds = 0;
  std::vector<VariableScale> scales;
  std::vector<std::vector<int64_t>> initial;  // the times that the first step reads, in the catalogue
  std::vector<std::vector<int64_t>> valid;    // likewise, by initial time and step
  agree(world, run.mesh.world, [&] {
    lead = chosen_lead(run, options.lead_hours);
    lead_seconds = int64_t{lead} * 3600;
    scales = variable_scales(run, lead);
    for (const int64_t time : options.initial_times) {
      initial.push_back(states_before(run, index_of_initial(catalog, time), lead));
      if (with_truth) valid.push_back(truth_of(catalog, time, lead_seconds, options.steps));
      for (int64_t k = 1; k < options.steps; ++k) require_forcings(run, scales, time + k * lead_seconds);
    }
  });
  std::optional<FieldWriter> forecast, truth;
  agree_on_writer(world, run.mesh.world, forecast, layout(run, options, lead, options.out, "Forecast"));
  if (with_truth) {
    agree_on_writer(world, run.mesh.world, truth,
                    layout(run, options, lead, options.truth, "Truth of a forecast"));
  }

  for (size_t i = 0; i < initial.size(); ++i) {
    const auto time = static_cast<int64_t>(i);
    State state = state_at(run, scales, initial[i]);
    for (int64_t step = 0; step < options.steps; ++step) {
      advance(run, world, scales, state, lead);
      write_targets(
          run, [&](int64_t v) { return forecast_of(run, scales, state, v); }, time, step, forecast);
      if (with_truth) {
        const int64_t index = valid[i][static_cast<size_t>(step)];
        write_targets(
            run, [&](int64_t v) { return variable_at(run, v, index); }, time, step, truth);
      }
      if (step + 1 < options.steps) read_forcings(run, scales, state);
    }
  }
  agree(world, run.mesh.world, [&] {
    if (forecast) forecast->finish();
    if (truth) truth->finish();
  });
}

}  // namespace graticule
