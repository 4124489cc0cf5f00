// Pipeline schedules as data: the order in which each rank of a pipeline takes its micro-batches forward and
// backward. No tensors, no groups: an executor runs the lists, `parallel/timeline` predicts and draws them.
//
// The model is a chain of virtual stages; stage s of p holds chunks 0 .. v-1, and chunk c is virtual stage c
// p + s.
#pragma once

#include <string_view>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/core/span.h"

namespace graticule {

/// The schedule of a recipe's word. Refuses other words, with the nearest known one.
ScheduleKind schedule_named(std::string_view name);

/// One step of a rank. `backward` is both halves at once; `backward_input` gives the gradient of the chunk's
/// input, `backward_weight` that of its weights, later.
struct StageAction {
  enum class Kind { forward, backward, backward_input, backward_weight } kind;
  int chunk;  ///< which of this rank's chunks
  int micro;  ///< micro-batch
  bool operator==(const StageAction&) const = default;
};

/// Refuses numbers below 1, several chunks with another kind than interleaved, and interleaved with one.
void validate(ScheduleKind kind, int stages, int chunks, int micro_batches);

/// The actions of one rank in the order it takes them. Ranks that follow their lists with blocking receives
/// and non-blocking sends never dead-lock. All stages take forwards in one order, and backwards in one order,
/// so activations, and gradients, arrive in the order in which their receiver wants them. With two stages and
/// several chunks both travel from one rank to the other in the same direction, in no fixed order: a
/// message's tag names what it carries, the chunk and the micro-batch. Refuses what `validate` refuses;
/// `stage` lies in [0, stages).
std::vector<StageAction> schedule_of(ScheduleKind kind, int stages, int stage, int chunks, int micro_batches);

/// The split of a chain of `blocks` = tokenizer, depth transformer blocks, head over the virtual stages:
/// spans of chain blocks, in order. Transformer blocks are spread so that stages differ by at most one and
/// the larger ones lie in the middle, since the first stage also carries the tokenizer and the last the head;
/// an end is larger only when all inner stages are, and then it is the last, which holds the fewest
/// micro-batches. Refuses more virtual stages than transformer blocks.
std::vector<Span> stage_spans(int64_t blocks, int virtual_stages);

}  // namespace graticule
