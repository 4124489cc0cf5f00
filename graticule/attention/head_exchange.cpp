#include "graticule/attention/head_exchange.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <numeric>

#include "graticule/attention/wire.h"
#include "graticule/core/ledger.h"

namespace graticule {

namespace {

int64_t sum_of(const std::vector<int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

int64_t heads_of(const HeadCut& cut, int64_t queries, int64_t keys) {
  return queries * cut.query.size() + keys * cut.key.size();
}

/// Elements of the message to or from each rank that has my tokens and that rank's heads.
std::vector<int64_t> by_heads(const HeadExchange& exchange, size_t i, int64_t queries, int64_t keys) {
  std::vector<int64_t> counts;
  for (const auto& cuts : exchange.cuts) {
    counts.push_back(exchange.T * exchange.B * heads_of(cuts[i], queries, keys) * exchange.D);
  }
  return counts;
}

/// The same for messages that have that rank's tokens and my heads.
std::vector<int64_t> by_tokens(const HeadExchange& exchange, int64_t heads) {
  std::vector<int64_t> counts;
  for (const int64_t tokens : exchange.tokens_of) {
    counts.push_back(tokens * exchange.B * heads * exchange.D);
  }
  return counts;
}

/// Views [T, B, X, D], one for each rank, of a buffer that is cut by heads.
std::vector<at::Tensor> messages(const HeadExchange& exchange, size_t i, const at::Tensor& flat,
                                 int64_t queries, int64_t keys) {
  const auto parts = flat.split_with_sizes(by_heads(exchange, i, queries, keys));
  std::vector<at::Tensor> messages;
  for (size_t r = 0; r < parts.size(); ++r) {
    messages.push_back(
        parts[r].view({exchange.T, exchange.B, heads_of(exchange.cuts[r][i], queries, keys), exchange.D}));
  }
  return messages;
}

/// Whether some key/value head is on several ranks. Ranks without heads are the last ones.
bool shares_keys(const HeadExchange& exchange) {
  for (size_t r = 1; r < exchange.cuts.size(); ++r) {
    if (exchange.cuts[r].front().key.begin < exchange.cuts[r - 1].back().key.end) return true;
  }
  return false;
}

}  // namespace

HeadExchange head_exchange(const Group& group, const std::vector<int64_t>& tokens_of,
                           const at::Tensor& x_BTHD, int64_t key_heads, int64_t head_groups) {
  return {group,          tokens_of,         x_BTHD.size(0),
          x_BTHD.size(1), sum_of(tokens_of), x_BTHD.size(2),
          key_heads,      x_BTHD.size(3),    cut_heads(x_BTHD.size(2), key_heads, group.size(), head_groups)};
}

Pending to_heads(const HeadExchange& exchange, size_t i, const Heads& tensors) {
  const Accounted booked(Account::exchange);
  const int64_t queries = std::ssize(tensors.query), keys = std::ssize(tensors.key);
  const auto send = by_heads(exchange, i, queries, keys);
  const at::Tensor flat = at::empty({sum_of(send)}, tensors.query[0].options());
  const auto parts = messages(exchange, i, flat, queries, keys);
  for (size_t r = 0; r < parts.size(); ++r) {
    std::vector<at::Tensor> heads;
    for (const auto& x : tensors.query) heads.push_back(heads_in(x, exchange.cuts[r][i].query));
    for (const auto& x : tensors.key) heads.push_back(heads_in(x, exchange.cuts[r][i].key));
    pack_heads(heads, parts[r]);
  }
  const int64_t mine = heads_of(exchange.mine(i), queries, keys);
  return exchange.group.all_to_all(flat, send, by_tokens(exchange, mine))
      .then([shape = std::vector<int64_t>{exchange.N, exchange.B, mine, exchange.D}](
                const at::Tensor& received) { return received.view(shape); });
}

Pending to_tokens(const HeadExchange& exchange, size_t i, const at::Tensor& wire_NBXD, int64_t queries,
                  int64_t keys) {
  const Accounted booked(Account::exchange);
  return exchange.group.all_to_all(wire_NBXD.view({-1}), by_tokens(exchange, wire_NBXD.size(2)),
                                   by_heads(exchange, i, queries, keys));
}

void place_heads(const HeadExchange& exchange, size_t i, const at::Tensor& flat, const Heads& into) {
  const int64_t queries = std::ssize(into.query), keys = std::ssize(into.key);
  const auto parts = messages(exchange, i, flat, queries, keys);
  const bool add = shares_keys(exchange);
  for (size_t r = 0; r < parts.size(); ++r) {
    const HeadCut& cut = exchange.cuts[r][i];
    int64_t first = 0;
    const auto next = [&](const Span& heads) {
      first += heads.size();
      return wire_heads(parts[r], first - heads.size(), heads.size());
    };
    for (const auto& x : into.query) heads_in(x, cut.query).copy_(next(cut.query));
    for (const auto& x : into.key) {
      const at::Tensor target = heads_in(x, cut.key);
      add ? target.add_(next(cut.key)) : target.copy_(next(cut.key));
    }
  }
}

at::Tensor key_gradient(const HeadExchange& exchange, const at::Tensor& like) {
  const std::vector<int64_t> sizes{exchange.B, exchange.T, exchange.G, exchange.D};
  return shares_keys(exchange) ? at::zeros(sizes, like.options().dtype(at::kFloat))
                               : at::empty(sizes, like.options());
}

}  // namespace graticule
