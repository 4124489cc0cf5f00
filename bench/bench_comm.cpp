#include "bench/bench_comm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/dtype.h"
#include "bench/timing.h"
#include "cli/job.h"
#include "graticule/comm/group.h"
#include "graticule/comm/mpi/mpi_raw.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

struct BenchCommArguments {
  std::vector<uint64_t> sizes = {4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20};
  std::string dtype = "fp32";
  int64_t repeats = 7;
  bool json = false;
};

/// One operation: its input, the output that it must give, and how it is called.
struct Case {
  std::string name;
  RawCall raw;
  at::Tensor in, expected;
  std::function<at::Tensor(const at::Tensor&)> run;
};

struct Speed {
  double seconds = 0, gigabytes = 0;  ///< of a call on the slowest rank; GB that a rank sends a second
};

/// Element i of rank r is r + i mod 5: sums are exact in every dtype.
at::Tensor values_of(int rank, int64_t n, at::ScalarType type) {
  return at::arange(n, at::kLong).remainder_(5).add_(rank).to(type);
}

/// The larger of input and output has `n` elements, a multiple of the number of ranks.
std::vector<Case> cases(const Group& group, int64_t n, at::ScalarType type) {
  const int p = group.size(), me = group.rank(), next = (me + 1) % p, previous = (me + p - 1) % p;
  const int64_t share = n / p;
  const std::vector<int64_t> shares(p, share);
  const at::Tensor mine = values_of(me, n, type), before = values_of(previous, n, type);
  at::Tensor sum = at::zeros({n}, type);
  std::vector<at::Tensor> gathered, moved;
  for (int r = 0; r < p; ++r) {
    sum += values_of(r, n, type);
    gathered.push_back(values_of(r, share, type));
    moved.push_back(values_of(r, n, type).narrow(0, me * share, share));
  }
  const auto both_ways = [=](const at::Tensor& x) {
    Pending received = group.receive(x, previous), sent = group.send(x, next);
    sent.wait();
    return received.wait();
  };
  const at::Tensor nothing = at::empty({0}, type);
  return {
      {"all_to_all", RawCall::all_to_all, mine, at::cat(moved),
       [=](const at::Tensor& x) { return group.all_to_all(x, shares, shares).wait(); }},
      {"all_gather", RawCall::all_gather, mine.narrow(0, 0, share).clone(), at::cat(gathered),
       [=](const at::Tensor& x) { return group.all_gather(x, shares).wait(); }},
      {"reduce_scatter", RawCall::reduce_scatter, mine, sum.narrow(0, me * share, share).clone(),
       [=](const at::Tensor& x) { return group.reduce_scatter(x, shares).wait(); }},
      {"all_reduce", RawCall::all_reduce, mine, sum,
       [=](const at::Tensor& x) { return group.all_reduce(x).wait(); }},
      {"broadcast", RawCall::broadcast, mine, values_of(0, n, type),
       [=](const at::Tensor& x) { return group.broadcast(x, 0).wait(); }},
      {"send, receive", RawCall::exchange, mine, before, both_ways},
      {"shift", RawCall::exchange, mine, before,
       [=](const at::Tensor& x) { return group.shift(x, x).wait(); }},
      {"barrier", RawCall::barrier, nothing, nothing,
       [=](const at::Tensor& x) {
         group.barrier();
         return x;
       }},
  };
}

/// Seconds of a call on the slowest rank.
double timed(const Group& group, int64_t calls, const std::function<void()>& call) {
  const auto repeat = [&] {
    for (int64_t i = 0; i < calls; ++i) call();
  };
  return seconds_of_slowest(repeat, group) / static_cast<double>(calls);
}

void verify(const Case& c, const at::Tensor& got, const char* whose) {
  if (!at::equal(got, c.expected))
    fail("bench comm", whose, " ", c.name, " gives wrong values: nothing is timed");
}

/// Verifies our operation and MPI's, then times them in turns. The second is empty where MPI has no such
/// call.
std::pair<Speed, std::optional<Speed>> measure(const Case& c, const Group& group, int64_t repeats) {
  constexpr int64_t volume = 32 << 20;  // a turn moves about this much, in at most 200 calls
  const auto bytes = static_cast<int64_t>(std::max(c.in.nbytes(), c.expected.nbytes()));
  const int64_t calls = std::clamp<int64_t>(volume / std::max<int64_t>(bytes, 1), 1, 200);
  const at::Tensor out = c.raw == RawCall::broadcast ? c.in.clone() : at::empty_like(c.expected);
  const int64_t before = group.traffic().bytes_sent;
  verify(c, c.run(c.in), "our");
  const auto sent = static_cast<double>(group.traffic().bytes_sent - before);
  const auto raw = raw_mpi(c.raw, c.in, out);
  if (raw) {
    raw();
    verify(c, out, "MPI's");
  }
  std::vector<double> ours, theirs;
  for (int64_t turn = 0; turn < repeats; ++turn) {
    ours.push_back(timed(group, calls, [&] { c.run(c.in); }));
    if (raw) theirs.push_back(timed(group, calls, raw));
  }
  const auto speed = [&](const std::vector<double>& seconds) {
    return Speed{median(seconds), sent / median(seconds) / 1e9};
  };
  if (!raw) return {speed(ours), std::nullopt};
  return {speed(ours), speed(theirs)};
}

nlohmann::json entry(const Case& c, uint64_t bytes, const Speed& ours, const std::optional<Speed>& mpi) {
  nlohmann::json out{{"operation", c.name}, {"bytes", bytes}, {"s", ours.seconds}, {"gbps", ours.gigabytes}};
  out["mpi_s"] = mpi ? nlohmann::json(mpi->seconds) : nlohmann::json();
  out["mpi_gbps"] = mpi ? nlohmann::json(mpi->gigabytes) : nlohmann::json();
  out["ratio"] = mpi ? nlohmann::json(mpi->seconds / ours.seconds) : nlohmann::json();
  return out;
}

void print(const nlohmann::json& e) {
  const auto number = [](const nlohmann::json& value, double scale) {
    return value.is_null() ? std::string("-") : fmt::format("{:.2f}", value.get<double>() * scale);
  };
  fmt::print("{:<15}{:>12}{:>14}{:>10}{:>14}{:>10}{:>8}\n", e["operation"].get<std::string>(),
             e["bytes"].get<uint64_t>(), number(e["s"], 1e6), number(e["gbps"], 1), number(e["mpi_s"], 1e6),
             number(e["mpi_gbps"], 1), number(e["ratio"], 1));
}

int run_bench_comm(const BenchCommArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  at::ScalarType type{};
  agree(world, everyone, [&] {
    type = dtype_named("bench comm", arguments.dtype, true);
    if (arguments.repeats < 1) refuse("bench comm", "repeats ", arguments.repeats, ": choose 1 or more");
    if (world.size < 2) refuse("bench comm", "one rank sends nothing: start with mpiexec -n 2 or more");
    for (const uint64_t size : arguments.sizes) {
      if (size == 0 || size > 1 << 30) refuse("bench comm", "size ", size, ": choose 1 byte to 1 GiB");
    }
  });
  at::set_num_threads(std::max(1, at::get_num_threads() / world.local_size));
  if (world.rank == 0 && !arguments.json) {
    fmt::print("{} ranks, {}; ratio: MPI's time / ours\n{:<15}{:>12}{:>14}{:>10}{:>14}{:>10}{:>8}\n",
               world.size, arguments.dtype, "operation", "bytes", "us", "GB/s", "MPI us", "GB/s", "ratio");
  }
  nlohmann::json all = nlohmann::json::array();
  for (const uint64_t size : arguments.sizes) {
    const auto row = static_cast<int64_t>(at::elementSize(type)) * world.size;
    const int64_t n = (static_cast<int64_t>(size) + row - 1) / row * world.size;
    for (const Case& c : cases(everyone, n, type)) {
      if (c.raw == RawCall::barrier && size != arguments.sizes.front()) continue;
      const auto [ours, mpi] = measure(c, everyone, arguments.repeats);
      all.push_back(entry(c, std::max(c.in.nbytes(), c.expected.nbytes()), ours, mpi));
      if (world.rank == 0 && !arguments.json) print(all.back());
    }
  }
  if (world.rank == 0 && arguments.json) {
    fmt::print("{}\n",
               nlohmann::json{{"ranks", world.size}, {"dtype", arguments.dtype}, {"operations", all}}.dump());
  }
  return 0;
}

}  // namespace

void add_bench_comm(CLI::App& bench, Action& action) {
  auto* command = bench.add_subcommand("comm", "Time every operation between ranks beside the same MPI call");
  const auto a = std::make_shared<BenchCommArguments>();
  command->add_option("--sizes", a->sizes, "Bytes of a rank's input or output, the larger one: 4KiB,64MiB")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command->add_option("--dtype", a->dtype, "bf16, fp16, fp32 or fp64")->capture_default_str();
  command->add_option("--repeats", a->repeats, "Number of turns; medians are printed")->capture_default_str();
  command->add_flag("--json", a->json, "Print JSON");
  command->callback([&action, a] {
    action = [a] { return run_job([&](const World& world) { return run_bench_comm(*a, world); }); };
  });
}

}  // namespace graticule
