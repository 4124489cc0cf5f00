// The interface between tensors and tile kernels: plain pointers and sizes, without LibTorch. So a file that
// is compiled for one instruction set contains no inline function that another file shares.
//
// A *unit* is 32 bits of a packed operand: one fp32 number, or two bf16 numbers that the processor multiplies
// together. A *panel* is `panel` neighbouring tokens, one in each vector lane. A *block* is the number of
// tokens that a tile product runs over. Left operands are packed in strips (flash_tile_product.h). Suffixes:
// flash.h; U units, ceil(D / pair) or ceil(tokens / pair); L lanes of a panel; b blocks; p panels; W row length
// of dq.
#pragma once

#include <cstdint>

namespace graticule {

enum class Element { fp32, bf16, fp16 };

/// The [tokens, D] matrix of one head inside a [B, tokens, heads, D] tensor. Strides count elements.
struct HeadView {
  const void* data;
  int64_t token, width;  // strides
  Element element;
};

/// The same for writing; the stride of the width is 1.
struct HeadOutput {
  void* data;
  int64_t token;
  Element element;
};

/// One task of the forward: some queries of one head against all its keys.
struct ForwardTask {
  HeadView q;
  HeadOutput out;
  float* lse;
  int64_t queries, keys, width;
  const float* keys_SU;     // strips of the rows of K
  const float* values_bDU;  // strips of the columns of V, a block at a time
  float sign, magnitude;    // scale = sign * magnitude; sign 0 when scale is 0, magnitude then 1
  float* scratch;           // forward_scratch(queries, width) floats
};

/// The packed queries of one head, as the backward reads them.
struct QueryPack {
  float* q_TU;     // strips of the rows of sign * Q
  float* dout_TU;  // strips of the rows of dout
  float* q_bDU;    // strips of the columns, a block at a time
  float* dout_bDU;
  float* lse_T;    // 0 where it is -infinity
  float* delta_T;  // dout . out - dlse
  float* dq_TW;    // fp32 sums, W = accumulator_width(D)
};

/// One task of packing queries for the backward.
struct PrepareTask {
  HeadView q, dout, out;
  const float* lse;
  const float* dlse;          // or nullptr
  int64_t begin, end, width;  // tokens of this task; begin is a multiple of the block
  float sign, magnitude;
  QueryPack pack;
};

/// One task of the backward: a range of keys of one head against a range of queries.
struct BackwardTask {
  HeadView k, v;
  int64_t key_begin, key_end;      // begin is a multiple of the panel
  int64_t query_begin, query_end;  // begin is a multiple of the block
  int64_t width;
  float magnitude;
  QueryPack pack;
  float *dk_pDL, *dv_pDL;  // fp32 sums of the whole head, a panel at a time: [panels, D, panel]
  float* scratch;          // backward_scratch(width) floats
};

/// The kernels of one instruction set.
struct FlashTiles {
  int64_t panel, block, pair;
  int64_t multiple;  ///< packed widths and token counts are rounded up to a multiple of it
  int64_t group;     ///< the most queries of a forward task

  int64_t (*forward_scratch)(int64_t queries, int64_t width);
  int64_t (*write_scratch)(int64_t width);
  int64_t (*backward_scratch)(int64_t width);
  int64_t (*accumulator_width)(int64_t width);

  /// Packs the tokens [begin, end) of K by rows and of V by columns; begin is a multiple of the block.
  void (*pack_keys)(HeadView k, HeadView v, int64_t begin, int64_t end, int64_t width, float* keys_SU,
                    float* values_bDU);
  void (*forward)(const ForwardTask& task);
  void (*prepare)(const PrepareTask& task);
  void (*backward)(const BackwardTask& task);
  /// Writes factor * the fp32 rows [count, width]; `length` is the distance between rows.
  void (*write_rows)(const float* rows, int64_t length, int64_t count, int64_t width, float factor,
                     HeadOutput out);
  /// Writes factor * one panel [D, panel] as `count` token rows; scratch: write_scratch(width)
  /// floats.
  void (*write_panel)(const float* panel_DL, int64_t count, int64_t width, float factor, HeadOutput out,
                      float* scratch);

  /// A width or a number of tokens, as packed.
  [[gnu::always_inline]] int64_t rounded(int64_t length) const {
    return (length + multiple - 1) / multiple * multiple;
  }
};

[[gnu::always_inline]] constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Units of one row of `length` numbers.
[[gnu::always_inline]] constexpr int64_t units(int64_t length, int64_t pair) {
  return ceil_div(length, pair);
}

}  // namespace graticule
