// The recipe keys whose values are words. Each is an enum, and its words are written once, in
// `choices_of<Enum>`. The reader and the writer of recipes, messages, plans and reports all take the words
// from here.
#pragma once

#include <array>
#include <cstdint>
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
inline constexpr auto choices_of<TokenMode> = std::to_array<Choice<TokenMode>>(
    {{"full", TokenMode::full}, {"aggregated", TokenMode::aggregated}, {"channels", TokenMode::channels}});

/// Where the pixels of a field lie (core/token_grid.h). `sphere`: latitudes and longitudes. `plane`: rows and
/// columns. `volume`: layers of rows and columns. `cells`: a list of cells of a sphere (core/cells.h).
enum class GridKind { sphere, plane, volume, cells };
template <>
inline constexpr auto choices_of<GridKind> = std::to_array<Choice<GridKind>>({{"sphere", GridKind::sphere},
                                                                              {"plane", GridKind::plane},
                                                                              {"volume", GridKind::volume},
                                                                              {"cells", GridKind::cells}});

/// Whether fields are images, in the order of their file, and not fields on a globe.
constexpr bool is_image(GridKind kind) { return kind == GridKind::plane || kind == GridKind::volume; }

/// How attention knows the places of tokens, beside the embedding of place that the tokenizer adds
/// (model/query_key.h). `added`: by nothing else. `aimed`: some features of keys are their place, and those of
/// queries the place to look at. `rotary`: queries and keys are turned by angles of their place.
enum class PlaceForm { added, aimed, rotary };
template <>
inline constexpr auto choices_of<PlaceForm> = std::to_array<Choice<PlaceForm>>(
    {{"added", PlaceForm::added}, {"aimed", PlaceForm::aimed}, {"rotary", PlaceForm::rotary}});

/// How each head's queries and keys are normalised. `layer`: by a layer norm (arXiv 2302.05442). `cosine`: to
/// directions, with a learned temperature (arXiv 2010.04245).
enum class QkNorm { none, layer, cosine };
template <>
inline constexpr auto choices_of<QkNorm> = std::to_array<Choice<QkNorm>>({{"none", QkNorm::none},
                                                                          {"layer", QkNorm::layer},
                                                                          {"cosine", QkNorm::cosine}});

/// What the model predicts of a target: its change over the lead time, or its state at the end.
enum class Predict { difference, state };
template <>
inline constexpr auto choices_of<Predict> =
    std::to_array<Choice<Predict>>({{"difference", Predict::difference}, {"state", Predict::state}});

/// What happens at a NaN in the data. `refuse`: the run ends and names the place. `mean`: the mean replaces
/// the NaN, and its loss weight is 0. An infinite value is always refused.
enum class Missing { refuse, mean };
template <>
inline constexpr auto choices_of<Missing> = std::to_array<Choice<Missing>>({{"refuse", Missing::refuse},
                                                                            {"mean", Missing::mean}});

/// How the ranks of the context axis bring queries and keys together (attention/schemes.h): `lss` gathers keys
/// and values, `ring` passes them around, `mesh` gathers queries by columns and keys by rows of a grid.
enum class ContextMethod { lss, ring, mesh };
template <>
inline constexpr auto choices_of<ContextMethod> = std::to_array<Choice<ContextMethod>>(
    {{"lss", ContextMethod::lss}, {"ring", ContextMethod::ring}, {"mesh", ContextMethod::mesh}});

/// What the ranks with the same weights split among them instead of each keeping a copy. Each level includes
/// the levels before it (parallel/shard.h).
enum class Shard { none, optimizer, gradients, full };
template <>
inline constexpr auto choices_of<Shard> = std::to_array<Choice<Shard>>({{"none", Shard::none},
                                                                        {"optimizer", Shard::optimizer},
                                                                        {"gradients", Shard::gradients},
                                                                        {"full", Shard::full}});

/// The order in which a pipeline's stages take micro-batches.
enum class ScheduleKind {
  gpipe,        ///< all forwards, then all backwards (GPipe, arXiv 1811.06965)
  one_f_one_b,  ///< one forward, one backward, after a warm-up (arXiv 2104.04473, section 2.2.1)
  interleaved,  ///< 1f1b over several chunks a rank (arXiv 2104.04473, section 2.2.2)
  zero_bubble,  ///< ZB-H1: 1f1b whose weight gradients fill the bubble (arXiv 2401.10241, section 2.1)
};
template <>
inline constexpr auto choices_of<ScheduleKind> =
    std::to_array<Choice<ScheduleKind>>({{"gpipe", ScheduleKind::gpipe},
                                         {"1f1b", ScheduleKind::one_f_one_b},
                                         {"interleaved", ScheduleKind::interleaved},
                                         {"zero_bubble", ScheduleKind::zero_bubble}});

/// What a rank keeps of a block from its forward to its backward. The fastest policy comes first.
enum class Activations {
  keep,                     ///< everything that autograd saves
  recompute_but_attention,  ///< input, attention's output and log-sum-exp; the rest runs again
  recompute,                ///< the block's input; the block runs a second time in backward
  offload,                  ///< as recompute_but_attention, but stored outside the device's memory
};
template <>
inline constexpr auto choices_of<Activations> =
    std::to_array<Choice<Activations>>({{"keep", Activations::keep},
                                        {"recompute_but_attention", Activations::recompute_but_attention},
                                        {"recompute", Activations::recompute},
                                        {"offload", Activations::offload}});

/// The recipe's word for a value that the program chooses itself.
inline constexpr std::string_view automatic = "auto";

/// A number type: of weights in use and activations, or of AdamW's moments.
enum class Precision { fp32, bf16 };
template <>
inline constexpr auto choices_of<Precision> = std::to_array<Choice<Precision>>({{"fp32", Precision::fp32},
                                                                                {"bf16", Precision::bf16}});

/// Bytes of one number.
constexpr int64_t bytes_of(Precision precision) { return precision == Precision::bf16 ? 2 : 4; }
inline constexpr int64_t fp32_bytes = bytes_of(Precision::fp32);

/// What a run learns (train/task.h).
enum class TaskKind { forecast, reconstruct, segment, downscale, classify, regress };
template <>
inline constexpr auto choices_of<TaskKind> =
    std::to_array<Choice<TaskKind>>({{"forecast", TaskKind::forecast},
                                     {"reconstruct", TaskKind::reconstruct},
                                     {"segment", TaskKind::segment},
                                     {"downscale", TaskKind::downscale},
                                     {"classify", TaskKind::classify},
                                     {"regress", TaskKind::regress}});

/// How the masked tokens of reconstruct lie: each drawn alone, in boxes of neighbouring patches, or all tokens of a
/// variable.
enum class MaskKind { random, block, variable };
template <>
inline constexpr auto choices_of<MaskKind> = std::to_array<Choice<MaskKind>>(
    {{"random", MaskKind::random}, {"block", MaskKind::block}, {"variable", MaskKind::variable}});

/// The rule that weighs the targets in the loss (recipe/loss_weights.h).
enum class LossRule { none, pressure };
template <>
inline constexpr auto choices_of<LossRule> =
    std::to_array<Choice<LossRule>>({{"none", LossRule::none}, {"pressure", LossRule::pressure}});

/// What happens at a step whose loss or gradient is not finite: the run ends, the step's samples are passed
/// over, or the run goes back to its newest checkpoint and passes over the samples up to there.
enum class OnBad { stop, skip, rewind };
template <>
inline constexpr auto choices_of<OnBad> =
    std::to_array<Choice<OnBad>>({{"stop", OnBad::stop}, {"skip", OnBad::skip}, {"rewind", OnBad::rewind}});

/// The kind of device that a rank computes on.
enum class DeviceKind { cpu, cuda };
template <>
inline constexpr auto choices_of<DeviceKind> =
    std::to_array<Choice<DeviceKind>>({{"cpu", DeviceKind::cpu}, {"cuda", DeviceKind::cuda}});

/// The climatology that is subtracted to get anomalies: the mean for each day of the year and hour, or the
/// mean of all times.
enum class ClimatologyKind { by_day_and_hour, time_mean };
template <>
inline constexpr auto choices_of<ClimatologyKind> = std::to_array<Choice<ClimatologyKind>>(
    {{"day_and_hour", ClimatologyKind::by_day_and_hour}, {"mean", ClimatologyKind::time_mean}});

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
