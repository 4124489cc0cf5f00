#include "graticule/attention/attention.h"

#include <numeric>

namespace graticule {

// Ulysses within, the context method across. Sequence rank = context rank * U + ulysses rank, so a ulysses
// group holds U neighbouring spans, and after its all-to-all a rank stands for all the tokens of its context
// coordinate.
Attention make_attention(const AttentionOptions& options) {
  const int64_t context = options.context.size(), ulysses = options.ulysses.size();
  const std::vector<int64_t> sizes = span_sizes(options.tokens, context * ulysses);

  Attention attention = local_attention();
  if (context > 1) {
    std::vector<int64_t> tokens_of(context);
    for (int64_t c = 0; c < context; ++c) {
      tokens_of[c] =
          std::accumulate(sizes.begin() + c * ulysses, sizes.begin() + (c + 1) * ulysses, int64_t{0});
    }
    attention = lss_attention(options.context, tokens_of);
  }
  if (ulysses > 1) {
    const auto first = sizes.begin() + options.context.rank() * ulysses;
    attention = ulysses_attention(options.ulysses, {first, first + ulysses}, attention);
  }
  return attention;
}

}  // namespace graticule
