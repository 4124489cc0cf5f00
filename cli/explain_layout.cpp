#include "cli/explain_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/plan_report.h"
#include "graticule/core/error.h"
#include "graticule/plan/reasons.h"
#include "graticule/recipe/layout.h"

namespace graticule {

namespace {

// The recipe with the keys of a text such as "data=2,shard=full" added.
Options with_keys(const Options& options, const std::string& layout) {
  std::vector<std::string> names;
  for (const std::string& key : layout_keys()) names.push_back(key.substr(key.find('.') + 1));
  std::vector<std::string> overrides;
  std::set<std::string> named = options.named;
  std::stringstream parts(layout);
  for (std::string part; std::getline(parts, part, ',');) {
    part.erase(std::remove(part.begin(), part.end(), ' '), part.end());
    const std::string name = part.substr(0, part.find('='));
    const auto known = std::find(names.begin(), names.end(), name);
    if (known == names.end() || part.find('=') == std::string::npos) {
      refuse("plan", "--explain '", part, "': write key=value, such as data=2,shard=full; did you mean ",
             nearest_name(name, names), "?");
    }
    const std::string& key = layout_keys()[static_cast<size_t>(known - names.begin())];
    overrides.push_back(key + part.substr(part.find('=')));
    named.insert(key);
  }
  Options result = parse_recipe(to_toml(options), "plan --explain", overrides);
  result.named = std::move(named);
  return result;
}

}  // namespace

std::string trouble_of(const Question& question) {
  try {
    resolve_axes(question.options, question.ranks, question.shape);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return text("[parallel] no layout of ", question.ranks,
              " ranks has all keys that the recipe gives: leave one out");
}

nlohmann::json explain(const Question& question, const Plan& plan, const std::string& wanted, bool json) {
  const Options options = with_keys(question.options, wanted);
  const Question narrow{question.cluster, options, question.shape, question.ranks, question.memory};
  const Plan other = plan_layouts(narrow, 1);
  nlohmann::json result = {{"asked", wanted}};
  std::string verdict;
  if (other.frames == 0) {
    verdict = text(wanted, " cannot be trained: ", trouble_of(narrow));
    result["works"] = false;
  } else if (other.best.empty()) {
    verdict = text(described(other.leanest->layout), " is the leanest of ", wanted,
                   " and does not fit: ", why_too_large(*other.leanest, question.memory));
    result["works"] = true, result["fits"] = false, result["leanest"] = to_json(narrow, *other.leanest);
  } else {
    const Candidate& theirs = other.best.front();
    verdict = text("the best of ", wanted, " is ", described(theirs.layout), ". The best of all is ",
                   compared(plan.best.front(), theirs));
    result["works"] = true, result["fits"] = true, result["best"] = to_json(narrow, theirs);
    if (!json) {
      fmt::print("\n{} beside the best of all:\n\n", wanted);
      print_table(question, {plan.best.front(), theirs});
    }
  }
  if (!json) fmt::print("\n{}\n", verdict);
  result["verdict"] = verdict;
  return result;
}

}  // namespace graticule
