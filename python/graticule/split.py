"""One model's split over a group of ranks: which tokens this rank holds, attention over all of them, random numbers.
`parallelize` makes one for each model."""

from __future__ import annotations

import contextlib
import math

import torch
import torch.distributed as dist
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import graticule
from graticule import token_exchange
from graticule.groups import kept_by_program


class Split:
    """The group, the scheme of attention, and what the last forward has fixed.

    takes_calls: attention is what calls scaled_dot_product_attention inside the blocks."""

    def __init__(self, group, scheme, takes_calls):
        self._group, self.scheme, self.takes_calls = kept_by_program(group), scheme, takes_calls
        self.rank, self.ranks = dist.get_rank(group), dist.get_world_size(group)
        self.tokens_of = {}  # tokens of this rank -> those of every rank. Recomputed blocks know only the first.
        self.calls = 0  # of attention, in the block that runs
        self.is_inside = False  # a module of the blocks runs
        self.own_state = None  # of the random numbers outside the model

    @property
    def group(self):
        return self._group()

    def __deepcopy__(self, memo):  # a copy of the model, such as an average of the weights, works over the same group
        return memo.setdefault(id(self), Split(self.group, self.scheme, self.takes_calls))

    def begin(self, x, training):
        """Compares the inputs of the ranks. While the model trains, all ranks draw the same random numbers."""
        seed = int(torch.randint(2**53, ())) if training else 0
        seed = token_exchange.compare(self.group, x, training, seed)
        if training:
            self.own_state = _random_state(x.device)
            torch.manual_seed(seed)

    def cut(self, x):
        if x.dim() != 3 or x.shape[1] < self.ranks:
            raise ValueError(
                f"[parallelize] {tuple(x.shape)} cannot be cut over {self.ranks} ranks: it must be "
                "[batch, tokens, width], with a token for each rank"
            )
        counts = token_exchange.spans(x.shape[1], self.ranks)
        self.tokens_of[counts[self.rank]] = counts
        return token_exchange.Cut.apply(x, sum(counts[: self.rank]), counts[self.rank])

    def gather(self, x):
        if self.own_state is not None:
            _set_random_state(*self.own_state)
            self.own_state = None
        return token_exchange.Gather.apply(x, self.counts(x.shape[1]), self.group)

    def counts(self, own):
        """The tokens of every rank. ValueError: this rank has another number of tokens than `own`."""
        if own not in self.tokens_of:
            held = " or ".join(map(str, self.tokens_of)) or "no"
            raise ValueError(
                f"[parallelize] a block attends over {own} tokens, but this rank holds {held}: windows of tokens "
                "and tokens of another source are not supported"
            )
        return self.tokens_of[own]

    def rows(self, table, own):
        """Of a table with a row for each patch [.., patches, ..], or of several, the rows of this rank's patches."""
        if isinstance(table, (tuple, list)):
            return type(table)(self.rows(part, own) for part in table)
        if table is None:
            return None
        counts = self.counts(own)
        first = sum(counts[: self.rank]) - (sum(counts) - table.shape[-2])  # patches come last
        return table[..., max(0, first) : max(0, first + own), :]

    def prefix(self, count, own):
        """Of `count` tokens before the first patch, those of this rank."""
        return max(0, min(own, count - sum(self.counts(own)[: self.rank])))

    def attend(self, q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
        """scaled_dot_product_attention over the tokens of all ranks; q, k and v [batch, heads, tokens, width]."""
        self.calls += 1
        refuse_what_one_rank_alone_can(attn_mask, dropout_p, is_causal)
        counts = self.counts(q.shape[2])
        width = q.shape[3]
        if scale is not None and not math.isclose(scale, width**-0.5, rel_tol=1e-9):
            q = q * (scale * math.sqrt(width))
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        return graticule.attention(q, k, v, group=self.group, scheme=self.scheme, tokens_of=counts).transpose(1, 2)

    @contextlib.contextmanager
    def exchanges(self):
        """Inside: dropout draws differ between ranks, and with `takes_calls` scaled_dot_product_attention attends over
        all of them."""
        if self.is_inside:
            yield
            return
        self.is_inside = True
        try:
            with _Exchanges(self):
                yield
        finally:
            self.is_inside = False

    @contextlib.contextmanager
    def draws_of_rank(self, device):
        """Random numbers that differ between ranks. The common ones go on as if this were one draw."""
        seed = int(torch.randint(2**53, ()))
        state = _random_state(device)
        torch.manual_seed(seed + self.rank)
        try:
            yield
        finally:
            _set_random_state(*state)


def refuse_what_one_rank_alone_can(attn_mask, dropout_p, is_causal):
    """ValueError: attention was asked for in a way that does not work over ranks."""
    asked = {
        "an attention mask": attn_mask is not None,
        "causal attention": is_causal,
        "dropout of the attention weights": dropout_p > 0,
    }
    if any(asked.values()):
        what = " and ".join(name for name, is_asked in asked.items() if is_asked)
        raise ValueError(f"[parallelize] {what} cannot be used over ranks: make or call the model without")


class _Exchanges(TorchFunctionMode):
    """What Split.exchanges does."""

    def __init__(self, split):
        super().__init__()
        self.split = split

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.split.takes_calls and func is F.scaled_dot_product_attention:
            return self.split.attend(*args, **kwargs)
        if func is F.dropout and kwargs.get("training") and kwargs.get("p"):
            with self.split.draws_of_rank(args[0].device):
                return func(*args, **kwargs)
        return func(*args, **kwargs)


def _random_state(device):
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), cuda, device


def _set_random_state(cpu, cuda, device):
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state(cuda, device)
