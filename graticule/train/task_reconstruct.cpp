// Reconstruct: masked autoencoding (He et al., arXiv 2111.06377). A part of the tokens is hidden; the model gives their
// pixels from the others. The blocks read the visible tokens alone, and a decoder gives all tokens (model/masked.h).
// The loss is the squared error of the hidden tokens.
//
// Legend: B samples, T this rank's tokens, K variables a token carries, P pixels of a patch, V variables.

#include <ATen/ops/full.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "graticule/core/error.h"
#include "graticule/train/image_task.h"
#include "graticule/train/loss.h"

namespace graticule {

namespace {

void refuse_masks(const TaskOptions& task, const ModelShape& shape) {
  const int64_t S = shape.grid.tokens(), visible = shape.visible_tokens();
  if (visible < 1)
    refuse("task", "task.masked = ", task.masked, " of ", S, " tokens leaves none visible: choose at most ",
           static_cast<double>(S - 1) / static_cast<double>(S));
  if (visible == S)
    refuse("task", "task.masked = ", task.masked, " of ", S, " tokens hides none: choose at least ",
           1 / static_cast<double>(S));
  if (task.mask == MaskKind::variable && shape.grid.tokens() == shape.grid.places())
    refuse(
        "task",
        "task.mask = \"variable\" needs tokens of one variable, and more than one variable: set model.tokens = ",
        "\"full\", or choose \"random\" or \"block\"");
}

class ReconstructTask : public ImageTask {
 public:
  void choose(Options& options, const Catalog& catalog) const override { choose_inputs(options, catalog); }

  void set_outputs(const Options& options, ModelShape& shape) const override {
    const TaskOptions& task = options.task;
    shape.decoder = {task.masked, task.decoder_dim, task.decoder_depth, task.decoder_heads};
    validate_decoder(shape);
    refuse_masks(task, shape);
  }

  void set_reading(const Options& options, const ModelShape& shape, LoaderOptions& loader) const override {
    ImageTask::set_reading(options, shape, loader);
    loader.mask = {shape.visible_tokens(), options.task.mask, options.task.mask_block};
  }

  at::Tensor loss(const at::Tensor& prediction_BTKP, const Batch& batch, const Options&,
                  const Mesh&) const override {
    return squared_error_sum(prediction_BTKP, batch.target_BTKP, batch.weight_BTKP);
  }

  // By variable, over the hidden pixels: weight, squared error of the model, and of the variable's mean, which is 0.
  at::Tensor count(Run& run, const Batch& batch, const at::Tensor& prediction_BTKP) const override {
    at::Tensor sums_V3 = at::zeros({run.shape.grid.variables, 3}, at::kDouble);
    for (int64_t v = 0; v < run.shape.grid.variables; ++v) {
      const auto part = [&](const at::Tensor& all) {
        return of_variable(all[0], run.shape.grid, run.tokens, v).to(at::kDouble);
      };
      const at::Tensor truth = part(batch.target_BTKP), weight = part(batch.weight_BTKP);
      sums_V3[v][0] = weight.sum();
      sums_V3[v][1] = ((part(prediction_BTKP) - truth).square() * weight).sum();
      sums_V3[v][2] = (truth.square() * weight).sum();
    }
    return sums_V3.reshape(-1);
  }

  std::vector<TaskScore> tell(const Run& run, const at::Tensor& sums) const override {
    return rmse_scores(run, sums, {"model", "mean"});
  }

 protected:
  // Each variable, and where it was hidden.
  Written written(const Run& run) const override {
    Written out{{}, run.shape.grid};
    const Catalog& catalog = run.source->catalog();
    for (const std::string& name : run.options.data.variables) {
      Variable variable = catalog.variables[catalog.index_of(name)];
      variable.constant = false;
      out.variables.push_back(variable);
      out.variables.push_back({name + "_hidden", "", "1 where the model did not see " + name, "", false});
    }
    return out;
  }

  at::Tensor patches_of(const Run& run, const Batch& batch, const at::Tensor& prediction_BTKP,
                        size_t written) const override {
    const auto v = static_cast<int64_t>(written / 2);
    const TokenGrid& grid = run.shape.grid;
    const Span tokens = grid.tokens_of(run.tokens, v);
    at::Tensor hidden_t1 = at::full({tokens.size(), 1}, true, at::kBool);
    for (const int64_t token : *batch.visible) {
      if (token >= tokens.begin && token < tokens.end) hidden_t1[token - tokens.begin][0] = false;
    }
    if (written % 2 == 1) return hidden_t1.expand({-1, grid.pixels()});
    const auto part = [&](const at::Tensor& all) { return of_variable(all[0], grid, run.tokens, v); };
    const VariableStatistics& statistics =
        run.statistics.of(run.options.data.variables[static_cast<size_t>(v)]);
    return at::where(hidden_t1, part(prediction_BTKP), part(batch.target_BTKP)) * statistics.deviation +
           statistics.mean;
  }
};

}  // namespace

const Task& reconstruct_task() {
  static const ReconstructTask task;
  return task;
}

}  // namespace graticule
