#include "graticule/plan/passes.h"

namespace graticule {

namespace {

using Kind = StageAction::Kind;

bool needs_weights(const BlockTask& task) { return task.action.kind != Kind::backward_weight; }

void add(Runs& runs, int64_t samples) { ++runs.times, runs.samples += samples; }

}  // namespace

std::vector<Span> chunks_of(const Options& options, const ModelShape& shape, const Axes& axes,
                            const RankShare& share) {
  const int64_t blocks = shape.depth + 2;
  const int stages = axes.pipeline, chunks = static_cast<int>(options.parallel.chunks);
  if (stages * chunks == 1) return {{0, blocks}};
  const std::vector<Span> all = stage_spans(blocks, stages * chunks);
  std::vector<Span> mine;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    mine.push_back(all[static_cast<size_t>(chunk * stages + share.place.pipeline)]);
  }
  return mine;
}

std::vector<BlockTask> tasks_of(const Options& options, const Axes& axes, const RankShare& share,
                                const std::vector<Span>& chunks) {
  std::vector<size_t> first = {0};
  for (const Span& chunk : chunks) first.push_back(first.back() + static_cast<size_t>(chunk.size()));
  std::vector<BlockTask> tasks;
  for (const StageAction& action :
       schedule_of(options.parallel.schedule, axes.pipeline, static_cast<int>(share.place.pipeline),
                   static_cast<int>(chunks.size()), static_cast<int>(share.micro_batches.size()))) {
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

std::vector<BlockRuns> runs_of(const Options& options, const ModelShape& shape, const Axes& axes,
                               const RankShare& share) {
  const std::vector<Span> chunks = chunks_of(options, shape, axes, share);
  std::vector<BlockRuns> blocks;
  for (const Span& chunk : chunks) {
    for (int64_t block = chunk.begin; block < chunk.end; ++block) blocks.push_back({.block = block});
  }
  const Activations policy = options.train.activations.value_or(Activations::keep);
  const std::vector<BlockTask> tasks = tasks_of(options, axes, share, chunks);
  for (size_t i = 0; i < tasks.size(); ++i) {
    const BlockTask& task = tasks[i];
    BlockRuns& block = blocks[task.block];
    // Weights stay between two tasks that need the same ones.
    const bool there = i > 0 && needs_weights(tasks[i - 1]) && tasks[i - 1].block == task.block;
    if (needs_weights(task) && !there) ++block.gathers;
    if (task.action.kind != Kind::forward) continue;
    const int64_t samples = share.micro_batches[static_cast<size_t>(task.action.micro)];
    const Again again = runs_again(policy);
    add(block.once, samples);
    if (again.linear) add(block.linear_again, samples);
    if (again.attention) add(block.attention_again, samples);
  }
  return blocks;
}

}  // namespace graticule
