// The backward of one task: a range of keys of one head against a range of queries (FlashAttention-2, arXiv
// 2307.08691, section 3.2, with a key in each vector lane).
//
//   P     = 2^((|scale| Q K^T - lse) log2 e)
//   dS    = P (dout V^T - delta)                 delta = dout . out - dlse
//   dV^T += dout^T P
//   dK^T += Q^T dS
//   dQ   += dS K
//
// The subtraction comes before the change of base, so P is exact also for huge scores. dV^T and dK^T have a
// key in each lane; only dQ has the head width in its lanes. The scale is applied when the sums are written.
#pragma once

#include <cmath>
#include <limits>

#include "graticule/kernel/flash_tile_forward.h"

namespace graticule {

/// The row length of the fp32 sums of dq: the width, rounded up to the columns that the tiles write.
template <class Isa>
int64_t accumulator_width(int64_t width) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t rest = width % panel;
  return width - rest + (rest == 0 ? 0 : columns_for<Isa>(rest) * Isa::lanes);
}

template <class Isa>
float row_dot(const float* x, const float* y, int64_t padded) {
  auto sum = Isa::zero();
  for (int64_t d = 0; d < padded; d += Isa::lanes)
    sum = Isa::add_product(sum, Isa::load(x + d), Isa::load(y + d));
  float lanes[Isa::lanes];
  Isa::store(lanes, sum);
  float total = 0;
  for (int i = 0; i < Isa::lanes; ++i) total += lanes[i];
  return total;
}

/// The log-sum-exp and delta of each query of the task.
template <class Isa>
void prepare_numbers(const PrepareTask& task) {
  alignas(64) float dout[most_width] = {}, out[most_width] = {};
  const int64_t padded = ceil_div(task.width, Isa::lanes) * Isa::lanes;
  for (int64_t token = task.begin; token < task.end; ++token) {
    read_row<Isa>(task.dout, token, task.width, dout);
    read_row<Isa>(task.out, token, task.width, out);
    const float lse = task.lse[token];
    task.pack.lse_T[token] = lse == -std::numeric_limits<float>::infinity() ? 0 : lse;
    task.pack.delta_T[token] = row_dot<Isa>(dout, out, padded) - (task.dlse ? task.dlse[token] : 0);
  }
}

template <class Isa>
void prepare(const PrepareTask& task) {
  const int64_t width = task.width;
  const int64_t depth = units(width, Isa::pair);
  const int64_t block_units = units(Isa::block, Isa::pair);
  prepare_numbers<Isa>(task);
  pack_strips<Isa>(task.q, task.begin, task.end, width, task.sign, task.pack.q_TU + task.begin * depth);
  pack_strips<Isa>(task.dout, task.begin, task.end, width, 1, task.pack.dout_TU + task.begin * depth);
  for (int64_t begin = task.begin; begin < task.end; begin += Isa::block) {
    const int64_t end = begin + Isa::block < task.end ? begin + Isa::block : task.end;
    const int64_t offset = begin / Isa::block * width * block_units;
    pack_columns<Isa>(task.q, begin, end, width, task.sign, task.pack.q_bDU + offset);
    pack_columns<Isa>(task.dout, begin, end, width, 1, task.pack.dout_bDU + offset);
  }
  const int64_t length = accumulator_width<Isa>(width);
  std::memset(task.pack.dq_TW + task.begin * length, 0,
              static_cast<size_t>((task.end - task.begin) * length) * 4);
}

/// A panel of keys and values, packed as right operands of S and dP.
struct KeyPanel {
  float *k_UL, *v_UL;
  float *dk_DL, *dv_DL;
  int64_t count;
};

/// Narrow panels add to dq together, as one product over all their keys. With 16 keys at a time, reading and
/// writing dq takes a quarter of that product's time where 32 KiB of cache do not hold the rows of dq (Zen 3).
template <class Isa>
constexpr bool joins = panel_of<Isa> < 64;

/// The number of panels that add to dq together. Their keys take at most 32 KiB.
template <class Isa>
int64_t joined_panels(int64_t width) {
  if (!joins<Isa>) return 1;
  return width <= 128 ? 4 : 2;
}

/// Buffers for P and dS. When a unit is one number (flash_tiles.h), p_UL is p, and ds_UL is ds_TU unless panels
/// are joined.
struct Scores {
  float* p;           // fp32 [block, panel]
  float* p_UL;        // units along the queries
  float* ds_UL;       // units along the queries
  float* ds_TU;       // units along the keys
  int64_t ds_length;  // of a row of ds_TU: the units of the joined panels
};

/// Stores rows of a tile as units along the rows. A last odd row is paired with zeros.
template <class Isa, int R, int C>
[[gnu::always_inline]] inline void store_pairs(int64_t row, typename Isa::Vector (&x)[R][C], float* to) {
#pragma GCC unroll 8
  for (int r = 0; r < R; r += 2) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const typename Isa::Vector two[2] = {x[r][c], r + 1 < R ? x[r + 1 < R ? r + 1 : r][c] : Isa::zero()};
      Isa::store_pair(to + (row + r) / 2 * panel_of<Isa> + c * Isa::lanes, two);
    }
  }
}

template <class Isa, int C>
void scores_step(const BackwardTask& task, const KeyPanel& keys, const Scores& room, int64_t begin,
                 int64_t count) {
  using Vector = typename Isa::Vector;
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t depth = units(task.width, Isa::pair);
  const auto scale = Isa::broadcast(task.magnitude), to_base_2 = Isa::broadcast(log2_e);
  const float* lse = task.pack.lse_T + begin;
  const float* delta = task.pack.delta_T + begin;

  product<Isa, C>(
      count, depth, Strips{task.pack.q_TU + begin * depth, depth},
      keys.k_UL, [&]<int R>(int64_t row, Vector(&s)[R][C]) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const auto row_lse = Isa::broadcast(lse[row + r]);
#pragma GCC unroll 8
          for (int c = 0; c < C; ++c) {
            s[r][c] = Isa::exp2(Isa::multiply_subtract(s[r][c], scale, row_lse) * to_base_2);
            Isa::store(room.p + (row + r) * panel + c * Isa::lanes, s[r][c]);
          }
        }
        if constexpr (Isa::pair == 2) store_pairs<Isa>(row, s, room.p_UL);
      });
  product<Isa, C>(
      count, depth, Strips{task.pack.dout_TU + begin * depth, depth},
      keys.v_UL, [&]<int R>(int64_t row, Vector(&dp)[R][C]) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const auto row_delta = Isa::broadcast(delta[row + r]);
#pragma GCC unroll 8
          for (int c = 0; c < C; ++c) {
            dp[r][c] = Isa::load(room.p + (row + r) * panel + c * Isa::lanes) * (dp[r][c] - row_delta);
            Isa::store_left(room.ds_TU + (row + r) * room.ds_length + c * Isa::lanes / Isa::pair, dp[r][c]);
            if constexpr (Isa::pair == 1 && joins<Isa>)
              Isa::store(room.ds_UL + (row + r) * panel + c * Isa::lanes, dp[r][c]);
          }
        }
        if constexpr (Isa::pair == 2) store_pairs<Isa>(row, dp, room.ds_UL);
      });
}

/// P and dS of a block of queries and a panel of keys, and what they add to dv and dk.
template <class Isa, int C>
void key_step(const BackwardTask& task, const KeyPanel& keys, const Scores& room, int64_t begin,
              int64_t count) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t width = task.width;
  scores_step<Isa, C>(task, keys, room, begin, count);

  const int64_t block_units = units(Isa::block, Isa::pair);
  const int64_t offset = begin / Isa::block * width * block_units;
  const int64_t depth = units(count, Isa::pair);
  accumulate<Isa, C>(width, depth, Strips{task.pack.dout_bDU + offset, block_units}, room.p_UL, keys.dv_DL,
                     panel);
  accumulate<Isa, C>(width, depth, Strips{task.pack.q_bDU + offset, block_units}, room.ds_UL, keys.dk_DL,
                     panel);
}

/// dQ += dS K for `keys` keys, packed in k_eUL. Tile after tile of rows, so that their dS is read once.
template <class Isa>
void query_step(const BackwardTask& task, const Scores& room, const float* k_eUL, int64_t keys, int64_t begin,
                int64_t count) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t key_units = units(keys, Isa::pair);
  if (keys % Isa::pair != 0) {  // the lane beyond the last key holds no number of ours
    for (int64_t row = 0; row < count; ++row) {
      std::memset(reinterpret_cast<char*>(room.ds_TU + row * room.ds_length + key_units - 1) + 2, 0, 2);
    }
  }
  const int64_t length = accumulator_width<Isa>(task.width);
  float* dq = task.pack.dq_TW + begin * length;
  for_tiles<Isa>(
      count, [&]<int R>(int64_t row) __attribute__((always_inline)) {
        for (int64_t d = 0; d < task.width; d += panel) {
          with_columns<Isa>(
              task.width - d, [&](auto columns) __attribute__((always_inline)) {
                tile_product<Isa, R, decltype(columns)::value>(
                    row, key_units, Rows{room.ds_TU, room.ds_length}, k_eUL + d * room.ds_length,
                    Adder<Isa>{dq + d, length});
              });
        }
      });
}

/// Packs a panel of keys and values. k_eUL is the right operand of dQ: units along the keys of `joined` panels,
/// `panel` numbers of the width at a time. This one is the j-th of them.
template <class Isa>
void pack_key_panel(const BackwardTask& task, int64_t begin, const KeyPanel& keys, float* k_eUL, int64_t j,
                    int64_t joined, float* rows) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t width = task.width;
  const int64_t end = begin + keys.count;
  pack_panel<Isa>(task.k, begin, end, width, 1, keys.k_UL, rows);
  pack_panel<Isa>(task.v, begin, end, width, 1, keys.v_UL, rows);
  for (int64_t u = 0; u < units(keys.count, Isa::pair); ++u) {
    read_pairs<Isa>(task.k, begin + u * Isa::pair, end, width, rows);
    for (int64_t d = 0; d < width; d += panel) {
      const int64_t filled = width - d < panel ? width - d : panel;
      float* to = k_eUL + (d * joined + j * panel) * (panel / Isa::pair) + u * panel;
      std::memcpy(to, rows + d, static_cast<size_t>(filled) * 4);
      std::memset(to + filled, 0, static_cast<size_t>(panel - filled) * 4);
    }
  }
}

/// The number of panels of keys that use each block of queries while it is in the cache.
template <class Isa>
int64_t panels_together(int64_t width) {
  return (width <= 128 ? 256 : 128) / panel_of<Isa>;
}

template <class Isa>
int64_t backward_scratch(int64_t width) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t depth = units(width, Isa::pair);
  const int64_t a_panel = 2 * depth * panel + ceil_div(width, panel) * panel * (panel / Isa::pair);
  return panels_together<Isa>(width) * a_panel + (3 + joined_panels<Isa>(width)) * Isa::block * panel +
         panel * width;
}

template <class Isa>
void backward(const BackwardTask& task) {
  constexpr int64_t panel = panel_of<Isa>;
  constexpr int64_t most_together = 256 / panel;
  const int64_t width = task.width;
  const int64_t depth = units(width, Isa::pair);
  const int64_t together = panels_together<Isa>(width), joined = joined_panels<Isa>(width);
  const int64_t k_e = ceil_div(width, panel) * panel * (panel / Isa::pair);  // a panel's part of k_eUL
  float* next = task.scratch;
  const auto take = [&](int64_t floats) {
    float* taken = next;
    next += floats;
    return taken;
  };
  KeyPanel panels[most_together];
  for (int64_t p = 0; p < together; ++p) {
    panels[p] = {take(depth * panel), take(depth * panel), nullptr, nullptr, 0};
  }
  float* k_eUL = take(together * k_e);
  Scores room;
  room.p = take(Isa::block * panel);
  room.p_UL = Isa::pair == 1 ? room.p : take(Isa::block * panel);
  float* ds_TU = take(joined * Isa::block * panel);
  room.ds_UL = Isa::pair == 1 && !joins<Isa> ? ds_TU : take(Isa::block * panel);
  room.ds_length = joined * panel / Isa::pair;
  float* rows = take(panel * width);

  for (int64_t key = task.key_begin; key < task.key_end; key += together * panel) {
    int64_t used = 0;
    for (int64_t at = key; at < task.key_end && used < together; at += panel, ++used) {
      auto& keys = panels[used];
      keys.count = task.key_end - at < panel ? task.key_end - at : panel;
      keys.dk_DL = task.dk_pDL + at * width;
      keys.dv_DL = task.dv_pDL + at * width;
      pack_key_panel<Isa>(task, at, keys, k_eUL + used / joined * joined * k_e, used % joined, joined, rows);
    }
    for (int64_t begin = task.query_begin; begin < task.query_end; begin += Isa::block) {
      const int64_t count = task.query_end - begin < Isa::block ? task.query_end - begin : Isa::block;
      for (int64_t first = 0; first < used; first += joined) {
        int64_t added = 0;
        for (int64_t p = first; p < first + joined && p < used; ++p) {
          room.ds_TU = ds_TU + added / Isa::pair;
          with_columns<Isa>(panels[p].count, [&](auto columns) {
            key_step<Isa, decltype(columns)::value>(task, panels[p], room, begin, count);
          });
          added += panels[p].count;
        }
        room.ds_TU = ds_TU;
        query_step<Isa>(task, room, k_eUL + first * k_e, added, begin, count);
      }
    }
  }
}

/// The table of kernels for one instruction set.
template <class Isa>
constexpr FlashTiles tiles_of() {
  return {panel_of<Isa>,          Isa::block,           Isa::pair,          1,
          most_queries,           forward_scratch<Isa>, write_scratch<Isa>, backward_scratch<Isa>,
          accumulator_width<Isa>, pack_keys<Isa>,       forward<Isa>,       prepare<Isa>,
          backward<Isa>,          write_rows<Isa>,      write_panel<Isa>};
}

}  // namespace graticule
