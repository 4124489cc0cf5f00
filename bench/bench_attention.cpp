#include "bench/bench_attention.h"

#include <ATen/Parallel.h>

#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/attention_speed.h"
#include "bench/bench_schemes.h"
#include "bench/dtype.h"
#include "cli/job.h"
#include "graticule/comm/launch.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

struct BenchAttentionArguments {
  AttentionSpeedOptions options;
  SchemeBench schemes;
  std::string scheme = "local", dtype = "bf16";
  int threads = 1;
  bool json = false;
};

void add_to(nlohmann::json& out, const std::string& name, const DirectionSpeed& speed) {
  const auto number = [](const std::optional<double>& x) {
    return x ? nlohmann::json(*x) : nlohmann::json();
  };
  out[name + "_s"] = speed.seconds;
  out[name + "_gflops"] = speed.gflops;
  out["aten_" + name + "_s"] = speed.aten_seconds;
  out["aten_" + name + "_gflops"] = speed.aten_gflops;
  out["brgemm_" + name + "_gflops"] = number(speed.products_gflops);
  out[name + "_ratio"] = speed.ratio;
  out[name + "_share"] = number(speed.share);
}

void print(const std::string& name, const DirectionSpeed& speed) {
  const auto rate = [](double seconds, double gflops) {
    std::cout << std::setprecision(4) << seconds << " s  " << std::setprecision(1) << gflops << " GF/s";
  };
  std::cout << std::fixed << std::left << std::setw(10) << name;
  rate(speed.seconds, speed.gflops);
  std::cout << "   ATen ";
  rate(speed.aten_seconds, speed.aten_gflops);
  std::cout << "   " << name << "_ratio " << std::setprecision(2) << speed.ratio;
  if (speed.share) {
    std::cout << "   brgemm " << std::setprecision(1) << *speed.products_gflops << " GF/s  " << name
              << "_share " << std::setprecision(2) << *speed.share;
  }
  std::cout << "\n";
}

/// The sizes, after setting the threads.
AttentionSpeedOptions begin(const BenchAttentionArguments& arguments) {
  auto options = arguments.options;
  options.dtype = dtype_named("bench attention", arguments.dtype);
  if (arguments.threads < 1) refuse("bench attention", "threads ", arguments.threads, ": choose 1 or more");
  at::set_num_threads(arguments.threads);
  return options;
}

int run_scheme(const BenchAttentionArguments& arguments, const World& world) {
  SchemeBench schemes = arguments.schemes;
  agree(world, group_of_all(world), [&] { schemes.sizes = begin(arguments); });
  schemes.scheme = arguments.scheme;
  schemes.dtype = arguments.dtype;
  schemes.json = arguments.json;
  return run_bench_schemes(schemes, world);
}

int run_local(const BenchAttentionArguments& arguments) {
  keep_freed_memory();  // as a job does
  const auto options = begin(arguments);
  const auto speed = measure_attention(options);
  if (arguments.json) {
    nlohmann::json out{
        {"batch", options.batch},     {"heads", options.heads},
        {"tokens", options.tokens},   {"head_dim", options.width},
        {"dtype", arguments.dtype},   {"threads", arguments.threads},
        {"repeats", options.repeats}, {"brgemm_dtype", speed.products_are_fp32 ? "fp32" : "bf16"}};
    add_to(out, "forward", speed.forward);
    if (speed.backward) add_to(out, "backward", *speed.backward);
    std::cout << out.dump() << "\n";
    return 0;
  }
  std::cout << "batch " << options.batch << ", " << options.heads << " heads, " << options.tokens
            << " tokens, width " << options.width << ", " << arguments.dtype << ", " << arguments.threads
            << " threads; brgemm in " << (speed.products_are_fp32 ? "fp32" : "bf16") << "\n";
  print("forward", speed.forward);
  if (speed.backward) print("backward", *speed.backward);
  return 0;
}

}  // namespace

void add_bench_attention(CLI::App& bench, Action& action) {
  auto* command = bench.add_subcommand(
      "attention",
      "Time the attention kernel beside ATen's and its matrix products alone; or a scheme over ranks");
  const auto a = std::make_shared<BenchAttentionArguments>();
  command->add_option("--batch", a->options.batch, "Samples")->capture_default_str();
  command->add_option("--heads", a->options.heads, "Heads")->capture_default_str();
  command->add_option("--tokens", a->options.tokens, "Tokens of a sample: queries and keys")
      ->capture_default_str();
  command->add_option("--head-dim", a->options.width, "Width of a head, 1 to 256")->capture_default_str();
  command
      ->add_option("--scheme", a->scheme,
                   "local (the kernel), or over all ranks: ulysses, lss, ring, mesh, hybrid")
      ->capture_default_str();
  command->add_option("--kv-heads", a->schemes.key_heads, "Schemes: key/value heads; 0: as many as --heads")
      ->capture_default_str();
  command
      ->add_option("--head-groups", a->schemes.head_groups,
                   "ulysses: number of groups of heads that are exchanged in turn")
      ->capture_default_str();
  command
      ->add_option("--gather-heads", a->schemes.gather_heads,
                   "lss, mesh: key/value heads gathered at a time; 0: all")
      ->capture_default_str();
  command->add_flag("--exchange-again", a->schemes.exchange_again,
                    "ulysses: exchange q, k, v again in backward");
  command->add_option("--context-method", a->schemes.context_method, "hybrid: lss, ring or mesh")
      ->capture_default_str();
  command->add_option("--mesh-rows", a->schemes.mesh_rows, "mesh: rows of the grid of ranks; 0: chosen")
      ->capture_default_str();
  command->add_option("--ulysses", a->schemes.ulysses, "hybrid: degree of its ulysses axis")
      ->capture_default_str();
  command->add_option("--dtype", a->dtype, "bf16, fp16 or fp32")->capture_default_str();
  command->add_option("--threads", a->threads, "Threads")->capture_default_str();
  command->add_option("--repeats", a->options.repeats, "Number of turns; medians are printed")
      ->capture_default_str();
  command->add_flag("--backward", a->options.backward, "Time backward too");
  command->add_flag("--json", a->json, "Print JSON");
  command->callback([&action, a] {
    action = [a] {
      if (a->scheme == "local") return run_alone([&] { return run_local(*a); });
      return run_job([&](const World& world) { return run_scheme(*a, world); });
    };
  });
}

}  // namespace graticule
