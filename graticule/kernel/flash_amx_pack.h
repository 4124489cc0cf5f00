// Packing for AMX: rows and panels of units (flash_tiles.h), filled up with zeros to multiples of 32 numbers.
#pragma once

#include "graticule/kernel/flash_amx_product.h"

namespace graticule {
namespace {

inline void zero_units(float* units, int64_t count) { std::memset(units, 0, static_cast<size_t>(count) * 4); }

/// A left operand whose depth is the width: rows of the tokens [begin, end), then rows of zeros up to a multiple of 32.
inline void pack_rows(const HeadView& view, int64_t begin, int64_t end, int64_t width, float sign,
                      float* rows_TU) {
  const int64_t own = units(width, 2), depth = padded(width) / 2;
  for (int64_t i = 0; i < end - begin; ++i, rows_TU += depth) {
    read_units<Amx>(view, begin + i, width, rows_TU);
    apply_sign<Amx>(rows_TU, own, sign);
    zero_units(rows_TU + own, depth - own);
  }
  zero_units(rows_TU, (padded(end - begin) - (end - begin)) * depth);
}

/// Two neighbouring tokens as units along the tokens, `length` of them. Tokens at `end` or later count as zeros.
inline void read_padded_pairs(const HeadView& view, int64_t token, int64_t end, int64_t width, float* row_D,
                              int64_t length) {
  if (token >= end) return zero_units(row_D, length);
  read_pairs<Amx>(view, token, end, width, row_D);
  zero_units(row_D + width, length - width);
}

/// A left operand whose depth is the tokens: rows of the numbers of the width, over the tokens [begin, end), at most a
/// block, and zeros up to a multiple of 32 tokens. A row has the length of a whole block.
inline void pack_token_columns(const HeadView& view, int64_t begin, int64_t end, int64_t width, float sign,
                               float* columns_DU) {
  constexpr int64_t length = Amx::block / 2;
  const int64_t numbers = padded(width);
  alignas(64) float pairs[step_units * most_width];
  for (int64_t u = 0; u < padded(end - begin) / 2; u += step_units) {
    for (int64_t i = 0; i < step_units; ++i) {
      float* row = pairs + i * numbers;
      read_padded_pairs(view, begin + (u + i) * 2, end, width, row, numbers);
      apply_sign<Amx>(row, width, sign);
    }
    transpose<Amx>(pairs, numbers, step_units, numbers, columns_DU + u, length);
  }
}

/// A right operand whose depth is the width: a panel of the tokens [begin, end), then zeros. rows: scratch of a panel
/// of padded rows.
inline void pack_width_panel(const HeadView& view, int64_t begin, int64_t end, int64_t width, float sign,
                             float* panel_UL, float* rows) {
  const int64_t own = units(width, 2), depth = padded(width) / 2;
  pack_panel<Amx>(view, begin, end, width, sign, panel_UL, rows);
  zero_units(panel_UL + own * amx_panel, (depth - own) * amx_panel);
}

inline void pack_keys_amx(HeadView k, HeadView v, int64_t begin, int64_t end, int64_t width, float* keys_SU,
                          float* values_bDU) {
  const int64_t numbers = padded(width);
  for (int64_t token = begin; token < end; token += Amx::block) {
    const int64_t block_end = token + Amx::block < end ? token + Amx::block : end;
    pack_rows(k, token, block_end, width, 1, keys_SU + token * (numbers / 2));
    pack_token_columns(v, token, block_end, width, 1, values_bDU + token * (numbers / 2));
  }
}

}  // namespace
}  // namespace graticule
