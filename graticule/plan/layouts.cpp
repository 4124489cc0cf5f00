#include "graticule/plan/layouts.h"

#include "graticule/core/context_grid.h"
#include "graticule/core/error.h"
#include "graticule/recipe/layout.h"
#include "graticule/recipe/passes.h"

namespace graticule {

Axes axes_of(const Layout& layout) {
  const ParallelOptions& p = layout.parallel;
  return {static_cast<int>(p.pipeline), static_cast<int>(p.data), static_cast<int>(p.context),
          static_cast<int>(p.ulysses), static_cast<int>(p.tensor)};
}

Options with_layout(Options options, const Layout& layout) {
  options.parallel = layout.parallel;
  options.train.activations = layout.activations;
  return options;
}

const std::vector<std::string>& layout_keys() {
  static const std::vector<std::string> keys = {
      "parallel.data",        "parallel.context",       "parallel.ulysses",        "parallel.tensor",
      "parallel.pipeline",    "parallel.shard",         "parallel.shard_ranks",    "parallel.context_method",
      "parallel.mesh_rows",   "parallel.micro_batches", "parallel.schedule",       "parallel.chunks",
      "parallel.head_groups", "parallel.gather_heads",  "parallel.keep_exchanged", "train.activations"};
  return keys;
}

std::vector<Axes> open_axes(const Options& options, const ModelShape& shape, int ranks) {
  const ParallelOptions& p = options.parallel;
  std::vector<Axes> all = layouts_that_work(options, ranks, shape);
  std::erase_if(all, [&](const Axes& axes) {
    return (p.data > 0 && p.data != axes.data) || (p.context > 0 && p.context != axes.context) ||
           (p.ulysses > 0 && p.ulysses != axes.ulysses) || (p.tensor > 0 && p.tensor != axes.tensor) ||
           (p.pipeline > 0 && p.pipeline != axes.pipeline);
  });
  return all;
}

namespace {

std::string context_words(const ParallelOptions& p) {
  if (p.context_method != ContextMethod::mesh || p.mesh_rows == 0)
    return std::string(name_of(p.context_method));
  return described(ContextGrid{p.mesh_rows, p.context / p.mesh_rows});
}

}  // namespace

std::string described(const Layout& layout) {
  const ParallelOptions& p = layout.parallel;
  const Axes axes = axes_of(layout);
  const bool lean = is_lean(layout.activations);
  std::string words = described(axes);
  if (axes.context > 1) words += text(", ", context_words(p));
  if (p.shard != Shard::none) words += text(", shard ", name_of(p.shard));
  if (p.shard != Shard::none && p.shard_ranks > 0) words += text(" of ", p.shard_ranks);
  words += text(", ", name_of(layout.activations));
  if (axes.pipeline > 1) words += text(", ", name_of(p.schedule));
  if (p.chunks > 1) words += text(" of ", p.chunks, " chunks");
  if (p.micro_batches > 1) words += text(", micro_batches ", p.micro_batches);
  if (p.head_groups > 1 && (lean || axes.ulysses > 1)) words += text(", head_groups ", p.head_groups);
  if (p.gather_heads > 0 && axes.context > 1) words += text(", gather_heads ", p.gather_heads);
  if (!p.keep_exchanged && !lean && axes.ulysses > 1) words += ", keep_exchanged false";
  return words;
}

}  // namespace graticule
