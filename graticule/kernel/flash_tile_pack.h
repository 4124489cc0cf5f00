// Packing: turns rows of any dtype and stride into units, and transposes rows into columns. Isa as in
// flash_tile_product.h; units and pairs as in flash_tiles.h.
#pragma once

#include <cstring>

#include "graticule/kernel/flash_tile_product.h"
#include "graticule/kernel/flash_tiles.h"

namespace graticule {

constexpr int64_t most_width = 256;

template <class Isa>
int64_t element_bytes(Element element) {
  return element == Element::fp32 ? 4 : 2;
}

template <class Isa>
HeadView from_token(HeadView view, int64_t token) {
  view.data = static_cast<const char*>(view.data) + token * view.token * element_bytes<Isa>(view.element);
  return view;
}

template <class Isa>
HeadOutput from_token(HeadOutput view, int64_t token) {
  view.data = static_cast<char*>(view.data) + token * view.token * element_bytes<Isa>(view.element);
  return view;
}

/// One row of `width` numbers in its own dtype, contiguous. It is copied to `room` when the stride is not 1.
template <class Isa, class Number>
const Number* contiguous_row(const HeadView& view, int64_t token, int64_t width, Number* room) {
  const auto* row = static_cast<const Number*>(view.data) + token * view.token;
  if (view.width == 1) return row;
  for (int64_t d = 0; d < width; ++d) room[d] = row[d * view.width];
  return room;
}

/// One row as fp32.
template <class Isa>
void read_row(const HeadView& view, int64_t token, int64_t width, float* row) {
  if (view.element == Element::fp32) {
    float room[most_width];
    const float* from = contiguous_row<Isa>(view, token, width, room);
    std::memcpy(row, from, static_cast<size_t>(width) * 4);
    return;
  }
  uint16_t room[most_width];
  const uint16_t* from = contiguous_row<Isa>(view, token, width, room);
  if (view.element == Element::fp16) return Isa::widen_half(from, width, row);
  for (int64_t d = 0; d < width; ++d) {
    const uint32_t bits = static_cast<uint32_t>(from[d]) << 16;
    std::memcpy(row + d, &bits, 4);
  }
}

/// One row as units along the width (a left operand whose depth is the width).
template <class Isa>
void read_units(const HeadView& view, int64_t token, int64_t width, float* row_U) {
  if constexpr (Isa::pair == 1) {
    read_row<Isa>(view, token, width, row_U);
  } else {
    uint16_t room[most_width];
    const uint16_t* from = contiguous_row<Isa>(view, token, width, room);
    row_U[units(width, 2) - 1] = 0;
    std::memcpy(row_U, from, static_cast<size_t>(width) * 2);
  }
}

/// `pair` neighbouring tokens as units along the tokens. A token at `end` or later counts as zeros.
template <class Isa>
void read_pairs(const HeadView& view, int64_t token, int64_t end, int64_t width, float* row_D) {
  if constexpr (Isa::pair == 1) {
    read_row<Isa>(view, token, width, row_D);
  } else {
    uint16_t first_room[most_width], second_room[most_width] = {};
    const uint16_t* first = contiguous_row<Isa>(view, token, width, first_room);
    const uint16_t* second = second_room;
    if (token + 1 < end) second = contiguous_row<Isa>(view, token + 1, width, second_room);
    for (int64_t d = 0; d < width; ++d) {
      const uint32_t bits = first[d] | static_cast<uint32_t>(second[d]) << 16;
      std::memcpy(row_D + d, &bits, 4);
    }
  }
}

/// Multiplies every number of a row of units by -1, 0 or 1. In fp32, 0 times a NaN or an infinity is a NaN.
template <class Isa>
void apply_sign(float* row_U, int64_t count, float sign) {
  if (sign == 1) return;
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (Isa::pair == 1) {
      row_U[i] *= sign;
    } else {
      uint32_t bits;
      std::memcpy(&bits, row_U + i, 4);
      bits = sign == 0 ? 0 : bits ^ 0x80008000u;
      std::memcpy(row_U + i, &bits, 4);
    }
  }
}

/// to[column][row] = from[row][column] for rows x columns units, as 32-bit values.
template <class Isa>
void transpose(const float* from, int64_t from_length, int64_t rows, int64_t columns, float* to,
               int64_t to_length) {
  constexpr int64_t side = Isa::lanes;
  for (int64_t row = 0; row < rows; row += side) {
    for (int64_t column = 0; column < columns; column += side) {
      if (row + side <= rows && column + side <= columns) {
        Isa::transpose(from + row * from_length + column, from_length, to + column * to_length + row,
                       to_length);
        continue;
      }
      const int64_t row_end = row + side < rows ? row + side : rows;
      const int64_t column_end = column + side < columns ? column + side : columns;
      for (int64_t j = column; j < column_end; ++j) {
        for (int64_t i = row; i < row_end; ++i) {
          std::memcpy(to + j * to_length + i, from + i * from_length + j, 4);
        }
      }
    }
  }
}

/// Packs a right operand whose depth is the width: panel[U][lane] of the tokens [begin, end), then zeros.
/// rows: scratch of panel * U floats.
template <class Isa>
void pack_panel(const HeadView& view, int64_t begin, int64_t end, int64_t width, float sign, float* panel_UL,
                float* rows) {
  constexpr int64_t panel = panel_of<Isa>;
  const int64_t depth = units(width, Isa::pair);
  for (int64_t i = 0; i < end - begin; ++i) {
    read_units<Isa>(view, begin + i, width, rows + i * depth);
    apply_sign<Isa>(rows + i * depth, depth, sign);
  }
  if (end - begin < panel)
    std::memset(rows + (end - begin) * depth, 0, static_cast<size_t>((panel - (end - begin)) * depth) * 4);
  transpose<Isa>(rows, depth, panel, depth, panel_UL, panel);
}

/// Packs a left operand whose depth is the width: strips of the tokens [begin, end).
template <class Isa>
void pack_strips(const HeadView& view, int64_t begin, int64_t end, int64_t width, float sign, float* strips) {
  const int64_t depth = units(width, Isa::pair);
  alignas(64) float rows[Isa::rows * most_width];
  for_tiles<Isa>(
      end - begin, [&]<int R>(int64_t row) __attribute__((always_inline)) {
        for (int r = 0; r < R; ++r) {
          read_units<Isa>(view, begin + row + r, width, rows + r * most_width);
          apply_sign<Isa>(rows + r * most_width, depth, sign);
        }
        float* to = strips + row * depth;
        for (int64_t k = 0; k < depth; ++k) {
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) std::memcpy(to + k * R + r, rows + r * most_width + k, 4);
        }
      });
}

/// Packs a left operand whose depth is the tokens: strips of the numbers of the width, over the tokens [begin,
/// end), at most a block. A row has the length of a whole block.
template <class Isa>
void pack_columns(const HeadView& view, int64_t begin, int64_t end, int64_t width, float sign,
                  float* strips) {
  const int64_t length = units(Isa::block, Isa::pair);
  alignas(64) float row_D[most_width];
  for (int64_t u = 0; u < units(end - begin, Isa::pair); ++u) {
    read_pairs<Isa>(view, begin + u * Isa::pair, end, width, row_D);
    apply_sign<Isa>(row_D, width, sign);
    for_tiles<Isa>(
        width, [&]<int R>(int64_t row) __attribute__((always_inline)) {
          std::memcpy(strips + row * length + u * R, row_D + row, R * 4);
        });
  }
}

/// Writes factor * row in the dtype of the output.
template <class Isa>
void write_row(const float* row, int64_t width, float factor, const HeadOutput& out, int64_t token) {
  if (out.element == Element::fp32) {
    auto* to = static_cast<float*>(out.data) + token * out.token;
    for (int64_t d = 0; d < width; ++d) to[d] = row[d] * factor;
    return;
  }
  auto* to = static_cast<uint16_t*>(out.data) + token * out.token;
  if (out.element == Element::fp16) return Isa::narrow_half(row, width, factor, to);
  for (int64_t d = 0; d < width; ++d) {
    const float value = row[d] * factor;
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;  // to nearest, ties to even
    to[d] = static_cast<uint16_t>(value != value ? 0x7fc0u : rounded);
  }
}

template <class Isa>
void write_rows(const float* rows, int64_t length, int64_t count, int64_t width, float factor,
                HeadOutput out) {
  for (int64_t i = 0; i < count; ++i) write_row<Isa>(rows + i * length, width, factor, out, i);
}

template <class Isa>
int64_t write_scratch(int64_t width) {
  return panel_of<Isa> * width;
}

template <class Isa>
void write_panel(const float* panel_DL, int64_t count, int64_t width, float factor, HeadOutput out,
                 float* scratch) {
  constexpr int64_t panel = panel_of<Isa>;
  transpose<Isa>(panel_DL, panel, width, panel, scratch, width);
  write_rows<Isa>(scratch, width, count, width, factor, out);
}

template <class Isa>
void pack_keys(HeadView k, HeadView v, int64_t begin, int64_t end, int64_t width, float* keys_SU,
               float* values_bDU) {
  const int64_t depth = units(width, Isa::pair);
  for (int64_t token = begin; token < end; token += Isa::block) {
    const int64_t block_end = token + Isa::block < end ? token + Isa::block : end;
    pack_strips<Isa>(k, token, block_end, width, 1, keys_SU + token * depth);
    pack_columns<Isa>(v, token, block_end, width, 1,
                      values_bDU + token / Isa::block * width * units(Isa::block, Isa::pair));
  }
}

}  // namespace graticule
