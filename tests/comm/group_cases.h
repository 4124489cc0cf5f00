// The cases of group operations for every back end. All ranks of a world of any size run a case. Each rank
// makes the data of all ranks from the seed, so it knows the right result.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <vector>

#include "graticule/comm/mesh.h"
#include "graticule/comm/order.h"
#include "graticule/core/error.h"

namespace graticule {

struct GroupCase {
  const char* name;
  void (*run)(const World& world);
};

/// Random data; all ranks draw the same.
struct Draw {
  explicit Draw(uint64_t seed) : generator(at::detail::createCPUGenerator(seed)) {}

  /// Whole numbers in [-8, 8): their sums are exact in every dtype.
  at::Tensor whole(const std::vector<int64_t>& shape, at::ScalarType type) {
    return at::randint(-8, 8, shape, generator, at::kLong).to(type);
  }
  at::Tensor normal(const std::vector<int64_t>& shape, at::ScalarType type) {
    return at::randn(shape, generator, at::TensorOptions(at::kDouble)).to(type);
  }
  /// `n` row counts, some of them zero.
  std::vector<int64_t> counts(int n) {
    const at::Tensor drawn = at::randint(0, 5, {n}, generator, at::kLong);
    return {drawn.data_ptr<int64_t>(), drawn.data_ptr<int64_t>() + n};
  }

  at::Generator generator;
};

constexpr uint64_t case_seed = 20240229;
inline const std::vector<at::ScalarType> case_types = {at::kFloat, at::kBFloat16, at::kHalf, at::kLong};

/// Equal shape, dtype and bits.
inline void expect_same(const at::Tensor& got, const at::Tensor& expected, const char* what) {
  EXPECT_EQ(got.scalar_type(), expected.scalar_type()) << what << ", seed " << case_seed;
  EXPECT_TRUE(at::equal(got, expected))
      << what << ", seed " << case_seed << "\ngot " << got << "\nexpected " << expected;
}

inline int64_t sum_of_counts(const std::vector<int64_t>& counts) {
  int64_t sum = 0;
  for (const int64_t count : counts) sum += count;
  return sum;
}

/// A tensor of the same values that is not contiguous.
inline at::Tensor strided(const at::Tensor& values) {
  return at::stack({values, values}, values.dim()).select(values.dim(), 0);
}

inline void moves_rows(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  Draw draw(case_seed);
  for (const at::ScalarType type : case_types) {
    std::vector<std::vector<int64_t>> send;  // [from][to]
    std::vector<at::Tensor> rows;
    for (int r = 0; r < p; ++r) {
      send.push_back(draw.counts(p));
      rows.push_back(draw.whole({sum_of_counts(send[r]), 2, 3}, type));
    }
    std::vector<int64_t> receive;
    std::vector<at::Tensor> mine;
    for (int r = 0; r < p; ++r) {
      receive.push_back(send[r][me]);
      mine.push_back(rows[r].split_with_sizes(send[r])[me]);
    }
    expect_same(group.all_to_all(strided(rows[me]), send[me], receive).wait(), at::cat(mine), "all_to_all");
  }
}

inline void gathers_rows(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  Draw draw(case_seed + 1);
  for (const at::ScalarType type : case_types) {
    for (const auto& rows_of : {draw.counts(p), std::vector<int64_t>(p, 3), std::vector<int64_t>(p, 0)}) {
      const at::Tensor all = draw.whole({sum_of_counts(rows_of), 5}, type);
      const at::Tensor mine = all.split_with_sizes(rows_of)[me];
      expect_same(group.all_gather(strided(mine), rows_of).wait(), all, "all_gather");
    }
  }
}

inline void sums_rows(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  Draw draw(case_seed + 2);
  for (const at::ScalarType type : case_types) {
    const auto rows_of = draw.counts(p);
    at::Tensor sum = at::zeros({sum_of_counts(rows_of), 3}, type), mine;
    for (int r = 0; r < p; ++r) {
      const at::Tensor rows = draw.whole({sum_of_counts(rows_of), 3}, type);
      if (r == me) mine = rows;
      sum += rows;
    }
    expect_same(group.reduce_scatter(strided(mine), rows_of).wait(), sum.split_with_sizes(rows_of)[me],
                "reduce_scatter");
  }
}

inline void reduces_everywhere(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  Draw draw(case_seed + 3);
  for (const at::ScalarType type : case_types) {
    for (const int64_t n : {0, 1, 7, 100001}) {
      at::Tensor sum, largest, smallest, mine;
      for (int r = 0; r < p; ++r) {
        const at::Tensor values = draw.whole({n, 2}, type);
        if (r == me) mine = values;
        sum = r ? sum + values : values;
        largest = r ? at::maximum(largest, values) : values;
        smallest = r ? at::minimum(smallest, values) : values;
      }
      expect_same(group.all_reduce(strided(mine)).wait(), sum, "all_reduce sum");
      expect_same(group.all_reduce(mine, Reduction::max).wait(), largest, "all_reduce max");
      expect_same(group.all_reduce(mine, Reduction::min).wait(), smallest, "all_reduce min");
    }
  }
}

/// The sum of bf16 and fp16 is the fp32 sum in rank order, rounded once.
inline void sums_halves_in_fp32(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  Draw draw(case_seed + 4);
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    const std::vector<int64_t> rows_of = draw.counts(p);
    const int64_t n = sum_of_counts(rows_of);
    at::Tensor sum, mine;
    for (int r = 0; r < p; ++r) {
      const at::Tensor values = draw.normal({n, 4}, type);
      if (r == me) mine = values;
      sum = r ? sum + values.to(at::kFloat) : values.to(at::kFloat);
    }
    expect_same(group.all_reduce(mine).wait(), sum.to(type), "all_reduce of halves");
    const at::Tensor kept = sum.split_with_sizes(rows_of)[me];
    expect_same(group.reduce_scatter(mine, rows_of).wait(), kept.to(type), "reduce_scatter of halves");
    expect_same(group.reduce_scatter(mine, rows_of, at::kFloat).wait(), kept,
                "reduce_scatter of halves, kept in fp32");
  }
}

inline void speaks_to_single_ranks(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  Draw draw(case_seed + 5);
  const auto rows_of = draw.counts(p);
  std::vector<at::Tensor> rows;
  for (int r = 0; r < p; ++r) rows.push_back(draw.whole({rows_of[r], 3}, at::kBFloat16));
  for (int root = 0; root < p; ++root) {
    expect_same(group.broadcast(me == root ? rows[root] : at::empty_like(rows[root]), root).wait(),
                rows[root], "broadcast");
  }
  for (const int by : {1, -1, 2, 0}) {
    const int source = ((me - by) % p + p) % p;
    expect_same(group.shift(rows[me], at::empty_like(rows[source]), by).wait(), rows[source], "shift");
  }
  if (p == 1) return;
  const int next = (me + 1) % p, previous = (me + p - 1) % p;
  Pending second = group.receive(at::empty_like(rows[previous]), previous, 7);
  Pending first = group.receive(at::empty_like(rows[previous]), previous, 3);
  Pending three = group.send(rows[me] * 3, next, 3), seven = group.send(rows[me] * 7, next, 7);
  expect_same(second.wait(), rows[previous] * 7, "receive with tag 7");
  expect_same(first.wait(), rows[previous] * 3, "receive with tag 3");
  three.wait();
  seven.wait();
}

/// The messages of a pipeline: six each way between neighbours at the same time, large and small, with two
/// tags. The receiver waits in another order. Messages of one tag arrive in the order of sending.
inline void sends_both_ways_at_once(const World& world) {
  const Group group = group_of_all(world);
  const int me = group.rank();
  constexpr int messages = 6;
  const auto message = [](int from, int number) {
    return at::full({number % 2 ? 3 : 300001}, 100.0 * from + number, at::kFloat);
  };
  std::vector<int> neighbours;
  if (me > 0) neighbours.push_back(me - 1);
  if (me + 1 < group.size()) neighbours.push_back(me + 1);
  std::vector<Pending> sent, received;
  for (const int other : neighbours) {
    for (int n = 0; n < messages; ++n) sent.push_back(group.send(message(me, n), other, n % 3 ? 5 : 9));
  }
  for (const int other : neighbours) {
    for (int n = 0; n < messages; ++n) {
      received.push_back(group.receive(at::empty_like(message(other, n)), other, n % 3 ? 5 : 9));
    }
  }
  for (size_t i = received.size(); i-- > 0;) {
    expect_same(received[i].wait(), message(neighbours[i / messages], static_cast<int>(i % messages)),
                "a message of several");
  }
  for (Pending& one : sent) one.wait();
}

/// poll() tells whether an operation is done, so a rank can compute meanwhile.
inline void polls_until_done(const World& world) {
  const Group group = group_of_all(world);
  const std::vector<int64_t> rows_of(group.size(), 100003);
  Pending gathered = group.all_gather(at::full({100003}, group.rank() + 0.5), rows_of);
  while (!gathered.poll()) std::this_thread::yield();
  EXPECT_TRUE(gathered.poll());
  const at::Tensor numbers = at::arange(0.5, group.size(), at::kFloat).view({-1, 1});
  expect_same(gathered.wait(), numbers.expand({group.size(), 100003}).reshape({-1}), "all_gather, polled");
}

/// Equal orders of operations pass. Otherwise every rank names the first operation that differs. Here the two
/// have equal bytes, so no other check finds them.
inline void compares_orders(const World& world) {
  world.watch->set_keeps_order(true);
  const Group group = group_of_all(world);
  const int p = group.size();
  const std::vector<int64_t> ones(p, 1), threes(p, 3);
  group.all_gather(at::ones({1, 3}), ones).wait();
  group.barrier();
  check_order(group);
  const bool last = group.rank() == p - 1;
  const at::Tensor values = at::ones({p, 6});
  group.all_reduce(values).wait();
  group.all_to_all(last ? values : values.view({3 * p, 2}), last ? ones : threes, last ? ones : threes)
      .wait();
  std::string message = "none";
  try {
    check_order(group);
  } catch (const std::logic_error& error) {
    message = error.what();
  }
  world.watch->set_keeps_order(false);
  const std::string expected = text(
      "[world] operation 1 since the last check: rank 0 issued all_to_all of rows of 2 Float, rank ", p - 1,
      " issued all_to_all of rows of 6 Float. All ranks of a group must issue the same operations in the "
      "same order");
  EXPECT_EQ(message, p == 1 ? "none" : expected);
}

inline void keeps_several_in_flight(const World& world) {
  const Group group = group_of_all(world);
  const int p = group.size(), me = group.rank();
  const std::vector<int64_t> ones(p, 1), twos(p, 2);
  const at::Tensor mine = at::full({p, 4}, me + 1.0);
  Pending moved = group.all_to_all(mine, ones, ones);
  Pending reduced = group.all_reduce(mine);
  { Pending dropped = group.all_gather(mine.narrow(0, 0, 1), ones); }
  Pending gathered = group.all_gather(mine.narrow(0, 0, 1).expand({2, 4}), twos);
  group.barrier();
  const at::Tensor numbers = at::arange(1.0, p + 1.0, at::kFloat).view({-1, 1});
  expect_same(gathered.wait(), numbers.repeat_interleave(2, 0).expand({2 * p, 4}), "the third in flight");
  expect_same(reduced.wait(), at::full({p, 4}, p * (p + 1) / 2.0), "the second in flight");
  expect_same(moved.wait(), numbers.expand({p, 4}), "the first in flight");
}

/// Every group of a mesh has the ranks of its coordinates. Groups that overlap work at the same time.
inline void makes_a_mesh(const World& world) {
  Axes axes;
  axes.ulysses = world.size % 2 ? world.size : 2;
  axes.context = world.size % 4 ? 1 : 2;
  axes.data = world.size / axes.ulysses / axes.context;
  const Mesh mesh = make_mesh(world, axes);
  const auto ranks_where = [&](auto same) {
    std::vector<int64_t> ranks;
    for (int r = 0; r < world.size; ++r) {
      if (same(r)) ranks.push_back(r);
    }
    return at::tensor(ranks, at::kLong);
  };
  const auto on = [&](std::initializer_list<Axis> same) {
    return ranks_where([&](int r) {
      return std::all_of(same.begin(), same.end(),
                         [&](Axis axis) { return axes.coordinate(axis, r) == mesh.coordinate(axis); });
    });
  };
  const auto members = [&](const Group& group) {
    return group.all_gather(at::full({1}, world.rank, at::kLong), std::vector<int64_t>(group.size(), 1));
  };
  using enum Axis;
  Pending of_sequence = members(mesh.sequence), of_context = members(mesh.context),
          of_ulysses = members(mesh.ulysses);
  Pending of_data = members(mesh.data), of_replicas = members(mesh.stage), of_tensor = members(mesh.tensor);
  expect_same(of_tensor.wait(), on({data, context, ulysses}), "tensor");
  expect_same(of_data.wait(), on({context, ulysses}), "data");
  expect_same(of_context.wait(), on({data, ulysses}), "context");
  expect_same(of_ulysses.wait(), on({data, context}), "ulysses");
  expect_same(of_sequence.wait(), on({data}), "sequence");
  expect_same(of_replicas.wait(), on({}), "stage");
  EXPECT_EQ(mesh.sequence.rank(), mesh.coordinate(context) * axes.ulysses + mesh.coordinate(ulysses));
}

/// Bytes sent as group.h says; the uneven Ulysses example (1000 tokens, 7 heads of width 64, bf16) exactly.
inline void counts_bytes(const World& world) {
  const int p = world.size, me = world.rank;
  std::vector<int64_t> rows_of;
  for (int r = 0; r < p; ++r) rows_of.push_back(r + 1);
  const int64_t all = p * (p + 1) / 2, mine = me + 1, row = 3 * 2;
  const auto sent = [&](const char* what, int64_t expected, auto operation) {
    const Group group = group_of_all(world);
    operation(group);
    EXPECT_EQ(group.traffic().bytes_sent, p > 1 ? expected : 0) << what;
  };
  const at::Tensor kept = at::ones({mine, 3}, at::kHalf), total = at::ones({all, 3}, at::kHalf);
  sent("all_gather", mine * (p - 1) * row,
       [&](const Group& group) { group.all_gather(kept, rows_of).wait(); });
  sent("reduce_scatter", (all - mine) * row,
       [&](const Group& group) { group.reduce_scatter(total, rows_of).wait(); });
  sent("broadcast", me == 0 ? (p - 1) * all * row : 0,
       [&](const Group& group) { group.broadcast(total, 0).wait(); });
  sent("all_reduce", 2 * (p - 1) * 40 * 8,
       [&](const Group& group) { group.all_reduce(at::ones({40 * p}, at::kDouble)).wait(); });
  if (p != 3) return;
  const std::vector<int64_t> tokens = {334, 333, 333}, heads = {3, 2, 2}, expected = {171008, 213120, 213120};
  std::vector<int64_t> send, receive;
  for (int r = 0; r < p; ++r) {
    send.push_back(tokens[me] * heads[r]);
    receive.push_back(tokens[r] * heads[me]);
  }
  const at::Tensor q = at::ones({sum_of_counts(send), 64}, at::kBFloat16);
  sent("ulysses", expected[me], [&](const Group& group) { group.all_to_all(q, send, receive).wait(); });
}

/// Every rank gets the message of the lowest failing rank, mistakes of the user first, with its type.
inline void agrees_on_errors(const World& world) {
  const Group group = group_of_all(world);
  const auto message_of = [&](const std::function<void()>& body) -> std::string {
    try {
      agree(world, group, body);
    } catch (const std::invalid_argument& error) {
      return text(dynamic_cast<const Agreed*>(&error) ? "all: " : "", "invalid ", error.what());
    } catch (const std::runtime_error& error) {
      return text(dynamic_cast<const Agreed*>(&error) ? "all: " : "", "runtime ", error.what());
    }
    return "none";
  };
  const int last = world.size - 1;
  EXPECT_EQ(message_of([] {}), "none");
  EXPECT_EQ(message_of([&] { fail("here", "rank ", world.rank); }), "all: runtime [here] rank 0");
  EXPECT_EQ(message_of([&] {
              if (world.rank == last) refuse("here", "rank ", world.rank);
              fail("here", "rank ", world.rank);
            }),
            text("all: invalid [here] rank ", last));
}

/// One message of more than 2^31 bytes between two ranks. Needs 5 GB: runs when GRATICULE_TEST_LARGE is set.
inline void sends_beyond_2_to_the_31(const World& world) {
  if (!std::getenv("GRATICULE_TEST_LARGE") || world.size != 2) return;
  const Group group = group_of_all(world);
  const int64_t n = (int64_t{1} << 31) + 4097;
  const std::vector<int64_t> all = {0, n}, none = {0, 0}, first = {n, 0};
  const auto holds = [&](const at::Tensor& bytes) {
    EXPECT_EQ(bytes.numel(), n);
    EXPECT_EQ(bytes[0].item<int>(), 1);
    EXPECT_EQ(bytes[int64_t{1} << 30].item<int>(), 2);
    EXPECT_EQ(bytes[n - 1].item<int>(), 3);
  };
  at::Tensor bytes = at::zeros({world.rank == 0 ? n : 0}, at::kByte);
  if (world.rank == 0) {
    bytes[0] = 1;
    bytes[int64_t{1} << 30] = 2;
    bytes[n - 1] = 3;
  }
  holds(group.all_gather(bytes, first).wait());
  holds(group.broadcast(world.rank == 0 ? bytes : at::empty({n}, at::kByte), 0).wait());
  const at::Tensor moved =
      group.all_to_all(bytes, world.rank == 0 ? all : none, world.rank == 0 ? none : first).wait();
  if (world.rank == 1) holds(moved);
}

inline const std::vector<GroupCase>& group_cases() {
  static const std::vector<GroupCase> cases = {
      {"MovesRows", moves_rows},
      {"GathersRows", gathers_rows},
      {"SumsRows", sums_rows},
      {"ReducesEverywhere", reduces_everywhere},
      {"SumsHalvesInFp32", sums_halves_in_fp32},
      {"SpeaksToSingleRanks", speaks_to_single_ranks},
      {"SendsBothWaysAtOnce", sends_both_ways_at_once},
      {"PollsUntilDone", polls_until_done},
      {"ComparesOrders", compares_orders},
      {"KeepsSeveralInFlight", keeps_several_in_flight},
      {"MakesAMesh", makes_a_mesh},
      {"CountsBytes", counts_bytes},
      {"AgreesOnErrors", agrees_on_errors},
      {"SendsBeyond2To31Bytes", sends_beyond_2_to_the_31},
  };
  return cases;
}

}  // namespace graticule
