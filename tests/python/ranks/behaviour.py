"""A model of one's own, random numbers, copies, and mistakes, over the ranks of torchrun. Called by
test_parallelize.py. A case returns a difference from one rank, or True."""

import copy
import re

import one_rank
import timm
import torch
import torch.distributed as dist
import transformers
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from timm_models import ROTARY, SIZE, image
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers_models import SMALL

import graticule


class Attend(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)

    def forward(self, x, angles):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = (t * angles.cos() + t.flip(-1) * angles.sin() for t in (q, k))
        return self.out(F.scaled_dot_product_attention(q, k, v, scale=0.3).transpose(1, 2).flatten(2))


class Block(torch.nn.Module):
    """A block that may recompute its attention in backward."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm, self.attend = torch.nn.LayerNorm(width), Attend(width, heads)
        self.recomputes = False

    def forward(self, x, angles):
        if self.recomputes:
            return x + checkpoint(self.attend, self.norm(x), angles, use_reentrant=False)
        return x + self.attend(self.norm(x), angles)


class Own(torch.nn.Module):
    """A Vision Transformer that nobody knows: places enter as angles, and all tokens come out."""

    def __init__(self, width=24, heads=3):
        super().__init__()
        self.embed = torch.nn.Sequential(torch.nn.Conv2d(3, width, 16, 16), torch.nn.Flatten(2))
        self.turn = torch.nn.Identity()
        self.layers = torch.nn.ModuleList(Block(width, heads) for _ in range(2))
        self.norm = torch.nn.LayerNorm(width)
        self.angles = torch.nn.Parameter(torch.randn(15, width // heads))

    def forward(self, x):
        x = self.turn(self.embed(x).transpose(1, 2))
        for layer in self.layers:
            x = layer(x, angles=self.angles)
        return self.norm(x)


OWN = graticule.Cuts(begin="embed", cut="turn", blocks="layers.*", gather="norm", rotary=("angles",))


def small(**changed):
    return VisionTransformer(**(SIZE | changed))


def recomputes_in_parts():
    own = Own()
    for layer in own.layers:
        layer.recomputes = True
    return one_rank.difference(own, image(), cuts=OWN)


def dropout_recomputed():
    """A block that is recomputed drops the same numbers again, in transformers and in timm."""
    config = transformers.ViTConfig(**(SMALL | dict(hidden_dropout_prob=0.4)))
    recomputed_of_theirs, model = transformers.ViTModel(config).train(), small(proj_drop_rate=0.4).train()
    recomputed = copy.deepcopy(model)
    theirs = copy.deepcopy(recomputed_of_theirs)
    recomputed_of_theirs.activation_checkpointing_enable()
    recomputed.set_grad_checkpointing()
    for keeps, computes_again, x in ((model, recomputed, image()), (theirs, recomputed_of_theirs, PICTURE)):
        for network in (keeps, computes_again):
            torch.manual_seed(3)
            one_rank.step(graticule.parallelize(network), x)
        expected, got = one_rank.gradients(keeps), one_rank.gradients(computes_again)
        assert all(torch.allclose(got[name], grad, rtol=1e-4, atol=1e-6) for name, grad in expected.items())
    return True


def stochastic_depth():
    """Every rank drops the branches of the same samples."""
    return one_rank.difference(small(drop_path_rate=0.5).train(), image(8), alone=one_rank.alone())


def dropped_patches():
    return one_rank.difference(Eva(**(ROTARY | dict(patch_drop_rate=0.4))).train(), image(), alone=one_rank.alone())


def moved_places():
    config = transformers.DINOv3ViTConfig(
        **(SMALL | dict(hidden_size=48, num_register_tokens=2, pos_embed_rescale=2.0))
    )
    x = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(5))
    return one_rank.difference(transformers.DINOv3ViTModel(config).train(), x, alone=one_rank.alone())


def dropout():
    """Tokens of different ranks are dropped independently, and the ranks' own random numbers go on as before."""
    model = graticule.parallelize(small(proj_drop_rate=0.5, reg_tokens=4, drop_path_rate=0.5).train())
    zeros = []
    model.blocks[1].mlp.drop1.register_forward_hook(lambda _, __, output: zeros.append(output == 0))
    torch.manual_seed(dist.get_rank())
    model(image())
    after = torch.rand(1)
    torch.manual_seed(dist.get_rank())
    torch.randint(2**53, ())  # the model draws one seed
    assert torch.equal(after, torch.rand(1))
    both = [torch.empty_like(zeros[0]) for _ in range(2)]
    dist.all_gather(both, zeros[0])
    share = (both[0] == both[1]).float().mean()
    assert 0.45 < share < 0.55, share
    return True


def copied():
    """A copy, such as an average of the weights, runs beside the model."""
    model = graticule.parallelize(small())
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
        first, zeros = model(image()), other(image())
    assert zeros.abs().max() == 0 < first.abs().min()
    assert other.blocks[0].forward.args[2] is other.blocks[0]
    return True


def half_precision():
    model, x = small(qk_norm=True), image()
    plain = copy.deepcopy(model)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        out, expected = graticule.parallelize(model)(x), plain(x)
    return float(
        (out - expected).abs().max() / expected.abs().max()
    ) / 1000, "bf16"  # one rounding of bf16 is 1000 of fp32


def part_of_the_ranks():
    """A gradient that one rank lacks counts as 0 there."""
    model = torch.nn.Linear(2, 2, bias=False)
    if dist.get_rank() == 0:
        model.weight.grad = torch.full((2, 2), 3.0)
    graticule.average_gradients(model)
    assert torch.equal(model.weight.grad, torch.full((2, 2), 1.5))
    return True


def refused(words, call):
    """A case in which every rank is told of a mistake."""

    def case():
        try:
            call()
        except ValueError as error:
            assert re.search(words, str(error)), error
            dist.barrier()
            return True
        raise AssertionError("nothing was said")

    return case


def on(model, *inputs, **named):
    """Calls a parallel model with the input of this rank."""
    return graticule.parallelize(model)(inputs[dist.get_rank() % len(inputs)], **named)


def evaluates_on_one_rank():
    model = graticule.parallelize(small())
    return model.train(dist.get_rank() == 0)(image())


def whose_group_is_the_first_rank():
    group = dist.new_group([0])
    if dist.get_rank() == 0:
        raise ValueError("rank 1 is not in the group")  # rank 0 is, and has no mistake to be told of
    graticule.parallelize(small(), group)


def without_parallelize():
    from graticule import transformers_attention

    model = transformers.ViTModel(transformers.ViTConfig(**SMALL))
    graticule.parallelize(model)
    other = transformers.ViTModel(transformers.ViTConfig(**SMALL))
    other.set_attn_implementation(transformers_attention.NAME)
    other(torch.randn(1, 3, 48, 48))


def unfused():
    timm.layers.set_fused_attn(False)
    try:
        on(small(), image())
    finally:
        timm.layers.set_fused_attn(True)


def sharded_first():
    graticule.parallelize(fully_shard(small()))


def averaged_twice():
    graticule.average_gradients(fully_shard(graticule.parallelize(small())))


def hugging_face(**changed):
    return transformers.ViTModel(transformers.ViTConfig(**(SMALL | changed))).train()


MASK = torch.ones(2, 37)
PICTURE = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(2))
CASES = {
    "own model": lambda: one_rank.difference(Own(), image(), cuts=OWN),
    "own model, recomputed in parts": recomputes_in_parts,
    "dropout, recomputed": dropout_recomputed,
    "stochastic depth": stochastic_depth,
    "dropped patches": dropped_patches,
    "moved places": moved_places,
    "dropout": dropout,
    "copied": copied,
    "half precision": half_precision,
    "part of the ranks": part_of_the_ranks,
    "other shapes": refused("got an input .*rank 0", lambda: on(small(), image(), image(3))),
    "other samples": refused("another input than rank 0", lambda: on(small(), image(), image().flip(0))),
    "one evaluates": refused("one trains, the other evaluates", evaluates_on_one_rank),
    "other models": refused("another model", lambda: graticule.parallelize(small(depth=2 + dist.get_rank()))),
    "not in the group": refused("rank 1 is not in the group", whose_group_is_the_first_rank),
    "mesh of two dims": refused(
        "device mesh of 2 dims", lambda: graticule.parallelize(small(), init_device_mesh("cpu", (2, 1)))
    ),
    "no entry": refused("Linear has no part of a known class", lambda: graticule.parallelize(torch.nn.Linear(2, 2))),
    "no such submodule": refused(
        "Own has no submodule places",
        lambda: graticule.parallelize(Own(), cuts=graticule.Cuts("places", "layers.*", "norm")),
    ),
    "no such blocks": refused(
        "no submodules blocks", lambda: graticule.parallelize(Own(), cuts=graticule.Cuts("turn", "blocks.*", "norm"))
    ),
    "twice": refused("parallel already", lambda: graticule.parallelize(graticule.parallelize(small()))),
    "mask": refused("attention mask", lambda: on(small(), image(), attn_mask=torch.ones(16, 16).bool())),
    "causal": refused("causal attention", lambda: on(small(), image(), is_causal=True)),
    "transformers with a mask": refused("attention mask", lambda: on(hugging_face(), PICTURE, attention_mask=MASK)),
    "dropout of weights": refused("dropout of the attention", lambda: on(small(attn_drop_rate=0.1), image())),
    "transformers with dropout of weights": refused(
        "dropout of the attention", lambda: on(hugging_face(attention_probs_dropout_prob=0.1), PICTURE)
    ),
    "transformers without parallelize": refused("no group of ranks", without_parallelize),
    "attention not fused": refused("without scaled_dot_product_attention", unfused),
    "tokens inside": refused(
        "forward_intermediates reads tokens", lambda: graticule.parallelize(small()).forward_intermediates(image())
    ),
    "too few tokens": refused(
        "cannot be cut over 2 ranks",
        lambda: on(small(img_size=16, class_token=False, global_pool="avg"), image()[..., :16, :16]),
    ),
    "sharded first": refused("weights of rank 0 are sharded", sharded_first),
    "without data": refused("without data", lambda: graticule.parallelize(small(device="meta"))),
    "averaged twice": refused("FSDP2 has averaged", averaged_twice),
}

if __name__ == "__main__":
    one_rank.main(CASES)
