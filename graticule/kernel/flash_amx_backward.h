// The backward of one task by AMX. The maths is that of flash_tile_backward.h, with a key in each lane; squares of 32
// queries and 32 keys take the place of register tiles. The matrix unit computes the scores of the next square while P
// and dS of this one are computed.
#pragma once

#include "graticule/kernel/flash_amx_pack.h"
#include "graticule/kernel/flash_tile_backward.h"

namespace graticule {
namespace {

/// Beyond the last query, up to a multiple of 32, an lse of infinity makes P zero.
inline void amx_prepare(const PrepareTask& task) {
  const int64_t width = task.width, numbers = padded(width), depth = numbers / 2, length = numbers;
  const int64_t end = task.begin + padded(task.end - task.begin);
  pack_rows(task.q, task.begin, task.end, width, task.sign, task.pack.q_TU + task.begin * depth);
  pack_rows(task.dout, task.begin, task.end, width, 1, task.pack.dout_TU + task.begin * depth);
  prepare_numbers<Amx>(task);
  for (int64_t token = task.end; token < end; ++token) {
    task.pack.lse_T[token] = std::numeric_limits<float>::infinity();
    task.pack.delta_T[token] = 0;
  }
  for (int64_t begin = task.begin; begin < task.end; begin += Amx::block) {
    const int64_t block_end = begin + Amx::block < task.end ? begin + Amx::block : task.end;
    pack_token_columns(task.q, begin, block_end, width, task.sign, task.pack.q_bDU + begin * depth);
    pack_token_columns(task.dout, begin, block_end, width, 1, task.pack.dout_bDU + begin * depth);
  }
  zero_units(task.pack.dq_TW + task.begin * length, (end - task.begin) * length);
}

/// Panels that use each block of queries while it is in the cache, and add to dq as one product.
inline int64_t amx_panels(int64_t width) { return width <= 128 ? 4 : 2; }

/// The buffers of a task.
struct AmxRoom {
  float *k_UL, *v_UL;  // right operands of S and dP: panels
  float*
      k_eUL;  // right operand of dQ: units along the keys of all panels, `panel` numbers of the width at a time
  float *p_UL, *ds_UL;  // units along the queries
  float* ds_TU;         // units along the keys of all panels
  int64_t ds_length;    // of its rows
  float *s, *dp;        // two squares each
  float* rows;          // for packing
};

inline AmxRoom amx_room(float* scratch, int64_t width, int64_t& floats) {
  const int64_t numbers = padded(width), together = amx_panels(width), keys = together * amx_panel;
  floats = 0;
  const auto take = [&](int64_t count) {
    float* taken = scratch + floats;
    floats += count;
    return taken;
  };
  AmxRoom room{};
  room.k_UL = take(keys * numbers / 2);
  room.v_UL = take(keys * numbers / 2);
  room.k_eUL = take(keys / 2 * ceil_div(width, amx_panel) * amx_panel);
  room.p_UL = take(Amx::block / 2 * amx_panel);
  room.ds_UL = take(Amx::block / 2 * amx_panel);
  room.ds_TU = take(Amx::block * keys / 2);
  room.ds_length = keys / 2;
  room.s = take(2 * square_floats);
  room.dp = take(2 * square_floats);
  room.rows = take(amx_panel * numbers);
  return room;
}

inline int64_t amx_backward_scratch(int64_t width) {
  int64_t floats;
  amx_room(nullptr, width, floats);
  return floats;
}

/// Packs panel `p` of the task's keys and values: the tokens [begin, end).
inline void pack_key_value_panel(const BackwardTask& task, const AmxRoom& room, int64_t p, int64_t begin,
                                 int64_t end) {
  const int64_t width = task.width, depth = padded(width) / 2, length = amx_panel * amx_panels(width) / 2;
  pack_width_panel(task.k, begin, end, width, 1, room.k_UL + p * depth * amx_panel, room.rows);
  pack_width_panel(task.v, begin, end, width, 1, room.v_UL + p * depth * amx_panel, room.rows);
  const int64_t wide = ceil_div(width, amx_panel) * amx_panel;
  alignas(64) float row[most_width];
  for (int64_t u = 0; u < amx_panel / 2; ++u) {
    read_padded_pairs(task.k, begin + 2 * u, end, width, row, wide);
    for (int64_t d = 0; d < wide; d += amx_panel) {
      float* to = room.k_eUL + d * length + (p * (amx_panel / 2) + u) * amx_panel;
      std::memcpy(to, row + d, amx_panel * 4);
    }
  }
}

/// P and dS of a square: 32 queries from `lse` and `delta` on, and the keys of `lanes`.
struct GradientSquare {
  const float *s, *dp, *lse, *delta;
  float *p_UL, *ds_UL, *ds_TU;
  int64_t ds_length;
  float magnitude;
  __mmask16 lanes[2];
};

/// 2^x with a relative error of 2.6e-6 (a minimax polynomial on [0, 1)), where rounding P to bf16 makes one of 3.9e-3.
[[gnu::always_inline]] inline __m512 rough_exp2(__m512 x) {
  const auto f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  auto p = _mm512_fmadd_ps(f, _mm512_set1_ps(1.3534167241961931e-2f), _mm512_set1_ps(5.2011461905767456e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4144275612605018e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.93003834610779e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0000025933668482f));
  return _mm512_scalef_ps(p, x);
}

[[gnu::always_inline]] inline void gradients(const GradientSquare& x) {
  const auto scale = Amx::broadcast(x.magnitude), to_base_2 = Amx::broadcast(log2_e);
#pragma GCC unroll 2
  for (int64_t row = 0; row < side; row += 2) {
#pragma GCC unroll 2
    for (int c = 0; c < 2; ++c) {
      __m512 p[2], ds[2];
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const int64_t at = (row + i) * side + c * Amx::lanes;
        const auto exponent =
            Amx::multiply_subtract(Amx::load(x.s + at), scale, Amx::broadcast(x.lse[row + i])) * to_base_2;
        p[i] = _mm512_maskz_mov_ps(x.lanes[c], rough_exp2(exponent));
        ds[i] = p[i] * (Amx::load(x.dp + at) - Amx::broadcast(x.delta[row + i]));
        Amx::store_left(x.ds_TU + (row + i) * x.ds_length + c * Amx::lanes / 2, ds[i]);
      }
      Amx::store_pair(x.p_UL + row / 2 * amx_panel + c * Amx::lanes, p);
      Amx::store_pair(x.ds_UL + row / 2 * amx_panel + c * Amx::lanes, ds);
    }
  }
}

/// P and dS of a block of queries and panel `p` with `keys` keys, and what they add to dv and dk.
inline void amx_key_step(const BackwardTask& task, const AmxRoom& room, int64_t p, int64_t key, int64_t keys,
                         int64_t begin, int64_t count) {
  const int64_t numbers = padded(task.width), depth = numbers / 2, steps = depth / step_units;
  const float *q_TU = task.pack.q_TU + begin * depth, *dout_TU = task.pack.dout_TU + begin * depth;
  const float *k_UL = room.k_UL + p * depth * amx_panel, *v_UL = room.v_UL + p * depth * amx_panel;
  const int64_t across = squares(keys), total = squares(count) * across;
  const auto scores = [&](int64_t i) __attribute__((always_inline)) {
    const int64_t row = i / across * side, lane = i % across * side, half = i % 2 * square_floats;
    multiply_square<false>(q_TU + row * depth, depth, k_UL + lane, amx_panel, steps, room.s + half, side);
    multiply_square<false>(dout_TU + row * depth, depth, v_UL + lane, amx_panel, steps, room.dp + half, side);
  };
  scores(0);
  for (int64_t i = 0; i < total; ++i) {
    if (i + 1 < total) scores(i + 1);
    const int64_t row = i / across * side, lane = i % across * side, half = i % 2 * square_floats;
    const int64_t to = row / 2 * amx_panel + lane;
    const uint32_t inside = keys - lane >= side ? ~0u : (1u << (keys - lane)) - 1;
    gradients({room.s + half,
               room.dp + half,
               task.pack.lse_T + begin + row,
               task.pack.delta_T + begin + row,
               room.p_UL + to,
               room.ds_UL + to,
               room.ds_TU + row * room.ds_length + (p * amx_panel + lane) / 2,
               room.ds_length,
               task.magnitude,
               {static_cast<__mmask16>(inside), static_cast<__mmask16>(inside >> Amx::lanes)}});
  }
  const int64_t lanes = across * side;
  add_product(numbers, lanes, task.pack.dout_bDU + begin * depth, Amx::block / 2, room.p_UL, amx_panel,
              squares(count), task.dv_pDL + key * numbers, amx_panel);
  add_product(numbers, lanes, task.pack.q_bDU + begin * depth, Amx::block / 2, room.ds_UL, amx_panel,
              squares(count), task.dk_pDL + key * numbers, amx_panel);
}

/// dQ += dS K for the `keys` keys of all panels.
inline void amx_query_step(const BackwardTask& task, const AmxRoom& room, int64_t keys, int64_t begin,
                           int64_t count) {
  const int64_t numbers = padded(task.width), length = numbers;
  float* dq = task.pack.dq_TW + begin * length;
  for (int64_t row = 0; row < count; row += side) {
    for (int64_t d = 0; d < numbers; d += side) {
      const float* k = room.k_eUL + d / amx_panel * amx_panel * room.ds_length + d % amx_panel;
      multiply_square<true>(room.ds_TU + row * room.ds_length, room.ds_length, k, amx_panel, squares(keys),
                            dq + row * length + d, length);
    }
  }
}

inline void amx_backward(const BackwardTask& task) {
  const TileShapes shapes;
  int64_t floats;
  const AmxRoom room = amx_room(task.scratch, task.width, floats);
  const int64_t together = amx_panels(task.width) * amx_panel;
  for (int64_t first = task.key_begin; first < task.key_end; first += together) {
    const int64_t keys = task.key_end - first < together ? task.key_end - first : together;
    for (int64_t p = 0; p * amx_panel < keys; ++p) {
      const int64_t begin = first + p * amx_panel,
                    end = begin + amx_panel < task.key_end ? begin + amx_panel : task.key_end;
      pack_key_value_panel(task, room, p, begin, end);
    }
    for (int64_t begin = task.query_begin; begin < task.query_end; begin += Amx::block) {
      const int64_t count = task.query_end - begin < Amx::block ? task.query_end - begin : Amx::block;
      for (int64_t p = 0; p * amx_panel < keys; ++p) {
        const int64_t key = p * amx_panel, own = keys - key < amx_panel ? keys - key : amx_panel;
        amx_key_step(task, room, p, first + key, own, begin, count);
      }
      amx_query_step(task, room, keys, begin, count);
    }
  }
}

}  // namespace
}  // namespace graticule
