"""timm's vit_tiny over the ranks of torchrun, compared with one rank: the loss and every gradient.

torchrun --nproc-per-node 2 04_timm.py                # 1,025 tokens, seconds
torchrun --nproc-per-node 2 04_timm.py --side 2048    # 16,385 tokens: 128 x 128 patches and the class token

Every rank has the whole image; `graticule.parallelize` cuts the tokens behind the patch embedding.
"""

import argparse
import copy

import timm
import torch
import torch.distributed as dist

import graticule

arguments = argparse.ArgumentParser()
arguments.add_argument("--side", type=int, default=512, help="pixels along a side of the image")
side = arguments.parse_args().side

dist.init_process_group("gloo")
torch.manual_seed(0)
model = timm.create_model("vit_tiny_patch16_224", img_size=side, num_classes=10)
images, labels = torch.randn(1, 3, side, side), torch.tensor([3])
one_rank = copy.deepcopy(model)


def step(network):
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    return loss.item()


graticule.parallelize(model)
loss = step(model)
graticule.average_gradients(model)

if dist.get_rank() == 0:
    expected = step(one_rank)
    errors = {}
    for (name, mine), (_, whole) in zip(model.named_parameters(), one_rank.named_parameters(), strict=True):
        errors[name] = ((mine.grad - whole.grad).norm() / whole.grad.norm()).item()
    worst = max(errors, key=errors.get)
    tokens = model.patch_embed.num_patches + 1
    print(f"{tokens} tokens over {dist.get_world_size()} ranks: loss {loss:.6f}, on one rank {expected:.6f}")
    print(f"largest relative difference of a gradient: {errors[worst]:.1e} ({worst})")
    assert abs(loss - expected) < 1e-4 * expected and errors[worst] < 1e-3
dist.barrier()
dist.destroy_process_group()
