#include "graticule/parallel/stage_messages.h"

#include <ATen/ops/empty.h>

#include "graticule/core/trace.h"

namespace graticule {

StageMessages::StageMessages(const PipelineOptions& options, at::TensorOptions activations, int micro_batches)
    : stages_(options.ahead.size()),
      stage_(options.ahead.rank()),
      virtual_stages_(stages_ * options.chunks),
      micro_batches_(micro_batches),
      hidden_(options.hidden),
      activations_(activations),
      ahead_{options.ahead, {}, {}, {}},
      back_{options.back, {}, {}, {}} {}

void StageMessages::send(Direction& direction, int step, int chunk, int micro, const at::Tensor& values) {
  const int to = virtual_stage(chunk) + step;
  if (to % stages_ == stage_) {
    direction.handed.emplace(std::pair(to, micro), values);
    return;
  }
  const Scope scope("pipeline");
  std::erase_if(direction.sent, [](Pending& sent) { return sent.poll(); });  // frees messages that have left
  direction.sent.push_back(direction.group.send(values, to % stages_, to * micro_batches_ + micro));
}

void StageMessages::expect(Direction& direction, int step, int chunk, int micro, int64_t samples) {
  const int at = virtual_stage(chunk), from = at + step;
  if (from % stages_ == stage_ || direction.expected.contains({at, micro})) return;
  std::vector<int64_t> sizes = {samples};
  sizes.insert(sizes.end(), hidden_.begin(), hidden_.end());
  direction.expected.emplace(
      std::pair(at, micro),
      direction.group.receive(at::empty(sizes, activations_), from % stages_, at * micro_batches_ + micro));
}

at::Tensor StageMessages::take(Direction& direction, int step, int chunk, int micro, int64_t samples) {
  const std::pair key(virtual_stage(chunk), micro);
  if (const auto found = direction.handed.extract(key)) return found.mapped();
  expect(direction, step, chunk, micro, samples);
  const Scope scope("pipeline");
  return direction.expected.extract(key).mapped().wait();
}

void StageMessages::finish() {
  for (Direction* direction : {&ahead_, &back_}) {
    for (Pending& sent : direction->sent) sent.wait();
    direction->sent.clear();
  }
}

}  // namespace graticule
