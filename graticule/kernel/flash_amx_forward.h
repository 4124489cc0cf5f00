// The forward of one task by AMX. The maths is that of flash_tile_forward.h, with a query in each lane; squares of 32
// keys and 32 queries take the place of register tiles.
//
// The exponentials take longer than the products. So the matrix unit computes the scores of the next square
// meanwhile, and a block's largest scores are not searched: its exponentials are relative to the m of earlier blocks;
// in the first block, to the largest score of its first 32 keys. Seldom a sum is then too large, or no number. Then m
// rises to the block's largest score, and the block is computed once more.
//
// The bf16 P, which multiplies V, has a sum of its own, l'. O is divided by l', so that a rounded p that outweighs all
// others leaves no error. The log-sum-exp is that of the fp32 sum l.
#pragma once

#include "graticule/kernel/flash_amx_pack.h"
#include "graticule/kernel/flash_tile_forward.h"

namespace graticule {
namespace {

/// 32 queries and a block of keys.
struct AmxItem {
  const float *keys_SU, *values_DU, *q_UL;
  float *out_DL, *most_L, *sum_L, *rounded_L;
  int64_t keys, width;
  float factor;  // c

  int64_t depth() const { return padded(width) / 2; }
};

/// Buffers of a task: two squares of scores, and P of an item as units along the keys.
struct AmxForwardRoom {
  float *scores, *p_UL;
};

/// Two vectors: 32 lanes.
using Pair = __m512[2];

[[gnu::always_inline]] inline void load_pair(const float* from_L, Pair& x) {
  for (int c = 0; c < 2; ++c) x[c] = Amx::load(from_L + c * Amx::lanes);
}

/// The scores of the item's keys [key, key + 32).
[[gnu::always_inline]] inline const float* score_square(const AmxItem& item, int64_t key,
                                                        const AmxForwardRoom& room) {
  float* to = room.scores + key / side % 2 * square_floats;
  multiply_square<false>(item.keys_SU + key * item.depth(), item.depth(), item.q_UL, amx_panel,
                         item.depth() / step_units, to, side);
  return to;
}

/// Raises m to the largest score of the first `keys` keys.
inline void search(const AmxItem& item, int64_t keys, const AmxForwardRoom& room) {
  Pair top;
  load_pair(item.most_L, top);
  for (int64_t key = 0; key < keys; key += side) {
    const float* square = score_square(item, key, room);
    for (int64_t row = 0; row < side && key + row < keys; ++row) {
      for (int c = 0; c < 2; ++c)
        top[c] = Amx::larger(top[c], Amx::load(square + row * side + c * Amx::lanes));
    }
  }
  for (int c = 0; c < 2; ++c) Amx::store(item.most_L + c * Amx::lanes, top[c]);
}

struct AmxSums {
  Pair fp32, rounded;
};

/// P of a square, as units, added to the sums; zeros from row `rows` on.
template <bool whole>
[[gnu::always_inline]] inline void exponentials(const float* square, int64_t rows, __m512 factor,
                                                const Pair& shift, AmxSums& sums, float* p_UL) {
#pragma GCC unroll 2
  for (int64_t row = 0; row < side; row += 2) {
#pragma GCC unroll 2
    for (int c = 0; c < 2; ++c) {
      Pair p;
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const auto s = Amx::load(square + (row + i) * side + c * Amx::lanes);
        p[i] = whole || row + i < rows ? Amx::exp2(Amx::multiply_subtract(s, factor, shift[c])) : Amx::zero();
      }
      sums.fp32[c] += p[0] + p[1];
      const __m512i both = Amx::pair_of(p);
      sums.rounded[c] +=
          _mm512_castsi512_ps(_mm512_slli_epi32(both, 16)) +
          _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
      _mm512_storeu_si512(p_UL + row / 2 * side + c * Amx::lanes, both);
    }
  }
}

/// P of an item, and its sums.
inline void item_exponentials(const AmxItem& item, const AmxForwardRoom& room, AmxSums& sums) {
  const auto factor = Amx::broadcast(item.factor);
  Pair shift;
  for (int c = 0; c < 2; ++c) {
    const auto most = Amx::load(item.most_L + c * Amx::lanes);
    shift[c] = Amx::zero_where_infinite(most * factor, most);
    sums.fp32[c] = sums.rounded[c] = Amx::zero();
  }
  const float* square = score_square(item, 0, room);
  for (int64_t key = 0; key < item.keys; key += side) {
    const float* next = key + side < item.keys ? score_square(item, key + side, room) : nullptr;
    float* p_UL = room.p_UL + key / 2 * side;
    if (key + side <= item.keys) {
      exponentials<true>(square, side, factor, shift, sums, p_UL);
    } else {
      exponentials<false>(square, item.keys - key, factor, shift, sums, p_UL);
    }
    square = next;
  }
}

inline bool all_small(const Pair& sum) {
  const auto bound = Amx::broadcast(largest_sum);
  return (_mm512_cmp_ps_mask(sum[0], bound, _CMP_LT_OQ) & _mm512_cmp_ps_mask(sum[1], bound, _CMP_LT_OQ)) ==
         0xffff;
}

/// Multiplies the sums l, l' and O by 2^(c (before - m)).
inline void rescale(const AmxItem& item, const Pair& before) {
  const auto factor = Amx::broadcast(item.factor);
  for (int c = 0; c < 2; ++c) {
    const auto most = Amx::load(item.most_L + c * Amx::lanes);
    const auto keep = Amx::exp2(before[c] * factor - Amx::zero_where_infinite(most * factor, most));
    const auto multiply = [&](float* row) { Amx::store(row, Amx::load(row) * keep); };
    multiply(item.sum_L + c * Amx::lanes);
    multiply(item.rounded_L + c * Amx::lanes);
    for (int64_t d = 0; d < item.width; ++d) multiply(item.out_DL + d * amx_panel + c * Amx::lanes);
  }
}

inline void attend(const AmxItem& item, bool first, const AmxForwardRoom& room) {
  if (first) search(item, item.keys < side ? item.keys : side, room);
  AmxSums sums;
  item_exponentials(item, room, sums);
  if (!all_small(sums.fp32)) {
    Pair before;
    load_pair(item.most_L, before);
    search(item, item.keys, room);
    rescale(item, before);
    item_exponentials(item, room, sums);
  }
  for (int c = 0; c < 2; ++c) {
    float *l = item.sum_L + c * Amx::lanes, *rounded = item.rounded_L + c * Amx::lanes;
    Amx::store(l, Amx::load(l) + sums.fp32[c]);
    Amx::store(rounded, Amx::load(rounded) + sums.rounded[c]);
  }
  add_product(padded(item.width), side, item.values_DU, Amx::block / 2, room.p_UL, side, squares(item.keys),
              item.out_DL, amx_panel);
}

/// A panel of queries between blocks of keys, and l'.
struct AmxPanel {
  QueryPanel state;
  float* rounded_L;
};

inline int64_t amx_forward_scratch(int64_t queries, int64_t width) {
  const int64_t panels = ceil_div(queries, amx_panel), numbers = padded(width);
  return panels * amx_panel * (numbers / 2 + numbers + 3) + Amx::block / 2 * side + 2 * square_floats +
         amx_panel * numbers;
}

inline void amx_forward(const ForwardTask& task) {
  const TileShapes shapes;
  const int64_t numbers = padded(task.width), depth = numbers / 2, panels = ceil_div(task.queries, amx_panel);
  float* next = task.scratch;
  const auto take = [&](int64_t floats) {
    float* taken = next;
    next += floats;
    return taken;
  };
  const AmxForwardRoom room{take(2 * square_floats), take(Amx::block / 2 * side)};
  float* rows = take(amx_panel * numbers);
  AmxPanel made[most_queries / amx_panel];
  for (int64_t p = 0; p < panels; ++p) {
    made[p] = {{take(depth * amx_panel), take(numbers * amx_panel), take(amx_panel), take(amx_panel)},
               take(amx_panel)};
    const QueryPanel& state = made[p].state;
    const int64_t end = (p + 1) * amx_panel < task.queries ? (p + 1) * amx_panel : task.queries;
    pack_width_panel(task.q, p * amx_panel, end, task.width, task.sign, state.q_UL, rows);
    zero_units(state.out_DL, numbers * amx_panel);
    for (int64_t i = 0; i < amx_panel; ++i) state.most_L[i] = -std::numeric_limits<float>::infinity();
    zero_units(state.sum_L, amx_panel);
    zero_units(made[p].rounded_L, amx_panel);
  }
  for (int64_t begin = 0; begin < task.keys; begin += Amx::block) {
    const int64_t keys = begin + Amx::block < task.keys ? Amx::block : task.keys - begin;
    for (int64_t query = 0; query < task.queries; query += side) {
      const QueryPanel& state = made[query / amx_panel].state;
      const int64_t lane = query % amx_panel;
      const AmxItem item{task.keys_SU + begin * depth,
                         task.values_bDU + begin * depth,
                         state.q_UL + lane,
                         state.out_DL + lane,
                         state.most_L + lane,
                         state.sum_L + lane,
                         made[query / amx_panel].rounded_L + lane,
                         keys,
                         task.width,
                         task.magnitude * log2_e};
      attend(item, begin == 0, room);
    }
  }
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t begin = p * amx_panel,
                  count = begin + amx_panel < task.queries ? amx_panel : task.queries - begin;
    forward_finish<Amx>(task, made[p].state, made[p].rounded_L, begin, count, rows);
  }
}

}  // namespace
}  // namespace graticule
