"""A training step of timm's Vision Transformer, its tokens cut over the ranks of torchrun: Graticule's attention beside
DeepSpeed's Ulysses around PyTorch's own, the model cut at the same places. Checks that both give one loss and the same
gradients, then times them in turn. Needs timm and deepspeed.

OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 bench/parallelize_step.py --side 2048 --depth 4 --dtype float32
"""

import argparse
import copy
import json
import time

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.sequence.layer import DistributedAttention
from timm.models.vision_transformer import VisionTransformer
from torch.nn.functional import scaled_dot_product_attention

import graticule

PARSER = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
PARSER.add_argument("--side", type=int, default=2048, help="pixels along a side of the image; patches have 16")
PARSER.add_argument("--width", type=int, default=384)
PARSER.add_argument("--depth", type=int, default=4)
PARSER.add_argument("--heads", type=int, default=6)
PARSER.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="bfloat16: autocast")
PARSER.add_argument("--scheme", default="auto")
PARSER.add_argument("--repeats", type=int, default=3)


class Whole(torch.nn.Module):
    """Attention of one rank, [batch, tokens, heads, width]."""

    def forward(self, q, k, v):
        return scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v))).transpose(1, 2)


def with_deepspeed(model):
    """The parallel model with the attention of DeepSpeed."""
    attention, split = DistributedAttention(Whole(), dist.group.WORLD, 2, 1), model.graticule_split

    def attend(q, k, v, **others):
        split.calls += 1
        return attention(*(t.transpose(1, 2) for t in (q, k, v)), 0).transpose(1, 2)

    split.attend = attend
    return model


def memory(name):
    """VmRSS or VmHWM (the peak) of this process, MiB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(name))
    return int(line.split()[1]) / 1024


def step(model, images, labels, dtype):
    """Seconds of the slowest rank, MiB above the start of the fullest rank, and the loss."""
    model.zero_grad()
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak begins anew
    before = memory("VmRSS")
    dist.barrier()
    start = time.perf_counter()
    with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    graticule.average_gradients(model)
    numbers = torch.tensor([time.perf_counter() - start, memory("VmHWM") - before], dtype=torch.float64)
    dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return *numbers.tolist(), loss.item()


def main():
    arguments = PARSER.parse_args()
    dtype = getattr(torch, arguments.dtype)
    deepspeed.init_distributed(dist_backend="gloo")
    torch.manual_seed(0)
    # Without a class token, because Ulysses of DeepSpeed wants tokens that the ranks divide.
    sizes = dict(embed_dim=arguments.width, depth=arguments.depth, num_heads=arguments.heads, num_classes=10)
    model = VisionTransformer(img_size=arguments.side, class_token=False, global_pool="avg", **sizes)
    images, labels = torch.randn(1, 3, arguments.side, arguments.side), torch.tensor([3])
    other = copy.deepcopy(model)
    models = {
        "graticule": graticule.parallelize(model, scheme=arguments.scheme),
        "deepspeed": with_deepspeed(graticule.parallelize(other)),
    }
    measured = {name: [] for name in models}
    for _ in range(arguments.repeats + 1):
        for name, parallel in models.items():
            measured[name].append(step(parallel, images, labels, dtype))
    worst = max(
        ((a.grad - b.grad).norm() / b.grad.norm()).item()
        for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )
    assert worst < (1e-3 if dtype is torch.float32 else 0.1), worst
    if dist.get_rank() == 0:
        for name, steps in measured.items():
            seconds, mebibytes, loss = zip(*steps[1:], strict=True)  # the first warms up
            print(
                json.dumps(
                    {"name": name, "seconds": min(seconds), "all": seconds, "MiB": max(mebibytes), "loss": loss[0]}
                )
            )
        print(json.dumps({"tokens": model.patch_embed.num_patches, "largest difference of a gradient": worst}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
