// Classify and regress: a sample has one class, or one number (task.labels, sample_labels.h). The head gives numbers
// for each token, and their mean over all tokens of the sample, on all ranks, is what the model says: the logits of
// the classes, or the normalised value. The mean commutes with the head's last layer, so this is a pooled head that
// needs no block of its own. The loss of a step is the mean over samples of the cross-entropy, or squared error.
//
// Legend: B samples, T this rank's tokens, C classes (1 of regress).

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <fstream>

#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/image_task.h"
#include "graticule/train/ranges.h"
#include "graticule/train/sample_labels.h"

namespace graticule {

namespace {

constexpr const char* labels_key = "task.labels";  // among the statistics

// A sample as a file of labels names it: "7", step 3 of it "7:3", or its date.
std::string sample_name(int64_t time, Calendar calendar) {
  if (calendar != Calendar::none) return format_time(time, calendar);
  const int64_t sample = sample_of_time(time), step = (time - time_of_sample(sample)) / 3600;
  return step > 0 ? text(sample, ":", step) : text(sample);
}

// The mean over the tokens of all ranks, [B, C]. Its gradient is that of this rank's part.
at::Tensor pooled(const at::Tensor& prediction_BTC1, const Group& holders) {
  const at::Tensor mine_BC = prediction_BTC1.sum({1, 3});
  const at::Tensor tokens_B1 =
      at::full({mine_BC.size(0), 1}, static_cast<double>(prediction_BTC1.size(1)), mine_BC.options());
  const at::Tensor all = sum_over(holders, at::cat({mine_BC, tokens_B1}, 1));
  return all.narrow(1, 0, mine_BC.size(1)) / all.narrow(1, mine_BC.size(1), 1);
}

class PooledTask : public ImageTask {
 public:
  bool tells_places() const override { return false; }

  void choose(Options& options, const Catalog& catalog) const override { choose_inputs(options, catalog); }

  void set_outputs(const Options& options, ModelShape& shape) const override {
    shape.head_outputs = outputs(options), shape.head_values = 1;
  }

  void set_reading(const Options& options, const ModelShape& shape, LoaderOptions& loader) const override {
    ImageTask::set_reading(options, shape, loader);
    loader.targets.clear(), loader.target_weights.clear();
    loader.target_of_time = {0};  // add_labels knows them
  }

  // Each sample of the range needs a label.
  void add_labels(const Options& options, const Catalog& catalog, const Statistics& statistics,
                  LoaderOptions& loader) const override {
    loader.target_of_time = read_sample_labels(options.task.labels, catalog);
    for (size_t i = 0; i < catalog.times.size(); ++i) {
      float& value = loader.target_of_time[i];
      if (loader.range.holds(catalog.times[i])) {
        const std::string sample = sample_name(catalog.times[i], catalog.calendar);
        if (std::isnan(value))
          refuse("task", options.task.labels, " has no value of sample ", sample,
                 ": add a line, or leave the sample out of the range");
        check(options, sample, value);
      }
      value = normalised(options, statistics, value);
    }
  }

  at::Tensor loss(const at::Tensor& prediction_BTC1, const Batch& batch, const Options&,
                  const Mesh& mesh) const override {
    const at::Tensor error_B = error_of(pooled(prediction_BTC1, mesh.holders),
                                        batch.target_BTKP.flatten().to(prediction_BTC1.device()));
    // All ranks of a sample have its error; the first one counts the value.
    const at::Tensor value = (error_B * batch.weight_BTKP.flatten()).sum();
    return value.detach() + (error_B.sum() - error_B.sum().detach());
  }

  std::string predictions_name() const override { return "predictions.csv"; }

  void write_predictions(Run& run, const World& world, const TaskSamples& samples,
                         const std::string& path) const override {
    const Catalog& catalog = run.source->catalog();
    const std::vector<int64_t> times = times_of(samples, catalog);
    agree(world, run.mesh.world, [&] {
      if (world.rank != 0) return;
      refuse_unwritable(path, "predict", "--out");
      if (std::ifstream(path)) refuse("predict", path, " exists: choose another --out, or remove it");
    });
    std::string lines = heading(run.options) + "\n";
    each_sample(run, *this, samples, false, [&](int64_t number, const Batch&, const at::Tensor& prediction) {
      lines += text(sample_name(times[static_cast<size_t>(number)], catalog.calendar),
                    described(run, pooled(prediction, run.mesh.holders)[0]), "\n");
    });
    agree(world, run.mesh.world, [&] {
      if (world.rank == 0) write_whole(path, lines, "predict");
    });
  }

 protected:
  virtual int64_t outputs(const Options& options) const = 0;
  // Refuses a value that cannot be a label.
  virtual void check(const Options& options, const std::string& sample, float value) const = 0;
  virtual float normalised(const Options&, const Statistics&, float value) const { return value; }
  virtual at::Tensor error_of(const at::Tensor& told_BC, const at::Tensor& truth_B) const = 0;
  virtual std::string heading(const Options& options) const = 0;
  // The rest of a sample's line.
  virtual std::string described(const Run& run, const at::Tensor& told_C) const = 0;

  Written written(const Run&) const override { GRATICULE_CHECK(false, "no fields"); }
  at::Tensor patches_of(const Run&, const Batch&, const at::Tensor&, size_t) const override {
    GRATICULE_CHECK(false, "no fields");
  }
};

class ClassifyTask : public PooledTask {
 public:
  // By class: samples that are recognised, and samples. The first rank of a sample counts it.
  at::Tensor count(Run& run, const Batch& batch, const at::Tensor& prediction_BTC1) const override {
    const at::Tensor told_C = pooled(prediction_BTC1, run.mesh.holders)[0].to(at::kDouble);
    at::Tensor right_C = at::zeros_like(told_C), all_C = at::zeros_like(told_C);
    const auto truth = static_cast<int64_t>(batch.target_BTKP.item<float>());
    const double weight = batch.weight_BTKP.item<double>();
    all_C[truth] = weight;
    right_C[truth] = told_C.argmax().item<int64_t>() == truth ? weight : 0;
    return at::cat({right_C, all_C});
  }

  std::vector<TaskScore> tell(const Run& run, const at::Tensor& sums) const override {
    const int64_t classes = run.options.task.classes;
    const at::Tensor sums_2C = sums.view({2, classes});
    std::vector<TaskScore> scores;
    for (int64_t c = 0; c < classes; ++c)
      scores.push_back(
          {text("class ", c), "recall", "model", (sums_2C[0][c] / sums_2C[1][c]).item<double>()});
    scores.push_back({"all", "accuracy", "model", (sums_2C[0].sum() / sums_2C[1].sum()).item<double>()});
    scores.push_back(
        {"all", "accuracy", "most frequent", (sums_2C[1].max() / sums_2C[1].sum()).item<double>()});
    return scores;
  }

 protected:
  int64_t outputs(const Options& options) const override { return options.task.classes; }
  void check(const Options& options, const std::string& sample, float value) const override {
    if (value >= 0 && value < static_cast<float>(options.task.classes) && value == std::floor(value)) return;
    refuse("task", options.task.labels, ": sample ", sample, " has the label ", value,
           ", but task.classes = ", options.task.classes, ": labels are whole numbers from 0 to ",
           options.task.classes - 1);
  }
  at::Tensor error_of(const at::Tensor& told_BC, const at::Tensor& truth_B) const override {
    return -at::log_softmax(told_BC, 1).gather(1, truth_B.to(at::kLong).unsqueeze(1)).squeeze(1);
  }
  std::string heading(const Options& options) const override {
    std::string line = "sample,class";
    for (int64_t c = 0; c < options.task.classes; ++c) line += text(",probability_", c);
    return line;
  }
  std::string described(const Run&, const at::Tensor& told_C) const override {
    std::string line = text(",", told_C.argmax().item<int64_t>());
    const at::Tensor p_C = at::log_softmax(told_C, 0).exp();
    for (int64_t c = 0; c < p_C.size(0); ++c) line += text(",", p_C[c].item<double>());
    return line;
  }
};

class RegressTask : public PooledTask {
 public:
  // The labels' mean and deviation over the training samples, among those of variables.
  void add_statistics(const Options& options, const Catalog& catalog, Statistics& statistics) const override {
    const std::vector<float> values = read_sample_labels(options.task.labels, catalog);
    const TimeRange range = part_of_data(options.data, SplitPart::train, catalog);
    double sum = 0, squares = 0;
    int64_t count = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!range.holds(catalog.times[i]) || std::isnan(values[i])) continue;
      sum += values[i], squares += double{values[i]} * values[i], ++count;
    }
    VariableStatistics& of = statistics.variables[labels_key];
    of.count = count, of.mean = count > 0 ? sum / static_cast<double>(count) : 0;
    const double variance = count > 0 ? squares / static_cast<double>(count) - of.mean * of.mean : 0;
    of.deviation = variance > 0 ? std::sqrt(variance) : 1;
  }

  // Samples, and squared errors of the model and of the training samples' mean, normalised.
  at::Tensor count(Run& run, const Batch& batch, const at::Tensor& prediction_BTC1) const override {
    const at::Tensor told = pooled(prediction_BTC1, run.mesh.holders)[0][0].to(at::kDouble);
    const at::Tensor truth = batch.target_BTKP.flatten()[0].to(at::kDouble);
    const at::Tensor weight = batch.weight_BTKP.flatten()[0].to(at::kDouble);
    return at::stack({weight, (told - truth).square() * weight, truth.square() * weight});
  }

  std::vector<TaskScore> tell(const Run& run, const at::Tensor& sums) const override {
    const double deviation = run.statistics.of(labels_key).deviation;
    std::vector<TaskScore> scores;
    for (const auto& [who, at] : {std::pair{"model", 1}, {"mean", 2}})
      scores.push_back({"all", "rmse", who, deviation * std::sqrt((sums[at] / sums[0]).item<double>())});
    return scores;
  }

 protected:
  int64_t outputs(const Options&) const override { return 1; }
  void check(const Options& options, const std::string& sample, float value) const override {
    if (!std::isfinite(value))
      refuse("task", options.task.labels, ": the value of sample ", sample, " is infinite");
  }
  float normalised(const Options&, const Statistics& statistics, float value) const override {
    const VariableStatistics& of = statistics.of(labels_key);
    return static_cast<float>((value - of.mean) / of.deviation);
  }
  at::Tensor error_of(const at::Tensor& told_BC, const at::Tensor& truth_B) const override {
    return (told_BC.squeeze(1) - truth_B).square();
  }
  std::string heading(const Options&) const override { return "sample,value"; }
  std::string described(const Run& run, const at::Tensor& told_C) const override {
    const VariableStatistics& of = run.statistics.of(labels_key);
    return text(",", told_C[0].item<double>() * of.deviation + of.mean);
  }
};

}  // namespace

const Task& classify_task() {
  static const ClassifyTask task;
  return task;
}

const Task& regress_task() {
  static const RegressTask task;
  return task;
}

}  // namespace graticule
