#include "bench/bench_step.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/random_tokens.h"
#include "bench/timing.h"
#include "cli/job.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"
#include "graticule/dry/choose_layout.h"
#include "graticule/dry/settle.h"
#include "graticule/plan/time.h"
#include "graticule/recipe/layout.h"
#include "graticule/train/build.h"
#include "graticule/train/memory.h"
#include "graticule/train/statistics_pass.h"
#include "graticule/train/step.h"

namespace graticule {

namespace {

struct BenchArguments {
  std::string recipe;
  std::vector<std::string> set;
  int64_t tokens = 8192, dim = 512, depth = 4, heads = 8, batch = 1, repeats = 3, warm_up = 1;
  Options options;  ///< the flags of the sections parallel and train
  std::string precision = "bf16", shard = "none", activations = "keep", context_method = "lss",
              schedule = "1f1b";
  std::string cluster;
  bool json = false;
};

// The step to be timed: one call of `step` runs it.
struct Work {
  std::function<void()> step;
  int64_t tokens_a_step;
  int64_t parameters;
  Mesh mesh;
  std::optional<StepTime> predicted = std::nullopt;  ///< by the planner
  double waited_s = 0;
};

struct Measured {
  std::vector<double> seconds;
  Trace trace;
  std::vector<std::string> peaks;             ///< peak memory of each rank, bytes
  std::map<std::string, int64_t> bytes_sent;  ///< by group: sent by this rank in one step
};

Measured measure(const Work& work, int64_t repeats, int64_t warm_up, const Group& everyone) {
  for (int64_t i = 0; i < warm_up; ++i) work.step();
  const auto before = traffic_of(work.mesh);
  Measured measured;
  reset_peak_memory();
  const TraceSession session(measured.trace);
  for (int64_t i = 0; i < repeats; ++i) {
    measured.seconds.push_back(seconds_of_slowest(work.step, everyone));
  }
  for (const auto& [label, traffic] : traffic_of(work.mesh)) {
    const auto found = before.find(label);
    const int64_t earlier = found == before.end() ? 0 : found->second.bytes_sent;
    measured.bytes_sent[label] = (traffic.bytes_sent - earlier) / repeats;
  }
  std::sort(measured.seconds.begin(), measured.seconds.end());
  measured.peaks = gather_texts(std::to_string(peak_memory_bytes()), everyone);
  return measured;
}

// The recipe that the flags describe: one variable on a grid of one row, patch 1. So a token is a pixel.
Options flagged_options(const BenchArguments& a) {
  const ParallelOptions& flags = a.options.parallel;
  std::string parallel;
  for (const auto& [name, degree] : {std::pair{"data", flags.data},
                                     {"context", flags.context},
                                     {"ulysses", flags.ulysses},
                                     {"tensor", flags.tensor},
                                     {"pipeline", flags.pipeline}}) {
    if (degree > 0) parallel += fmt::format("{} = {}\n", name, degree);
  }
  return parse_recipe(
      fmt::format(
          "[data]\npath = \"random\"\nbatch = {}\n[model]\npatch = 1\ndim = {}\ndepth = {}\nheads = {}\n"
          "[parallel]\n{}context_method = \"{}\"\nshard = \"{}\"\nmicro_batches = {}\nschedule = "
          "\"{}\"\nchunks = {}\n"
          "[train]\nprecision = \"{}\"\nactivations = \"{}\"\nthreads = {}\n",
          a.batch, a.dim, a.depth, a.heads, parallel, a.context_method, a.shard, flags.micro_batches,
          a.schedule, flags.chunks, a.precision, a.activations, a.options.train.threads),
      "bench step", a.set);
}

// A timing must say which policy it measured.
void refuse_auto(const Options& options) {
  if (options.train.activations) return;
  refuse("bench step",
         "train.activations = \"auto\": name the policy to time, with --set train.activations=...");
}

nlohmann::json report(const Measured& measured, const Work& work, const World& world, int64_t repeats) {
  const double median = measured.seconds[measured.seconds.size() / 2];
  nlohmann::json peaks = nlohmann::json::array(), parts;
  for (const auto& peak : measured.peaks) peaks.push_back(std::stoll(peak));
  for (const auto& [name, seconds] : measured.trace.seconds)
    parts[name] = seconds / static_cast<double>(repeats);
  nlohmann::json result = {{"step_s", median},
                           {"step_s_min", measured.seconds.front()},
                           {"tokens_per_s", static_cast<double>(work.tokens_a_step) / median},
                           {"parts_s", parts},
                           {"bytes_sent", measured.bytes_sent},
                           {"peak_memory_bytes", peaks},
                           {"parameters", work.parameters},
                           {"data_wait_share", work.waited_s / (median * static_cast<double>(repeats))},
                           {"ranks", world.size},
                           {"threads", at::get_num_threads()}};
  if (work.predicted) {
    const StepTime& time = *work.predicted;
    result["predicted_s"] = time.total();
    result["predicted_parts_s"] = {{"linear", time.linear},       {"attention", time.attention},
                                   {"pointwise", time.pointwise}, {"exposed", time.exposed},
                                   {"bubble", time.bubble},       {"optimizer", time.optimizer}};
  }
  return result;
}

int run_bench_step(const BenchArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  std::optional<RandomTokens> random;
  std::optional<Run> run;
  std::optional<StepTime> predicted;
  const auto lay_out = [&](const Options& options, const ModelShape& shape) {
    const Axes axes = resolve_axes(options, world.size, shape);
    if (arguments.cluster.empty()) return;
    predicted = time_of_step(cluster_named(arguments.cluster), options, shape, axes);
  };
  Work work;
  if (arguments.recipe.empty()) {
    Options options;
    ModelShape shape;
    agree(world, everyone, [&] {
      options = flagged_options(arguments);
      refuse_auto(options);
      shape = shape_of(options.model, {.columns = arguments.tokens});
      lay_out(options, shape);
    });
    random.emplace(random_tokens(options, shape, world));
    work = {[&random] { random->run(); }, options.data.batch * arguments.tokens, parameters(shape),
            random->mesh};
  } else {
    std::optional<Problem> problem;
    agree(world, everyone, [&] {
      problem.emplace(define_problem(read_recipe(arguments.recipe, arguments.set)));
      refuse_auto(problem->options);
      set_threads(problem->options.train.threads, world);
    });
    choose_layout(problem->options, problem->shape, world, everyone,
                  memory_limit_of(problem->options, world.local_size));
    agree(world, everyone, [&] { lay_out(problem->options, problem->shape); });
    run.emplace(assemble(*problem, world, true));
    work = {[&run] { train_step(*run, false); }, run->options.data.batch * run->shape.grid.tokens(),
            parameters(run->shape), run->mesh};
  }
  work.predicted = predicted;
  Measured measured = measure(work, arguments.repeats, arguments.warm_up, everyone);
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
  if (work.predicted) fmt::print("  the planner predicts {:.3f} s\n", work.predicted->total());
  for (const auto& [name, seconds] : result["parts_s"].items())
    fmt::print("  {:<12} {:.3f} s\n", name, seconds.get<double>());
  for (const auto& [label, bytes] : measured.bytes_sent)
    fmt::print("  sent by rank 0 over {:<14} {:.2f} MiB a step\n", label,
               static_cast<double>(bytes) / (1 << 20));
  for (const auto& peak : measured.peaks)
    fmt::print("  peak memory  {:.0f} MiB\n", std::stod(peak) / (1 << 20));
  return 0;
}

}  // namespace

void add_bench_step(CLI::App& bench, Action& action) {
  auto* command =
      bench.add_subcommand("step", "Time a training step: of a recipe, or of blocks on random tokens");
  const auto a = std::make_shared<BenchArguments>();
  command->add_option("--recipe", a->recipe,
                      "Recipe to time; without it: blocks on random tokens, as the flags say");
  command->add_option("--tokens", a->tokens, "Tokens a sample")->capture_default_str();
  command->add_option("--dim", a->dim, "Width")->capture_default_str();
  command->add_option("--depth", a->depth, "Blocks")->capture_default_str();
  command->add_option("--heads", a->heads, "Heads")->capture_default_str();
  command->add_option("--batch", a->batch, "Samples a step")->capture_default_str();
  command->add_option("--precision", a->precision, "bf16 or fp32")->capture_default_str();
  command
      ->add_option("--threads", a->options.train.threads,
                   "Threads of a rank; 0: cores of the node / its ranks")
      ->capture_default_str();
  command->add_option("--data", a->options.parallel.data, "Degree of this axis; 0: derived")
      ->capture_default_str();
  command->add_option("--context", a->options.parallel.context, "Degree of this axis; 0: derived")
      ->capture_default_str();
  command->add_option("--ulysses", a->options.parallel.ulysses, "Degree of this axis; 0: derived")
      ->capture_default_str();
  command->add_option("--context-method", a->context_method, "lss, ring or mesh")->capture_default_str();
  command->add_option("--tensor", a->options.parallel.tensor, "Degree of this axis; 0: 1")
      ->capture_default_str();
  command->add_option("--pipeline", a->options.parallel.pipeline, "Degree of this axis; 0: 1")
      ->capture_default_str();
  command
      ->add_option("--micro-batches", a->options.parallel.micro_batches,
                   "Micro-batches that a rank's samples are cut into")
      ->capture_default_str();
  command->add_option("--schedule", a->schedule, "gpipe, 1f1b, interleaved or zero_bubble")
      ->capture_default_str();
  command->add_option("--chunks", a->options.parallel.chunks, "Chunks of the model on each pipeline stage")
      ->capture_default_str();
  command->add_option("--shard", a->shard, "none, optimizer, gradients or full")->capture_default_str();
  command->add_option("--activations", a->activations, "keep, recompute_but_attention, recompute or offload")
      ->capture_default_str();
  command->add_option("--repeats", a->repeats, "Number of steps that are timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--warm-up", a->warm_up, "Number of steps before them that are not timed")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--set", a->set, "section.key=value: overrides recipe and flags")
      ->allow_extra_args(false);
  command->add_option("--cluster", a->cluster, "Cluster (name or file): print the planner's time too");
  command->add_flag("--json", a->json, "Print JSON");
  command->callback([&action, a] {
    action = [a] { return run_job([&](const World& world) { return run_bench_step(*a, world); }); };
  });
}

}  // namespace graticule
