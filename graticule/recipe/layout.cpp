#include "graticule/recipe/layout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graticule/core/context_grid.h"
#include "graticule/core/error.h"
#include "graticule/core/pipeline_schedule.h"
#include "graticule/core/span.h"
#include "graticule/recipe/share.h"

namespace graticule {

namespace {

// The fewest query heads on any rank of the tensor axis. Key heads are spread evenly, and query heads follow
// theirs.
int64_t fewest_heads(const ModelShape& shape, int tensor) {
  return shape.key_heads() / tensor * (shape.heads / shape.key_heads());
}

// The sum of the factors by which the degrees differ, as powers of two.
double distance(const Axes& a, const Axes& b) {
  double sum = 0;
  for (const Axis axis : all_axes) sum += std::abs(std::log2(a.degree(axis)) - std::log2(b.degree(axis)));
  return sum;
}

std::vector<int> divisors(int n) {
  std::vector<int> small, large;
  for (int d = 1; d * d <= n; ++d) {
    if (n % d != 0) continue;
    small.push_back(d);
    if (d * d < n) large.push_back(n / d);
  }
  small.insert(small.end(), large.rbegin(), large.rend());
  return small;
}

[[noreturn]] void refuse_layout(const std::string& reason, const Axes& wanted, int ranks,
                                const Options& options, const ModelShape& shape) {
  constexpr size_t shown = 3;
  std::vector<Axes> working = layouts_that_work(options, ranks, shape);
  std::stable_sort(working.begin(), working.end(),
                   [&](const Axes& a, const Axes& b) { return distance(a, wanted) < distance(b, wanted); });
  std::string list;
  for (size_t i = 0; i < std::min(shown, working.size()); ++i) {
    list += (i > 0 ? "; " : "") + described(working[i]);
  }
  refuse("parallel", reason, ". ",
         working.empty() ? text("No layout of ", ranks, " ranks works with this batch and model: start fewer")
                         : text("Nearest that work on ", ranks, " ranks: ", list));
}

// The degrees in the recipe; 1 for those that it does not give.
Axes given_axes(const ParallelOptions& p) {
  const auto given = [](int64_t degree) { return degree > 0 ? static_cast<int>(degree) : 1; };
  return {given(p.pipeline), given(p.data), given(p.context), given(p.ulysses), given(p.tensor)};
}

}  // namespace

std::optional<std::string> trouble_with(const Axes& axes, const Options& options, const ModelShape& shape) {
  const ParallelOptions& p = options.parallel;
  if (axes.tensor > shape.key_heads()) {
    return text("tensor = ", axes.tensor, " over ", shape.key_heads(),
                " key heads leaves ranks without a head: choose at most ", shape.key_heads());
  }
  if (axes.ulysses > fewest_heads(shape, axes.tensor)) {
    return text("ulysses = ", axes.ulysses, " over ", fewest_heads(shape, axes.tensor), " heads",
                axes.tensor > 1 ? text(" (of ", shape.heads, ", cut by tensor = ", axes.tensor, ")") : "",
                " leaves ranks without a head: choose at most ", fewest_heads(shape, axes.tensor),
                " and let context take the rest");
  }
  if (shape.has_decoder()) {
    if (axes.pipeline * p.chunks > 1)
      return text(
          "pipeline = ", axes.pipeline, p.chunks > 1 ? text(" x chunks = ", p.chunks) : "",
          " with task.kind = \"reconstruct\": its blocks and its decoder have other tokens and widths; choose 1");
    if (axes.tensor * axes.ulysses > shape.decoder.heads)
      return text(
          "tensor x ulysses = ", axes.tensor * axes.ulysses, " over ", shape.decoder.heads,
          " heads of the decoder leaves ranks without a head: raise task.decoder_heads, or let context "
          "take the rest");
  }
  if (auto trouble = trouble_with_rows(p, axes.context)) return trouble;
  if (p.chunks > shape.depth) {
    return text("chunks = ", p.chunks, " over ", shape.depth, " transformer blocks: choose at most ",
                shape.depth);
  }
  if (axes.pipeline * p.chunks > shape.depth) {
    return text("pipeline = ", axes.pipeline, p.chunks > 1 ? text(" x chunks = ", p.chunks) : "", " over ",
                shape.depth, " transformer blocks leaves stages without one: choose at most ",
                shape.depth / p.chunks);
  }
  if (options.data.batch < axes.data) {
    return text("data = ", axes.data, " with data.batch = ", options.data.batch,
                " leaves ranks without a sample: choose a batch of at least ", axes.data);
  }
  if (options.data.batch / axes.data < p.micro_batches) {
    return text("micro_batches = ", p.micro_batches, ", but a rank has ", options.data.batch / axes.data,
                " samples: choose at most ", options.data.batch / axes.data);
  }
  const int64_t holders = axes.sequence() * axes.tensor;
  if (shape.visible_tokens() < holders) {
    return text(holders, " ranks (context x ulysses x tensor) share a sample of ", shape.visible_tokens(),
                shape.has_decoder() ? " visible" : "", " tokens: choose at most that many ranks");
  }
  const int64_t replicas = axes.data * axes.sequence();
  if (p.shard_ranks > 0 && replicas % p.shard_ranks != 0) {
    return text("shard_ranks = ", p.shard_ranks, " for ", replicas,
                " ranks that hold the same weights (data x context x ulysses): choose a divisor of ",
                replicas);
  }
  return std::nullopt;
}

std::vector<Axes> layouts_that_work(const Options& options, int ranks, const ModelShape& shape) {
  std::vector<Axes> all;
  for (const int pipeline : divisors(ranks)) {
    for (const int data : divisors(ranks / pipeline)) {
      for (const int context : divisors(ranks / pipeline / data)) {
        for (const int ulysses : divisors(ranks / pipeline / data / context)) {
          const Axes axes{pipeline, data, context, ulysses, ranks / pipeline / data / context / ulysses};
          if (!trouble_with(axes, options, shape)) all.push_back(axes);
        }
      }
    }
  }
  return all;
}

Axes resolve_axes(const Options& options, int ranks, const ModelShape& shape) {
  const ParallelOptions& p = options.parallel;
  const Axes given = given_axes(p);
  Axes axes = given;
  validate(p.schedule, axes.pipeline, static_cast<int>(p.chunks), static_cast<int>(p.micro_batches));
  if (ranks % axes.world() == 0) {
    const int left = ranks / axes.world();
    int ulysses = 1;
    for (const int u : divisors(left)) {
      if (p.ulysses == 0 && u <= fewest_heads(shape, axes.tensor)) ulysses = u;
    }
    axes.ulysses *= ulysses;
    int rest = left / ulysses;
    if (p.context == 0) axes.context *= std::exchange(rest, 1);
    if (p.data == 0) axes.data *= std::exchange(rest, 1);
  }
  if (axes.world() != ranks) {
    refuse_layout(
        text(described(given), " makes ", axes.world(), " ranks, but ", ranks, " were started: start ",
             axes.world(), ", or leave one of the degrees out to have it derived"),
        given, ranks, options, shape);
  }
  if (const auto trouble = trouble_with(axes, options, shape)) {
    refuse_layout(*trouble, axes, ranks, options, shape);
  }
  return axes;
}

std::string described(const Axes& axes, const Options& options, const ModelShape& shape) {
  if (axes.context == 1 || options.parallel.context_method != ContextMethod::mesh) return described(axes);
  return text(described(axes), ", ", described(context_grids_of(options, shape, axes).forward));
}

void fill_in(ParallelOptions& parallel, const Axes& axes) {
  parallel.data = axes.data, parallel.context = axes.context, parallel.ulysses = axes.ulysses;
  parallel.tensor = axes.tensor, parallel.pipeline = axes.pipeline;
}

}  // namespace graticule
