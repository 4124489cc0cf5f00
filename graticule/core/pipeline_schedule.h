// Pipeline schedules as data: for each rank of a pipeline, the order in which it runs its micro-batches
// forward and backward. No tensors, no groups. The executor (parallel/training_pass.h) runs these lists;
// parallel/timeline.h predicts their time and draws them.
//
// Words: a pipeline has p stages, one a rank. The model is a chain of p v virtual stages. Stage s has the
// chunks 0 .. v-1, and its chunk c is virtual stage c p + s.
#pragma once

#include <string_view>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/core/span.h"

namespace graticule {

/// The schedule with this word in a recipe. Refuses other words and suggests the nearest known one.
ScheduleKind schedule_named(std::string_view name);

/// One action of a rank: a forward or a backward of one chunk with one micro-batch. `backward` is the whole
/// backward. A zero-bubble schedule splits it: `backward_input` computes the gradient of the chunk's input,
/// and `backward_weight` later computes the gradients of its weights.
struct StageAction {
  enum class Kind { forward, backward, backward_input, backward_weight } kind;
  int chunk;  ///< which of this rank's chunks
  int micro;  ///< micro-batch
  bool operator==(const StageAction&) const = default;
};

/// Refuses numbers below 1, more than one chunk with a schedule other than interleaved, and interleaved with
/// one chunk.
void validate(ScheduleKind kind, int stages, int chunks, int micro_batches);

/// The actions of rank `stage` in [0, stages), in order. Refuses what `validate` refuses.
///
/// Ranks that follow their lists never dead-lock, if receives block and sends do not. All stages run their
/// forwards in one common order, and their backwards in one common order. So activations, and gradients,
/// arrive in the order in which the receiver needs them. The exception is two stages with several chunks:
/// there both kinds of message travel from one rank to the other in the same direction, in no fixed order.
/// Therefore a message's tag names its chunk and micro-batch.
std::vector<StageAction> schedule_of(ScheduleKind kind, int stages, int stage, int chunks, int micro_batches);

/// Splits a chain of `blocks` blocks (tokenizer, transformer blocks, head) over the virtual stages: one span
/// of chain blocks for each, in order. The numbers of transformer blocks differ by at most one. The larger
/// stages are in the middle, since the first stage also has the tokenizer and the last also has the head. If
/// only one stage is smaller, it is the first, because the last stage keeps the fewest micro-batches in
/// memory. Refuses more virtual stages than transformer blocks.
std::vector<Span> stage_spans(int64_t blocks, int virtual_stages);

}  // namespace graticule
