#include "graticule/plan/reasons.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr double worth_a_word = 0.05;  // a smaller share of a step is not mentioned
constexpr double as_fast = 0.005;      // two steps that differ by a smaller share count as equal
constexpr size_t compared_with = 2;

std::string share_text(double seconds, double of) {
  const double percent = 100 * seconds / of;
  return fmt::format("{:.{}f} %", percent, percent < 10 ? 1 : 0);
}

// Seconds of exchange over each axis, and of all exchanges of weights together.
std::map<std::string, double> exchange_by_kind(const StepTime& time) {
  std::map<std::string, double> kinds;
  for (const auto& [group, seconds] : time.exchange) {
    kinds[is_of_weights(group) ? "of weights" : text("over ", name_of(group))] += seconds;
  }
  if (time.offload > 0) kinds["to host memory"] = time.offload;
  return kinds;
}

/// The longest exchange, hidden or not.
std::string slowest_exchange(const StepTime& time) {
  const auto kinds = exchange_by_kind(time);
  const auto slowest = std::max_element(kinds.begin(), kinds.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
  if (slowest == kinds.end()) return "";
  return text(slowest->first, ": ", seconds_text(slowest->second), " if nothing hid it");
}

double all_exchange(const StepTime& time) {
  double sum = time.offload;
  for (const auto& [group, seconds] : time.exchange) sum += seconds;
  return sum;
}

// A sentence about lines 2 to `last` of the table, and the one that has clearly less exchange to hide than
// line 1.
std::string equals_of(const std::vector<Candidate>& best, size_t last) {
  std::string words = text(last > 2 ? "Lines 2 to " : "Line ", last, last > 2 ? " are" : " is",
                           " as fast as line 1 within ", fmt::format("{:.1f}", 100 * as_fast), " %");
  size_t least = 0;
  for (size_t i = 1; i < last; ++i) {
    if (all_exchange(best[i].time) < all_exchange(best[least].time)) least = i;
  }
  const double ours = all_exchange(best[0].time), theirs = all_exchange(best[least].time);
  if (ours - theirs < worth_a_word * best[0].time.total()) return words + ".";
  return words + text("; line ", least + 1, " has the least exchange to hide: ", seconds_text(theirs),
                      ", against ", seconds_text(ours), " in line 1.");
}

// The exchange in which the winner gains most.
std::string deciding_exchange(const StepTime& winner, const StepTime& other) {
  auto ours = exchange_by_kind(winner);
  const auto theirs = exchange_by_kind(other);
  const auto gain = [&](const auto& kind) { return kind.second - ours[kind.first]; };
  const auto most = std::max_element(theirs.begin(), theirs.end(),
                                     [&](const auto& a, const auto& b) { return gain(a) < gain(b); });
  if (most == theirs.end() || gain(*most) <= 0) return "more of it is hidden";
  return text(most->first, " ", seconds_text(ours[most->first]), " against ", seconds_text(most->second),
              ", if nothing hid it");
}

}  // namespace

std::array<ReasonPart, 6> parts_of(const StepTime& time) {
  return {ReasonPart{"linear", "linear layers", time.linear},
          {"attention", "attention", time.attention},
          {"pointwise", "point-wise work", time.pointwise},
          {"exchange", "exposed exchange", time.exposed},
          {"bubble", "the pipeline's bubble", time.bubble},
          {"update", "the optimizer's update", time.optimizer}};
}

Efficiency efficiency_of(const Question& question, const StepTime& time) {
  const bool bf16 = question.options.train.precision == Precision::bf16;
  const Rates& rates = bf16 ? question.cluster.bf16 : question.cluster.fp32;
  const Flops work = flops(question.shape);
  const double linear = 3 * (work.tokenizer + work.linear + work.head), attention = 3.5 * work.attention;
  const auto batch = static_cast<double>(question.options.data.batch);
  const auto steps = static_cast<double>(question.options.train.rollout);
  const double devices =
      question.ranks * time.total() / (batch * steps);  // device-seconds for one step of a sample
  return {(linear / rates.linear + attention / rates.attention) / devices,
          (linear + attention) / rates.peak / devices,
          batch * static_cast<double>(question.shape.grid.tokens()) / time.total()};
}

std::string what_limits(const Candidate& candidate) {
  const StepTime& time = candidate.time;
  auto parts = parts_of(time);
  std::stable_sort(parts.begin(), parts.end(),
                   [](const ReasonPart& a, const ReasonPart& b) { return a.seconds > b.seconds; });
  std::string words = text("It is limited by ", parts[0].words, ": ", seconds_text(parts[0].seconds), " of ",
                           seconds_text(time.total()), " (", share_text(parts[0].seconds, time.total()), ")");
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].seconds < worth_a_word * time.total()) break;
    words += text(i == 1 ? "; then " : ", ", parts[i].words, " ", share_text(parts[i].seconds, time.total()));
  }
  const std::string exchange = slowest_exchange(time);
  return words + (exchange.empty() ? "." : text(". The longest exchange is ", exchange, "."));
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

std::vector<std::string> reasons_for(const Plan& plan, int64_t memory) {
  const Candidate& first = plan.best.front();
  std::vector<std::string> sentences = {what_limits(first)};
  const auto slower = std::find_if(plan.best.begin(), plan.best.end(), [&](const Candidate& other) {
    return other.time.total() > first.time.total() * (1 + as_fast);
  });
  const auto last = static_cast<size_t>(slower - plan.best.begin());
  if (last > 1) sentences.push_back(equals_of(plan.best, last));
  for (size_t i = last; i < std::min(plan.best.size(), last + compared_with); ++i) {
    sentences.push_back(text("It is ", compared(first, plan.best[i]), "."));
  }
  if (plan.too_large) {
    sentences.push_back(text("Memory decides too: ", described(plan.too_large->layout), " would take ",
                             seconds_text(plan.too_large->time.total()), ", but ",
                             why_too_large(*plan.too_large, memory), "."));
  }
  return sentences;
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
