// DeepSpeed-Ulysses (arXiv 2309.14509): every rank attends over all tokens of the group with its own heads.
//
// Groups of heads are processed one after the other. The exchange of the next group starts before a group
// attends, and the exchange back of a group is under way while the next one attends. All ranks issue the same
// exchanges, also ranks without heads.
//
// Legend: head_exchange.h; h, g this rank's query and key/value heads in one group of heads.

#include <ATen/ops/empty.h>

#include "graticule/attention/head_exchange.h"
#include "graticule/attention/schemes.h"
#include "graticule/attention/wire.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

using Tensors = std::vector<at::Tensor>;

struct Ulysses {
  Group group;
  std::vector<int64_t> tokens_of;
  ExchangeOptions options;
  ContextScheme inner;
};

/// Runs a call over `groups()` groups of heads in phases. send(i) starts the exchange of group i to the
/// heads; attend(i, received) starts its exchange back; place(i, returned) stores what came back; result() is
/// called last.
template <class Result, class Call>
Attend<Result> pipeline(std::shared_ptr<Call> call) {
  const auto started = [call](size_t i) {
    const Scope scope("exchange");
    return call->send(i);
  };
  const auto place = [call](size_t i, Pending& returning) {
    const Scope scope("exchange");
    call->place(i, returning.wait());
  };
  const auto received = [](Pending& pending) {
    const Scope scope("exchange");
    return pending.wait();
  };
  const auto there = std::make_shared<Pending>(started(0));
  return [=]() -> Finish<Result> {
    const auto back = std::make_shared<std::optional<Pending>>();
    const size_t groups = call->groups();
    for (size_t i = 0; i < groups; ++i) {
      Pending arriving = std::move(*there);
      if (i + 1 < groups) *there = started(i + 1);
      Pending returning = call->attend(i, received(arriving));
      if (i > 0) place(i - 1, **back);
      *back = std::move(returning);
    }
    return [=]() -> Result {
      place(groups - 1, **back);
      return call->result();
    };
  };
}

/// One even piece (head_cuts.h) of a rank's group of heads, with the piece's tensors as views of the received
/// message.
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

/// The outputs of a group's pieces as one message. A single piece that already has the message's layout is
/// not copied.
at::Tensor outputs_message(const HeadExchange& exchange, size_t i, const Tensors& out_BNhD,
                           const at::Tensor& like) {
  if (out_BNhD.size() == 1) return out_BNhD[0].transpose(0, 1).contiguous();
  at::Tensor wire_NBhD =
      at::empty({exchange.N, exchange.B, exchange.mine(i).query.size(), exchange.D}, like.options());
  pack_heads(out_BNhD, wire_NBhD);
  return wire_NBhD;
}

at::Tensor blank(const HeadExchange& exchange, const at::TensorOptions& options) {
  return at::empty({exchange.B, exchange.T, exchange.H, exchange.D}, options);
}

// Saved, with keep_exchanged: q, k, v, out, lse of every piece, by heads. Without: by tokens (scheme.h), with
// the lse of every piece.
struct ForwardCall {
  std::shared_ptr<const Ulysses> ulysses;
  HeadExchange exchange;
  at::Tensor q_BTHD, k_BTGD, v_BTGD, out_BTHD;
  Tensors kept;

  size_t groups() const { return exchange.head_groups(); }

  Pending send(size_t i) const { return to_heads(exchange, i, {{q_BTHD}, {k_BTGD, v_BTGD}}); }

  Pending attend(size_t i, const at::Tensor& wire_NBXD) {
    Tensors out;
    for (const Piece& piece : pieces_of(exchange, i, wire_NBXD, 1, 2)) {
      const at::Tensor &q = piece.query[0], &k = piece.key[0], &v = piece.key[1];
      const FlashResult result = finished(ulysses->inner.start_forward(q, k, v));
      out.push_back(result.out_BTHD);
      if (ulysses->options.keep_exchanged) kept.insert(kept.end(), {q, k, v, result.out_BTHD});
      kept.push_back(result.lse_BHT);
    }
    const Scope scope("exchange");
    return to_tokens(exchange, i, outputs_message(exchange, i, out, wire_NBXD), 1, 0);
  }

  void place(size_t i, const at::Tensor& flat) {
    if (i == 0) out_BTHD = blank(exchange, flat.options());
    place_heads(exchange, i, flat, {{out_BTHD}, {}});
  }

  Forwarded result() {
    if (ulysses->options.keep_exchanged) return {out_BTHD, {kept, exchange.G}};
    kept.insert(kept.begin(), out_BTHD);
    return {out_BTHD, saved_by_tokens(q_BTHD, k_BTGD, v_BTGD, kept)};
  }
};

struct BackwardCall {
  std::shared_ptr<const Ulysses> ulysses;
  HeadExchange exchange;
  // dout and, without keep_exchanged, q, out, k, v; dropped when the last group is sent.
  Heads sent;
  Tensors kept;  // tensors that the forward kept, in its order
  at::Tensor dq_BTHD = {}, dk_BTGD = {}, dv_BTGD = {};
  size_t next = 0;  // index of kept

  size_t groups() const { return exchange.head_groups(); }

  Pending send(size_t i) {
    Pending there = to_heads(exchange, i, sent);
    if (i + 1 == groups()) sent = {};
    return there;
  }

  at::Tensor take() { return std::exchange(kept[next++], at::Tensor()); }

  Pending attend(size_t i, const at::Tensor& wire_NBXD) {
    const bool by_heads = ulysses->options.keep_exchanged;
    const HeadCut& cut = exchange.mine(i);
    const at::Tensor gradients_NBXD = at::empty(
        {exchange.N, exchange.B, cut.query.size() + 2 * cut.key.size(), exchange.D}, wire_NBXD.options());
    const auto received = pieces_of(exchange, i, wire_NBXD, by_heads ? 1 : 3, by_heads ? 0 : 2);
    const auto targets = pieces_of(exchange, i, gradients_NBXD, 1, 2);
    for (size_t p = 0; p < received.size(); ++p) {
      const Tensors &query = received[p].query, &key = received[p].key;
      const Tensors qkvo =
          by_heads ? Tensors{take(), take(), take(), take()} : Tensors{query[1], key[0], key[1], query[2]};
      const FlashGradients d =
          finished(ulysses->inner.start_backward(query[0], qkvo[0], qkvo[1], qkvo[2], qkvo[3], take()));
      const Scope scope("exchange");
      targets[p].query[0].copy_(d.dq_BTHD);
      targets[p].key[0].copy_(d.dk_BSGD);
      targets[p].key[1].copy_(d.dv_BSGD);
    }
    const Scope scope("exchange");
    return to_tokens(exchange, i, gradients_NBXD, 1, 2);
  }

  void place(size_t i, const at::Tensor& flat) {
    if (i == 0) {
      dq_BTHD = blank(exchange, flat.options());
      dk_BTGD = key_gradient(exchange, flat), dv_BTGD = key_gradient(exchange, flat);
    }
    place_heads(exchange, i, flat, {{dq_BTHD}, {dk_BTGD, dv_BTGD}});
  }

  FlashGradients result() const {
    const at::ScalarType dtype = dq_BTHD.scalar_type();
    return {dq_BTHD, dk_BTGD.to(dtype), dv_BTGD.to(dtype)};
  }
};

HeadExchange exchange_of(const Ulysses& ulysses, const at::Tensor& x_BTHD, int64_t key_heads) {
  return head_exchange(ulysses.group, ulysses.tokens_of, x_BTHD, key_heads, ulysses.options.head_groups);
}

Attend<Forwarded> start_forward(std::shared_ptr<const Ulysses> ulysses, const at::Tensor& q_BTHD,
                                const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
  HeadExchange exchange = exchange_of(*ulysses, q_BTHD, k_BTGD.size(2));
  return pipeline<Forwarded>(std::make_shared<ForwardCall>(
      ForwardCall{std::move(ulysses), std::move(exchange), q_BTHD, k_BTGD, v_BTGD, {}, {}}));
}

Attend<FlashGradients> start_backward(std::shared_ptr<const Ulysses> ulysses, const at::Tensor& dout_BTHD,
                                      const Saved& saved) {
  HeadExchange exchange = exchange_of(*ulysses, dout_BTHD, saved.key_heads);
  const auto& x = saved.tensors;
  const bool by_heads = ulysses->options.keep_exchanged;
  const Heads sent = by_heads ? Heads{{dout_BTHD}, {}} : Heads{{dout_BTHD, x[0], x[3]}, {x[1], x[2]}};
  return pipeline<FlashGradients>(std::make_shared<BackwardCall>(BackwardCall{
      std::move(ulysses), std::move(exchange), sent, Tensors(x.begin() + (by_heads ? 0 : 4), x.end())}));
}

}  // namespace

Scheme ulysses_scheme(const Group& group, std::vector<int64_t> tokens_of, const ExchangeOptions& options,
                      ContextScheme inner) {
  GRATICULE_CHECK(std::ssize(tokens_of) == group.size(), tokens_of.size(), " spans");
  const auto ulysses =
      std::make_shared<Ulysses>(Ulysses{group, std::move(tokens_of), options, std::move(inner)});
  return {[ulysses](const auto&... qkv) { return start_forward(ulysses, qkv...); },
          [ulysses](const auto&... saved) { return start_backward(ulysses, saved...); }};
}

}  // namespace graticule
