#include "graticule/core/pipeline_schedule.h"

#include <algorithm>
#include <array>
#include <string>

#include "graticule/core/error.h"

namespace graticule {
namespace {

using Kind = StageAction::Kind;
using Actions = std::vector<StageAction>;

// `warmup` forwards, then a forward before each backward while there are any, then the backwards left over.
Actions one_forward_one_backward(const Actions& forwards, const Actions& backwards, int warmup) {
  const int count = static_cast<int>(forwards.size());
  warmup = std::min(warmup, count);
  Actions actions(forwards.begin(), forwards.begin() + warmup);
  for (int i = 0; i < count; ++i) {
    if (warmup + i < count) actions.push_back(forwards[warmup + i]);
    actions.push_back(backwards[i]);
  }
  return actions;
}

// A list that takes micro-batches 0, 1, ... through one chunk.
Actions in_order(Kind kind, int micro_batches) {
  Actions actions;
  for (int m = 0; m < micro_batches; ++m) actions.push_back({kind, 0, m});
  return actions;
}

// ZB-H1. Inputs' gradients go at 1f1b's pace; stage s owes up to s weights' gradients, so that every stage
// has at most as many micro-batches in flight as stage 0 of 1f1b, p. What is owed is paid while others still
// drain.
Actions zero_bubble(int stages, int stage, int micro_batches) {
  const Actions pace =
      one_forward_one_backward(in_order(Kind::forward, micro_batches),
                               in_order(Kind::backward_input, micro_batches), stages - stage - 1);
  Actions actions;
  for (const auto& action : pace) {
    actions.push_back(action);
    const int due = action.micro - stage;
    if (action.kind == Kind::backward_input && due >= 0) actions.push_back({Kind::backward_weight, 0, due});
  }
  for (int m = std::max(0, micro_batches - stage); m < micro_batches; ++m) {
    actions.push_back({Kind::backward_weight, 0, m});
  }
  return actions;
}

// Micro-batches go through the chunks in groups of one a stage: p of them through chunk 0, the same p through
// chunk 1, and so on. When p does not divide their number, this is the order of the next multiple without its
// first ones: leaving micro-batches out of an order that cannot dead-lock leaves one that cannot, since no
// action waits for another micro-batch. The first ones, because the shorter group then hides in the warm-up.
Actions interleaved(int stages, int stage, int chunks, int micro_batches) {
  const int groups = (micro_batches + stages - 1) / stages;
  const int missing = groups * stages - micro_batches;
  Actions forwards, backwards;
  for (int group = 0; group < groups; ++group) {
    for (int chunk = 0; chunk < chunks; ++chunk) {
      for (int i = 0; i < stages; ++i) {
        const int micro = group * stages + i - missing;
        forwards.push_back({Kind::forward, chunk, micro});
        backwards.push_back({Kind::backward, chunks - 1 - chunk, micro});
      }
    }
  }
  const int warmup = (chunks - 1) * stages + 2 * (stages - stage - 1);
  Actions actions = one_forward_one_backward(forwards, backwards, warmup);
  std::erase_if(actions, [](const StageAction& action) { return action.micro < 0; });
  return actions;
}

}  // namespace

ScheduleKind schedule_named(std::string_view name) {
  if (const auto kind = value_named<ScheduleKind>(name)) return *kind;
  std::vector<std::string> known;
  known.reserve(choices_of<ScheduleKind>.size());
  for (const auto& choice : choices_of<ScheduleKind>) known.emplace_back(choice.name);
  refuse("pipeline", "schedule \"", name, "\": choose one of ", words_of<ScheduleKind>(), "; did you mean ",
         nearest_name(name, known), "?");
}

void validate(ScheduleKind kind, int stages, int chunks, int micro_batches) {
  if (stages < 1 || chunks < 1 || micro_batches < 1) {
    refuse("pipeline", stages, " stages, ", chunks, " chunks, ", micro_batches,
           " micro-batches: each is at least 1, raise it");
  }
  const bool several = kind == ScheduleKind::interleaved;
  if (several && chunks < 2) {
    refuse("pipeline", "schedule interleaved with 1 chunk a stage: it takes 2 or more, or choose 1f1b");
  }
  if (!several && chunks > 1) {
    refuse("pipeline", "schedule ", name_of(kind), " with ", chunks,
           " chunks a stage: it takes 1, or choose interleaved");
  }
}

std::vector<StageAction> schedule_of(ScheduleKind kind, int stages, int stage, int chunks,
                                     int micro_batches) {
  validate(kind, stages, chunks, micro_batches);
  GRATICULE_CHECK(stage >= 0 && stage < stages, "stage ", stage, " of ", stages);
  const auto forwards_and_backwards = [&](int warmup) {
    return one_forward_one_backward(in_order(Kind::forward, micro_batches),
                                    in_order(Kind::backward, micro_batches), warmup);
  };
  switch (kind) {
    case ScheduleKind::gpipe:
      return forwards_and_backwards(micro_batches);
    case ScheduleKind::one_f_one_b:
      return forwards_and_backwards(stages - stage - 1);
    case ScheduleKind::interleaved:
      return interleaved(stages, stage, chunks, micro_batches);
    case ScheduleKind::zero_bubble:
      return zero_bubble(stages, stage, micro_batches);
  }
  GRATICULE_CHECK(false, "schedule ", static_cast<int>(kind));
}

std::vector<Span> stage_spans(int64_t blocks, int virtual_stages) {
  const int64_t depth = blocks - 2;  // without tokenizer and head
  if (virtual_stages < 1 || virtual_stages > depth) {
    refuse("pipeline", virtual_stages, " virtual stages (stages x chunks) over ", depth,
           " transformer blocks: each takes at least one, choose 1 to ", depth);
  }
  std::vector<int64_t> sizes = span_sizes(depth, virtual_stages);  // the larger ones first
  const int64_t larger = depth % virtual_stages;
  std::rotate(sizes.rbegin(), sizes.rbegin() + (virtual_stages - larger + 1) / 2, sizes.rend());
  ++sizes.front();
  ++sizes.back();
  std::vector<Span> spans;
  for (int64_t begin = 0; const int64_t size : sizes) {
    spans.push_back({begin, begin + size});
    begin += size;
  }
  return spans;
}

}  // namespace graticule
