// make_attention: ulysses outside, the context method inside, the kernel innermost. An axis of one rank is
// left out.
//
// Sequence rank = context rank * U + ulysses rank, so a ulysses group has U neighbouring spans of tokens.
// After its all-to-all, a rank has all tokens of its context coordinate, for some heads. The context method
// works on these heads only, so its bytes and buffers are divided by U (arXiv 2405.07719).

#include <numeric>

#include "graticule/attention/attention.h"
#include "graticule/attention/schemes.h"
#include "graticule/core/error.h"

namespace graticule {

namespace {

// A line has the whole context group on one side, and this rank alone on the other.
GridGroups groups_of(const AttentionOptions& options, const ContextGrid& grid) {
  if (!grid.is_line()) return {options.context_queries, options.context_keys};
  return grid.keys == 1 ? GridGroups{options.context, Group()} : GridGroups{Group(), options.context};
}

ContextScheme across(const AttentionOptions& options) {
  const int64_t context = options.context.size(), ulysses = options.ulysses.size();
  if (context == 1) return local_scheme();
  std::vector<int64_t> tokens_of;
  for (auto first = options.tokens_of.begin(); first != options.tokens_of.end(); first += ulysses) {
    tokens_of.push_back(std::accumulate(first, first + ulysses, int64_t{0}));
  }
  const auto& [forward, backward] = options.grids;
  if (options.exchange.context_method == ContextMethod::ring) {
    return ring_scheme(options.context, tokens_of, backward.keys > 1 ? Travels::keys : Travels::queries);
  }
  return grid_scheme(groups_of(options, forward), groups_of(options, backward), tokens_of,
                     options.exchange.gather_heads);
}

}  // namespace

Attention make_attention(const AttentionOptions& options) {
  const int64_t ulysses = options.ulysses.size(), ranks = options.context.size() * ulysses;
  GRATICULE_CHECK(std::ssize(options.tokens_of) == ranks, options.tokens_of.size(), " spans for ", ranks,
                  " sequence ranks");
  if (options.exchange.head_groups < 1 || options.exchange.gather_heads < 0) {
    refuse("attention", "head_groups ", options.exchange.head_groups, ", gather_heads ",
           options.exchange.gather_heads,
           ": choose 1 or more groups of heads, and 0 (all) or more gathered heads");
  }
  if (ulysses == 1) {
    const Scheme scheme = outermost(across(options));
    return {differentiable(scheme), scheme, options.exchange.head_groups};
  }
  const auto mine = options.tokens_of.begin() + options.context.rank() * ulysses;
  const auto within = [&](const ExchangeOptions& how) {
    return ulysses_scheme(options.ulysses, {mine, mine + ulysses}, how, across(options));
  };
  return {differentiable(within(options.exchange)), within({.head_groups = 1, .keep_exchanged = false}),
          options.exchange.head_groups};
}

}  // namespace graticule
