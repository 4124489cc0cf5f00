// What a step runs on one stage of the pipeline, counted over its schedule: how often each block runs
// forward, backward and forward again, and how often its weights come into use.
#pragma once

#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/pipeline_schedule.h"
#include "graticule/recipe/share.h"

namespace graticule {

/// One block of one action, as parallel/training_pass runs them.
struct BlockTask {
  StageAction action;
  size_t block;       ///< of this rank's
  bool begins, ends;  ///< the action
};

/// The blocks of this rank's stage chunk by chunk, as spans of the chain's blocks (0 tokenizer, 1 .. depth
/// transformer blocks, depth + 1 head).
std::vector<Span> chunks_of(const Options& options, const ModelShape& shape, const Axes& axes,
                            const RankShare& share);

/// What the rank runs in a step, in order.
std::vector<BlockTask> tasks_of(const Options& options, const Axes& axes, const RankShare& share,
                                const std::vector<Span>& chunks);

/// How many micro-batches went through something, and their samples together.
struct Runs {
  int64_t times = 0, samples = 0;
  Runs operator+(const Runs& other) const { return {times + other.times, samples + other.samples}; }
};

/// One block of the chain on its stage, over a step. Each micro-batch runs backward once, as it does forward.
struct BlockRuns {
  int64_t block = 0;       ///< 0 tokenizer, 1 .. depth transformer blocks, depth + 1 head
  Runs once = {};          ///< forward, and backward
  Runs linear_again = {};  ///< the linear layers a second time, in backward
  Runs attention_again = {};
  int64_t gathers = 0;  ///< how often released weights are gathered (level full)
};

/// The blocks of this rank's stage, in the order in which it holds them.
std::vector<BlockRuns> runs_of(const Options& options, const ModelShape& shape, const Axes& axes,
                               const RankShare& share);

/// Blocks of a stage that differ in nothing but their number: transformer blocks; tokenizer and head are each
/// one.
struct AlikeBlocks {
  BlockRuns runs;  ///< of the first of them
  int64_t count;
};
std::vector<AlikeBlocks> alike_blocks(const std::vector<BlockRuns>& blocks, int64_t depth);

/// What a policy runs a second time.
struct Again {
  bool linear, attention;
};
Again runs_again(Activations policy);

/// Whether a block runs as its lean pair (model/lean_block.h): by groups of heads, its linear layers again.
inline bool is_lean(Activations policy) { return policy != Activations::keep; }

}  // namespace graticule
