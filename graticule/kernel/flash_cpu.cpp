// Cuts attention into tasks for the tile kernels and runs them on LibTorch's threads. Legend: flash.h. A
// *pair* is one (batch, key/value head) with its R = H / G query heads. A few pairs are processed at a time,
// so that the packed operands remain small.
#include "graticule/kernel/flash_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <numeric>

#include "graticule/core/span.h"
#include "graticule/kernel/flash_scratch.h"
#include "graticule/kernel/flash_tiles.h"
#include "graticule/kernel/parallel_loop.h"

namespace graticule {
namespace {

Element element_of(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat  ? Element::fp32
         : x.scalar_type() == at::kHalf ? Element::fp16
                                        : Element::bf16;
}

int64_t head_offset(const at::Tensor& x, int64_t batch, int64_t token, int64_t head) {
  return (batch * x.stride(0) + token * x.stride(1) + head * x.stride(2)) * x.element_size();
}

HeadView view(const at::Tensor& x, int64_t batch, int64_t token, int64_t head) {
  const auto* data = static_cast<const char*>(x.const_data_ptr()) + head_offset(x, batch, token, head);
  return {data, x.stride(1), x.stride(3), element_of(x)};
}

HeadOutput output(const at::Tensor& x, int64_t batch, int64_t token, int64_t head) {
  return {static_cast<char*>(x.mutable_data_ptr()) + head_offset(x, batch, token, head), x.stride(1),
          element_of(x)};
}

struct Scale {
  float sign, magnitude;
};

Scale split(double scale) {
  if (scale == 0) return {0, 1};
  return {scale < 0 ? -1.0f : 1.0f, static_cast<float>(std::abs(scale))};
}

at::Tensor floats(int64_t rows, int64_t length, const at::Device& device) {
  return at::empty({rows, length}, at::TensorOptions(device).dtype(at::kFloat));
}

float* row(const at::Tensor& x, int64_t i) { return x.mutable_data_ptr<float>() + i * x.size(1); }

/// Runs body(task) for each task in [0, count). For meta tensors it does nothing.
template <class Body>
void for_each(const at::Device& device, int64_t count, const Body& body) {
  if (device.is_meta()) return;
  for_each_part(count, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) body(task);
  });
}

/// Runs body(task, scratch) for each task in [0, count); each thread has its own scratch. For meta tensors it
/// only allocates the scratch, so that a dry run allocates as a real run does.
template <class Body>
void for_each(const at::Device& device, int64_t count, int64_t scratch_floats, const Body& body) {
  if (device.is_meta()) {
    floats(std::min<int64_t>(count, at::get_num_threads()), scratch_floats, device);
    return;
  }
  for_each_part(count, [&](int64_t begin, int64_t end) {
    const auto scratch = floats(1, scratch_floats, device);
    for (int64_t task = begin; task < end; ++task) body(task, row(scratch, 0));
  });
}

}  // namespace

FlashResult flash_cpu_forward(const FlashTiles& tiles, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                              const at::Tensor& v_BSGD, double scale, std::optional<at::ScalarType> result) {
  const int64_t T = q_BTHD.size(1), H = q_BTHD.size(2), D = q_BTHD.size(3), S = k_BSGD.size(1),
                G = k_BSGD.size(2);
  const int64_t pairs = q_BTHD.size(0) * G, R = H / G;
  const int64_t together = std::min<int64_t>(pairs, at::get_num_threads());
  const int64_t blocks = ceil_div(S, tiles.block);
  const auto [sign, magnitude] = split(scale);

  const auto out = at::empty(q_BTHD.sizes(), q_BTHD.options().dtype(result.value_or(q_BTHD.scalar_type())));
  const auto lse = at::empty({q_BTHD.size(0), H, T}, q_BTHD.options().dtype(at::kFloat));
  const at::Device device = q_BTHD.device();
  const int64_t width = tiles.rounded(D);
  const auto keys = floats(together, tiles.rounded(S) * units(width, tiles.pair), device);
  const auto values = floats(together, blocks * width * units(tiles.block, tiles.pair), device);

  for (int64_t first = 0; first < pairs; first += together) {
    const int64_t count = std::min(together, pairs - first);
    for_each(device, count * blocks, [&](int64_t task) {
      const int64_t slot = task / blocks, begin = task % blocks * tiles.block;
      const int64_t batch = (first + slot) / G, group = (first + slot) % G;
      tiles.pack_keys(view(k_BSGD, batch, 0, group), view(v_BSGD, batch, 0, group), begin,
                      std::min(begin + tiles.block, S), D, row(keys, slot), row(values, slot));
    });
    const int64_t group_size = queries_a_task(tiles, count * R, T, at::get_num_threads());
    const int64_t tasks = ceil_div(T, group_size);
    for_each(device, count * R * tasks, tiles.forward_scratch(group_size, D),
             [&](int64_t task, float* scratch) {
               const int64_t slot = task / (R * tasks), token = task % tasks * group_size;
               const int64_t batch = (first + slot) / G, head = (first + slot) % G * R + task / tasks % R;
               tiles.forward({.q = view(q_BTHD, batch, token, head),
                              .out = output(out, batch, token, head),
                              .lse = lse.mutable_data_ptr<float>() + (batch * H + head) * T + token,
                              .queries = std::min(group_size, T - token),
                              .keys = S,
                              .width = D,
                              .keys_SU = row(keys, slot),
                              .values_bDU = row(values, slot),
                              .sign = sign,
                              .magnitude = magnitude,
                              .scratch = scratch});
             });
  }
  return {out, lse};
}

namespace {

/// All buffers of the backward for the pairs in progress.
struct BackwardRoom {
  at::Tensor q, dout, q_columns, dout_columns, finite_lse, delta, dq;  // a row for each query head
  at::Tensor dk, dv;                                                   // a row for each pair

  QueryPack pack(int64_t i) const {
    return {row(q, i),          row(dout, i),  row(q_columns, i), row(dout_columns, i),
            row(finite_lse, i), row(delta, i), row(dq, i)};
  }
};

struct Backward {
  const FlashTiles& tiles;
  const at::Tensor &dout, &q, &k, &v, &out, &lse;
  std::optional<at::Tensor> dlse;
  double scale;
  FlashGradients gradients;
  int64_t T, H, D, S, G, R, key_panels;
  BackwardRoom room;

  int64_t blocks(const Span& queries) const { return ceil_div(queries.size(), tiles.block); }
};

void prepare_queries(const Backward& run, const Span& queries, int64_t first, int64_t count) {
  const auto [sign, magnitude] = split(run.scale);
  const int64_t blocks = run.blocks(queries);
  for_each(run.q.device(), count * run.R * blocks, [&](int64_t task) {
    const int64_t slot = task / blocks, begin = task % blocks * run.tiles.block;
    const int64_t batch = (first + slot / run.R) / run.G,
                  head = (first + slot / run.R) % run.G * run.R + slot % run.R;
    const int64_t lse_offset = (batch * run.H + head) * run.T + queries.begin;
    run.tiles.prepare({.q = view(run.q, batch, queries.begin, head),
                       .dout = view(run.dout, batch, queries.begin, head),
                       .out = view(run.out, batch, queries.begin, head),
                       .lse = run.lse.const_data_ptr<float>() + lse_offset,
                       .dlse = run.dlse ? run.dlse->const_data_ptr<float>() + lse_offset : nullptr,
                       .begin = begin,
                       .end = std::min(begin + run.tiles.block, queries.size()),
                       .width = run.D,
                       .sign = sign,
                       .magnitude = magnitude,
                       .pack = run.room.pack(slot)});
  });
}

/// Cuts keys and queries into `parts` each. In step s, key part j meets query part (j + s) mod parts. So no
/// two tasks of a step share a sum, and every sum runs in one order: the result does not depend on which
/// thread is faster.
void multiply_parts(const Backward& run, const Span& queries, int64_t first, int64_t count) {
  const int64_t threads = at::get_num_threads();
  const int64_t parts = std::min({threads / std::gcd(count, threads), run.blocks(queries), run.key_panels});
  const auto magnitude = split(run.scale).magnitude;
  for (int64_t step = 0; step < parts; ++step) {
    for_each(run.q.device(), count * parts, run.tiles.backward_scratch(run.D),
             [&](int64_t task, float* scratch) {
               const int64_t slot = task / parts, part = task % parts;
               const int64_t batch = (first + slot) / run.G, group = (first + slot) % run.G;
               const auto keys = span_of(run.key_panels, parts, part);
               const auto blocks = span_of(run.blocks(queries), parts, (part + step) % parts);
               for (int64_t head = 0; head < run.R; ++head) {
                 run.tiles.backward({.k = view(run.k, batch, 0, group),
                                     .v = view(run.v, batch, 0, group),
                                     .key_begin = keys.begin * run.tiles.panel,
                                     .key_end = std::min(keys.end * run.tiles.panel, run.S),
                                     .query_begin = blocks.begin * run.tiles.block,
                                     .query_end = std::min(blocks.end * run.tiles.block, queries.size()),
                                     .width = run.D,
                                     .magnitude = magnitude,
                                     .pack = run.room.pack(slot * run.R + head),
                                     .dk_pDL = row(run.room.dk, slot),
                                     .dv_pDL = row(run.room.dv, slot),
                                     .scratch = scratch});
               }
             });
  }
}

void write_query_gradients(const Backward& run, const Span& queries, int64_t first, int64_t count) {
  const int64_t length = run.tiles.accumulator_width(run.D), blocks = run.blocks(queries);
  for_each(run.q.device(), count * run.R * blocks, [&](int64_t task) {
    const int64_t slot = task / blocks, begin = task % blocks * run.tiles.block;
    const int64_t batch = (first + slot / run.R) / run.G,
                  head = (first + slot / run.R) % run.G * run.R + slot % run.R;
    run.tiles.write_rows(row(run.room.dq, slot) + begin * length, length,
                         std::min(run.tiles.block, queries.size() - begin), run.D,
                         static_cast<float>(run.scale),
                         output(run.gradients.dq_BTHD, batch, queries.begin + begin, head));
  });
}

void write_key_gradients(const Backward& run, int64_t first, int64_t count) {
  for_each(run.q.device(), count * run.key_panels, run.tiles.write_scratch(run.D),
           [&](int64_t task, float* scratch) {
             const int64_t slot = task / run.key_panels, begin = task % run.key_panels * run.tiles.panel;
             const int64_t batch = (first + slot) / run.G, group = (first + slot) % run.G;
             const int64_t tokens = std::min(run.tiles.panel, run.S - begin);
             const int64_t at = begin * run.tiles.rounded(run.D);
             run.tiles.write_panel(row(run.room.dk, slot) + at, tokens, run.D, split(run.scale).magnitude,
                                   output(run.gradients.dk_BSGD, batch, begin, group), scratch);
             run.tiles.write_panel(row(run.room.dv, slot) + at, tokens, run.D, 1,
                                   output(run.gradients.dv_BSGD, batch, begin, group), scratch);
           });
}

/// The buffers for `queries` queries of each head of `pairs` pairs.
BackwardRoom make_room(const Backward& run, int64_t queries, int64_t pairs) {
  const auto& tiles = run.tiles;
  const int64_t heads = pairs * run.R;
  const int64_t width = tiles.rounded(run.D), tokens = tiles.rounded(queries);
  const int64_t rows = tokens * units(width, tiles.pair);
  const int64_t columns = run.blocks({0, queries}) * width * units(tiles.block, tiles.pair);
  const int64_t panels = run.key_panels * width * tiles.panel;
  const auto make = [&](int64_t count, int64_t length) { return floats(count, length, run.q.device()); };
  return {make(heads, rows),
          make(heads, rows),
          make(heads, columns),
          make(heads, columns),
          make(heads, tokens),
          make(heads, tokens),
          make(heads, tokens * tiles.accumulator_width(run.D)),
          make(pairs, panels),
          make(pairs, panels)};
}

}  // namespace

FlashGradients flash_cpu_backward(const FlashTiles& tiles, const at::Tensor& dout_BTHD,
                                  const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                                  const at::Tensor& v_BSGD, const at::Tensor& out_BTHD,
                                  const at::Tensor& lse_BHT, double scale,
                                  const std::optional<at::Tensor>& dlse_BHT,
                                  std::optional<at::ScalarType> result, int64_t most_queries) {
  const auto lse = lse_BHT.contiguous();
  const auto empty = [&](const at::Tensor& x) {
    return at::empty(x.sizes(), x.options().dtype(result.value_or(q_BTHD.scalar_type())));
  };
  const int64_t T = q_BTHD.size(1), H = q_BTHD.size(2), S = k_BSGD.size(1), G = k_BSGD.size(2);
  Backward run{tiles,
               dout_BTHD,
               q_BTHD,
               k_BSGD,
               v_BSGD,
               out_BTHD,
               lse,
               dlse_BHT ? std::optional(dlse_BHT->contiguous()) : std::nullopt,
               scale,
               {empty(q_BTHD), empty(k_BSGD), empty(v_BSGD)},
               T,
               H,
               q_BTHD.size(3),
               S,
               G,
               H / G,
               ceil_div(S, tiles.panel),
               {}};
  const int64_t pairs = q_BTHD.size(0) * G;
  const int64_t together = std::min<int64_t>(pairs, at::get_num_threads());
  const int64_t ranges = ceil_div(T, most_queries);
  run.room = make_room(run, ceil_div(T, ranges), together);
  for (int64_t first = 0; first < pairs; first += together) {
    const int64_t count = std::min(together, pairs - first);
    run.room.dk.zero_();
    run.room.dv.zero_();
    for (int64_t range = 0; range < ranges; ++range) {
      const Span queries = span_of(T, ranges, range);
      prepare_queries(run, queries, first, count);
      multiply_parts(run, queries, first, count);
      write_query_gradients(run, queries, first, count);
    }
    write_key_gradients(run, first, count);
  }
  return run.gradients;
}

}  // namespace graticule
