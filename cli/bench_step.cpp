#include "cli/bench_step.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/job.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"
#include "graticule/model/block.h"
#include "graticule/train/build.h"
#include "graticule/train/memory.h"
#include "graticule/train/optimizer.h"
#include "graticule/train/statistics_pass.h"
#include "graticule/train/step.h"

namespace graticule {

namespace {

struct BenchArguments {
  std::string recipe;
  std::vector<std::string> set;
  int64_t tokens = 8192, dim = 512, depth = 4, heads = 8, batch = 1, repeats = 3;
  Options options;  ///< parallel and train sections, as flags give them
  std::string precision = "bf16", shard = "none", activations = "keep";
  bool json = false;
};

// What is timed: one call is one step.
struct Work {
  std::function<void()> step;
  int64_t tokens_a_step;
  int64_t parameters;
  double waited_s = 0;
};

struct Measured {
  std::vector<double> seconds;
  Trace trace;
  std::vector<std::string> peaks;  ///< of each rank, bytes
};

Measured measure(const Work& work, int64_t repeats, const Group& everyone) {
  work.step();
  reset_peak_memory();
  Measured measured;
  const TraceSession session(measured.trace);
  for (int64_t i = 0; i < repeats; ++i) {
    everyone.barrier();
    const auto start = std::chrono::steady_clock::now();
    work.step();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    measured.seconds.push_back(
        everyone.all_reduce(at::full({1}, elapsed.count(), at::kDouble), Reduction::max)
            .wait()
            .item<double>());
  }
  std::sort(measured.seconds.begin(), measured.seconds.end());
  measured.peaks = gather_texts(std::to_string(peak_memory_bytes()), everyone);
  return measured;
}

// Blocks on random tokens against random targets: forward, backward, AdamW.
struct RandomTokens {
  Chain chain;
  at::Tensor x, y;
  Group replicas;
  Shard level;
  int64_t step = 0;

  void run() {
    chain.zero_gradients();
    const Inputs inputs{at::zeros({x.size(0)}, at::kFloat),
                        std::vector<int64_t>(static_cast<size_t>(x.size(0)), 0), 0, true};
    const double count = static_cast<double>(y.numel()) * replicas.size();
    chain.train(
        x, inputs, [&](const at::Tensor& out) { return (out.to(at::kFloat) - y).square().sum(); }, true);
    chain.finish_reduce();
    gradient_square_sum(chain, level, replicas);
    update(chain, AdamW{}, 1e-3, 1 / count, ++step);
  }
};

Options parsed_options(const BenchArguments& arguments) {
  Options options =
      parse_recipe(fmt::format("[data]\npath = \"random\"\nbatch = {}\n[parallel]\nshard = \"{}\"\n"
                               "[train]\nprecision = \"{}\"\nactivations = \"{}\"\n",
                               arguments.batch, arguments.shard, arguments.precision, arguments.activations),
                   "bench step", arguments.set);
  const ParallelOptions& flags = arguments.options.parallel;
  options.parallel.data = flags.data, options.parallel.context = flags.context,
  options.parallel.ulysses = flags.ulysses;
  options.train.threads = arguments.options.train.threads;
  return options;
}

std::shared_ptr<RandomTokens> random_tokens(const BenchArguments& arguments, const World& world,
                                            const Options& options) {
  ModelShape shape;
  shape.grid = {TokenMode::full, 1, 1, arguments.tokens, 1};
  shape.dim = arguments.dim, shape.depth = arguments.depth, shape.heads = arguments.heads;
  validate(shape);
  const Axes axes = resolve_axes(options, world.size, shape.heads);
  const Mesh mesh = make_mesh(world, axes);
  const Attention attention = make_attention({.tokens_of = span_sizes(arguments.tokens, axes.sequence()),
                                              .context_method = options.parallel.context_method,
                                              .context = mesh.context,
                                              .ulysses = mesh.ulysses});
  std::vector<Block> blocks;
  for (int64_t i = 0; i < shape.depth; ++i) blocks.push_back(transformer_block(shape, i, attention));
  const at::ScalarType compute = options.train.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
  ShardOptions shard{options.parallel.shard, mesh.replicas, compute, at::kCPU, 0};
  const int64_t tokens = span_of(arguments.tokens, axes.sequence(), mesh.sequence.rank()).size();
  const int64_t samples = span_of(arguments.batch, mesh.data.size(), mesh.data.rank()).size();
  return std::make_shared<RandomTokens>(RandomTokens{Chain(blocks, shard, options.train.activations),
                                                     at::randn({samples, tokens, arguments.dim}).to(compute),
                                                     at::randn({samples, tokens, arguments.dim}),
                                                     mesh.replicas, shard.level});
}

nlohmann::json report(const Measured& measured, const Work& work, const World& world, int64_t repeats) {
  const double median = measured.seconds[measured.seconds.size() / 2];
  nlohmann::json peaks = nlohmann::json::array(), parts;
  for (const auto& peak : measured.peaks) peaks.push_back(std::stoll(peak));
  for (const auto& [name, seconds] : measured.trace.seconds)
    parts[name] = seconds / static_cast<double>(repeats);
  return {{"step_s", median},
          {"step_s_min", measured.seconds.front()},
          {"tokens_per_s", static_cast<double>(work.tokens_a_step) / median},
          {"parts_s", parts},
          {"peak_memory_bytes", peaks},
          {"parameters", work.parameters},
          {"data_wait_share", work.waited_s / (median * static_cast<double>(repeats))},
          {"ranks", world.size},
          {"threads", at::get_num_threads()}};
}

int run_bench_step(const BenchArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  std::shared_ptr<RandomTokens> random;
  std::optional<Run> run;
  Work work;
  if (arguments.recipe.empty()) {
    const Options options = parsed_options(arguments);
    const auto cores = static_cast<int64_t>(at::get_num_threads());
    at::set_num_threads(static_cast<int>(
        options.train.threads > 0 ? options.train.threads : std::max<int64_t>(1, cores / world.local_size)));
    random = random_tokens(arguments, world, options);
    work = {[random] { random->run(); }, arguments.batch * arguments.tokens, 0};
    for (const auto& block : random->chain.blocks()) work.parameters += block.numel();
  } else {
    std::optional<Problem> problem;
    agree(world, everyone,
          [&] { problem.emplace(define_problem(read_recipe(arguments.recipe, arguments.set))); });
    run.emplace(build(*problem, world, true));
    work = {[&run] { train_step(*run, false); }, run->options.data.batch * run->shape.grid.tokens(),
            parameters(run->shape)};
  }
  Measured measured = measure(work, arguments.repeats, everyone);
  if (run) work.waited_s = run->loader->take_waited_seconds();
  if (world.rank != 0) return 0;
  const nlohmann::json result = report(measured, work, world, arguments.repeats);
  if (arguments.json) {
    fmt::print("{}\n", result.dump());
    return 0;
  }
  fmt::print("{:.0f} tokens/s, {:.3f} s a step (median of {}), {} ranks x {} threads, {} parameters\n",
             result["tokens_per_s"].get<double>(), result["step_s"].get<double>(), arguments.repeats,
             world.size, at::get_num_threads(), work.parameters);
  for (const auto& [name, seconds] : result["parts_s"].items())
    fmt::print("  {:<12} {:.3f} s\n", name, seconds.get<double>());
  for (const auto& peak : measured.peaks)
    fmt::print("  peak memory  {:.0f} MiB\n", std::stod(peak) / (1 << 20));
  return 0;
}

}  // namespace

void add_bench_step(CLI::App& bench, Action& action) {
  auto* command =
      bench.add_subcommand("step", "Time a training step: of a recipe, or of blocks on random tokens");
  const auto a = std::make_shared<BenchArguments>();
  command->add_option("--recipe", a->recipe, "Time this recipe's steps");
  command->add_option("--tokens", a->tokens, "Tokens a sample")->capture_default_str();
  command->add_option("--dim", a->dim, "Width")->capture_default_str();
  command->add_option("--depth", a->depth, "Blocks")->capture_default_str();
  command->add_option("--heads", a->heads, "Heads")->capture_default_str();
  command->add_option("--batch", a->batch, "Samples a step")->capture_default_str();
  command->add_option("--precision", a->precision, "bf16 or fp32")->capture_default_str();
  command->add_option("--threads", a->options.train.threads, "Of each rank; 0: cores over ranks")
      ->capture_default_str();
  command->add_option("--data", a->options.parallel.data, "Degree; 0: derived")->capture_default_str();
  command->add_option("--context", a->options.parallel.context, "Degree; 0: derived")->capture_default_str();
  command->add_option("--ulysses", a->options.parallel.ulysses, "Degree; 0: derived")->capture_default_str();
  command->add_option("--shard", a->shard, "none, optimizer, gradients or full")->capture_default_str();
  command->add_option("--activations", a->activations, "keep or recompute")->capture_default_str();
  command->add_option("--repeats", a->repeats, "Steps timed after one that is not")->capture_default_str();
  command->add_option("--set", a->set, "section.key=value, with --recipe")->allow_extra_args(false);
  command->add_flag("--json", a->json, "Print JSON");
  command->callback([&action, a] {
    action = [a] { return run_job([&](const World& world) { return run_bench_step(*a, world); }); };
  });
}

}  // namespace graticule
