// The messages between pipeline stages: activations to the next virtual stage, gradients to the one before.
// Virtual stage v = chunk x stages + stage. When the neighbour is on the same rank, it gets the tensor
// itself. Sends do not block; receives may be posted early. The executor (training_pass.h, chain.cpp) uses
// it.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <utility>

#include "graticule/parallel/chain.h"

namespace graticule {

class StageMessages {
 public:
  /// `activations`: dtype and device of the messages. `micro_batches`: their number in a step, for the tags.
  StageMessages(const PipelineOptions& options, at::TensorOptions activations, int micro_batches);

  bool is_first(int chunk) const { return virtual_stage(chunk) == 0; }
  bool is_last(int chunk) const { return virtual_stage(chunk) + 1 == virtual_stages_; }

  /// Sends this chunk's output to the next virtual stage, or the gradient of its input to the one before.
  void send_activation(int chunk, int micro, const at::Tensor& x) { send(ahead_, 1, chunk, micro, x); }
  void send_gradient(int chunk, int micro, const at::Tensor& dx) { send(back_, -1, chunk, micro, dx); }
  /// Posts the receive of the message that this chunk waits for. It does nothing when the message was posted
  /// or handed over already. `samples`: the samples of the micro-batch.
  void expect_activation(int chunk, int micro, int64_t samples) { expect(ahead_, -1, chunk, micro, samples); }
  void expect_gradient(int chunk, int micro, int64_t samples) { expect(back_, 1, chunk, micro, samples); }
  /// Waits for the message and returns it.
  at::Tensor take_activation(int chunk, int micro, int64_t samples) {
    return take(ahead_, -1, chunk, micro, samples);
  }
  at::Tensor take_gradient(int chunk, int micro, int64_t samples) {
    return take(back_, 1, chunk, micro, samples);
  }
  /// Waits until all messages that were sent have left.
  void finish();

 private:
  struct Direction {
    Group group;
    std::map<std::pair<int, int>, at::Tensor> handed;  ///< by receiving virtual stage and micro-batch
    std::map<std::pair<int, int>, Pending> expected;
    std::vector<Pending> sent;
  };

  int virtual_stage(int chunk) const { return chunk * stages_ + stage_; }
  void send(Direction& direction, int step, int chunk, int micro, const at::Tensor& values);
  void expect(Direction& direction, int step, int chunk, int micro, int64_t samples);
  at::Tensor take(Direction& direction, int step, int chunk, int micro, int64_t samples);

  int stages_, stage_, virtual_stages_, micro_batches_;
  std::vector<int64_t> hidden_;
  at::TensorOptions activations_;
  Direction ahead_, back_;
};

}  // namespace graticule
