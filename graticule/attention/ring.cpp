// Ring attention (arXiv 2310.01889): blocks of K and V, side by side, travel around the ranks, and each rank
// attends with its queries over the block that it has. While a rank attends, the block already travels on.
//
// In step s of 0..P-1 rank r has the block of rank r - s. Partial outputs are merged by log-sum-exp in fp32.
// In the backward the kernel takes the merged log-sum-exp and out (or delta), so the gradient of each block is
// exact. Either K and V travel again, or the queries do: q beside dout, and the log-sum-exp beside delta. The
// gradients of a block follow it one step behind, in fp32. Those that come from rank r - 1 are the sum over
// all ranks that had the block before; after P steps they reach the block's own rank.
//
// Legend: B batch, T this rank's tokens, N tokens of a block, H heads, G key/value heads, D head width, P ranks.

#include <ATen/ops/empty.h>

#include "graticule/attention/part.h"
#include "graticule/attention/schemes.h"
#include "graticule/attention/wire.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"
#include "graticule/kernel/merge.h"

namespace graticule {

namespace {

using Tensors = std::vector<at::Tensor>;

struct Ring {
  Group group;
  std::vector<int64_t> tokens_of;
  Travels in_backward;

  int64_t tokens_at(int64_t step) const {
    const int64_t size = group.size();
    return tokens_of[static_cast<size_t>((group.rank() - step + size) % size)];
  }

  /// Sends this rank's tensor of the block of `step` to the next rank, which has that block in the next step.
  Pending pass_on(const at::Tensor& block_NBXD, int64_t step) const {
    std::vector<int64_t> sizes = block_NBXD.sizes().vec();
    sizes[0] = tokens_at(step + 1);
    return group.shift(block_NBXD, block_NBXD.new_empty({}).expand(sizes));
  }
};

/// Calls visit(step, block) for each block, while the next one is under way. A block is one or more messages.
template <class Visit>
void go_around(const Ring& ring, Tensors block_NBXD, const Visit& visit) {
  const int64_t steps = ring.group.size();
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<Pending> next;
    if (step + 1 < steps) {
      const Scope scope("exchange");
      for (const at::Tensor& message : block_NBXD) next.push_back(ring.pass_on(message, step));
    }
    visit(step, block_NBXD);
    const Scope scope("exchange");
    for (size_t i = 0; i < next.size(); ++i) block_NBXD[i] = next[i].wait();
  }
}

at::Tensor message(const Tensors& tensors_BTxD) {
  const Scope scope("exchange");
  return packed_heads(tensors_BTxD, tensors_BTxD[0].scalar_type());
}

/// The gradients that follow a block.
class Following {
 public:
  explicit Following(const Ring& ring) : ring_(ring) {}

  /// Adds this rank's part, and sends the sum after the block of `step`.
  void add(const at::Tensor& part_NBXD, int64_t step) {
    const Scope scope("exchange");
    if (sum_) part_NBXD.add_(sum_->wait());
    sum_.emplace(ring_.pass_on(part_NBXD, step));
  }

  /// The sum of this rank's own block, when all ranks had it.
  at::Tensor result(at::ScalarType dtype) {
    const Scope scope("exchange");
    return sum_->wait().to(dtype);
  }

 private:
  const Ring& ring_;
  std::optional<Pending> sum_;
};

void add_to(at::Tensor& sum, const at::Tensor& part) { sum = sum.defined() ? sum.add_(part) : part; }

FlashResult forward(const Ring& ring, const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                    const at::Tensor& v_BTGD) {
  const int64_t G = k_BTGD.size(2);
  std::optional<FlashResult> total;
  go_around(ring, {message({k_BTGD, v_BTGD})}, [&](int64_t, const Tensors& kv_NBXD) {
    const FlashResult part =
        attend_part(q_BTHD, wire_heads(kv_NBXD[0], 0, G), wire_heads(kv_NBXD[0], G, G), at::kFloat);
    if (total) {
      merge_into(*total, part);
    } else {
      total = part;
    }
  });
  return {total->out_BTHD.to(q_BTHD.scalar_type()), total->lse_BHT};
}

FlashGradients backward_of_keys(const Ring& ring, const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                                const at::Tensor& out_BTHD, const at::Tensor& lse_BHT) {
  const int64_t G = k_BTGD.size(2);
  at::Tensor dq_BTHD;
  Following dkv(ring);
  go_around(ring, {message({k_BTGD, v_BTGD})}, [&](int64_t step, const Tensors& kv_NBXD) {
    at::Tensor dkv_NBXD;
    {
      const FlashGradients part =
          differentiate_part(dout_BTHD, q_BTHD, wire_heads(kv_NBXD[0], 0, G), wire_heads(kv_NBXD[0], G, G),
                             {.lse_BHN = lse_BHT, .out_BNHD = out_BTHD, .delta_BHN = {}});
      add_to(dq_BTHD, part.dq_BTHD);
      dkv_NBXD = packed_heads({part.dk_BSGD, part.dv_BSGD}, at::kFloat);
    }
    dkv.add(dkv_NBXD, step);
  });
  const at::Tensor mine_TBXD = dkv.result(k_BTGD.scalar_type());
  return {dq_BTHD.to(q_BTHD.scalar_type()), wire_heads(mine_TBXD, 0, G), wire_heads(mine_TBXD, G, G)};
}

FlashGradients backward_of_queries(const Ring& ring, const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                   const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                                   const at::Tensor& out_BTHD, const at::Tensor& lse_BHT) {
  const int64_t H = q_BTHD.size(2);
  const Tensors mine = {message({dout_BTHD, q_BTHD}),
                        message({as_heads(lse_BHT), as_heads(flash_delta(dout_BTHD, out_BTHD))})};
  at::Tensor dk_BTGD, dv_BTGD;
  Following dq(ring);
  go_around(ring, mine, [&](int64_t step, const Tensors& block) {
    const auto rows = [&](int64_t first) { return from_heads(wire_heads(block[1], first, H)); };
    at::Tensor dq_NBHD;
    {
      const FlashGradients part =
          differentiate_part(wire_heads(block[0], 0, H), wire_heads(block[0], H, H), k_BTGD, v_BTGD,
                             {.lse_BHN = rows(0), .out_BNHD = {}, .delta_BHN = rows(H)});
      add_to(dk_BTGD, part.dk_BSGD), add_to(dv_BTGD, part.dv_BSGD);
      dq_NBHD = part.dq_BTHD.transpose(0, 1).contiguous();
    }
    dq.add(dq_NBHD, step);
  });
  const at::ScalarType dtype = k_BTGD.scalar_type();
  return {dq.result(dtype).transpose(0, 1), dk_BTGD.to(dtype), dv_BTGD.to(dtype)};
}

}  // namespace

ContextScheme ring_scheme(const Group& group, std::vector<int64_t> tokens_of, Travels in_backward) {
  GRATICULE_CHECK(std::ssize(tokens_of) == group.size(), tokens_of.size(), " spans");
  const auto ring = std::make_shared<Ring>(Ring{group, std::move(tokens_of), in_backward});
  return {[ring](const auto&... qkv) {
            return all_in_attend<FlashResult>([ring, qkv...] { return forward(*ring, qkv...); });
          },
          [ring](const auto&... saved) {
            return all_in_attend<FlashGradients>([ring, saved...] {
              return ring->in_backward == Travels::keys ? backward_of_keys(*ring, saved...)
                                                        : backward_of_queries(*ring, saved...);
            });
          }};
}

}  // namespace graticule
