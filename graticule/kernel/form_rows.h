// The arguments of the loops that give queries and keys their form (model/query_key.h has the formulas), without
// LibTorch, for row_kernels.h.
//
// Legend: N rows, one for each token of each sample; T tokens; H query heads, G key/value heads; D width of a
// head = K of content + E of place; F waves; V variables. W = H D + G K + G D is the width of the projection,
// X = (H + 2 G) D that of q | k | v. Pointers to void have the form's element; arithmetic is in fp32.
#pragma once

#include <cstdint>

#include "graticule/kernel/flash_tiles.h"

namespace graticule {

struct HeadForm {
  Element element;
  int64_t H, G, D, K, F;  ///< F is 0 if nothing turns
  bool cosine;            ///< content becomes a direction
  bool turns_content;     ///< waves turn the content of queries and keys; else the place of queries
  float root;             ///< what a turned place is multiplied by
  float epsilon;          ///< added to squared lengths

  int64_t query_width() const { return H * D; }
  int64_t key_width() const { return G * K; }
  int64_t added_width() const { return query_width() + key_width(); }
  int64_t projection_width() const { return added_width() + G * D; }
  int64_t heads_width() const { return (H + 2 * G) * D; }
  /// The sums of the backward: the gradients of what is added to queries and to keys, and of H temperatures.
  int64_t sums() const { return added_width() + H; }
  /// fp32 numbers of scratch that a call needs, forward or backward, for vectors of up to 16 lanes.
  int64_t scratch() const { return 4 * (H + G) * D + 2 * F + 6 * 16; }
};

/// Rows of one sample that carry one variable.
struct FormPart {
  int64_t row, token, count, variable;
};

struct FormForward {
  HeadForm form;
  int64_t variables;
  const void* projected_NW;
  void* heads_NX;
  const void *added_HVD, *added_GVK;  ///< null: nothing is added
  const float *cos_TF, *sin_TF;
  const float* scale_H;      ///< what directions of queries are multiplied by
  float *of_q_NH, *of_k_NG;  ///< out: 1 / length
};

struct FormBackward {
  HeadForm form;
  const void *dheads_NX, *heads_NX;
  void* dprojected_NW;
  const float *cos_TF, *sin_TF;
  const float* scale_H;
  const float *of_q_NH, *of_k_NG;
};

}  // namespace graticule
