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

ContextHeads heads_of(const Call& call, const Axes& axes) {
  return {call.heads, std::max<int64_t>(call.key_heads, axes.ulysses), call.width, call.bytes()};
}

// What rank `rank` of the options' groups sends for one call, on tensors without memory.
Bytes sent(const Call& call, const Axes& axes, int rank, AttentionOptions options) {
  options.grids = context_grids(options.exchange, axes.context, heads_of(call, axes));
  const Mesh mesh = make_mesh(dry_world(rank, axes.world()), axes, 0, options.grids.forward);
  options.context = mesh.context, options.ulysses = mesh.ulysses;
  options.context_queries = mesh.context_queries, options.context_keys = mesh.context_keys;
  const auto sum = [&] {
    int64_t bytes = 0;
    for (const auto& [label, traffic] : traffic_of(mesh)) bytes += traffic.bytes_sent;
    return bytes;
  };
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

// Bytes of one token: of K|V, of q, of a row of numbers for each head; e bytes a number.
struct Token {
  const Call& call;
  int64_t keys(int64_t e) const { return 2 * call.batch * call.key_heads * call.width * e; }
  int64_t query(int64_t e) const { return call.batch * call.heads * call.width * e; }
  int64_t row() const { return call.batch * call.heads * 4; }
  // Backward: what the query side gathers and returns, beside what the key side does.
  int64_t gathers_queries() const { return 2 * query(call.bytes()) + 2 * row(); }
  bool queries_are_cheaper() const { return gathers_queries() + query(4) < keys(call.bytes()) + keys(4); }
};

// Forward: K|V of this rank to all others. Backward: the same, and dK|dV of all others in fp32; or q, dout,
// log-sum-exp and delta of this rank, and dq of all others in fp32.
Bytes lss_bytes(const Call& call, const std::vector<int64_t>& tokens_of, size_t r) {
  const Token token{call};
  const int64_t mine = tokens_of[r], there = mine * (std::ssize(tokens_of) - 1),
                back = sum_of(tokens_of) - mine, gather = token.keys(call.bytes()) * there;
  if (token.queries_are_cheaper()) return {gather, token.gathers_queries() * there + token.query(4) * back};
  return {gather, gather + token.keys(4) * back};
}

// K|V of all but the next rank, whose block comes last. Backward: the same, and dK|dV of every block in fp32;
// or the same of the query side.
Bytes ring_bytes(const Call& call, const std::vector<int64_t>& tokens_of, size_t r) {
  const Token token{call};
  const int64_t all = sum_of(tokens_of), P = std::ssize(tokens_of),
                there = all - tokens_of[(r + 1) % tokens_of.size()];
  const int64_t forward = token.keys(call.bytes()) * there;
  const bool queries = (P - 1) * token.gathers_queries() + P * token.query(4) <
                       (P - 1) * token.keys(call.bytes()) + P * token.keys(4);
  if (queries) return {forward, token.gathers_queries() * there + token.query(4) * all};
  return {forward, forward + token.keys(4) * all};
}

// The column gathers q, and returns out with its log-sum-exp in fp32; the row gathers K|V. Backward: the
// column as lss of queries, the row as lss of keys.
Bytes mesh_bytes(const Call& call, const std::vector<int64_t>& tokens_of, int64_t rows, int64_t r) {
  const Token token{call};
  const int64_t columns = std::ssize(tokens_of) / rows, mine = tokens_of[r];
  int64_t column = 0, row = 0;
  for (int64_t i = 0; i < rows; ++i) column += tokens_of[i * columns + r % columns];
  for (int64_t j = 0; j < columns; ++j) row += tokens_of[r / columns * columns + j];
  const int64_t keys = token.keys(call.bytes()) * mine * (columns - 1), to_column = mine * (rows - 1);
  return {token.query(call.bytes()) * to_column + (token.query(4) + token.row()) * (column - mine) + keys,
          token.gathers_queries() * to_column + token.query(4) * (column - mine) + keys +
              token.keys(4) * (row - mine)};
}

const Call calls[] = {{1, 7, 7, 64}, {2, 8, 2, 4, at::kFloat}, {1, 12, 4, 8}, {1, 3, 1, 16, at::kFloat}};
const std::vector<int64_t> layouts[] = {
    {334, 333, 333}, {5, 0, 9, 2, 17}, {8, 8}, {3, 1, 4, 1, 5, 9}, {2, 7, 1, 8, 2, 8, 1, 8}};

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
        for (int64_t rows = 1; rows <= ranks; ++rows) {
          if (ranks % rows != 0) continue;
          EXPECT_EQ(sent(call, {1, 1, ranks, 1, 1}, rank,
                         {.tokens_of = tokens_of,
                          .exchange = {.context_method = ContextMethod::mesh, .mesh_rows = rows}}),
                    mesh_bytes(call, tokens_of, rows, rank));
        }
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

// B = 1, bf16, even spans: ulysses alone; lss, ring and mesh alone; 8 ranks of ulysses with a ring across, and
// the backward of the same with lss.
TEST(Traffic, OfLargeRunsIsTheTable) {
  struct Row {
    int64_t tokens, width, heads, key_heads;
    int ranks;
    int64_t ulysses;
    Bytes lss, ring, mesh, hybrid;
    int64_t hybrid_lss;
  };
  const Row table[] = {{196608,
                        64,
                        16,
                        16,
                        8,
                        176160768,
                        {704643072, 1431306240},
                        {704643072, 1531969536},
                        {558366720, 915406848},
                        {176160768, 176160768},
                        176160768},
                       {196608,
                        64,
                        16,
                        16,
                        16,
                        94371840,
                        {754974720, 1533542400},
                        {754974720, 1583874048},
                        {379846656, 759693312},
                        {138412032, 240648192},
                        190316544},
                       {1048576,
                        128,
                        32,
                        32,
                        32,
                        1040187392,
                        {16642998272, 33546043392},
                        {16642998272, 34082914304},
                        {7277117440, 12406751232},
                        {2550136832, 4722786304},
                        4185915392},
                       {1048576,
                        128,
                        32,
                        4,
                        32,
                        1040187392,
                        {2080374784, 6241124352},
                        {2080374784, 6375342080},
                        {1816133632, 4102029312},
                        {989855744, 2063597568},
                        1795162112},
                       {1048576,
                        128,
                        32,
                        8,
                        8,
                        2348810240,
                        {3758096384, 11274289152},
                        {3758096384, 12348030976},
                        {4848615424, 9160359936},
                        {2348810240, 2348810240},
                        2348810240}};
  for (const Row& row : table) {
    SCOPED_TRACE(::testing::Message()
                 << row.tokens << " tokens, G " << row.key_heads << ", " << row.ranks << " ranks");
    const Call call{1, row.heads, row.key_heads, row.width};
    const auto tokens_of = span_sizes(row.tokens, row.ranks);
    const int rank = row.ranks / 3, R = row.ranks / 8;
    const auto by = [&](const Axes& axes, ContextMethod method) {
      return sent(call, axes, rank, {.tokens_of = tokens_of, .exchange = {.context_method = method}});
    };
    const Axes ulysses{1, 1, 1, row.ranks, 1}, context{1, 1, row.ranks, 1, 1}, both{1, 1, R, 8, 1};
    EXPECT_EQ(by(ulysses, ContextMethod::lss), (Bytes{row.ulysses, row.ulysses}));
    EXPECT_EQ(by(context, ContextMethod::lss), row.lss);
    EXPECT_EQ(by(context, ContextMethod::ring), row.ring);
    EXPECT_EQ(by(context, ContextMethod::mesh), row.mesh);
    EXPECT_EQ(by(both, ContextMethod::ring), row.hybrid);
    EXPECT_EQ(by(both, ContextMethod::lss), (Bytes{row.hybrid.forward, row.hybrid_lss}));
  }
}

}  // namespace
}  // namespace graticule
