#include "graticule/recipe/loss_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "graticule/core/error.h"

namespace graticule {

namespace {

std::string variable_of(const std::string& target) { return target.substr(0, target.find('@')); }

// hPa; nothing for a target without a level.
std::optional<double> level_of(const std::string& target) {
  const size_t at = target.find('@');
  if (at == std::string::npos) return std::nullopt;
  const double level = std::strtod(target.c_str() + at + 1, nullptr);
  return level > 0 ? std::optional(level) : std::nullopt;
}

std::vector<double> by_pressure(const std::vector<std::string>& targets) {
  std::map<std::string, std::pair<double, int>> levels;  // by variable: their sum and number
  for (const std::string& target : targets) {
    if (const auto level = level_of(target)) {
      auto& [sum, count] = levels[variable_of(target)];
      sum += *level, ++count;
    }
  }
  std::vector<double> weights;
  for (const std::string& target : targets) {
    const auto level = level_of(target);
    const auto& [sum, count] = levels[variable_of(target)];
    weights.push_back(level ? *level * count / sum : 1);
  }
  return weights;
}

void refuse_strangers(const std::map<std::string, double>& by_name, const std::vector<std::string>& targets) {
  std::vector<std::string> names = targets;
  for (const std::string& target : targets) names.push_back(variable_of(target));
  for (const auto& [name, weight] : by_name) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    refuse("train", "train.loss_weights names '", name, "', which is no target: did you mean '",
           nearest_name(name, names), "'?");
  }
}

}  // namespace

std::vector<double> target_weights(const LossWeights& weights, const std::vector<std::string>& targets) {
  if (weights.rule == LossRule::pressure) return by_pressure(targets);
  refuse_strangers(weights.by_name, targets);
  std::vector<double> all;
  for (const std::string& target : targets) {
    auto found = weights.by_name.find(target);
    if (found == weights.by_name.end()) found = weights.by_name.find(variable_of(target));
    all.push_back(found == weights.by_name.end() ? 1 : found->second);
  }
  // A plan without data has no targets, and nothing to refuse.
  if (!all.empty() && std::all_of(all.begin(), all.end(), [](double weight) { return weight == 0; }))
    refuse("train", "train.loss_weights gives every target the weight 0: leave one above 0");
  return all;
}

std::string loss_in_words(const LossWeights& weights, const std::vector<std::string>& targets) {
  std::string words = "the loss is the mean squared error of normalised targets, weighted by area";
  if (!weights.any()) return words;
  const std::vector<double> all = target_weights(weights, targets);
  words += " and by train.loss_weights: ";
  for (size_t i = 0; i < targets.size(); ++i)
    words += fmt::format("{}{} {:.4g}", i == 0 ? "" : ", ", targets[i], all[i]);
  return words;
}

}  // namespace graticule
