// Tests that every scheme sends the bytes of its closed form, in forward and backward, on every rank.

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include <gtest/gtest.h>

#include <numeric>

#include "graticule/attention/attention.h"
#include "graticule/comm/dry/dry.h"
#include "graticule/comm/mesh.h"

namespace graticule {
namespace {

struct Bytes {
  int64_t forward, backward;
  bool operator==(const Bytes&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Bytes& x) {
  return out << x.forward << " forward, " << x.backward << " backward";
}

struct Call {
  int64_t batch, heads, key_heads, width;
  at::ScalarType dtype = at::kBFloat16;
  int64_t bytes() const { return static_cast<int64_t>(at::elementSize(dtype)); }
};

// What rank `rank` of the options' groups sends for one call, on tensors without memory.
Bytes sent(const Call& call, const Axes& axes, int rank, AttentionOptions options) {
  const Mesh mesh = make_mesh(dry_world(rank, axes.world()), axes);
  options.context = mesh.context, options.ulysses = mesh.ulysses;
  const auto sum = [&] { return mesh.context.traffic().bytes_sent + mesh.ulysses.traffic().bytes_sent; };
  const int64_t tokens = options.tokens_of[static_cast<size_t>(mesh.sequence.rank())];
  const auto blank = [&](int64_t heads) {
    return at::empty({call.batch, tokens, heads, call.width}, at::TensorOptions(at::kMeta).dtype(call.dtype));
  };
  const at::Tensor q = blank(call.heads).requires_grad_(), k = blank(call.key_heads).requires_grad_(),
                   v = blank(call.key_heads).requires_grad_();
  const at::Tensor out = make_attention(options)(q, k, v);
  const int64_t forward = sum();
  torch::autograd::backward({out}, {blank(call.heads)});
  EXPECT_EQ(q.grad().sizes(), q.sizes());
  EXPECT_EQ(k.grad().sizes(), k.sizes());
  return {forward, sum() - forward};
}

int64_t sum_of(const std::vector<int64_t>& x) { return std::accumulate(x.begin(), x.end(), int64_t{0}); }

// Key/value heads that the queries of a rank need.
std::vector<int64_t> keys_of_ranks(const Call& call, int64_t ranks) {
  const int64_t queries = call.heads / call.key_heads;
  std::vector<int64_t> keys;
  for (int64_t r = 0; r < ranks; ++r) {
    const Span q = span_of(call.heads, ranks, r);
    keys.push_back(q.empty() ? 0 : (q.end + queries - 1) / queries - q.begin / queries);
  }
  return keys;
}

// A rank sends its tokens of others' heads, and others' tokens of its heads.
Bytes ulysses_bytes(const Call& call, const std::vector<int64_t>& tokens_of, size_t r, bool kept) {
  const auto heads = span_sizes(call.heads, std::ssize(tokens_of));
  const auto keys = keys_of_ranks(call, std::ssize(tokens_of));
  const int64_t unit = call.batch * call.width * call.bytes(), mine = tokens_of[r],
                others = sum_of(tokens_of) - mine;
  const int64_t q = mine * (call.heads - heads[r]), kv = mine * 2 * (sum_of(keys) - keys[r]);
  return {unit * (q + kv + others * heads[r]),
          unit * (q + (kept ? 0 : 2 * q + kv) + others * (heads[r] + 2 * keys[r]))};
}

// K|V of this rank to all others; dK|dV of all others in fp32.
Bytes lss_bytes(const Call& call, const std::vector<int64_t>& tokens_of, size_t r) {
  const int64_t token = 2 * call.batch * call.key_heads * call.width;
  const int64_t gather = token * call.bytes() * tokens_of[r] * (std::ssize(tokens_of) - 1);
  return {gather, gather + token * 4 * (sum_of(tokens_of) - tokens_of[r])};
}

// K|V of all but the next rank, whose block comes last; dK|dV of every block in fp32.
Bytes ring_bytes(const Call& call, const std::vector<int64_t>& tokens_of, size_t r) {
  const int64_t token = 2 * call.batch * call.key_heads * call.width, all = sum_of(tokens_of);
  const int64_t around = token * call.bytes() * (all - tokens_of[(r + 1) % tokens_of.size()]);
  return {around, around + token * 4 * all};
}

const Call calls[] = {{1, 7, 7, 64}, {2, 8, 2, 4, at::kFloat}, {1, 12, 4, 8}, {1, 3, 1, 16, at::kFloat}};
const std::vector<int64_t> layouts[] = {{334, 333, 333}, {5, 0, 9, 2, 17}, {8, 8}};

TEST(Traffic, IsTheClosedFormOnEveryRank) {
  for (const Call& call : calls) {
    for (const auto& tokens_of : layouts) {
      const int ranks = static_cast<int>(tokens_of.size());
      for (int rank = 0; rank < ranks; ++rank) {
        SCOPED_TRACE(::testing::Message() << "H " << call.heads << ", G " << call.key_heads << ", rank "
                                          << rank << " of " << ranks);
        const auto r = static_cast<size_t>(rank);
        for (const int64_t parts : {1, 2, 3}) {  // neither groups nor strides of heads change the bytes
          for (const bool kept : {true, false}) {
            EXPECT_EQ(
                sent(call, {1, 1, 1, ranks, 1}, rank,
                     {.tokens_of = tokens_of, .exchange = {.head_groups = parts, .keep_exchanged = kept}}),
                ulysses_bytes(call, tokens_of, r, kept));
          }
          EXPECT_EQ(sent(call, {1, 1, ranks, 1, 1}, rank,
                         {.tokens_of = tokens_of, .exchange = {.gather_heads = parts - 1}}),
                    lss_bytes(call, tokens_of, r));
        }
        EXPECT_EQ(sent(call, {1, 1, ranks, 1, 1}, rank,
                       {.tokens_of = tokens_of, .exchange = {.context_method = ContextMethod::ring}}),
                  ring_bytes(call, tokens_of, r));
      }
    }
  }
}

// 1000 tokens and 7 heads of width 64 over 3 ranks, bf16: one tensor of q's form there, and back.
TEST(Traffic, OfUnevenUlyssesIsTheWorkedExample) {
  const int64_t there[] = {171008, 213120, 213120}, back[] = {255744, 170752, 170752};
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(sent(calls[0], {1, 1, 1, 3, 1}, rank, {.tokens_of = span_sizes(1000, 3)}),
              (Bytes{3 * there[rank] + back[rank], there[rank] + 3 * back[rank]}));
  }
}

// B = 1, bf16, even spans: ulysses alone, lss, ring, and 8 ranks of ulysses with a ring across.
TEST(Traffic, OfLargeRunsIsTheTable) {
  struct Row {
    int64_t tokens, width, heads, key_heads;
    int ranks;
    int64_t ulysses;
    Bytes lss, ring, hybrid;
  };
  const Row table[] = {
      {196608,
       64,
       16,
       16,
       8,
       176160768,
       {704643072, 2113929216},
       {704643072, 2315255808},
       {176160768, 176160768}},
      {196608,
       64,
       16,
       16,
       16,
       94371840,
       {754974720, 2264924160},
       {754974720, 2365587456},
       {138412032, 339738624}},
      {1048576,
       128,
       32,
       32,
       32,
       1040187392,
       {16642998272, 49928994816},
       {16642998272, 51002736640},
       {2550136832, 6845104128}},
      {1048576,
       128,
       32,
       4,
       32,
       1040187392,
       {2080374784, 6241124352},
       {2080374784, 6375342080},
       {989855744, 2063597568}},
      {1048576,
       128,
       32,
       8,
       8,
       2348810240,
       {3758096384, 11274289152},
       {3758096384, 12348030976},
       {2348810240, 2348810240}},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(::testing::Message()
                 << row.tokens << " tokens, G " << row.key_heads << ", " << row.ranks << " ranks");
    const Call call{1, row.heads, row.key_heads, row.width};
    const auto tokens_of = span_sizes(row.tokens, row.ranks);
    const int rank = row.ranks / 3, R = row.ranks / 8;
    const auto ring = ContextMethod::ring;
    EXPECT_EQ(sent(call, {1, 1, 1, row.ranks, 1}, rank, {.tokens_of = tokens_of}),
              (Bytes{row.ulysses, row.ulysses}));
    EXPECT_EQ(sent(call, {1, 1, row.ranks, 1, 1}, rank, {.tokens_of = tokens_of}), row.lss);
    EXPECT_EQ(sent(call, {1, 1, row.ranks, 1, 1}, rank,
                   {.tokens_of = tokens_of, .exchange = {.context_method = ring}}),
              row.ring);
    EXPECT_EQ(
        sent(call, {1, 1, R, 8, 1}, rank, {.tokens_of = tokens_of, .exchange = {.context_method = ring}}),
        row.hybrid);
    // lss across: of K|V what a ring sends, of dK|dV a step less.
    const int64_t step = 2 * row.tokens * std::max<int64_t>(row.key_heads, 8) * row.width / row.ranks;
    EXPECT_EQ(sent(call, {1, 1, R, 8, 1}, rank, {.tokens_of = tokens_of}),
              (Bytes{row.hybrid.forward, row.hybrid.backward - (R > 1 ? 4 * step : 0)}));
  }
}

}  // namespace
}  // namespace graticule
