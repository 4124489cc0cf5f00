// Downscale: the input is a coarse grid, the target is task.factor times finer. The data have the fine fields; their
// means over boxes of factor x factor pixels (on a volume factor^3) are the input. A token's patch is the same box in
// both, so the head gives factor^2 (factor^3) values for each pixel of the input: the difference from that pixel.
//
// Legend: B samples, T this rank's tokens, K variables a token carries, P pixels of a patch, of the fine grid.

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_trilinear3d.h>

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"
#include "graticule/train/image_task.h"
#include "graticule/train/loss.h"

namespace graticule {

namespace {

bool is_volume(const TokenGrid& grid) { return grid.kind == GridKind::volume; }

TokenGrid finer(TokenGrid grid, int64_t factor) {
  const int64_t layers = is_volume(grid) ? factor : 1;
  grid.layers *= layers, grid.rows *= factor, grid.columns *= factor;
  grid.patch = {grid.patch.layers * layers, grid.patch.rows * factor, grid.patch.columns * factor};
  return grid;
}

// How a fine patch consists of boxes: the coarse pixels along its sides, and the sides of a box.
struct Boxes {
  int64_t layers, deep, rows, columns, side;
};
Boxes boxes_of(const Options& options) {
  const Patch& patch = options.model.patch;
  const bool volume = options.data.images.grid == GridKind::volume;
  const int64_t k = options.task.factor;
  return {volume ? patch.layers : 1, volume ? k : 1, patch.rows, patch.columns, k};
}

// Fine patches -> the means of boxes.
at::Tensor coarse_of(const at::Tensor& fine_BTKP, const Options& options) {
  const Boxes b = boxes_of(options);
  return fine_BTKP.unflatten(3, {b.layers, b.deep, b.rows, b.side, b.columns, b.side})
      .mean({4, 6, 8})
      .flatten(3);
}

// Coarse patches -> each pixel again in all places of its box.
at::Tensor repeated(const at::Tensor& coarse, const Options& options) {
  const Boxes b = boxes_of(options);
  const at::Tensor pixels = coarse.unflatten(3, {b.layers, b.rows, b.columns});
  return pixels.unsqueeze(4)
      .unsqueeze(6)
      .unsqueeze(8)
      .expand({-1, -1, -1, b.layers, b.deep, b.rows, b.side, b.columns, b.side})
      .flatten(3);
}

// A field with `more` pixels around it: neighbours across a periodic axis, else the pixels of the edge.
at::Tensor extended(at::Tensor field, const TokenGrid& grid, int64_t more) {
  for (int64_t dim = 0; dim < field.dim(); ++dim) {
    const auto axis = static_cast<GridAxis>(3 - field.dim() + dim);
    const int64_t n = field.size(dim);
    std::vector<int64_t> at;
    for (int64_t i = -more; i < n + more; ++i)
      at.push_back(grid.periodic(axis) ? ((i % n) + n) % n : std::clamp<int64_t>(i, 0, n - 1));
    field = field.index_select(dim, at::tensor(at, at::kLong));
  }
  return field;
}

// Interpolations of a coarse field ((Z) Y X) at the fine pixels: linear, and on planes and spheres bicubic.
std::vector<at::Tensor> interpolated(const at::Tensor& coarse, const TokenGrid& grid, int64_t factor) {
  constexpr int64_t more = 4;
  const at::Tensor whole = extended(coarse, grid, more).unsqueeze(0).unsqueeze(0);
  std::vector<int64_t> sizes;
  for (int64_t dim = 2; dim < whole.dim(); ++dim) sizes.push_back(whole.size(dim) * factor);
  std::vector<at::Tensor> fine;
  if (is_volume(grid)) {
    fine = {at::upsample_trilinear3d(whole, sizes, false)};
  } else {
    fine = {at::upsample_bilinear2d(whole, sizes, false), at::upsample_bicubic2d(whole, sizes, false)};
  }
  for (at::Tensor& field : fine) {
    field = field[0][0];
    for (int64_t dim = 0; dim < field.dim(); ++dim)
      field = field.narrow(dim, more * factor, field.size(dim) - 2 * more * factor);
  }
  return fine;
}

class DownscaleTask : public ImageTask {
 public:
  void choose(Options& options, const Catalog& catalog) const override { choose_inputs(options, catalog); }

  TokenGrid input_grid(const Options& options, const TokenGrid& of_data) const override {
    const int64_t k = options.task.factor;
    if (of_data.kind == GridKind::cells)
      refuse("task", "task.kind = \"downscale\" on a grid of ", size_in_words(of_data),
             ": it needs rows and columns");
    TokenGrid grid = of_data;
    std::vector<int64_t*> sides = {&grid.rows, &grid.columns};
    if (is_volume(grid)) sides.insert(sides.begin(), &grid.layers);
    for (int64_t* side : sides) {
      if (*side % k != 0)
        refuse("task", "task.factor = ", k, " does not divide the grid of ", size_in_words(of_data),
               ": choose another factor, or cut the images with data.crop");
      *side /= k;
    }
    return grid;
  }

  void set_outputs(const Options& options, ModelShape& shape) const override {
    shape.head_values = finer(shape.grid, options.task.factor).pixels();
  }

  void set_reading(const Options& options, const ModelShape& shape, LoaderOptions& loader) const override {
    ImageTask::set_reading(options, shape, loader);
    loader.grid = finer(shape.grid, options.task.factor);
  }

  at::Tensor input(const Batch& batch, const Options& options) const override {
    return coarse_of(batch.input_BTKI, options);
  }

  at::Tensor loss(const at::Tensor& prediction_BTKP, const Batch& batch, const Options& options,
                  const Mesh&) const override {
    return squared_error_sum(prediction_BTKP + repeated(input(batch, options), options), batch.target_BTKP,
                             batch.weight_BTKP);
  }

  // By variable: weight, then squared errors of the model and of the interpolations.
  at::Tensor count(Run& run, const Batch& batch, const at::Tensor& prediction_BTKP) const override {
    const TokenGrid &grid = run.shape.grid, fine = finer(grid, run.options.task.factor);
    const at::Tensor coarse = input(batch, run.options),
                     told = prediction_BTKP + repeated(coarse, run.options);
    std::vector<at::Tensor> sums;
    for (int64_t v = 0; v < grid.variables; ++v) {
      const auto part = [&](const at::Tensor& all) { return of_variable(all[0], grid, run.tokens, v); };
      const at::Tensor truth = part(batch.target_BTKP), weight = part(batch.weight_BTKP).to(at::kDouble);
      const at::Tensor flat_YX = whole_field(run, part(coarse), grid);
      const at::Tensor field = is_volume(grid) ? flat_YX.unflatten(0, {grid.layers, grid.rows}) : flat_YX;
      std::vector<at::Tensor> guesses = {part(told)};
      for (const at::Tensor& guess : interpolated(field, grid, run.options.task.factor)) {
        guesses.push_back(to_patches(guess.reshape({fine.lines(), fine.columns}), {0, fine.lines()}, fine,
                                     places_of(grid, run.tokens, v)));
      }
      sums.push_back(weight.sum());
      for (const at::Tensor& guess : guesses)
        sums.push_back(((guess - truth).to(at::kDouble).square() * weight).sum());
    }
    return at::stack(sums);
  }

  std::vector<TaskScore> tell(const Run& run, const at::Tensor& sums) const override {
    if (is_volume(run.shape.grid)) return rmse_scores(run, sums, {"model", "trilinear"});
    return rmse_scores(run, sums, {"model", "bilinear", "bicubic"});
  }

 protected:
  Written written(const Run& run) const override {
    Written out{{}, finer(run.shape.grid, run.options.task.factor)};
    const Catalog& catalog = run.source->catalog();
    for (const std::string& name : run.options.data.variables)
      out.variables.push_back(catalog.variables[catalog.index_of(name)]);
    for (Variable& variable : out.variables) variable.constant = false;
    return out;
  }

  at::Tensor patches_of(const Run& run, const Batch& batch, const at::Tensor& prediction_BTKP,
                        size_t written) const override {
    const at::Tensor told = prediction_BTKP + repeated(input(batch, run.options), run.options);
    const VariableStatistics& statistics = run.statistics.of(run.options.data.variables[written]);
    return of_variable(told[0], run.shape.grid, run.tokens, static_cast<int64_t>(written)) *
               statistics.deviation +
           statistics.mean;
  }
};

}  // namespace

const Task& downscale_task() {
  static const DownscaleTask task;
  return task;
}

}  // namespace graticule
