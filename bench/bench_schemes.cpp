#include "bench/bench_schemes.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/timing.h"
#include "graticule/comm/mesh.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {
namespace {

struct Tensors {
  at::Tensor q, k, v, dout;

  void require_gradients() {
    for (auto* x : {&q, &k, &v}) x->requires_grad_();
  }
  Tensors tokens(const Span& span) const {
    const auto cut = [&](const at::Tensor& x) { return x.narrow(1, span.begin, span.size()).clone(); };
    return {cut(q), cut(k), cut(v), cut(dout)};
  }
};

Tensors random_tensors(const SchemeBench& bench, int64_t tokens, int64_t keys, int64_t heads,
                       int64_t key_heads) {
  const auto make = [&](int64_t rows, int64_t columns) {
    return at::randn({bench.sizes.batch, rows, columns, bench.sizes.width}).to(bench.sizes.dtype);
  };
  return {make(tokens, heads), make(keys, key_heads), make(keys, key_heads), make(tokens, heads)};
}

/// out, dq, dk, dv.
std::vector<at::Tensor> forward_backward(const Attention& attention, const Tensors& x) {
  const at::Tensor out = attention(x.q, x.k, x.v);
  std::vector<at::Tensor> results = torch::autograd::grad({out}, {x.q, x.k, x.v}, {x.dout});
  results.insert(results.begin(), out.detach());
  return results;
}

Axes axes_of(const SchemeBench& bench, int ranks) {
  const auto& s = bench.sizes;
  if (s.batch < 1 || s.heads < 1 || s.tokens < ranks || s.repeats < 1 || s.heads % bench.key_heads != 0) {
    refuse("bench attention", "batch ", s.batch, ", heads ", s.heads, " over ", bench.key_heads,
           " key/value heads, tokens ", s.tokens, ", repeats ", s.repeats,
           ": each must be 1 or more, tokens at least the ", ranks,
           " ranks, heads a multiple of key/value heads");
  }
  Axes axes;
  if (bench.scheme == "ulysses") {
    axes.ulysses = ranks;
  } else if (value_named<ContextMethod>(bench.scheme)) {
    axes.context = ranks;
  } else if (bench.scheme == "hybrid") {
    if (bench.ulysses < 1 || ranks % bench.ulysses != 0)
      refuse("bench attention", "--ulysses ", bench.ulysses, " does not divide ", ranks,
             " ranks: choose a divisor");
    axes.ulysses = static_cast<int>(bench.ulysses);
    axes.context = ranks / axes.ulysses;
  } else {
    refuse("bench attention", "scheme \"", bench.scheme,
           "\": choose local, ulysses, lss, ring, mesh or hybrid");
  }
  return axes;
}

ExchangeOptions exchange_of(const SchemeBench& bench, const Axes& axes) {
  const std::string word = bench.scheme == "hybrid" ? bench.context_method : bench.scheme;
  const auto method = value_named<ContextMethod>(word);
  if (bench.scheme == "hybrid" && !method)
    refuse("bench attention", "context method \"", word, "\": choose one of ", words_of<ContextMethod>());
  const ExchangeOptions exchange{.context_method = method.value_or(ContextMethod::lss),
                                 .head_groups = bench.head_groups,
                                 .mesh_rows = bench.mesh_rows,
                                 .gather_heads = bench.gather_heads,
                                 .keep_exchanged = !bench.exchange_again};
  if (const auto trouble = trouble_with_rows(exchange, axes.context)) refuse("bench attention", *trouble);
  return exchange;
}

ContextGrids grids_of(const SchemeBench& bench, const Axes& axes) {
  const auto& s = bench.sizes;
  return context_grids(exchange_of(bench, axes), axes.context,
                       {.queries = s.heads,
                        .keys = std::max<int64_t>(bench.key_heads, axes.ulysses),
                        .width = s.width,
                        .element = static_cast<int64_t>(at::elementSize(s.dtype))});
}

AttentionOptions options_of(const SchemeBench& bench, const Mesh& mesh, int64_t tokens) {
  return {.tokens_of = span_sizes(tokens, mesh.sequence.size()),
          .context = mesh.context,
          .ulysses = mesh.ulysses,
          .context_queries = mesh.context_queries,
          .context_keys = mesh.context_keys,
          .grids = grids_of(bench, mesh.axes),
          .exchange = exchange_of(bench, mesh.axes)};
}

void verify(const SchemeBench& bench, const Mesh& mesh) {
  const int64_t tokens = std::max<int64_t>(std::min<int64_t>(bench.sizes.tokens, 257), mesh.sequence.size());
  at::manual_seed(0);
  Tensors all = random_tensors(bench, tokens, tokens, bench.sizes.heads, bench.key_heads);
  const Span span = span_of(tokens, mesh.sequence.size(), mesh.sequence.rank());
  Tensors mine = all.tokens(span);
  all.require_gradients();
  mine.require_gradients();
  const auto whole = forward_backward(local_attention(), all);
  const auto ours = forward_backward(make_attention(options_of(bench, mesh, tokens)), mine);
  double error = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    const at::Tensor exact = whole[i].narrow(1, span.begin, span.size()).to(at::kDouble);
    const auto worst = (ours[i].to(at::kDouble) - exact).abs().max().item<double>();
    error = std::max(error, worst / std::max(1e-3, whole[i].to(at::kDouble).abs().max().item<double>()));
  }
  error = largest(error, mesh.world);
  const double limit = bench.sizes.dtype == at::kFloat ? 1e-5 : 2e-2;
  if (!(error < limit))
    fail("bench attention", bench.scheme, " is wrong by ", error, " on a small case, allowed is ", limit);
}

struct Samples {
  std::vector<double> seconds, kernel_seconds, exchange_seconds, share;
  int64_t bytes_sent = 0;
};

void take_turn(Samples& samples, const Mesh& mesh, const std::function<void()>& scheme,
               const std::function<void()>& kernel) {
  const auto sent = [&] {
    int64_t bytes = 0;
    for (const Group* group : {&mesh.context, &mesh.context_queries, &mesh.context_keys, &mesh.ulysses})
      bytes += group->traffic().bytes_sent;
    return bytes;
  };
  samples.kernel_seconds.push_back(seconds_of_slowest(kernel, mesh.world));
  const int64_t before = sent();
  Trace trace;
  {
    const TraceSession session(trace);
    samples.seconds.push_back(seconds_of_slowest(scheme, mesh.world));
  }
  samples.bytes_sent = sent() - before;
  samples.exchange_seconds.push_back(largest(trace.seconds["exchange"], mesh.world));
  samples.share.push_back(samples.kernel_seconds.back() / samples.seconds.back());
}

nlohmann::json summary(const Samples& x) {
  return {{"seconds", median(x.seconds)},
          {"exchange_seconds", median(x.exchange_seconds)},
          {"bytes_sent", x.bytes_sent},
          {"kernel_seconds", median(x.kernel_seconds)},
          {"kernel_share", median(x.share)}};
}

nlohmann::json measure(const SchemeBench& bench, const Mesh& mesh) {
  const auto& s = bench.sizes;
  const Attention scheme = make_attention(options_of(bench, mesh, s.tokens));
  const Attention kernel = local_attention();
  const int64_t mine = span_of(s.tokens, mesh.sequence.size(), mesh.sequence.rank()).size();
  at::manual_seed(mesh.rank + 1);
  Tensors x = random_tensors(bench, mine, mine, s.heads, bench.key_heads);
  // The kernel's share of the whole: this rank's queries over all keys, the same work whatever the scheme.
  Tensors alone = random_tensors(bench, mine, s.tokens, s.heads, bench.key_heads);
  x.require_gradients();
  alone.require_gradients();
  const auto forward = [](const Attention& attention, const Tensors& tensors) {
    const at::NoGradGuard no_gradients;
    attention(tensors.q, tensors.k, tensors.v);
  };
  Samples forwards, both;
  for (int64_t i = 0; i < s.repeats; ++i) {
    take_turn(
        forwards, mesh, [&] { forward(scheme, x); }, [&] { forward(kernel, alone); });
    if (!s.backward) continue;
    take_turn(
        both, mesh, [&] { forward_backward(scheme, x); }, [&] { forward_backward(kernel, alone); });
  }
  nlohmann::json out{{"forward", summary(forwards)}};
  if (s.backward) out["forward_backward"] = summary(both);
  return out;
}

void print(const std::string& name, const nlohmann::json& x) {
  fmt::print("{:<17} {:.4f} s  in exchange {:.4f} s  sent {} bytes   kernel alone {:.4f} s, share {:.3f}\n",
             name, x["seconds"].get<double>(), x["exchange_seconds"].get<double>(),
             x["bytes_sent"].get<int64_t>(), x["kernel_seconds"].get<double>(),
             x["kernel_share"].get<double>());
}

}  // namespace

int run_bench_schemes(const SchemeBench& arguments, const World& world) {
  SchemeBench bench = arguments;
  if (bench.key_heads == 0) bench.key_heads = bench.sizes.heads;
  const Group everyone = group_of_all(world);
  Axes axes;
  ContextGrid grid;
  agree(world, everyone, [&] {
    axes = axes_of(bench, world.size);
    grid = grids_of(bench, axes).forward;
  });
  const Mesh mesh = make_mesh(world, axes, 0, grid);
  agree(world, everyone, [&] { make_attention(options_of(bench, mesh, bench.sizes.tokens)); });
  verify(bench, mesh);
  nlohmann::json out = measure(bench, mesh);
  if (world.rank != 0) return 0;
  const auto& s = bench.sizes;
  if (bench.json) {
    out.update({{"scheme", bench.scheme},
                {"context", axes.context},
                {"ulysses", axes.ulysses},
                {"batch", s.batch},
                {"heads", s.heads},
                {"key_heads", bench.key_heads},
                {"tokens", s.tokens},
                {"head_dim", s.width},
                {"dtype", bench.dtype},
                {"head_groups", bench.head_groups},
                {"grid", {grid.queries, grid.keys}},
                {"gather_heads", bench.gather_heads},
                {"keep_exchanged", !bench.exchange_again},
                {"threads", at::get_num_threads()},
                {"repeats", s.repeats}});
    fmt::print("{}\n", out.dump());
    return 0;
  }
  fmt::print("{} over {} x {} ranks, batch {}, {}/{} heads, {} tokens, width {}, {}, {} threads a rank\n",
             bench.scheme, axes.context, axes.ulysses, s.batch, s.heads, bench.key_heads, s.tokens, s.width,
             bench.dtype, at::get_num_threads());
  print("forward", out["forward"]);
  if (s.backward) print("forward+backward", out["forward_backward"]);
  return 0;
}

}  // namespace graticule
