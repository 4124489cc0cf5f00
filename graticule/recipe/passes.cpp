#include "graticule/recipe/passes.h"

#include <algorithm>

namespace graticule {

namespace {

using Kind = StageAction::Kind;

bool needs_weights(Kind kind) { return kind != Kind::backward_weight; }

std::vector<StageAction> actions_of(const Options& options, const Axes& axes, const RankShare& share) {
  return schedule_of(options.parallel.schedule, axes.pipeline, static_cast<int>(share.place.pipeline),
                     static_cast<int>(options.parallel.chunks), static_cast<int>(share.micro_batches.size()));
}

// Counts how often the blocks of each chunk need their weights, and how often these are in use already. An
// action takes a chunk's blocks in order: forward from the first, backward from the last. If one action ends
// and the next begins with the same block, its weights are kept between the two.
struct Uses {
  std::vector<int64_t> of_chunk, saved_at_first, saved_at_last;
};

Uses uses_of(const std::vector<StageAction>& actions, const std::vector<Span>& chunks) {
  const std::vector<int64_t> none(chunks.size(), 0);
  Uses uses{none, none, none};
  int64_t there = -1;  // the block whose weights are in use, or -1
  for (const StageAction& action : actions) {
    const auto chunk = static_cast<size_t>(action.chunk);
    const int64_t first = chunks[chunk].begin, last = chunks[chunk].end - 1;
    const bool forward = action.kind == Kind::forward, needs = needs_weights(action.kind);
    if (needs) ++uses.of_chunk[chunk];
    if (needs && there == (forward ? first : last))
      ++(forward ? uses.saved_at_first : uses.saved_at_last)[chunk];
    there = needs ? (forward ? last : first) : -1;
  }
  return uses;
}

}  // namespace

std::vector<Span> chunks_of(const Options& options, const ModelShape& shape, const Axes& axes,
                            const RankShare& share) {
  const int64_t blocks = shape.blocks();
  const int stages = axes.pipeline, chunks = static_cast<int>(options.parallel.chunks);
  if (stages * chunks == 1) return {{0, blocks}};
  const std::vector<Span> all = stage_spans(blocks, stages * chunks);
  std::vector<Span> mine;
  mine.reserve(chunks);
  for (int chunk = 0; chunk < chunks; ++chunk) {
    mine.push_back(all[static_cast<size_t>(chunk) * stages + share.place.pipeline]);
  }
  return mine;
}

std::vector<BlockTask> tasks_of(const Options& options, const Axes& axes, const RankShare& share,
                                const std::vector<Span>& chunks) {
  std::vector<size_t> first = {0};
  for (const Span& chunk : chunks) first.push_back(first.back() + static_cast<size_t>(chunk.size()));
  std::vector<BlockTask> tasks;
  for (const StageAction& action : actions_of(options, axes, share)) {
    const auto chunk = static_cast<size_t>(action.chunk);
    const size_t blocks = first[chunk + 1] - first[chunk];
    for (size_t i = 0; i < blocks; ++i) {
      tasks.push_back({action, action.kind == Kind::forward ? first[chunk] + i : first[chunk + 1] - 1 - i,
                       i == 0, i + 1 == blocks});
    }
  }
  return tasks;
}

Again runs_again(Activations policy) {
  switch (policy) {
    case Activations::keep:
      return {false, false};
    case Activations::recompute:
      return {true, true};
    case Activations::recompute_but_attention:
    case Activations::offload:
      return {true, false};
  }
  return {true, true};
}

namespace {

// The blocks of this rank's stage by their numbers in the chain.
std::vector<BlockRuns> runs_of(const Options& options, const ModelShape& shape, const Axes& axes,
                               const RankShare& share) {
  const std::vector<Span> chunks = chunks_of(options, shape, axes, share);
  const Uses uses = uses_of(actions_of(options, axes, share), chunks);
  const Runs all{std::ssize(share.micro_batches), share.samples()};
  const int64_t steps = options.train.rollout;
  const Runs once = all * steps, ahead = all * (steps - 1);
  const Again again = runs_again(options.train.activations.value_or(Activations::keep));
  std::vector<BlockRuns> blocks;
  for (size_t i = 0; i < chunks.size(); ++i) {
    for (int64_t block = chunks[i].begin; block < chunks[i].end; ++block) {
      const int64_t saved = (block == chunks[i].begin ? uses.saved_at_first[i] : 0) +
                            (block == chunks[i].end - 1 ? uses.saved_at_last[i] : 0);
      blocks.push_back({block, once, ahead, again.linear ? once : Runs{}, again.attention ? once : Runs{},
                        (uses.of_chunk[i] - saved) * steps + ahead.times});
    }
  }
  return blocks;
}

}  // namespace

std::vector<ModelPart> parts_of_model(const Options& options, const ModelShape& shape, const Axes& axes,
                                      int rank) {
  std::vector<ModelPart> parts;
  const auto add = [&](const ModelShape& part) {
    parts.push_back({part, rank_share(options, part, axes, rank)});
  };
  add(shape.has_decoder() ? shape.encoder_shape() : shape);
  if (shape.has_decoder()) add(shape.decoder_shape());
  for (BlockRuns runs : runs_of(options, shape, axes, parts.front().share)) {
    const PartPlace place = part_place(shape, runs.block);
    runs.block = place.block;
    parts[place.part].blocks.push_back(runs);
  }
  return parts;
}

std::vector<AlikeBlocks> alike_blocks(const ModelPart& part) {
  std::vector<AlikeBlocks> kinds;
  for (const BlockRuns& runs : part.blocks) {
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const AlikeBlocks& kind) {
      return part.is_transformer(runs.block) && part.is_transformer(kind.runs.block) &&
             kind.runs.gathers == runs.gathers;
    });
    if (known == kinds.end())
      kinds.push_back({runs, 1});
    else
      ++known->count;
  }
  return kinds;
}

}  // namespace graticule
