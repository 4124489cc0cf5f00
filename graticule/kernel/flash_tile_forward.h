// The forward of one task: a group of queries of one head against all its keys (FlashAttention-2, arXiv
// 2307.08691, section 3.1, transposed, so that a vector lane is a query).
//
//   S^T  = K Q^T
//   m'   = max(m, max_j c s_ij)                  c = |scale| log2 e
//   P^T  = 2^(c S^T - m')
//   l'   = 2^(m - m') l + sum_j p_ij
//   O^T' = 2^(m - m') O^T + V^T P^T
//
// With a query in each lane, maxima and sums need no operation across lanes. The head width is never in the
// lanes, so every width runs at full speed.
#pragma once

#include <cmath>
#include <limits>

#include "graticule/kernel/flash_tile_pack.h"

namespace graticule {

constexpr float log2_e = 1.44269504088896340736f;
constexpr int64_t most_queries = 256;  // of one task
constexpr float largest_sum = 65536;   // of a block's exponentials in quick_step
/// Keys whose largest score is the first m of quick_step: whole tiles, and less than half of a block.
template <class Isa>
constexpr int64_t searched_keys = 4 * Isa::rows;
constexpr double ln_2 = 0.693147180559945309417;

/// The state of a panel of queries between blocks of keys.
struct QueryPanel {
  float* q_UL;
  float* out_DL;
  float* most_L;  // m: the score that exponentials are relative to, unscaled
  float* sum_L;
};

/// V^T of the block of keys that starts at `begin`.
template <class Isa>
Strips values_at(const ForwardTask& task, int64_t begin) {
  const int64_t depth = units(Isa::block, Isa::pair);
  return {task.values_bDU + begin / Isa::block * task.width * depth, depth};
}

/// The scores of `rows` keys from the packed rows `keys_SU` on; raises `top` to the largest of each query.
template <class Isa, int C>
[[gnu::always_inline]] inline void search_scores(int64_t rows, int64_t depth, const float* keys_SU,
                                                 const float* q_UL, float* scores,
                                                 typename Isa::Vector (&top)[C]) {
  using Vector = typename Isa::Vector;
  product<Isa, C>(
      rows, depth, Strips{keys_SU, depth},
      q_UL, [&]<int R>(int64_t row, Vector(&s)[R][C]) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) {
          Vector best = top[c];
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) {
            Isa::store(scores + (row + r) * panel_of<Isa> + c * Isa::lanes, s[r][c]);
            best = Isa::larger(best, s[r][c]);
          }
          top[c] = best;
        }
      });
}

/// A block of keys whose exponentials are taken relative to the m of earlier blocks, whatever this block's
/// largest score is; in the first block, to the largest score of its first keys. So little is searched and
/// nothing rescaled, and they are computed while the next scores are. Returns false, and changes nothing, when a
/// sum is no number or too large for that: then m must rise first.
template <class Isa, int C>
bool quick_step(const ForwardTask& task, const QueryPanel& state, int64_t begin, int64_t count,
                float* scores) {
  static_assert(Isa::pair == 1);  // `exponentials` stores rows, not units of two
  using Vector = typename Isa::Vector;
  const int64_t depth = units(task.width, Isa::pair);
  const int64_t searched = begin == 0 ? searched_keys<Isa> : 0;
  const float* keys_SU = task.keys_SU + begin * depth;
  float* rest = scores + searched * panel_of<Isa>;  // the rows of the other keys
  const auto factor = Isa::broadcast(task.magnitude * log2_e);
  Vector most[C], shift[C], sum[C];
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) most[c] = Isa::load(state.most_L + c * Isa::lanes);
  if (searched > 0) search_scores<Isa, C>(searched, depth, keys_SU, state.q_UL, scores, most);
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    shift[c] = most[c] * factor;
    sum[c] = Isa::zero();
  }
  const auto exponents = [&](Vector s, int c) __attribute__((always_inline)) {
    return Isa::clamp_exponent(Isa::multiply_subtract(s, factor, shift[c]));
  };
  for (int64_t row = 0; row < searched; ++row) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      float* at = scores + row * panel_of<Isa> + c * Isa::lanes;
      Isa::store(at, exponents(Isa::load(at), c));
    }
  }
  const auto exponentials = [&](int64_t row) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      float* at = rest + row * panel_of<Isa> + c * Isa::lanes;
      const Vector p = Isa::exp2_clamped(Isa::load(at));
      sum[c] = sum[c] + p;
      Isa::store(at, p);
    }
  };
  const Later<Isa, C, decltype(exponents), decltype(exponentials)> later{rest, exponents, exponentials,
                                                                         -searched};
  product<Isa, C>(count - searched, depth, Strips{keys_SU + searched * depth, depth}, state.q_UL, later);
  later.rest();
  for (int c = 0; c < C; ++c) {
    if (!Isa::all_below(sum[c], largest_sum)) return false;
  }
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    float* l = state.sum_L + c * Isa::lanes;
    Isa::store(l, sum[c] + Isa::load(l));
    Isa::store(state.most_L + c * Isa::lanes, most[c]);
  }
  accumulate<Isa, C>(task.width, count, values_at<Isa>(task, begin), scores, state.out_DL, panel_of<Isa>);
  return true;
}

/// A block of keys in two passes: first all scores and the new m, then the exponentials.
template <class Isa, int C>
void careful_step(const ForwardTask& task, const QueryPanel& state, int64_t begin, int64_t count,
                  float* scores) {
  using Vector = typename Isa::Vector;
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t depth = units(task.width, Isa::pair);

  Vector most[C], top[C];
  for (int c = 0; c < C; ++c) top[c] = most[c] = Isa::load(state.most_L + c * Isa::lanes);
  search_scores<Isa, C>(count, depth, task.keys_SU + begin * depth, state.q_UL, scores, top);

  const auto factor = Isa::broadcast(task.magnitude * log2_e);
  Vector shift[C], keep[C], sum[C];
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    shift[c] = Isa::zero_where_infinite(top[c] * factor, top[c]);
    keep[c] = Isa::exp2(most[c] * factor - shift[c]);
    sum[c] = Isa::zero();
    Isa::store(state.most_L + c * Isa::lanes, top[c]);
  }
  for (int64_t row = 0; row < count; row += Isa::pair) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const float* from = scores + row * panel + c * Isa::lanes;
      Vector p[2];
      p[0] = Isa::exp2(Isa::multiply_subtract(Isa::load(from), factor, shift[c]));
      sum[c] = sum[c] + p[0];
      if constexpr (Isa::pair == 2) {
        p[1] = row + 1 < count ? Isa::exp2(Isa::multiply_subtract(Isa::load(from + panel), factor, shift[c]))
                               : Isa::zero();
        sum[c] = sum[c] + p[1];
      }
      Isa::store_pair(scores + row / Isa::pair * panel + c * Isa::lanes, p);
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    float* l = state.sum_L + c * Isa::lanes;
    Isa::store(l, Isa::add_product(sum[c], Isa::load(l), keep[c]));
  }
  product<Isa, C>(
      task.width, units(count, Isa::pair), values_at<Isa>(task, begin),
      scores, [&]<int R>(int64_t row, Vector(&o)[R][C]) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
          for (int c = 0; c < C; ++c) {
            float* out = state.out_DL + (row + r) * panel + c * Isa::lanes;
            Isa::store(out, Isa::add_product(o[r][c], Isa::load(out), keep[c]));
          }
        }
      });
}

/// Divides by `divisor_L`, transposes back, and writes lse = |scale| m + ln l, corrected for the rounding of the
/// shift c m. For a query whose scores are all -infinity it writes zeros and an lse of -infinity.
template <class Isa>
void forward_finish(const ForwardTask& task, const QueryPanel& state, const float* divisor_L, int64_t begin,
                    int64_t count, float* rows) {
  constexpr int64_t panel = panel_of<Isa>;
  float reciprocal[panel];
  for (int64_t i = 0; i < count; ++i) {
    const float most = state.most_L[i];
    const float sum = state.sum_L[i];
    const float c = task.magnitude * log2_e;
    const double correction = static_cast<double>(c) * most - static_cast<double>(c * most);
    task.lse[begin + i] = sum == 0
                              ? -std::numeric_limits<float>::infinity()
                              : static_cast<float>(static_cast<double>(task.magnitude) * most +
                                                   std::log(static_cast<double>(sum)) - ln_2 * correction);
    reciprocal[i] = sum == 0 ? 0 : 1 / divisor_L[i];
  }
  transpose<Isa>(state.out_DL, panel, task.width, panel, rows, task.width);
  const auto out = from_token<Isa>(task.out, begin);
  for (int64_t i = 0; i < count; ++i)
    write_row<Isa>(rows + i * task.width, task.width, reciprocal[i], out, i);
}

template <class Isa>
int64_t forward_scratch(int64_t queries, int64_t width) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t panels = ceil_div(queries, panel);
  return panels * panel * (units(width, Isa::pair) + width + 2) + Isa::block * panel + panel * width;
}

template <class Isa>
void forward(const ForwardTask& task) {
  constexpr int64_t panel = panel_of<Isa>;
  constexpr int64_t most_panels = most_queries / panel;
  const int64_t depth = units(task.width, Isa::pair);
  const int64_t panels = ceil_div(task.queries, panel);
  float* next = task.scratch;
  const auto take = [&](int64_t floats) {
    float* taken = next;
    next += floats;
    return taken;
  };
  float* scores = take(Isa::block * panel);
  float* rows = take(panel * task.width);
  QueryPanel states[most_panels];
  for (int64_t p = 0; p < panels; ++p) {
    states[p] = {take(depth * panel), take(task.width * panel), take(panel), take(panel)};
    const int64_t end = (p + 1) * panel < task.queries ? (p + 1) * panel : task.queries;
    pack_panel<Isa>(task.q, p * panel, end, task.width, task.sign, states[p].q_UL, rows);
    std::memset(states[p].out_DL, 0, static_cast<size_t>(task.width * panel) * 4);
    for (int64_t i = 0; i < panel; ++i) states[p].most_L[i] = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < panel; ++i) states[p].sum_L[i] = 0;
  }
  for (int64_t begin = 0; begin < task.keys; begin += Isa::block) {
    const int64_t count = begin + Isa::block < task.keys ? Isa::block : task.keys - begin;
    for (int64_t p = 0; p < panels; ++p) {
      with_columns<Isa>(task.queries - p * panel, [&](auto columns) {
        constexpr int C = decltype(columns)::value;
        bool done = false;
        if constexpr (Isa::overlaps) {
          constexpr int64_t least = 2 * searched_keys<Isa>;
          if (begin > 0 || count >= least) done = quick_step<Isa, C>(task, states[p], begin, count, scores);
        }
        if (!done) careful_step<Isa, C>(task, states[p], begin, count, scores);
      });
    }
  }
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t count = (p + 1) * panel < task.queries ? panel : task.queries - p * panel;
    forward_finish<Isa>(task, states[p], states[p].sum_L, p * panel, count, rows);
  }
}

}  // namespace graticule
