#include "graticule/attention/head_cuts.h"

#include <algorithm>

namespace graticule {

namespace {

Span keys_of(const Span& query, int64_t queries_a_key) {
  const int64_t first = query.begin / queries_a_key;
  return {first, query.empty() ? first : (query.end - 1) / queries_a_key + 1};
}

Span queries_of(const Span& key, const Span& query, int64_t queries_a_key) {
  return intersect(query, {key.begin * queries_a_key, key.end * queries_a_key});
}

}  // namespace

std::vector<std::vector<HeadCut>> cut_heads(int64_t heads, int64_t key_heads, int64_t ranks,
                                            int64_t head_groups) {
  const int64_t queries_a_key = heads / key_heads;
  int64_t most_keys = 1;
  for (int64_t r = 0; r < ranks; ++r) {
    most_keys = std::max(most_keys, keys_of(span_of(heads, ranks, r), queries_a_key).size());
  }
  const int64_t groups = std::min(head_groups, most_keys);
  std::vector<std::vector<HeadCut>> cuts(static_cast<size_t>(ranks));
  for (int64_t r = 0; r < ranks; ++r) {
    const Span query = span_of(heads, ranks, r), key = keys_of(query, queries_a_key);
    for (int64_t i = 0; i < groups; ++i) {
      const Span part = span_of(key.size(), groups, i);
      const Span keys{key.begin + part.begin, key.begin + part.end};
      cuts[static_cast<size_t>(r)].push_back({queries_of(keys, query, queries_a_key), keys});
    }
  }
  return cuts;
}

std::vector<HeadCut> even_pieces(const HeadCut& cut, int64_t queries_a_key) {
  std::vector<HeadCut> pieces;
  for (int64_t key = cut.key.begin; key < cut.key.end; ++key) {
    const Span query = queries_of({key, key + 1}, cut.query, queries_a_key);
    const Span its_query{query.begin - cut.query.begin, query.end - cut.query.begin};
    const int64_t at = key - cut.key.begin;
    if (pieces.empty() || pieces.back().query.size() != pieces.back().key.size() * query.size()) {
      pieces.push_back({its_query, {at, at + 1}});
    } else {
      pieces.back().query.end = its_query.end;
      pieces.back().key.end = at + 1;
    }
  }
  return pieces;
}

}  // namespace graticule
