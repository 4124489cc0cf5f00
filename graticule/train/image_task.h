// Tasks that look at one state of a sample and say something about it: all but the forecast. They train, score and
// write sample by sample in the same way; a task adds its loss, its scores and its outputs.
//
// Legend: B samples, T this rank's tokens, K outputs of a token, P values of an output, S all places.
#pragma once

#include <functional>

#include "graticule/train/task.h"

namespace graticule {

class ImageTask : public Task {
 public:
  at::Tensor train(Chain& chain, const std::vector<Batch>& parts, const Options& options,
                   const Mesh& mesh) const final;
  at::Tensor weight(const Batch& batch) const final;
  double validate(Run& run, const World& world, RunLog* log) const final;
  std::vector<TaskScore> scores(Run& run, const World& world, const TaskSamples& samples) const final;
  void write_predictions(Run& run, const World& world, const TaskSamples& samples,
                         const std::string& path) const override;
  void set_reading(const Options& options, const ModelShape& shape, LoaderOptions& loader) const override;

  /// The model's input, made of what the loader read.
  virtual at::Tensor input(const Batch& batch, const Options&) const { return batch.input_BTKI; }
  /// The sum of this rank's losses, times their weights (Batch::weight_BTKP): a differentiable scalar. Collective over
  /// mesh.holders.
  virtual at::Tensor loss(const at::Tensor& prediction_BTKP, const Batch& batch, const Options& options,
                          const Mesh& mesh) const = 0;

  /// Sums over this rank's part of one sample (B = 1, on the CPU), fp64 and always as many. Collective over
  /// mesh.holders.
  virtual at::Tensor count(Run& run, const Batch& batch, const at::Tensor& prediction_BTKP) const = 0;
  /// The scores that follow from the sums over all samples and ranks.
  virtual std::vector<TaskScore> tell(const Run& run, const at::Tensor& sums) const = 0;

 protected:
  /// A field that predictions contain: its name and unit, and the grid that its patches have.
  struct Written {
    std::vector<Variable> variables;
    TokenGrid grid;
  };
  virtual Written written(const Run& run) const = 0;
  /// The patches of a written variable on this rank's tokens of one sample (t P), in physical units. Those of all
  /// ranks, one after the other, are the places of the grid.
  virtual at::Tensor patches_of(const Run& run, const Batch& batch, const at::Tensor& prediction_BTKP,
                                size_t written) const = 0;
};

/// Predicts the samples one by one and shows each of them with its number, B = 1, on the CPU. `spread`: the data ranks
/// share the samples out and their labels are read; else each takes all of them, without labels. Collective over the
/// world.
using Visit = std::function<void(int64_t number, const Batch& batch, const at::Tensor& prediction_BTKP)>;
void each_sample(Run& run, const ImageTask& task, const TaskSamples& samples, bool spread,
                 const Visit& visit);

/// The whole field of patches (t P) that the ranks of a sample hold one after the other. Collective over mesh.holders.
at::Tensor whole_field(const Run& run, const at::Tensor& mine_tP, const TokenGrid& grid);

/// The sum of `mine` over the ranks of a sample, whose gradient is that of this rank's part. Collective over `holders`.
at::Tensor sum_over(const Group& holders, const at::Tensor& mine);

/// The root mean squared errors of each input variable, in its units. `sums_V1N`: of each variable the weight, then the
/// sum of squared errors of normalised values of each of `who`.
std::vector<TaskScore> rmse_scores(const Run& run, const at::Tensor& sums_V1N,
                                   const std::vector<const char*>& who);

/// The times of samples that are predicted, in order.
std::vector<int64_t> times_of(const TaskSamples& samples, const Catalog& catalog);

/// Chooses the input's variables: those that are named, or all but `labels`. They are the targets too, because the
/// statistics and the loss weights are theirs. Refuses an unknown name, and labels among the inputs.
void choose_inputs(Options& options, const Catalog& catalog, const std::string& labels = "");

}  // namespace graticule
