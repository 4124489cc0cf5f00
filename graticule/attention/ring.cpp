// Ring attention (arXiv 2310.01889): each rank keeps the queries of its block of the sequence. Blocks of K
// and V, side by side, travel around the ranks. While a rank attends over a block, the block already travels
// on.
//
// In step s of 0..P-1 rank r has the block of rank r - s. Partial outputs are merged by log-sum-exp in fp32.
// In the backward the kernel takes the merged out and lse, so the gradient of each block is exact. The dK and
// dV of a block follow it one step behind, in fp32. The dK and dV that come from rank r - 1 are the sum over
// all ranks that had the block before; after P steps they reach the block's own rank.
//
// Legend: B batch, T this rank's tokens, H heads, G key/value heads, D head width, P ranks.

#include <ATen/ops/empty.h>

#include "graticule/attention/schemes.h"
#include "graticule/attention/wire.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"
#include "graticule/kernel/merge.h"

namespace graticule {

namespace {

struct Ring {
  Group group;
  std::vector<int64_t> tokens_of;

  int64_t tokens_at(int64_t step) const {
    const int64_t size = group.size();
    return tokens_of[static_cast<size_t>((group.rank() - step + size) % size)];
  }

  /// Sends this rank's tensor of the block of `step` to the next rank, which has that block in the next step.
  Pending pass_on(const at::Tensor& block_TBXD, int64_t step) const {
    std::vector<int64_t> sizes = block_TBXD.sizes().vec();
    sizes[0] = tokens_at(step + 1);
    return group.shift(block_TBXD, block_TBXD.new_empty({}).expand(sizes));
  }
};

/// Calls attend(step, k, v) for each block that has tokens, while the next block is under way. Calls
/// after(step) for every step.
template <class Attend, class After>
void go_around(const Ring& ring, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD, const Attend& attend,
               const After& after) {
  const int64_t steps = ring.group.size(), G = k_BTGD.size(2);
  at::Tensor block_TBXD;
  for (int64_t step = 0; step < steps; ++step) {
    std::optional<Pending> next;
    if (step + 1 < steps) {
      const Scope scope("exchange");
      if (step == 0) block_TBXD = packed_heads({k_BTGD, v_BTGD}, k_BTGD.scalar_type());
      next.emplace(ring.pass_on(block_TBXD, step));
    }
    if (ring.tokens_at(step) > 0) {
      attend(step, wire_heads(block_TBXD, 0, G), wire_heads(block_TBXD, G, G));
    }
    after(step);
    if (next) {
      const Scope scope("exchange");
      block_TBXD = next->wait();
    }
  }
}

FlashResult forward(const Ring& ring, const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                    const at::Tensor& v_BTGD) {
  std::optional<FlashResult> total;
  const auto attend = [&](int64_t, const at::Tensor& k, const at::Tensor& v) {
    const Scope scope("attention");
    const FlashResult part = flash_forward(q_BTHD, k, v, std::nullopt, at::kFloat);
    if (total) {
      merge_into(*total, part);
    } else {
      total = part;
    }
  };
  go_around(ring, k_BTGD, v_BTGD, attend, [](int64_t) {});
  GRATICULE_CHECK(total, "no rank holds a token");
  return {total->out_BTHD.to(q_BTHD.scalar_type()), total->lse_BHT};
}

FlashGradients backward(const Ring& ring, const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                        const at::Tensor& k_BTGD, const at::Tensor& v_BTGD, const at::Tensor& out_BTHD,
                        const at::Tensor& lse_BHT) {
  const int64_t G = k_BTGD.size(2);
  at::Tensor dq_BTHD, ours_TBXD;  // this rank's part of a step's dK|dV; undefined where the block is empty
  std::optional<Pending> travelling;
  const auto attend = [&](int64_t, const at::Tensor& k, const at::Tensor& v) {
    const Scope scope("attention");
    const FlashGradients part =
        flash_backward(dout_BTHD, q_BTHD, k, v, out_BTHD, lse_BHT, std::nullopt, std::nullopt, at::kFloat);
    dq_BTHD = dq_BTHD.defined() ? dq_BTHD.add_(part.dq_BTHD) : part.dq_BTHD;
    ours_TBXD = packed_heads({part.dk_BSGD, part.dv_BSGD}, at::kFloat);
  };
  const auto after = [&](int64_t step) {
    const Scope scope("exchange");
    at::Tensor sum_TBXD = std::exchange(ours_TBXD, at::Tensor());
    if (!sum_TBXD.defined()) {
      sum_TBXD = at::empty({0, k_BTGD.size(0), 2 * G, k_BTGD.size(3)}, k_BTGD.options().dtype(at::kFloat));
    }
    if (travelling) sum_TBXD.add_(travelling->wait());
    travelling.emplace(ring.pass_on(sum_TBXD, step));
  };
  go_around(ring, k_BTGD, v_BTGD, attend, after);
  const Scope scope("exchange");
  const at::Tensor mine_TBXD = travelling->wait().to(k_BTGD.scalar_type());
  return {dq_BTHD.to(q_BTHD.scalar_type()), wire_heads(mine_TBXD, 0, G), wire_heads(mine_TBXD, G, G)};
}

}  // namespace

ContextScheme ring_scheme(const Group& group, std::vector<int64_t> tokens_of) {
  GRATICULE_CHECK(std::ssize(tokens_of) == group.size(), tokens_of.size(), " spans");
  const auto ring = std::make_shared<Ring>(Ring{group, std::move(tokens_of)});
  return {[ring](const auto&... qkv) {
            return all_in_attend<FlashResult>([ring, qkv...] { return forward(*ring, qkv...); });
          },
          [ring](const auto&... saved) {
            return all_in_attend<FlashGradients>([ring, saved...] { return backward(*ring, saved...); });
          }};
}

}  // namespace graticule
