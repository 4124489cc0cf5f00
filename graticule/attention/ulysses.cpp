// DeepSpeed-Ulysses (arXiv 2309.14509, section 3): tokens are traded for heads and back.
//
// Legend: B batch, T this rank's tokens, N all tokens of the group, H all heads, h this rank's heads, G/g
// key/value heads, D width. Heads and tokens are spread by span_of; neither count must divide. A rank may
// hold no head at all (more ranks than heads). Wire layout, to rank r: for each sample, for each of my
// tokens, the heads of r: q | k | v in one message.

#include "graticule/attention/attention.h"
#include "graticule/comm/collectives.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

// Query heads follow their key/value head, so that a rank can serve its queries with the keys it receives.
struct HeadSpans {
  std::vector<Span> query, key;
};

HeadSpans spread_heads(int64_t heads, int64_t key_heads, int64_t ranks) {
  HeadSpans spans;
  const int64_t queries_a_key = heads / key_heads;
  for (int64_t r = 0; r < ranks; ++r) {
    const Span keys = span_of(key_heads, ranks, r);
    spans.key.push_back(keys);
    spans.query.push_back({keys.begin * queries_a_key, keys.end * queries_a_key});
  }
  return spans;
}

struct Exchange {
  const Group* group;
  const std::vector<int64_t>* tokens_of;
  int64_t batch, width;
};

// [B, T, heads, D] of mine, several tensors cut by their own head spans -> each with [B, N, my heads, D].
std::vector<at::Tensor> sequence_to_heads(const Exchange& exchange, const std::vector<at::Tensor>& tensors,
                                          const std::vector<const std::vector<Span>*>& spans) {
  const auto& [group, tokens_of, B, D] = exchange;
  const int64_t P = group->size(), T = tensors[0].size(1);
  std::vector<at::Tensor> pieces;
  std::vector<int64_t> send(P, 0), receive(P, 0);
  int64_t mine = 0;
  for (const auto* span : spans) mine += (*span)[group->rank()].size();
  for (int64_t r = 0; r < P; ++r) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Span& heads = (*spans[i])[r];
      pieces.push_back(tensors[i].narrow(2, heads.begin, heads.size()).reshape(-1));
      send[r] += B * T * heads.size() * D;
    }
    receive[r] = B * (*tokens_of)[r] * mine * D;
  }
  const at::Tensor received = all_to_all(at::cat(pieces), *group, send, receive);

  std::vector<std::vector<at::Tensor>> parts(tensors.size());
  int64_t offset = 0;
  for (int64_t r = 0; r < P; ++r) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int64_t heads = (*spans[i])[group->rank()].size(), count = B * (*tokens_of)[r] * heads * D;
      parts[i].push_back(received.narrow(0, offset, count).view({B, (*tokens_of)[r], heads, D}));
      offset += count;
    }
  }
  std::vector<at::Tensor> result;
  for (const auto& part : parts) result.push_back(at::cat(part, 1));
  return result;
}

// The way back for one tensor: [B, N, my heads, D] -> [B, T, all heads, D].
at::Tensor heads_to_sequence(const Exchange& exchange, const at::Tensor& out_BNhD,
                             const std::vector<Span>& spans) {
  const auto& [group, tokens_of, B, D] = exchange;
  const int64_t P = group->size(), T = (*tokens_of)[group->rank()];
  std::vector<at::Tensor> pieces;
  std::vector<int64_t> send(P), receive(P);
  int64_t token = 0;
  for (int64_t r = 0; r < P; ++r) {
    const int64_t tokens = (*tokens_of)[r];
    pieces.push_back(out_BNhD.narrow(1, token, tokens).reshape(-1));
    send[r] = pieces.back().numel();
    receive[r] = B * T * spans[r].size() * D;
    token += tokens;
  }
  const at::Tensor received = all_to_all(at::cat(pieces), *group, send, receive);
  std::vector<at::Tensor> parts;
  int64_t offset = 0;
  for (int64_t r = 0; r < P; ++r) {
    parts.push_back(received.narrow(0, offset, receive[r]).view({B, T, spans[r].size(), D}));
    offset += receive[r];
  }
  return at::cat(parts, 2);
}

}  // namespace

Attention ulysses_attention(const Group& group, std::vector<int64_t> tokens_of, Attention inner) {
  GRATICULE_CHECK(static_cast<int64_t>(tokens_of.size()) == group.size(), tokens_of.size(), " spans");
  return [group, tokens_of = std::move(tokens_of), inner = std::move(inner)](
             const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
    const Exchange exchange{&group, &tokens_of, q_BTHD.size(0), q_BTHD.size(3)};
    const HeadSpans spans = spread_heads(q_BTHD.size(2), k_BTGD.size(2), group.size());
    const auto qkv =
        sequence_to_heads(exchange, {q_BTHD, k_BTGD, v_BTGD}, {&spans.query, &spans.key, &spans.key});
    // A rank without heads has nothing to attend, but its exchanges take part, in backward too: the empty
    // queries carry the graph.
    const at::Tensor out_BNhD = qkv[0].size(2) == 0 ? qkv[0] : inner(qkv[0], qkv[1], qkv[2]);
    return heads_to_sequence(exchange, out_BNhD, spans.query);
  };
}

}  // namespace graticule
