"""timm's Vision Transformers over the ranks of torchrun, each compared with one rank. Called by test_parallelize.py."""

import one_rank
import timm
import torch
from timm.models import vision_transformer as vit
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

SIZE = dict(img_size=(48, 80), patch_size=16, embed_dim=36, depth=2, num_heads=3, num_classes=5)  # 15 patches
ROTARY = SIZE | dict(embed_dim=48, use_rot_pos_emb=True)


def image(batch=2):
    return torch.randn(batch, 3, 48, 80, generator=torch.Generator().manual_seed(5))


def differs(model, finish=None, x=None, **options):
    return one_rank.difference(model, image() if x is None else x, finish, **options)


def of(kind, **changed):
    return lambda: differs(kind(**(SIZE | changed)))


def rotary(**changed):
    return lambda: differs(Eva(**(ROTARY | changed)))


def registered(name, **changed):
    return lambda: differs(timm.create_model(name, img_size=(48, 80), num_classes=5, **changed))


def recomputed():
    model = vit.VisionTransformer(**SIZE)
    model.set_grad_checkpointing()
    return differs(model)


def other_sizes():
    model = vit.VisionTransformer(**(SIZE | dict(dynamic_img_size=True)))
    return differs(model, x=torch.randn(1, 3, 64, 112, generator=torch.Generator().manual_seed(5)))


def inside_another():
    backbone = vit.VisionTransformer(**(SIZE | dict(num_classes=0)))
    return differs(torch.nn.Sequential(backbone, torch.nn.Tanh(), torch.nn.Linear(36, 2)))


def distributed_data_parallel():
    return differs(vit.VisionTransformer(**SIZE), finish=DistributedDataParallel)


def sharded(model):
    for block in model.blocks:
        fully_shard(block)
    return fully_shard(model)


PLAIN = vit.VisionTransformer
CASES = {
    "class token": of(PLAIN),
    "mean": of(PLAIN, global_pool="avg", class_token=False),
    "mean beside class and registers": of(PLAIN, global_pool="avg", reg_tokens=4, no_embed_class=True),
    "mean and largest": of(PLAIN, global_pool="avgmax"),
    "largest": of(PLAIN, global_pool="max"),
    "attention pooling": of(PLAIN, global_pool="map"),
    "PRR pooling": of(PLAIN, global_pool="prr"),
    "all tokens": of(PLAIN, global_pool="", num_classes=0),
    "norms and layer scale": of(PLAIN, qk_norm=True, init_values=0.1, pre_norm=True),
    "parallel branches": of(PLAIN, block_fn=vit.ParallelThingsBlock),
    "parallel MLP": of(PLAIN, block_fn=vit.ParallelScalingBlock),
    "more registers than a rank's tokens": of(PLAIN, reg_tokens=20),
    "distilled": of(VisionTransformerDistilled),
    "rotary": rotary(),
    "rotary with registers, no class token": rotary(class_token=False, num_reg_tokens=3, global_pool="avg"),
    "rotary, mixed": rotary(rope_type="mixed", attn_type="rope"),
    "rotary, DINOv3": rotary(rope_type="dinov3", attn_type="rope", num_kv_heads=1, qkv_fused=False),
    "vit_tiny": registered("vit_tiny_patch16_224"),
    "recomputed": recomputed,
    "other sizes": other_sizes,
    "inside another": inside_another,
    "DistributedDataParallel": distributed_data_parallel,
    "FSDP2": lambda: differs(vit.VisionTransformer(**SIZE), finish=sharded),
}
for scheme in ("ulysses", "lss", "ring", "mesh"):
    CASES[scheme] = lambda scheme=scheme: differs(vit.VisionTransformer(**SIZE), scheme=scheme)

if __name__ == "__main__":
    one_rank.main(CASES)
