// Queries and keys that find their neighbours. A head's features are content, then place. Content is what the
// token says, as a direction: normalised, with a learned temperature. Place is where the token is (keys) and
// where the head wants to look (queries). docs/model.md has the formulas.
//
// Legend: B batch, T tokens, H heads, G key/value heads, D width of a head = K of content + E of place, V
// variables, C width.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "graticule/core/model_shape.h"
#include "graticule/model/places.h"
#include "graticule/parallel/parameters.h"

namespace graticule {

/// A parameter of queries or keys: its first dim is the heads.
struct HeadParameter {
  Parameter parameter;
  bool of_keys;  ///< the heads are those of keys
};
/// The parameters that `shape` asks for, besides the projection, of all heads:
///   attention.q_variable  [H, V, K]   added to the content of queries, by the token's variable
///   attention.k_variable  [G, V, K]   the same for keys
///   attention.temperature [H]         the logarithm of what the content of queries is multiplied by
///   attention.aim         [H, V, E]   where queries look; V is 1 without qk_variables, or if a token carries
///                                     all variables
std::vector<HeadParameter> query_key_parameters(const ModelShape& shape);

/// What queries_and_keys needs besides weights; a block makes it once.
struct QueryKey {
  ModelShape shape;
  WaveTables tables;
};
QueryKey query_key_of(const ModelShape& shape);

/// The projection of T tokens, [B, T, H D + G K + G D] (content and aim of queries, content of keys, values),
/// -> q, k, v side by side, [B, T, H + 2 G, D], in the form of a shape with shapes_queries(). `queries`: H.
/// `tokens`: the ranges of the T tokens, in order, among the visible ones (places.h). With qk_norm = cosine autograd keeps the result, and one
/// fp32 number for each token and head; else nothing.
at::Tensor queries_and_keys(const std::shared_ptr<const QueryKey>& query_key, const Weights& weights,
                            const at::Tensor& projected_BTW, int64_t queries, std::vector<Span> tokens,
                            Visible visible = nullptr);

}  // namespace graticule
