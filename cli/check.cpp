#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/job.h"
#include "graticule/core/error.h"
#include "graticule/train/parity.h"

namespace graticule {

namespace {

struct CheckArguments {
  std::string recipe;
  std::vector<std::string> set;
  bool json = false;
};

void print_json(const Parity& parity) {
  nlohmann::json lines = nlohmann::json::array();
  for (const ParityLine& line : parity.lines) {
    nlohmann::json entry = {{"what", line.what}, {"fp32", line.fp32}};
    if (line.bf16_alone > 0) entry["bf16"] = line.bf16, entry["bf16_one_rank"] = line.bf16_alone;
    lines.push_back(entry);
  }
  fmt::print(
      "{}\n",
      nlohmann::json{{"equal", parity.equal}, {"tokens", parity.tokens}, {"differences", lines}}.dump());
}

void print_table(const Parity& parity, int ranks) {
  const bool half = parity.options.train.precision == Precision::bf16;
  fmt::print("{} ranks against one: {} tokens, {} blocks, width {}, {} heads, {} samples\n", ranks,
             parity.tokens, parity.depth, parity.dim, parity.options.model.heads, parity.options.data.batch);
  fmt::print("{:<26} {:>10}{}\n", "largest difference of", "fp32", half ? "       bf16  bf16, one rank" : "");
  for (const ParityLine& line : parity.lines) {
    fmt::print("{:<26} {:>10.2e}", line.what, line.fp32);
    if (half) fmt::print(" {:>10.2e} {:>15.2e}", line.bf16, line.bf16_alone);
    fmt::print("\n");
  }
  fmt::print("{}\n", parity.equal ? "equal up to rounding"
                                  : "NOT EQUAL: this layout does not compute what one rank computes; train "
                                    "with another layout, and report this recipe");
}

int run_check(const CheckArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  Options recipe;
  agree(world, everyone, [&] {
    recipe = read_recipe(arguments.recipe, arguments.set);
    small_case(recipe, world.size);
  });
  const Parity parity = compare_with_one_rank(recipe, world);
  if (world.rank == 0) arguments.json ? print_json(parity) : print_table(parity, world.size);
  return parity.equal ? 0 : 1;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "check", "Compare a recipe's layout with one rank on a small case: outputs, loss, gradients");
  const auto arguments = std::make_shared<CheckArguments>();
  command->add_option("recipe", arguments->recipe, "The recipe, a TOML file; its data are not read")
      ->required();
  command
      ->add_option("--set", arguments->set,
                   "section.key=value, wins over the recipe; may be given several times")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "Print JSON");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_check(*arguments, world); });
    };
  });
}

}  // namespace graticule
