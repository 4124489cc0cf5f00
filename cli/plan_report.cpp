#include "cli/plan_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/memory_report.h"
#include "graticule/core/pipeline_schedule.h"
#include "graticule/plan/reasons.h"

namespace graticule {

namespace {

nlohmann::json exchange_of(const StepTime& time) {
  nlohmann::json seconds = nlohmann::json::object();
  for (const auto& [group, taken] : time.exchange) seconds[std::string(name_of(group))] = taken;
  if (time.offload > 0) seconds["offload"] = time.offload;
  return seconds;
}

constexpr double gibi = 1024.0 * 1024.0 * 1024.0;

nlohmann::json layout_json(const Layout& layout) {
  const ParallelOptions& p = layout.parallel;
  return {{"data", p.data},
          {"context", p.context},
          {"context_method", name_of(p.context_method)},
          {"mesh_rows", p.mesh_rows},
          {"ulysses", p.ulysses},
          {"tensor", p.tensor},
          {"pipeline", p.pipeline},
          {"shard", name_of(p.shard)},
          {"shard_ranks", p.shard_ranks},
          {"micro_batches", p.micro_batches},
          {"schedule", name_of(p.schedule)},
          {"chunks", p.chunks},
          {"head_groups", p.head_groups},
          {"gather_heads", p.gather_heads},
          {"keep_exchanged", p.keep_exchanged},
          {"activations", name_of(layout.activations)}};
}

}  // namespace

void print_table(const Question& question, const std::vector<Candidate>& candidates) {
  fmt::print("{:>3} {:>9}", "", "step s");
  for (const ReasonPart& part : parts_of({})) fmt::print(" {:>9}", part.key);
  fmt::print(" {:>10} {:>6} {:>11}  {}\n", "sustained", "peak", "tokens/s", "layout");
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    const Efficiency used = efficiency_of(question, candidate.time);
    fmt::print("{:>3} {:>9.4g}", i + 1, candidate.time.total());
    for (const ReasonPart& part : parts_of(candidate.time)) fmt::print(" {:>9.3g}", part.seconds);
    fmt::print(" {:>8.1f} % {:>4.1f} % {:>11.4g}  {}\n", 100 * used.sustained, 100 * used.peak,
               used.tokens_per_second, described(candidate.layout));
  }
  fmt::print("\n{:>3} {:>9}", "", "GiB held");
  for (const Account account : all_accounts) fmt::print(" {:>11}", name_of(account));
  fmt::print("  stage\n");
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Booked& memory = candidates[i].memory;
    fmt::print("{:>3} {:>9.4g}", i + 1, static_cast<double>(memory.total()) / gibi);
    for (const Account account : all_accounts) {
      fmt::print(" {:>11.3g}", static_cast<double>(memory.of(account)) / gibi);
    }
    fmt::print("  {}\n", candidates[i].stage);
  }
}

nlohmann::json to_json(const Question& question, const Candidate& candidate) {
  nlohmann::json parts = nlohmann::json::object();
  for (const ReasonPart& part : parts_of(candidate.time)) parts[part.key] = part.seconds;
  const Efficiency used = efficiency_of(question, candidate.time);
  nlohmann::json memory = to_json(candidate.memory);
  memory["stage"] = candidate.stage;
  return {{"layout", layout_json(candidate.layout)},
          {"described", described(candidate.layout)},
          {"step_s", candidate.time.total()},
          {"parts_s", std::move(parts)},
          {"exchange_s", exchange_of(candidate.time)},
          {"share_of_sustained", used.sustained},
          {"share_of_peak", used.peak},
          {"tokens_per_s", used.tokens_per_second},
          {"memory", std::move(memory)}};
}

}  // namespace graticule
