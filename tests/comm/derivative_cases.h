// Each differentiable collective against the same formula on one process: values, first and second
// derivatives, uneven rows.
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "graticule/comm/collectives.h"
#include "tests/comm/group_cases.h"

namespace graticule {

using Tensors = std::vector<at::Tensor>;

/// `collective` gives this rank's result from its input; `formula` gives every rank's result from all inputs.
/// The loss is the sum of every rank's <w_r, sin(y_r)>; when all ranks hold one result (`shared`) it is
/// counted once.
inline void expect_derivatives(const World& world, const Tensors& inputs, bool shared,
                               const std::function<at::Tensor(const at::Tensor&)>& collective,
                               const std::function<Tensors(const Tensors&)>& formula) {
  const int me = world.rank;
  const auto loss_of = [](const at::Tensor& y, int rank) {
    const at::Tensor w = at::cos(at::arange(y.numel(), at::kDouble) + rank).view(y.sizes());
    return (w * at::sin(y)).sum();
  };
  // The second loss is a function of the first loss's gradient, which is each rank's own.
  const auto second_loss_of = [](const at::Tensor& gradient) {
    return (gradient * gradient * gradient).sum();
  };

  Tensors x;
  for (const at::Tensor& input : inputs) x.push_back(input.clone().requires_grad_());
  const Tensors y = formula(x);
  at::Tensor loss = loss_of(y[0], 0), second = at::zeros({}, at::kDouble);
  for (int r = 1; r < world.size && !shared; ++r) loss = loss + loss_of(y[r], r);
  const Tensors gradients = torch::autograd::grad({loss}, x, {}, true, true);
  for (const at::Tensor& gradient : gradients) second = second + second_loss_of(gradient);
  const Tensors second_gradients = torch::autograd::grad({second}, x);

  const at::Tensor mine = inputs[me].clone().requires_grad_();
  const at::Tensor result = collective(mine);
  EXPECT_TRUE(at::allclose(result, y[me]));
  const at::Tensor gradient =
      torch::autograd::grad({loss_of(result, shared ? 0 : me)}, {mine}, {}, true, true)[0];
  EXPECT_TRUE(at::allclose(gradient, gradients[me])) << gradient << gradients[me];
  if (shared) return;
  const at::Tensor second_gradient = torch::autograd::grad({second_loss_of(gradient)}, {mine})[0];
  EXPECT_TRUE(at::allclose(second_gradient, second_gradients[me])) << second_gradient << second_gradients[me];
}

inline void derives_all_to_all(const World& world) {
  const Group group = group_of_all(world);
  const int p = world.size, me = world.rank;
  Draw draw(case_seed + 10);
  std::vector<std::vector<int64_t>> send;
  Tensors x;
  std::vector<int64_t> receive;
  for (int r = 0; r < p; ++r) {
    send.push_back(draw.counts(p));
    x.push_back(draw.normal({sum_of_counts(send[r]), 2}, at::kDouble));
    receive.push_back(send[r][me]);
  }
  expect_derivatives(
      world, x, false, [&](const at::Tensor& mine) { return all_to_all(mine, group, send[me], receive); },
      [&](const Tensors& all) {
        Tensors results;
        for (int to = 0; to < p; ++to) {
          Tensors rows;
          for (int from = 0; from < p; ++from) rows.push_back(all[from].split_with_sizes(send[from])[to]);
          results.push_back(at::cat(rows));
        }
        return results;
      });
}

inline void derives_gather_and_scatter(const World& world) {
  const Group group = group_of_all(world);
  const int p = world.size;
  Draw draw(case_seed + 11);
  const auto rows_of = draw.counts(p);
  Tensors parts, wholes;
  for (int r = 0; r < p; ++r) {
    parts.push_back(draw.normal({rows_of[r], 2}, at::kDouble));
    wholes.push_back(draw.normal({sum_of_counts(rows_of), 2}, at::kDouble));
  }
  expect_derivatives(
      world, parts, false, [&](const at::Tensor& mine) { return all_gather(mine, group, rows_of); },
      [&](const Tensors& all) { return Tensors(p, at::cat(all)); });
  expect_derivatives(
      world, wholes, false, [&](const at::Tensor& mine) { return reduce_scatter(mine, group, rows_of); },
      [&](const Tensors& all) { return at::stack(all).sum(0).split_with_sizes(rows_of); });
}

inline void derives_sum_and_copy(const World& world) {
  const Group group = group_of_all(world);
  const int p = world.size;
  Draw draw(case_seed + 12);
  Tensors values;
  for (int r = 0; r < p; ++r) values.push_back(draw.normal({3, 2}, at::kDouble));
  expect_derivatives(
      world, values, true, [&](const at::Tensor& mine) { return all_reduce(mine, group); },
      [&](const Tensors& all) { return Tensors(p, at::stack(all).sum(0)); });

  // One value that p different computations use: its derivative is the sum of theirs, on every rank.
  const at::Tensor x = values[0].clone().requires_grad_();
  const at::Tensor w = draw.normal({p, 3, 2}, at::kDouble);
  (w[world.rank] * at::sin(replicate(x, group))).sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), w.sum(0) * at::cos(values[0])));
}

inline void derives_shift(const World& world) {
  const Group group = group_of_all(world);
  const int p = world.size;
  Draw draw(case_seed + 13);
  const auto rows_of = draw.counts(p);
  Tensors x;
  for (int r = 0; r < p; ++r) x.push_back(draw.normal({rows_of[r], 2}, at::kDouble));
  for (const int by : {1, -1, 2}) {
    expect_derivatives(
        world, x, false, [&](const at::Tensor& mine) { return shift(mine, group, rows_of, by); },
        [&](const Tensors& all) {
          Tensors results;
          for (int r = 0; r < p; ++r) results.push_back(all[((r - by) % p + p) % p]);
          return results;
        });
  }
}

inline const std::vector<GroupCase>& derivative_cases() {
  static const std::vector<GroupCase> cases = {
      {"DerivesAllToAll", derives_all_to_all},
      {"DerivesGatherAndScatter", derives_gather_and_scatter},
      {"DerivesSumAndCopy", derives_sum_and_copy},
      {"DerivesShift", derives_shift},
  };
  return cases;
}

}  // namespace graticule
