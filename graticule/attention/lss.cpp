// Long-Sequence-Segmentation (arXiv 2311.02382): each rank keeps the queries of its segment of the sequence
// and attends over the keys and values of all segments.
//
// K and V, side by side, are gathered in the forward and again in the backward. They are not kept, because
// they would be the only memory of a layer that more ranks do not divide. dK and dV, side by side, are summed
// in fp32. With several strides of heads, the gather of the next stride and the reduce-scatter of the last
// one are under way while a stride attends.
//
// Legend: B batch, T this rank's tokens, N all tokens of the group, H heads, G key/value heads, D head width.

#include <ATen/ops/cat.h>

#include "graticule/attention/schemes.h"
#include "graticule/attention/wire.h"
#include "graticule/core/error.h"
#include "graticule/core/span.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

struct Segments {
  Group group;
  std::vector<int64_t> tokens_of;
  int64_t gather_heads;
};

/// Key/value heads that are gathered together, and the query heads that attend over them.
struct Stride {
  Span key, query;
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

at::Tensor joined(const std::vector<at::Tensor>& parts, int64_t dim) {
  return parts.size() == 1 ? parts[0] : at::cat(parts, dim);
}

struct KeysValues {
  at::Tensor k_BNGD, v_BNGD;
};

/// The gathers of all strides. Each starts one stride ahead of the stride that attends.
class Gathers {
 public:
  Gathers(std::shared_ptr<const Segments> segments, std::vector<Stride> strides, const at::Tensor& k_BTGD,
          const at::Tensor& v_BTGD)
      : segments_(std::move(segments)), strides_(std::move(strides)), k_BTGD_(k_BTGD), v_BTGD_(v_BTGD) {
    start();
  }

  const std::vector<Stride>& strides() const { return strides_; }

  /// Starts the gather after the next one, and waits for the next one.
  KeysValues next() {
    Pending ready = std::move(*pending_);
    pending_.reset();
    if (started_ < strides_.size()) start();
    const Scope scope("exchange");
    const at::Tensor all_NBXD = ready.wait();
    const int64_t heads = all_NBXD.size(2) / 2;
    return {wire_heads(all_NBXD, 0, heads), wire_heads(all_NBXD, heads, heads)};
  }

 private:
  void start() {
    const Scope scope("exchange");
    const Span& key = strides_[started_++].key;
    pending_.emplace(segments_->group.all_gather(
        packed_heads({heads_in(k_BTGD_, key), heads_in(v_BTGD_, key)}, k_BTGD_.scalar_type()),
        segments_->tokens_of));
  }

  std::shared_ptr<const Segments> segments_;
  std::vector<Stride> strides_;
  at::Tensor k_BTGD_, v_BTGD_;
  size_t started_ = 0;
  std::optional<Pending> pending_;
};

std::shared_ptr<Gathers> start_gathers(const std::shared_ptr<const Segments>& segments,
                                       const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                                       const at::Tensor& v_BTGD) {
  return std::make_shared<Gathers>(
      segments, strides_of(q_BTHD.size(2), k_BTGD.size(2), segments->gather_heads), k_BTGD, v_BTGD);
}

FlashResult attend(Gathers& gathers, const at::Tensor& q_BTHD) {
  std::vector<at::Tensor> out, lse;
  for (const Stride& stride : gathers.strides()) {
    const KeysValues all = gathers.next();
    const Scope scope("attention");
    const FlashResult part = flash_forward(heads_in(q_BTHD, stride.query), all.k_BNGD, all.v_BNGD);
    out.push_back(part.out_BTHD);
    lse.push_back(part.lse_BHT);
  }
  return {joined(out, 2), joined(lse, 1)};
}

/// The gradients so far, and the reduce-scatter of the last stride.
struct Reducing {
  std::vector<at::Tensor> dq, dk, dv;
  std::optional<Pending> reduced;

  void take() {
    const Scope scope("exchange");
    const at::Tensor mine_TBXD = reduced->wait();
    const int64_t heads = mine_TBXD.size(2) / 2;
    dk.push_back(wire_heads(mine_TBXD, 0, heads));
    dv.push_back(wire_heads(mine_TBXD, heads, heads));
  }
};

Finish<FlashGradients> attend_backward(const Segments& segments, Gathers& gathers,
                                       const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                       const at::Tensor& out_BTHD, const at::Tensor& lse_BHT) {
  const auto reducing = std::make_shared<Reducing>();
  for (const Stride& stride : gathers.strides()) {
    KeysValues all = gathers.next();
    FlashGradients part;
    {
      const Scope scope("attention");
      part = flash_backward(heads_in(dout_BTHD, stride.query), heads_in(q_BTHD, stride.query), all.k_BNGD,
                            all.v_BNGD, heads_in(out_BTHD, stride.query),
                            lse_BHT.narrow(1, stride.query.begin, stride.query.size()), std::nullopt,
                            std::nullopt, at::kFloat);
    }
    const at::ScalarType dtype = all.k_BNGD.scalar_type();
    all = {};
    reducing->dq.push_back(part.dq_BTHD.to(q_BTHD.scalar_type()));
    if (reducing->reduced) reducing->take();
    const Scope scope("exchange");
    reducing->reduced.emplace(segments.group.reduce_scatter(
        packed_heads({part.dk_BSGD, part.dv_BSGD}, at::kFloat), segments.tokens_of, dtype));
  }
  return [reducing]() -> FlashGradients {
    reducing->take();
    return {joined(reducing->dq, 2), joined(reducing->dk, 2), joined(reducing->dv, 2)};
  };
}

}  // namespace

ContextScheme lss_scheme(const Group& group, std::vector<int64_t> tokens_of, int64_t gather_heads) {
  GRATICULE_CHECK(std::ssize(tokens_of) == group.size(), tokens_of.size(), " spans");
  const auto segments = std::make_shared<Segments>(Segments{group, std::move(tokens_of), gather_heads});
  return {[segments](const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                     const at::Tensor& v_BTGD) -> Attend<FlashResult> {
            return [q_BTHD, gathers = start_gathers(segments, q_BTHD, k_BTGD, v_BTGD)] {
              return Finish<FlashResult>(
                  [result = attend(*gathers, q_BTHD)]() mutable { return std::move(result); });
            };
          },
          [segments](const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                     const at::Tensor& v_BTGD, const at::Tensor& out_BTHD,
                     const at::Tensor& lse_BHT) -> Attend<FlashGradients> {
            return [=, gathers = start_gathers(segments, q_BTHD, k_BTGD, v_BTGD)] {
              return attend_backward(*segments, *gathers, dout_BTHD, q_BTHD, out_BTHD, lse_BHT);
            };
          }};
}

}  // namespace graticule
