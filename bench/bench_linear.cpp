#include "bench/bench_linear.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/dtype.h"
#include "bench/linear_speed.h"
#include "cli/job.h"
#include "graticule/comm/launch.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

struct BenchLinearArguments {
  std::vector<std::string> sizes = {"4096x32x32",    "4096x64x64",    "2944x64x256",   "4096x128x512",
                                    "4096x512x2048", "4096x2048x512", "2048x2048x2048"};
  std::string dtype = "fp32";
  int threads = 1;
  int64_t repeats = 9;
  bool json = false;
};

constexpr std::pair<LinearProduct, const char*> products[] = {
    {LinearProduct::output, "y = x W^T + b"},
    {LinearProduct::input_gradient, "dx = dy W"},
    {LinearProduct::weight_gradient, "dW = dy^T x"}};

LinearSize size_named(const std::string& name) {
  LinearSize size{};
  char rest = 0;
  if (std::sscanf(name.c_str(), "%ldx%ldx%ld%c", &size.rows, &size.inner, &size.columns, &rest) != 3)
    refuse("bench linear", "size \"", name, "\": write rows x inner x columns, such as 4096x512x2048");
  return size;
}

nlohmann::json number(const std::optional<double>& x) { return x ? nlohmann::json(*x) : nlohmann::json(); }

void print(const char* name, const LinearSpeed& speed) {
  const auto rate = [](const char* what, const std::optional<double>& gflops) {
    std::cout << "  " << what << " ";
    if (gflops) {
      std::cout << std::setw(6) << *gflops;
    } else {
      std::cout << "  none";
    }
  };
  std::cout << std::fixed << std::setprecision(1) << "  " << std::left << std::setw(14) << name << std::right;
  rate("blocks", speed.blocks_gflops);
  rate("ATen", speed.aten_gflops);
  rate("brgemm", speed.brgemm_gflops);
  std::cout << " GF/s   chosen: " << (speed.chooses_blocks ? "blocks" : "ATen  ") << std::setprecision(2)
            << "  ratio " << speed.ratio;
  if (speed.share) std::cout << "  share " << *speed.share;
  std::cout << std::endl;
}

int run_bench_linear(const BenchLinearArguments& arguments) {
  const auto dtype = dtype_named("bench linear", arguments.dtype);
  if (arguments.threads < 1) refuse("bench linear", "threads ", arguments.threads, ": choose 1 or more");
  at::set_num_threads(arguments.threads);
  keep_freed_memory();
  const char* brgemm_dtype = brgemm_is_fp32(dtype) ? "fp32" : "bf16";
  auto results = nlohmann::json::array();
  for (const auto& name : arguments.sizes) {
    const auto size = size_named(name);
    if (!arguments.json) {
      std::cout << name << ", " << arguments.dtype << ", " << arguments.threads << " threads; brgemm in "
                << brgemm_dtype << "\n";
    }
    for (const auto& [product, label] : products) {
      const auto speed = measure_linear(product, size, dtype, arguments.repeats);
      if (!arguments.json) {
        print(label, speed);
        continue;
      }
      results.push_back({{"size", name},
                         {"product", label},
                         {"chosen", speed.chooses_blocks ? "blocks" : "aten"},
                         {"blocks_gflops", number(speed.blocks_gflops)},
                         {"aten_gflops", speed.aten_gflops},
                         {"brgemm_gflops", number(speed.brgemm_gflops)},
                         {"ratio", speed.ratio},
                         {"share", number(speed.share)}});
    }
  }
  if (arguments.json) {
    std::cout << nlohmann::json{{"dtype", arguments.dtype},
                                {"threads", arguments.threads},
                                {"repeats", arguments.repeats},
                                {"brgemm_dtype", brgemm_dtype},
                                {"results", results}}
                     .dump()
              << "\n";
  }
  return 0;
}

}  // namespace

void add_bench_linear(CLI::App& bench, Action& action) {
  auto* command = bench.add_subcommand(
      "linear", "Time the products of linear layers beside ATen's and beside oneDNN's brgemm alone");
  const auto a = std::make_shared<BenchLinearArguments>();
  command->add_option("--sizes", a->sizes, "Layers: rows x inner width x columns, such as 4096x512x2048")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--dtype", a->dtype, "bf16, fp16 or fp32")->capture_default_str();
  command->add_option("--threads", a->threads, "Threads")->capture_default_str();
  command->add_option("--repeats", a->repeats, "Number of turns; medians are printed")->capture_default_str();
  command->add_flag("--json", a->json, "Print JSON");
  command->callback(
      [&action, a] { action = [a] { return run_alone([&] { return run_bench_linear(*a); }); }; });
}

}  // namespace graticule
