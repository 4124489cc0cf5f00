#include "graticule/attention/agreement.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "graticule/core/error.h"

namespace graticule {
namespace {

/// A report as plain bytes of one size, so that one all-gather tells everything.
struct Wire {
  int64_t tokens, refused;
  std::array<char, 1008> words;
};

at::Tensor packed(const CallReport& report) {
  Wire wire{report.tokens, !report.trouble.empty(), {}};
  const std::string& words = wire.refused ? report.trouble : report.arguments;
  std::copy_n(words.begin(), std::min(words.size(), wire.words.size() - 1), wire.words.begin());
  at::Tensor bytes = at::empty({1, sizeof(Wire)}, at::kByte);
  std::memcpy(bytes.data_ptr(), &wire, sizeof(Wire));
  return bytes;
}

std::vector<Wire> everyones(const CallReport& mine, const Group& inner, const Group& outer) {
  const std::vector<int64_t> one(inner.size(), 1), many(outer.size(), inner.size());
  const at::Tensor bytes = outer.all_gather(inner.all_gather(packed(mine), one).wait(), many).wait();
  std::vector<Wire> wires(static_cast<size_t>(bytes.size(0)));
  std::memcpy(wires.data(), bytes.const_data_ptr(), bytes.nbytes());
  return wires;
}

}  // namespace

std::vector<int64_t> agreed_tokens(const CallReport& mine, const Group& inner, const Group& outer) {
  const std::vector<Wire> wires = everyones(mine, inner, outer);
  const auto rank_of = [&](auto wire) { return wire - wires.begin(); };
  const auto refused =
      std::find_if(wires.begin(), wires.end(), [](const Wire& wire) { return wire.refused; });
  if (refused != wires.end()) {
    const std::string on = wires.size() > 1 ? text("rank ", rank_of(refused), ": ") : "";
    refuse("attention", on, refused->words.data());
  }
  const auto differs = std::find_if(wires.begin(), wires.end(),
                                    [&](const Wire& wire) { return wire.words != wires[0].words; });
  if (differs != wires.end()) {
    refuse("attention", "the ranks of the group disagree. Rank 0 has ", wires[0].words.data(), "; rank ",
           rank_of(differs), " has ", differs->words.data(),
           ". All ranks must give the same; only their tokens may differ");
  }
  std::vector<int64_t> tokens;
  tokens.reserve(wires.size());
  for (const Wire& wire : wires) tokens.push_back(wire.tokens);
  if (std::all_of(tokens.begin(), tokens.end(), [](int64_t count) { return count == 0; })) {
    refuse("attention", "no rank has a token: attention needs at least one");
  }
  return tokens;
}

}  // namespace graticule
