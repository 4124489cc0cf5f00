// Segment: each pixel has a class. The head gives a number for each class and pixel of a token's patch (logits). The
// loss of a sample is its mean cross-entropy plus 1 - its mean Dice of the classes (Milletari et al., arXiv
// 1606.04797), each pixel weighed:
//
//   dice_c = (2 sum w p_c t_c + 1) / (sum w p_c + sum w t_c + 1)
//
// p_c the probability of class c, t_c 1 where it is the truth. The sums run over the pixels of the sample on all
// ranks; they are exchanged once, before the ratio is taken. So the loss does not depend on how tokens, samples and
// micro-batches are spread. The loss of a step is the mean over samples, weighed by their labelled pixels.
//
// Legend: B samples, T this rank's tokens, C classes, P pixels of a patch.

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "graticule/core/error.h"
#include "graticule/train/image_task.h"

namespace graticule {

namespace {

at::Tensor one_hot(const at::Tensor& like_BTCP, const at::Tensor& class_BT1P) {
  return at::zeros_like(like_BTCP).scatter_(2, class_BT1P, 1);
}

class SegmentTask : public ImageTask {
 public:
  bool needs_whole_places() const override { return true; }

  void choose(Options& options, const Catalog& catalog) const override {
    choose_inputs(options, catalog, options.task.labels);
  }

  void set_outputs(const Options& options, ModelShape& shape) const override {
    shape.head_outputs = options.task.classes;
  }

  void set_reading(const Options& options, const ModelShape& shape, LoaderOptions& loader) const override {
    ImageTask::set_reading(options, shape, loader);
    loader.targets.clear(), loader.target_weights.clear();
    loader.labels = options.task.labels, loader.classes = options.task.classes;
  }

  at::Tensor loss(const at::Tensor& logits_BTCP, const Batch& batch, const Options&,
                  const Mesh& mesh) const override {
    const at::Tensor &weight_BT1P = batch.weight_BTKP, class_BT1P = batch.target_BTKP.to(at::kLong);
    const at::Tensor log_BTCP = at::log_softmax(logits_BTCP, 2);
    const at::Tensor entropy = -(log_BTCP.gather(2, class_BT1P) * weight_BT1P).sum();
    const at::Tensor p_BTCP = log_BTCP.exp() * weight_BT1P;
    const at::Tensor truth_BTCP = one_hot(p_BTCP, class_BT1P);
    const at::Tensor truth_BC = (truth_BTCP * weight_BT1P).sum({1, 3});
    const at::Tensor mine_3BC =
        at::stack({(p_BTCP * truth_BTCP).sum({1, 3}), p_BTCP.sum({1, 3}) + truth_BC, truth_BC});
    const at::Tensor sums_3BC = sum_over(mesh.holders, mine_3BC);
    const at::Tensor dice_B = ((2 * sums_3BC[0] + 1) / (sums_3BC[1] + 1)).mean(1);
    const at::Tensor weight_B = sums_3BC[2].sum(1);
    // Of the value a rank counts its share of the weight, because the ranks' values are added up.
    const at::Tensor gradient = (weight_B * (1 - dice_B)).sum();
    const at::Tensor share = (mine_3BC[2].sum(1) * (1 - dice_B)).sum().detach();
    return entropy + share + (gradient - gradient.detach());
  }

  // By class: pixels that are both predicted and true, predicted, and true.
  at::Tensor count(Run&, const Batch& batch, const at::Tensor& logits_BTCP) const override {
    const at::Tensor weight_BT1P = batch.weight_BTKP.to(at::kDouble);
    const at::Tensor like = logits_BTCP.to(at::kDouble);
    const at::Tensor told = one_hot(like, logits_BTCP.argmax(2, true)) * weight_BT1P;
    const at::Tensor truth = one_hot(like, batch.target_BTKP.to(at::kLong));
    return at::stack(
               {(told * truth).sum({0, 1, 3}), told.sum({0, 1, 3}), (truth * weight_BT1P).sum({0, 1, 3})})
        .reshape(-1);
  }

  std::vector<TaskScore> tell(const Run& run, const at::Tensor& sums) const override {
    const int64_t classes = run.options.task.classes;
    const at::Tensor sums_3C = sums.view({3, classes});
    std::vector<TaskScore> scores;
    double dice_sum = 0, iou_sum = 0;
    int64_t present = 0;
    for (int64_t c = 0; c < classes; ++c) {
      const double both = sums_3C[0][c].item<double>(), told = sums_3C[1][c].item<double>(),
                   truth = sums_3C[2][c].item<double>();
      const double dice = 2 * both / (told + truth),
                   iou = both / (told + truth - both);  // NaN without any pixel
      scores.push_back({text("class ", c), "dice", "model", dice});
      scores.push_back({text("class ", c), "iou", "model", iou});
      if (truth > 0) dice_sum += dice, iou_sum += iou, ++present;
    }
    const auto mean = [&](double sum) { return sum / static_cast<double>(present); };
    scores.push_back({"mean of classes", "dice", "model", mean(dice_sum)});
    scores.push_back({"mean of classes", "iou", "model", mean(iou_sum)});
    return scores;
  }

 protected:
  Written written(const Run& run) const override {
    return {{{run.options.task.labels, "", "predicted class", "", false}}, run.shape.grid};
  }

  at::Tensor patches_of(const Run&, const Batch&, const at::Tensor& logits_BTCP, size_t) const override {
    return logits_BTCP[0].argmax(1);
  }
};

}  // namespace

const Task& segment_task() {
  static const SegmentTask task;
  return task;
}

}  // namespace graticule
