// Attention over a grid of ranks (core/context_grid.h). The ranks of a column gather their queries, those of a
// row their keys and values, and each rank attends with the queries that it gathered over the keys that it
// gathered. The results return to the ranks whose queries they are, and are merged there by their log-sum-exp.
// The backward gathers the same with dout beside the queries, and sums dq in the column, dk and dv in the row.
// With one row, this is Long-Sequence-Segmentation (arXiv 2311.02382).
//
// What is gathered is gathered again in the backward. It is not kept, because it would be the only memory of a
// layer that more ranks do not divide. With several strides of heads, the gathers of the next stride and the
// returns of the last one are under way while a stride attends.
//
// Legend: B batch, T this rank's tokens, H heads, G key/value heads, D head width.

#include "graticule/attention/grid_side.h"
#include "graticule/attention/part.h"
#include "graticule/attention/schemes.h"
#include "graticule/attention/wire.h"
#include "graticule/core/error.h"
#include "graticule/core/span.h"

namespace graticule {

namespace {

struct Sides {
  GridSide queries, keys;
};

struct GridScheme {
  Sides forward, backward;
  int64_t gather_heads;
};

// Rank i b + j of a grid a x b is in row i and column j.
Sides sides_of(const GridGroups& groups, const std::vector<int64_t>& tokens_of) {
  const int64_t a = groups.queries.size(), b = groups.keys.size();
  const int64_t row = groups.queries.rank(), column = groups.keys.rank();
  GRATICULE_CHECK(std::ssize(tokens_of) == a * b, tokens_of.size(), " spans over ", a, " x ", b, " ranks");
  Sides sides{{groups.queries, {}}, {groups.keys, {}}};
  for (int64_t i = 0; i < a; ++i) sides.queries.tokens_of.push_back(tokens_of[i * b + column]);
  for (int64_t j = 0; j < b; ++j) sides.keys.tokens_of.push_back(tokens_of[row * b + j]);
  return sides;
}

/// Key/value heads that are gathered together, and the query heads that attend over them.
struct Stride {
  Span key, query;

  at::Tensor of_keys(const at::Tensor& x_BTGD) const { return heads_in(x_BTGD, key); }
  at::Tensor of_queries(const at::Tensor& x_BTHD) const { return heads_in(x_BTHD, query); }
};

std::vector<Stride> strides_of(int64_t heads, int64_t key_heads, int64_t gather_heads) {
  const int64_t together = gather_heads == 0 ? key_heads : gather_heads, queries = heads / key_heads;
  std::vector<Stride> strides;
  for (int64_t first = 0; first < key_heads; first += together) {
    const Span key{first, std::min(first + together, key_heads)};
    strides.push_back({key, {key.begin * queries, key.end * queries}});
  }
  return strides;
}

/// Calls `start` for each stride, one stride ahead of the one that next() gives out.
template <class Started>
class Ahead {
 public:
  Ahead(std::vector<Stride> strides, std::function<Started(const Stride&)> start)
      : strides_(std::move(strides)), start_(std::move(start)), ahead_(start_(strides_[0])) {}

  /// The next stride; nothing after the last one.
  std::optional<Started> next() {
    std::optional<Started> now = std::move(ahead_);
    ahead_.reset();
    if (++started_ < strides_.size()) ahead_.emplace(start_(strides_[started_]));
    return now;
  }

 private:
  std::vector<Stride> strides_;
  std::function<Started(const Stride&)> start_;
  size_t started_ = 0;
  std::optional<Started> ahead_;
};

/// Gathers of a forward.
struct ForwardStride {
  Gathering queries, keys;

  FlashResult attend(at::ScalarType dtype) {
    const auto q = queries.wait(), kv = keys.wait();
    return attend_part(q[0], kv[0], kv[1], dtype);
  }
};

Attend<FlashResult> start_forward(const std::shared_ptr<const GridScheme>& scheme, const at::Tensor& q_BTHD,
                                  const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
  const auto start = [=](const Stride& stride) -> ForwardStride {
    return {Gathering(scheme->forward.queries, {stride.of_queries(q_BTHD)}),
            Gathering(scheme->forward.keys, {stride.of_keys(k_BTGD), stride.of_keys(v_BTGD)})};
  };
  const auto strides = std::make_shared<Ahead<ForwardStride>>(
      strides_of(q_BTHD.size(2), k_BTGD.size(2), scheme->gather_heads), start);
  return [scheme, strides, dtype = q_BTHD.scalar_type()]() -> Finish<FlashResult> {
    const auto merging = std::make_shared<Merging>(scheme->forward.queries, dtype);
    while (auto stride = strides->next()) merging->add(stride->attend(merging->part_dtype()));
    return [merging] { return merging->result(); };
  };
}

/// Gathers of a backward. `merged`: the log-sum-exp and delta, if queries are gathered; else `kept` has the
/// log-sum-exp and the output.
struct BackwardStride {
  Gathering queries;
  std::optional<Gathering> merged;
  Gathering keys;
  Merged kept;

  FlashGradients attend() {
    const auto of_queries = queries.wait(), kv = keys.wait();
    if (merged) {
      const auto rows = merged->wait();
      kept = {.lse_BHN = from_heads(rows[0]), .out_BNHD = {}, .delta_BHN = from_heads(rows[1])};
    }
    return differentiate_part(of_queries[0], of_queries[1], kv[0], kv[1], kept);
  }
};

/// The arguments of a backward.
struct Given {
  at::Tensor dout_BTHD, q_BTHD, k_BTGD, v_BTGD, out_BTHD, lse_BHT;
};

BackwardStride start_stride(const Sides& sides, const Given& given, const Stride& stride) {
  const at::Tensor dout = stride.of_queries(given.dout_BTHD), q = stride.of_queries(given.q_BTHD),
                   out = stride.of_queries(given.out_BTHD),
                   lse = given.lse_BHT.narrow(1, stride.query.begin, stride.query.size());
  Gathering queries(sides.queries, {dout, q});
  std::optional<Gathering> merged;
  if (sides.queries.is_shared()) {
    merged.emplace(sides.queries, std::vector<at::Tensor>{as_heads(lse), as_heads(flash_delta(dout, out))});
  }
  return {std::move(queries),
          std::move(merged),
          Gathering(sides.keys, {stride.of_keys(given.k_BTGD), stride.of_keys(given.v_BTGD)}),
          {.lse_BHN = lse, .out_BNHD = out, .delta_BHN = {}}};
}

/// The gradients on their way.
struct Returning {
  Summing dq, dkv;

  // The parts are moved all the way, so that each is freed when its message is packed.
  void add(FlashGradients part) {
    std::vector<at::Tensor> queries(1), keys(2);
    queries[0] = std::move(part.dq_BTHD);
    keys[0] = std::move(part.dk_BSGD), keys[1] = std::move(part.dv_BSGD);
    dq.add(std::move(queries));
    dkv.add(std::move(keys));
  }
};

Attend<FlashGradients> start_backward(const std::shared_ptr<const GridScheme>& scheme, const Given& given) {
  const auto strides = std::make_shared<Ahead<BackwardStride>>(
      strides_of(given.q_BTHD.size(2), given.k_BTGD.size(2), scheme->gather_heads),
      [scheme, given](const Stride& stride) { return start_stride(scheme->backward, given, stride); });
  return [scheme, strides, dtype = given.q_BTHD.scalar_type()]() -> Finish<FlashGradients> {
    const Sides& sides = scheme->backward;
    const auto returning =
        std::make_shared<Returning>(Returning{Summing(sides.queries, dtype), Summing(sides.keys, dtype)});
    while (auto stride = strides->next()) returning->add(stride->attend());
    return [returning]() -> FlashGradients {
      const auto dq = returning->dq.result(), dkv = returning->dkv.result();
      return {dq[0], dkv[0], dkv[1]};
    };
  };
}

}  // namespace

ContextScheme grid_scheme(const GridGroups& forward, const GridGroups& backward,
                          const std::vector<int64_t>& tokens_of, int64_t gather_heads) {
  const auto scheme = std::make_shared<const GridScheme>(
      GridScheme{sides_of(forward, tokens_of), sides_of(backward, tokens_of), gather_heads});
  return {[scheme](const auto&... qkv) { return start_forward(scheme, qkv...); },
          [scheme](const auto&... given) { return start_backward(scheme, {given...}); }};
}

}  // namespace graticule
