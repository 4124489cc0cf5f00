// Counts what a training step runs on one stage of the pipeline: how often each block runs forward, backward
// and forward again, and how often its weights must be gathered. The planner (plan/) computes time, memory
// and traffic from it.
#pragma once

#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/pipeline_schedule.h"
#include "graticule/recipe/share.h"

namespace graticule {

/// One block of one action of the pipeline's schedule, as parallel/training_pass runs it.
struct BlockTask {
  StageAction action;
  size_t block;       ///< index among this rank's blocks
  bool begins, ends;  ///< first and last block of the action
};

/// The chunks of this rank's stage, as spans of the chain's blocks (0 tokenizer, 1 .. depth transformer
/// blocks, depth + 1 head; with a decoder its entry, its transformer blocks and the head follow depth).
std::vector<Span> chunks_of(const Options& options, const ModelShape& shape, const Axes& axes,
                            const RankShare& share);

/// All tasks of this rank in a step, in order. `chunks`: of chunks_of.
std::vector<BlockTask> tasks_of(const Options& options, const Axes& axes, const RankShare& share,
                                const std::vector<Span>& chunks);

/// A number of micro-batches, and their samples together.
struct Runs {
  int64_t times = 0, samples = 0;
  Runs operator+(const Runs& other) const { return {times + other.times, samples + other.samples}; }
  Runs operator*(int64_t by) const { return {times * by, samples * by}; }
};

/// How often one block runs in a step. Each micro-batch runs once forward and once backward, for each step of
/// train.rollout; the steps but the last run ahead before.
struct BlockRuns {
  int64_t block = 0;          ///< 0 tokenizer, 1 .. depth transformer blocks, depth + 1 head
  Runs once = {};             ///< forward and also backward
  Runs ahead = {};            ///< forward alone
  Runs linear_again = {};     ///< its linear layers a second time, during backward
  Runs attention_again = {};  ///< its attention a second time, during backward
  int64_t gathers = 0;        ///< of its weights, when they are released after use (shard = full)
};

/// Blocks of one width over the same tokens: all of the model; of a masked one first those that read the visible
/// tokens, then the decoder. `blocks`: of this rank's stage, in the rank's order; a decoder's are numbered anew, 0 its
/// entry. `shape`: of the part alone.
struct ModelPart {
  ModelShape shape;
  RankShare share;
  std::vector<BlockRuns> blocks = {};
  bool is_transformer(int64_t block) const { return block > 0 && block <= shape.depth; }
};
std::vector<ModelPart> parts_of_model(const Options& options, const ModelShape& shape, const Axes& axes,
                                      int rank);

/// Where a block of the chain is: the index of its part, and its number there.
struct PartPlace {
  size_t part;
  int64_t block;
};
inline PartPlace part_place(const ModelShape& shape, int64_t block) {
  const bool of_decoder = shape.has_decoder() && block > shape.depth;
  return {of_decoder ? size_t{1} : size_t{0}, of_decoder ? block - shape.depth - 1 : block};
}

/// Blocks of a part that differ only in their number. Transformer blocks with equally many gathers are
/// alike; tokenizer, entry and head are each alone.
struct AlikeBlocks {
  BlockRuns runs;  ///< of the first of them
  int64_t count;
};
std::vector<AlikeBlocks> alike_blocks(const ModelPart& part);

/// Which layers an activations policy runs a second time, during backward.
struct Again {
  bool linear, attention;
};
Again runs_again(Activations policy);

/// Whether a block runs as its lean pair (model/lean_block.h), a forward and a backward that work by groups
/// of heads and run the linear layers again.
inline bool is_lean(Activations policy) { return policy != Activations::keep; }

}  // namespace graticule
