// Tests that groups of comm/dry give the shapes and counts of a real run.
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "graticule/comm/dry/dry.h"

#include <gtest/gtest.h>

#include "graticule/core/span.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

struct Seen {
  std::vector<std::vector<int64_t>> shapes;
  int64_t bytes = 0, operations = 0;
  bool operator==(const Seen&) const = default;
};

/// Every operation once, on tensors of `device`.
Seen run_program(const World& world, at::Device device) {
  const Group group = group_of_all(world);
  const int p = world.size, next = (world.rank + 1) % p, previous = (world.rank + p - 1) % p;
  const auto rows_of = span_sizes(1003, p);
  const auto options = at::TensorOptions(at::kBFloat16).device(device);
  const at::Tensor mine = at::zeros({rows_of[world.rank], 5}, options), all = at::zeros({1003, 5}, options);
  const at::Tensor large = at::zeros({100003}, options.dtype(at::kFloat));
  Seen seen;
  const auto note = [&](Pending pending) { seen.shapes.push_back(pending.wait().sizes().vec()); };
  note(group.all_gather(mine, rows_of));
  note(group.reduce_scatter(all, rows_of, at::kFloat));
  note(group.all_to_all(all, rows_of, std::vector<int64_t>(p, rows_of[world.rank])));
  note(group.all_reduce(all));
  note(group.all_reduce(large));
  note(group.all_reduce(all, Reduction::max));
  note(group.broadcast(all, 0));
  note(group.shift(mine, at::empty({rows_of[previous], 5}, options)));
  note(group.send(all, next));
  note(group.receive(all, previous));
  group.barrier();
  seen.bytes = group.traffic().bytes_sent;
  seen.operations = group.traffic().operations;
  return seen;
}

TEST(Dry, HasTheShapesAndCountsOfARealRun) {
  for (const int size : {2, 3, 5}) {
    std::vector<Seen> real(size);
    run_ranks(size, [&](const World& world) { real[world.rank] = run_program(world, at::kCPU); });
    for (int rank = 0; rank < size; ++rank) {
      EXPECT_EQ(run_program(dry_world(rank, size), at::kCPU), real[rank]) << rank << " of " << size;
      EXPECT_EQ(run_program(dry_world(rank, size), at::kMeta), real[rank])
          << rank << " of " << size << " on meta";
    }
  }
}

}  // namespace
}  // namespace graticule
