#include "graticule/comm/order.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "graticule/comm/launch.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

/// The description of operation `number` since the last check.
std::string operation(const Order& order, int64_t number) {
  const int64_t forgotten = order.count - std::ssize(order.recent);
  if (number >= order.count) return "nothing";
  if (number < forgotten) return "an operation that is no longer kept";
  return order.recent[static_cast<size_t>(number - forgotten)];
}

}  // namespace

void check_order(const Group& group) {
  if (group.size() == 1 || !group.keeps_order()) return;
  const Order mine = group.take_order();
  const std::vector<int64_t> ones(group.size(), 1);
  const at::Tensor own = at::tensor({mine.count, static_cast<int64_t>(mine.hash)}, at::kLong).view({1, 2});
  const at::Tensor all = group.all_gather(own, ones).wait();
  if ((all == all[0]).all().item<bool>()) {
    group.take_order();  // the check's own operation
    return;
  }
  // Compares the ranks' operations one by one with rank 0's until one differs.
  const auto longest = all.select(1, 0).max().item<int64_t>();
  for (int64_t number = 0; number < longest; ++number) {
    const std::string ours = operation(mine, number), first = broadcast_text(group, ours, 0);
    const int64_t differs = ours == first ? group.size() : group.rank();
    const auto other =
        group.all_reduce(at::full({1}, differs, at::kLong), Reduction::min).wait().item<int64_t>();
    if (other == group.size()) continue;
    const std::string theirs = broadcast_text(group, ours, static_cast<int>(other));
    throw std::logic_error(text("[", group.label(), "] operation ", number,
                                " since the last check: rank 0 issued ", first, ", rank ", other, " issued ",
                                theirs,
                                ". All ranks of a group must issue the same operations in the same order"));
  }
  throw std::logic_error(text("[", group.label(), "] the ranks issued different operations, more than ",
                              mine.recent.size(), " ago: check more often"));
}

}  // namespace graticule
