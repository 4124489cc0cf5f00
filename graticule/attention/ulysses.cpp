// DeepSpeed-Ulysses (arXiv 2309.14509): every rank attends over all tokens with its heads.
//
// Legend: head_exchange.h; h, g this rank's query and key/value heads in one group of heads. Groups are
// worked on in turn: the exchange of the next one is issued before a group attends, and a group's way back is
// under way while the next one attends. Every rank issues the same exchanges, with or without heads.

#include "graticule/attention/head_exchange.h"
#include "graticule/attention/scheme.h"
#include "graticule/attention/wire.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

using Tensors = std::vector<at::Tensor>;

struct Ulysses {
  Group group;
  std::vector<int64_t> tokens_of;
  UlyssesOptions options;
  ContextScheme inner;
};

/// send(i) starts group i's way to the heads, attend(i, received) gives its way back, place(i, returned)
/// takes what came.
template <class Send, class Attend, class Place>
void pipeline(size_t groups, const Send& send, const Attend& attend, const Place& place) {
  const auto started = [&](size_t i) {
    const Scope scope("exchange");
    return send(i);
  };
  const auto finish = [&](size_t i, Pending& returning) {
    const Scope scope("exchange");
    place(i, returning.wait());
  };
  const auto received = [](Pending& pending) {
    const Scope scope("exchange");
    return pending.wait();
  };
  std::vector<Pending> there, back;
  there.push_back(started(0));
  for (size_t i = 0; i < groups; ++i) {
    if (i + 1 < groups) there.push_back(started(i + 1));
    back.push_back(attend(i, received(there[i])));
    if (i > 0) finish(i - 1, back[i - 1]);
  }
  finish(groups - 1, back[groups - 1]);
}

/// The pieces of a rank's group, and q | k | v | ... of each as views of what it received.
struct Piece {
  HeadCut heads;
  Tensors query, key;
};

std::vector<Piece> pieces_of(const HeadExchange& exchange, size_t i, const at::Tensor& wire_NBXD,
                             int64_t queries, int64_t keys) {
  const HeadCut& cut = exchange.mine(i);
  std::vector<Piece> pieces;
  for (const HeadCut& heads : even_pieces(cut, exchange.H / exchange.G)) {
    Piece piece{heads, {}, {}};
    for (int64_t x = 0; x < queries; ++x) {
      piece.query.push_back(
          wire_heads(wire_NBXD, x * cut.query.size() + heads.query.begin, heads.query.size()));
    }
    for (int64_t x = 0; x < keys; ++x) {
      piece.key.push_back(wire_heads(
          wire_NBXD, queries * cut.query.size() + x * cut.key.size() + heads.key.begin, heads.key.size()));
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

/// The outputs of a group's pieces as one message; without a copy where one piece lies as it travels.
at::Tensor outputs_message(const HeadExchange& exchange, size_t i, const Tensors& out_BNhD,
                           const at::Tensor& like) {
  if (out_BNhD.size() == 1) return out_BNhD[0].transpose(0, 1).contiguous();
  const at::Tensor wire_NBhD =
      at::empty({exchange.N, exchange.B, exchange.mine(i).query.size(), exchange.D}, like.options());
  pack_heads(out_BNhD, wire_NBhD);
  return wire_NBhD;
}

// Saved: exchanged, q, k, v, out, lse of every piece; else q, k, v, out by tokens, and lse of every piece.
Forwarded forward(const Ulysses& ulysses, const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                  const at::Tensor& v_BTGD) {
  const HeadExchange exchange =
      head_exchange(ulysses.group, ulysses.tokens_of, q_BTHD, k_BTGD.size(2), ulysses.options.head_groups);
  const at::Tensor out_BTHD = at::empty(q_BTHD.sizes(), q_BTHD.options());
  Tensors saved;
  if (!ulysses.options.keep_exchanged) saved = {q_BTHD, k_BTGD, v_BTGD, out_BTHD};
  pipeline(
      exchange.head_groups(),
      [&](size_t i) {
        return to_heads(exchange, i, {{q_BTHD}, {k_BTGD, v_BTGD}});
      },
      [&](size_t i, const at::Tensor& wire_NBXD) {
        Tensors out;
        for (const Piece& piece : pieces_of(exchange, i, wire_NBXD, 1, 2)) {
          const at::Tensor &q = piece.query[0], &k = piece.key[0], &v = piece.key[1];
          const FlashResult result = ulysses.inner.forward(q, k, v);
          out.push_back(result.out_BTHD);
          if (ulysses.options.keep_exchanged) saved.insert(saved.end(), {q, k, v, result.out_BTHD});
          saved.push_back(result.lse_BHT);
        }
        const Scope scope("exchange");
        return to_tokens(exchange, i, outputs_message(exchange, i, out, q_BTHD), 1, 0);
      },
      [&](size_t i, const at::Tensor& flat) {
        place_heads(exchange, i, flat, {{out_BTHD}, {}});
      });
  return {out_BTHD, {saved, k_BTGD.size(2)}};
}

FlashGradients backward(const Ulysses& ulysses, const at::Tensor& dout_BTHD, const Saved& saved) {
  const bool kept = ulysses.options.keep_exchanged;
  const HeadExchange exchange = head_exchange(ulysses.group, ulysses.tokens_of, dout_BTHD, saved.key_heads,
                                              ulysses.options.head_groups);
  const at::Tensor dq_BTHD = at::empty(dout_BTHD.sizes(), dout_BTHD.options());
  const at::Tensor dk_BTGD = key_gradient(exchange, dout_BTHD), dv_BTGD = key_gradient(exchange, dout_BTHD);
  auto next = saved.tensors.begin() + (kept ? 0 : 4);
  pipeline(
      exchange.head_groups(),
      [&](size_t i) {
        const auto& x = saved.tensors;
        return to_heads(exchange, i,
                        kept ? Heads{{dout_BTHD}, {}} : Heads{{dout_BTHD, x[0], x[3]}, {x[1], x[2]}});
      },
      [&](size_t i, const at::Tensor& wire_NBXD) {
        const HeadCut& cut = exchange.mine(i);
        const at::Tensor gradients_NBXD = at::empty(
            {exchange.N, exchange.B, cut.query.size() + 2 * cut.key.size(), exchange.D}, dout_BTHD.options());
        const auto received = pieces_of(exchange, i, wire_NBXD, kept ? 1 : 3, kept ? 0 : 2);
        const auto targets = pieces_of(exchange, i, gradients_NBXD, 1, 2);
        for (size_t p = 0; p < received.size(); ++p) {
          const Tensors &query = received[p].query, &key = received[p].key;
          const Tensors qkvo = kept ? Tensors(next, next + 4) : Tensors{query[1], key[0], key[1], query[2]};
          next += kept ? 4 : 0;
          const FlashGradients d =
              ulysses.inner.backward(query[0], qkvo[0], qkvo[1], qkvo[2], qkvo[3], *next++);
          const Scope scope("exchange");
          targets[p].query[0].copy_(d.dq_BTHD);
          targets[p].key[0].copy_(d.dk_BSGD);
          targets[p].key[1].copy_(d.dv_BSGD);
        }
        const Scope scope("exchange");
        return to_tokens(exchange, i, gradients_NBXD, 1, 2);
      },
      [&](size_t i, const at::Tensor& flat) {
        place_heads(exchange, i, flat, {{dq_BTHD}, {dk_BTGD, dv_BTGD}});
      });
  const at::ScalarType dtype = dout_BTHD.scalar_type();
  return {dq_BTHD, dk_BTGD.to(dtype), dv_BTGD.to(dtype)};
}

}  // namespace

Scheme ulysses_scheme(const Group& group, std::vector<int64_t> tokens_of, const UlyssesOptions& options,
                      ContextScheme inner) {
  GRATICULE_CHECK(std::ssize(tokens_of) == group.size(), tokens_of.size(), " spans");
  const auto ulysses =
      std::make_shared<Ulysses>(Ulysses{group, std::move(tokens_of), options, std::move(inner)});
  return {[ulysses](const auto&... qkv) { return forward(*ulysses, qkv...); },
          [ulysses](const at::Tensor& dout_BTHD, const Saved& saved) {
            return backward(*ulysses, dout_BTHD, saved);
          }};
}

}  // namespace graticule
