#include "graticule/plan/reasons.h"

#include <fmt/format.h>

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr double worth_a_word = 0.05;  // share of a step
constexpr double as_fast = 0.002;      // share by which two steps differ in name only

std::string share_text(double seconds, double of) {
  const double percent = 100 * seconds / of;
  return fmt::format("{:.{}f} %", percent, percent < 10 ? 1 : 0);
}

/// The group whose exchange takes longest, hidden or not.
std::string slowest_exchange(const StepTime& time) {
  const auto slowest = std::max_element(time.exchange.begin(), time.exchange.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
  if (slowest == time.exchange.end()) return "";
  return text("over ", slowest->first, " most: ", seconds_text(slowest->second), " if nothing hid it");
}

double seconds_over(const StepTime& time, const std::string& group) {
  const auto found = time.exchange.find(group);
  return found == time.exchange.end() ? 0 : found->second;
}

// The group in whose exchange two layouts differ most, to the winner's advantage.
std::string deciding_exchange(const StepTime& winner, const StepTime& other) {
  std::string name;
  double most = 0;
  for (const auto& [group, seconds] : other.exchange) {
    const double gain = seconds - seconds_over(winner, group);
    if (gain > most) name = group, most = gain;
  }
  if (name.empty()) return "less of it hides";
  return text("over ", name, " ", seconds_text(seconds_over(winner, name)), " against ",
              seconds_text(seconds_over(other, name)), ", if nothing hid it");
}

}  // namespace

std::array<Part, 6> parts_of(const StepTime& time) {
  return {
      Part{"linear", "linear layers", time.linear},     {"attention", "attention", time.attention},
      {"pointwise", "point-wise work", time.pointwise}, {"exchange", "exposed exchange", time.exposed},
      {"bubble", "the pipeline's bubble", time.bubble}, {"update", "the optimizer's update", time.optimizer}};
}

Efficiency efficiency_of(const Question& question, const StepTime& time) {
  const bool bf16 = question.options.train.precision == Precision::bf16;
  const Rates& rates = bf16 ? question.cluster.bf16 : question.cluster.fp32;
  const Flops work = flops(question.shape);
  const double linear = 3 * (work.tokenizer + work.linear + work.head), attention = 3.5 * work.attention;
  const auto batch = static_cast<double>(question.options.data.batch);
  const double devices = question.ranks * time.total() / batch;  // seconds of a device that a sample takes
  return {(linear / rates.linear + attention / rates.attention) / devices,
          (linear + attention) / rates.peak / devices,
          batch * static_cast<double>(question.shape.grid.tokens()) / time.total()};
}

std::string what_limits(const Candidate& candidate) {
  const StepTime& time = candidate.time;
  auto parts = parts_of(time);
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.seconds > b.seconds; });
  std::string words = text("It is limited by ", parts[0].words, ": ", seconds_text(parts[0].seconds), " of ",
                           seconds_text(time.total()), " (", share_text(parts[0].seconds, time.total()), ")");
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].seconds < worth_a_word * time.total()) break;
    words += text(i == 1 ? "; then " : ", ", parts[i].words, " ", share_text(parts[i].seconds, time.total()));
  }
  const std::string exchange = slowest_exchange(time);
  return words + (exchange.empty() ? "." : text(". Exchange goes ", exchange, "."));
}

std::string compared(const Candidate& winner, const Candidate& other) {
  const double gain = other.time.total() - winner.time.total();
  const std::string name = described(other.layout);
  if (gain < as_fast * winner.time.total()) return text("as fast as ", name);
  const auto ours = parts_of(winner.time), theirs = parts_of(other.time);
  size_t decides = 0;
  for (size_t i = 1; i < ours.size(); ++i) {
    if (theirs[i].seconds - ours[i].seconds > theirs[decides].seconds - ours[decides].seconds) decides = i;
  }
  std::string why = text(ours[decides].words, " ", seconds_text(ours[decides].seconds), " against ",
                         seconds_text(theirs[decides].seconds));
  if (ours[decides].seconds == winner.time.exposed && theirs[decides].seconds == other.time.exposed) {
    why += text(" (", deciding_exchange(winner.time, other.time), ")");
  }
  return text(seconds_text(gain), " (", share_text(gain, other.time.total()), ") faster than ", name, ": ",
              why);
}

std::string why_too_large(const Candidate& candidate, int64_t memory) {
  const Booked& held = candidate.memory;
  const Account largest = *std::max_element(all_accounts.begin(), all_accounts.end(),
                                            [&](Account a, Account b) { return held.of(a) < held.of(b); });
  return text("its fullest rank would hold ", gib(held.total()), " where ", gib(memory), " fit, ",
              gib(held.total() - memory), " too much; the largest account is ", name_of(largest), " with ",
              gib(held.of(largest)));
}

std::string seconds_text(double seconds) {
  if (seconds >= 100) return fmt::format("{:.0f} s", seconds);
  if (seconds >= 1) return fmt::format("{:.3g} s", seconds);
  if (seconds == 0) return "0 s";
  if (seconds >= 1e-3) return fmt::format("{:.3g} ms", 1e3 * seconds);
  return fmt::format("{:.3g} us", 1e6 * seconds);
}

}  // namespace graticule
