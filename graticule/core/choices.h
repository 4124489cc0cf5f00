// The recipe keys whose values are words. Each is an enum, and its words are written once, in
// `choices_of<Enum>`. The reader and the writer of recipes, messages, plans and reports all take the words
// from here.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace graticule {

/// One value of an enum and its word in a recipe.
template <class Enum>
struct Choice {
  std::string_view name;
  Enum value;
};

/// All values of an enum with their words: `choices_of<Enum>`, an array of Choice.
template <class Enum>
inline constexpr std::nullptr_t choices_of = nullptr;

/// What a token carries (core/token_grid.h).
enum class TokenMode { full, aggregated, channels };
template <>
inline constexpr std::array choices_of<TokenMode> = {Choice{"full", TokenMode::full},
                                                     Choice{"aggregated", TokenMode::aggregated},
                                                     Choice{"channels", TokenMode::channels}};

/// What the model predicts of a target: its change over the lead time, or its state at the end.
enum class Predict { difference, state };
template <>
inline constexpr std::array choices_of<Predict> = {Choice{"difference", Predict::difference},
                                                   Choice{"state", Predict::state}};

/// What happens at a NaN in the data. `refuse`: the run ends and names the place. `mean`: the mean replaces
/// the NaN, and its loss weight is 0. An infinite value is always refused.
enum class Missing { refuse, mean };
template <>
inline constexpr std::array choices_of<Missing> = {Choice{"refuse", Missing::refuse},
                                                   Choice{"mean", Missing::mean}};

/// How the ranks of the context axis share keys and values: `lss` gathers them, `ring` passes them around
/// (attention/schemes.h).
enum class ContextMethod { lss, ring };
template <>
inline constexpr std::array choices_of<ContextMethod> = {Choice{"lss", ContextMethod::lss},
                                                         Choice{"ring", ContextMethod::ring}};

/// What the ranks with the same weights split among them instead of each keeping a copy. Each level includes
/// the levels before it (parallel/shard.h).
enum class Shard { none, optimizer, gradients, full };
template <>
inline constexpr std::array choices_of<Shard> = {
    Choice{"none", Shard::none}, Choice{"optimizer", Shard::optimizer}, Choice{"gradients", Shard::gradients},
    Choice{"full", Shard::full}};

/// The order in which a pipeline's stages take micro-batches.
enum class ScheduleKind {
  gpipe,        ///< all forwards, then all backwards (GPipe, arXiv 1811.06965)
  one_f_one_b,  ///< one forward, one backward, after a warm-up (arXiv 2104.04473, section 2.2.1)
  interleaved,  ///< 1f1b over several chunks a rank (arXiv 2104.04473, section 2.2.2)
  zero_bubble,  ///< ZB-H1: 1f1b whose weight gradients fill the bubble (arXiv 2401.10241, section 2.1)
};
template <>
inline constexpr std::array choices_of<ScheduleKind> = {
    Choice{"gpipe", ScheduleKind::gpipe}, Choice{"1f1b", ScheduleKind::one_f_one_b},
    Choice{"interleaved", ScheduleKind::interleaved}, Choice{"zero_bubble", ScheduleKind::zero_bubble}};

/// What a rank keeps of a block from its forward to its backward. The fastest policy comes first.
enum class Activations {
  keep,                     ///< everything that autograd saves
  recompute_but_attention,  ///< input, attention's output and log-sum-exp; the rest runs again
  recompute,                ///< the block's input; the block runs a second time in backward
  offload,                  ///< as recompute_but_attention, but stored outside the device's memory
};
template <>
inline constexpr std::array choices_of<Activations> = {
    Choice{"keep", Activations::keep},
    Choice{"recompute_but_attention", Activations::recompute_but_attention},
    Choice{"recompute", Activations::recompute}, Choice{"offload", Activations::offload}};

/// The recipe's word for a value that the program chooses itself.
inline constexpr std::string_view automatic = "auto";

/// A number type: of weights in use and activations, or of AdamW's moments.
enum class Precision { fp32, bf16 };
template <>
inline constexpr std::array choices_of<Precision> = {Choice{"fp32", Precision::fp32},
                                                     Choice{"bf16", Precision::bf16}};

/// Bytes of one number.
constexpr int bytes_of(Precision precision) { return precision == Precision::bf16 ? 2 : 4; }

/// The kind of device that a rank computes on.
enum class DeviceKind { cpu, cuda };
template <>
inline constexpr std::array choices_of<DeviceKind> = {Choice{"cpu", DeviceKind::cpu},
                                                      Choice{"cuda", DeviceKind::cuda}};

/// The climatology that is subtracted to get anomalies: the mean for each day of the year and hour, or the
/// mean of all times.
enum class ClimatologyKind { by_day_and_hour, time_mean };
template <>
inline constexpr std::array choices_of<ClimatologyKind> = {
    Choice{"day_and_hour", ClimatologyKind::by_day_and_hour}, Choice{"mean", ClimatologyKind::time_mean}};

/// The recipe's word for `value`; "?" for a value without a word.
template <class Enum>
requires requires { choices_of<Enum>.size(); }
constexpr std::string_view name_of(Enum value) {
  for (const auto& choice : choices_of<Enum>) {
    if (choice.value == value) return choice.name;
  }
  return "?";
}

/// The same for an optional choice: "auto" when there is no value.
template <class Enum>
constexpr std::string_view name_of(std::optional<Enum> value) {
  return value ? name_of(*value) : automatic;
}

/// The enum's value for the word `name`; nothing when the enum has no such word.
template <class Enum>
constexpr std::optional<Enum> value_named(std::string_view name) {
  for (const auto& choice : choices_of<Enum>) {
    if (choice.name == name) return choice.value;
  }
  return std::nullopt;
}

/// All words of the enum, in quotes and separated by commas, for a message.
template <class Enum>
std::string words_of() {
  std::string words;
  for (const auto& choice : choices_of<Enum>) {
    words += (words.empty() ? "\"" : ", \"") + std::string(choice.name) + "\"";
  }
  return words;
}

}  // namespace graticule
