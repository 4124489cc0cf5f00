#include "graticule/train/image_task.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/data/crop.h"
#include "graticule/data/field_writer.h"
#include "graticule/data/patches.h"
#include "graticule/data/tiles.h"
#include "graticule/train/build.h"
#include "graticule/train/loss.h"
#include "graticule/train/ranges.h"
#include "graticule/train/run_log.h"

namespace graticule {

namespace {

Inputs inputs_of(const Batch& batch, const Options& options, bool training) {
  return {batch.lead_hours_B, batch.times,   batch.sample_ids, static_cast<uint64_t>(options.train.seed),
          training,           batch.visible, nullptr};
}

// One sample without values, for ranks that have none left: predict() is collective over the replicas too.
Batch blank_like(const Batch& batch) {
  const auto one = [](const at::Tensor& all) {
    std::vector<int64_t> sizes = all.sizes().vec();
    sizes[0] = 1;
    return at::zeros(sizes, all.options());
  };
  Batch blank{one(batch.input_BTKI),
              one(batch.target_BTKP),
              one(batch.target_BTKP),
              one(batch.lead_hours_B),
              {0},
              {0}};
  blank.visible = batch.visible;
  return blank;
}

void add_to(at::Tensor& sums, const at::Tensor& more) { sums = sums.numel() > 0 ? sums + more : more; }

// The sum over ranks. A data rank without samples has no sums; data rank 0 has some, so all learn how many.
at::Tensor over_ranks(const at::Tensor& sums, const Group& ranks) {
  const at::Tensor count = ranks.all_reduce(at::full({1}, sums.numel(), at::kLong), Reduction::max).wait();
  return ranks.all_reduce(sums.numel() > 0 ? sums : at::zeros({count.item<int64_t>()}, at::kDouble)).wait();
}

// The parts of a field that are predicted one by one.
std::vector<Tile> parts_of_field(const Catalog& catalog, const TokenGrid& grid, bool tiles) {
  return tiles ? tiles_of(catalog, grid) : std::vector{middle_tile(catalog, grid)};
}

// The size of the fields that are written: that of the model's, or with tiles that of the data.
TokenGrid written_size(TokenGrid grid, const Catalog& catalog, bool tiles) {
  if (tiles) grid.layers = catalog.layers(), grid.rows = catalog.rows(), grid.columns = catalog.columns();
  return grid;
}

// Copies what counts of a tile (lines x columns) into the whole field.
void paste(const at::Tensor& tile_YX, const Tile& tile, const TokenGrid& grid, const TokenGrid& whole,
           const at::Tensor& field_YX) {
  const auto part = [&](const at::Tensor& all, const TokenGrid& size, const Crop& at) {
    return all.unflatten(0, {size.layers, size.rows})
        .narrow(0, at.layer + tile.layers.begin, tile.layers.size())
        .narrow(1, at.row + tile.rows.begin, tile.rows.size())
        .narrow(2, at.column + tile.columns.begin, tile.columns.size());
  };
  part(field_YX, whole, tile.begin).copy_(part(tile_YX, grid, {}));
}

// The axes of the fields that are written: those of the data, or of their middle crop.
std::vector<ImageAxis> axes_of_middle(const Catalog& catalog, const TokenGrid& grid) {
  std::vector<ImageAxis> axes = catalog.axes;
  const Crop crop = middle_crop(catalog, grid);
  const std::array<Span, 3> held = {Span{crop.layer, crop.layer + grid.layers},
                                    {crop.row, crop.row + grid.rows},
                                    {crop.column, crop.column + grid.columns}};
  for (size_t i = 0; i < axes.size(); ++i) {
    const Span part = held[held.size() - axes.size() + i];
    axes[i].values = {axes[i].values.begin() + part.begin, axes[i].values.begin() + part.end};
  }
  return axes;
}

}  // namespace

void each_sample(Run& run, const ImageTask& task, const TaskSamples& samples, bool spread,
                 const Visit& visit) {
  const at::NoGradGuard no_grad;
  const Options& options = run.options;
  LoaderOptions reading = loader_options(options, run.shape, run.mesh, run.tokens);
  reading.range = samples.range, reading.shuffle = false, reading.tiles = samples.tiles;
  reading.batch = spread ? run.mesh.data.size() : 1;
  reading.samples = spread ? Span{run.mesh.data.rank(), run.mesh.data.rank() + 1} : Span{0, 1};
  if (spread) task.add_labels(options, run.source->catalog(), run.statistics, reading);
  if (!spread && !reading.target_of_time.empty())
    reading.target_of_time.assign(run.source->catalog().times.size(),
                                  std::numeric_limits<float>::quiet_NaN());
  Loader loader(run.source, run.statistics, reading);
  const int64_t all = loader.samples_an_epoch(),
                parts = std::ssize(parts_of_field(run.source->catalog(), reading.grid, samples.tiles)),
                most = samples.most > 0 ? std::min(samples.most * parts, all) : all;
  while (loader.position() < most) {
    const int64_t number = loader.position() + reading.samples.begin;
    const Batch read = loader.next();
    const bool counts = number < most && !read.sample_ids.empty();
    const Batch batch = counts ? read : blank_like(read);
    Batch there = batch;
    there.input_BTKI = batch.input_BTKI.to(run.device()),
    there.lead_hours_B = batch.lead_hours_B.to(run.device());
    const at::Tensor prediction =
        run.chain.predict(task.input(there, options), inputs_of(there, options, false)).cpu();
    if (counts) visit(number, batch, prediction);
  }
}

at::Tensor whole_field(const Run& run, const at::Tensor& mine_tP, const TokenGrid& grid) {
  const Group& holders = run.mesh.holders;
  at::Tensor counts = at::zeros({holders.size()}, at::kLong);
  counts[holders.rank()] = mine_tP.size(0);
  counts = holders.all_reduce(counts).wait();
  const std::vector<int64_t> rows(counts.data_ptr<int64_t>(), counts.data_ptr<int64_t>() + holders.size());
  return from_patches(holders.all_gather(mine_tP.to(at::kFloat).contiguous(), rows).wait(), grid);
}

at::Tensor sum_over(const Group& holders, const at::Tensor& mine) {
  const at::Tensor all = holders.all_reduce(mine.detach()).wait();
  return mine + (all - mine.detach());
}

std::vector<TaskScore> rmse_scores(const Run& run, const at::Tensor& sums_V1N,
                                   const std::vector<const char*>& who) {
  const auto& variables = run.options.data.variables;
  const at::Tensor of_VN = sums_V1N.view({std::ssize(variables), 1 + std::ssize(who)});
  const Catalog& catalog = run.source->catalog();
  std::vector<TaskScore> scores;
  for (size_t v = 0; v < variables.size(); ++v) {
    const at::Tensor of_N = of_VN[static_cast<int64_t>(v)];
    for (size_t i = 0; i < who.size(); ++i) {
      const double mean_square = of_N[static_cast<int64_t>(i) + 1].item<double>() / of_N[0].item<double>();
      scores.push_back({variables[v], "rmse", who[i],
                        run.statistics.of(variables[v]).deviation * std::sqrt(mean_square),
                        catalog.variables[catalog.index_of(variables[v])].units});
    }
  }
  return scores;
}

std::vector<int64_t> times_of(const TaskSamples& samples, const Catalog& catalog) {
  std::vector<int64_t> times;
  for (const int64_t time : catalog.times) {
    if (samples.range.holds(time) && (samples.most <= 0 || std::ssize(times) < samples.most))
      times.push_back(time);
  }
  return times;
}

void choose_inputs(Options& options, const Catalog& catalog, const std::string& labels) {
  DataOptions& data = options.data;
  if (!labels.empty()) catalog.index_of(labels);
  if (data.variables.empty()) {
    for (const Variable& variable : catalog.variables) {
      if (variable.name != labels) data.variables.push_back(variable.name);
    }
  }
  if (data.variables.empty())
    refuse("data", catalog.path, " has the labels ", labels, " alone: name images too");
  for (const std::string& name : data.variables) {
    catalog.index_of(name);
    if (name == labels) refuse("data", "data.variables has the labels ", labels, ": leave them out");
  }
  if (data.targets.empty()) data.targets = data.variables;
  if (data.targets != data.variables)
    refuse("data", "data.targets: task.kind = \"", name_of(options.task.kind),
           "\" has no targets of its own among the "
           "variables; leave the key out");
}

void ImageTask::set_reading(const Options&, const ModelShape&, LoaderOptions& loader) const {
  loader.predict = Predict::state;
}

at::Tensor ImageTask::train(Chain& chain, const std::vector<Batch>& parts, const Options& options,
                            const Mesh& mesh) const {
  const Accounted booked(Account::data);
  std::vector<MicroBatch> micro_batches;
  for (const Batch& part : parts) {
    micro_batches.push_back({input(part, options), inputs_of(part, options, true),
                             [this, &part, &options, &mesh](const at::Tensor& prediction_BTKP) {
                               return loss(prediction_BTKP, part, options, mesh);
                             }});
  }
  return chain.train(micro_batches);
}

at::Tensor ImageTask::weight(const Batch& batch) const { return weight_sum(batch.weight_BTKP); }

double ImageTask::validate(Run& run, const World&, RunLog* log) const {
  const TaskSamples samples{part_of_data(run.options.data, SplitPart::valid, run.source->catalog()),
                            run.options.run.eval_samples};
  at::Tensor totals = at::zeros({2}, at::kDouble), sums = at::zeros({0}, at::kDouble);
  each_sample(run, *this, samples, true, [&](int64_t, const Batch& batch, const at::Tensor& prediction) {
    totals[0] += loss(prediction, batch, run.options, run.mesh).to(at::kDouble);
    totals[1] += weight(batch);
    add_to(sums, count(run, batch, prediction));
  });
  totals = run.mesh.stage.all_reduce(totals).wait();
  const at::Tensor all = over_ranks(sums, run.mesh.stage);
  const double score = totals[0].item<double>() / totals[1].item<double>();
  if (!log) return score;
  log->scores(run.step, {{"all", "loss", "model", score}});
  log->scores(run.step, tell(run, all));
  return score;
}

std::vector<TaskScore> ImageTask::scores(Run& run, const World&, const TaskSamples& samples) const {
  at::Tensor sums = at::zeros({0}, at::kDouble);
  each_sample(run, *this, samples, true, [&](int64_t, const Batch& batch, const at::Tensor& prediction) {
    add_to(sums, count(run, batch, prediction));
  });
  return tell(run, over_ranks(sums, run.mesh.stage));
}

void ImageTask::write_predictions(Run& run, const World& world, const TaskSamples& samples,
                                  const std::string& path) const {
  const Catalog& catalog = run.source->catalog();
  const Written out = written(run);
  const TokenGrid whole = written_size(out.grid, catalog, samples.tiles);
  const std::vector<Tile> parts = parts_of_field(catalog, out.grid, samples.tiles);
  std::optional<FieldWriter> writer;
  agree(world, run.mesh.world, [&] {
    if (world.rank != 0) return;
    FieldWriterOptions file;
    file.path = path;
    file.latitudes = catalog.latitudes, file.longitudes = catalog.longitudes;
    file.latitude_descending = catalog.latitude_descending;
    file.axes = axes_of_middle(catalog, whole);
    file.times = times_of(samples, catalog), file.calendar = catalog.calendar;
    file.variables = out.variables;
    file.attributes = {{"title", "Predictions"}, {"source", text("graticule; data: ", catalog.path)}};
    writer.emplace(file);
  });
  const int64_t count = std::ssize(parts);
  std::vector<at::Tensor> fields(out.variables.size());  // of one sample, as far as its tiles are there
  // The whole field of a written variable when its last part is there; undefined before.
  const auto joined = [&](size_t i, int64_t part, const at::Tensor& part_YX) -> at::Tensor {
    if (!samples.tiles) return part_YX;
    if (part == 0) fields[i] = at::zeros({whole.lines(), whole.columns});
    paste(part_YX, parts[static_cast<size_t>(part)], out.grid, whole, fields[i]);
    return part + 1 == count ? fields[i] : at::Tensor();
  };
  const auto write = [&](int64_t number, const Batch& batch, const at::Tensor& prediction) {
    for (size_t i = 0; i < out.variables.size(); ++i) {
      const at::Tensor part_YX = whole_field(run, patches_of(run, batch, prediction, i), out.grid);
      if (!writer) continue;
      const at::Tensor field_YX = joined(i, number % count, part_YX);
      if (!field_YX.defined()) continue;
      writer->write(out.variables[i].name, number / count, 0,
                    {field_YX.data_ptr<float>(), static_cast<size_t>(field_YX.numel())});
    }
  };
  each_sample(run, *this, samples, false, write);
  agree(world, run.mesh.world, [&] {
    if (writer) writer->finish();
  });
}

}  // namespace graticule
