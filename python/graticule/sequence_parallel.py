"""Makes a Vision Transformer sequence-parallel: each rank of a group runs the blocks on its share of the tokens, and
attention sees them all. docs/parallelize.md."""

from __future__ import annotations

import contextlib
import functools
import re

import torch

from graticule import cuts as known
from graticule.groups import process_group
from graticule.split import Split
from graticule.token_exchange import share_weights


def parallelize(model, group=None, scheme="auto", cuts=None):
    """Cuts the tokens of `model` over the ranks of `group`, in place, and returns the model.

    Afterwards every rank of the group gives the model the same input and receives the same output, as from one rank.
    The mean over the ranks of a parameter's gradient is its gradient on one rank: DistributedDataParallel and FSDP2
    take it, or `graticule.average_gradients` after backward.

    group: a process group, a device mesh of one dim, or None for all ranks. All get the weights of its first rank.
    scheme: as of `graticule.attention`.
    cuts: where to cut (`graticule.Cuts`). None: as the table of `graticule.cuts` says for the classes in the model:
        timm's VisionTransformer and Eva, and the Vision Transformers of Hugging Face's transformers.
    ValueError on every rank: no group, a group without this rank, models that differ between ranks, a class without an
    entry; later, when the model runs: inputs that differ between ranks, and what attention over ranks cannot do.
    """
    group = process_group(group, "parallelize")
    parts = [(model, cuts)] if cuts else known_parts(model)
    share_weights(model, group)
    for part, entry in parts:
        _parallelize(part, entry, Split(group, scheme, entry.attention == "calls"))
    return model


def known_parts(model):
    """The outermost modules whose class has an entry, with it. ValueError: there are none."""
    found = {name: module for name, module in model.named_modules() if known.cuts_of(module)}
    outermost = [
        module for name, module in found.items() if not any(_is_inside(name, other) for other in found if other != name)
    ]
    if not outermost:
        classes = ", ".join(name.rpartition(".")[2] for name in known.TABLE)
        raise ValueError(
            f"[parallelize] {type(model).__name__} has no part of a known class ({classes}): say where to cut it, with "
            "cuts=graticule.Cuts(...)"
        )
    return [(module, known.cuts_of(module)) for module in outermost]


def _is_inside(name, other):
    return other == "" or name.startswith(other + ".")


def _parallelize(model, cuts, split):
    if hasattr(model, "graticule_split"):
        raise ValueError(f"[parallelize] this {type(model).__name__} is parallel already: call it once")
    begin, cut, gather = (_submodule(model, name) for name in (cuts.begin or cuts.cut, cuts.cut, cuts.gather))
    blocks = _blocks(model, cuts.blocks)
    model.graticule_split = split
    begin.register_forward_pre_hook(functools.partial(_begin, split, model), with_kwargs=True)
    cut.register_forward_hook(functools.partial(_after, Split.cut, split))
    gather.register_forward_hook(functools.partial(_after, Split.gather, split))
    for block in blocks:
        for module in block.modules():
            if module is not block and _may_attend(module):
                module.forward = functools.partial(_run_inside, split, *_forward_of(module))
        block.forward = functools.partial(_run_block, split, cuts, *_forward_of(block))
    for method in cuts.refused:
        setattr(model, method, functools.partial(_refuse, method))
    if cuts.attention == "transformers":
        from graticule import transformers_attention

        transformers_attention.use(model, split)


def _submodule(model, name):
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ValueError(f"[parallelize] {type(model).__name__} has no submodule {name}") from None


def _blocks(model, pattern):
    shape = re.compile(re.escape(pattern).replace(r"\*", "[^.]+"))
    blocks = [module for name, module in model.named_modules() if shape.fullmatch(name)]
    if not blocks:
        raise ValueError(f"[parallelize] {type(model).__name__} has no submodules {pattern}")
    return blocks


def _may_attend(module):
    """Whether a module inside a block may attend or drop. Each of them is prepared, not the block alone: a block that
    is recomputed in parts calls them in backward, outside the block."""
    kept = torch.nn.Dropout | torch.nn.MultiheadAttention
    return isinstance(module, kept) or not type(module).__module__.startswith("torch.nn.modules")


def _forward_of(module):
    """The module and its forward, None for that of its class: FSDP2 changes the class later."""
    return module, module.__dict__.get("forward")


def _run_inside(split, module, forward, *args, **kwargs):
    with split.exchanges():
        return forward(*args, **kwargs) if forward else type(module).forward(module, *args, **kwargs)


def _begin(split, model, module, args, kwargs):
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
    split.begin(tensors[0], any(part.training for part in model.modules()))  # some parts may be frozen


def _after(exchange, split, module, args, output):
    """Exchanges the output of a module: a tensor, the first of a tuple, or what transformers' encoders return."""
    if isinstance(output, torch.Tensor):
        return exchange(split, output)
    if isinstance(output, tuple):
        return exchange(split, output[0]), *output[1:]
    output["last_hidden_state"] = exchange(split, output["last_hidden_state"])
    return output


def _run_block(split, cuts, block, forward, *args, **kwargs):
    own = next(value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)).shape[1]
    kwargs |= {name: split.rows(kwargs[name], own) for name in cuts.rotary if name in kwargs}
    split.calls = 0
    with _own_prefix(split, cuts.prefix, block, own):
        output = _run_inside(split, block, forward, *args, **kwargs)
    if not split.calls:
        raise ValueError(
            f"[parallelize] {type(block).__name__} attended without scaled_dot_product_attention: its tokens would see "
            "only those of this rank. In timm, call timm.layers.set_fused_attn(True) before the model is made"
        )
    return output


@contextlib.contextmanager
def _own_prefix(split, path, block, own):
    """Inside: the attribute that counts the tokens before the first patch counts those of this rank."""
    if not path:
        yield
        return
    owner, _, attribute = path.rpartition(".")
    counter = block.get_submodule(owner)
    count = getattr(counter, attribute)
    setattr(counter, attribute, split.prefix(count, own))
    try:
        yield
    finally:
        setattr(counter, attribute, count)


def _refuse(method, *args, **kwargs):
    raise ValueError(
        f"[parallelize] {method} reads tokens inside the model, where each rank has only its own: call the model, or "
        "forward_features"
    )
