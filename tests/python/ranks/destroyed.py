"""A model and a graph of autograd that outlive their process group. Called by test_parallelize.py."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from timm.models.vision_transformer import VisionTransformer
from timm_models import SIZE, image

import graticule


def threads():
    return [name for path in Path("/proc/self/task").glob("*/comm") if "gloo" in (name := path.read_text().strip())]


def message(run):
    try:
        run()
    except RuntimeError as error:
        return str(error).splitlines()[0]


dist.init_process_group("gloo")
rank = dist.get_rank()
model = graticule.parallelize(VisionTransformer(**SIZE, no_embed_class=True))
gathered = model(image())
attended = graticule.attention(*(torch.randn(1, 3, 2, 8, requires_grad=True) for _ in range(3)))
everyone = [None] * 2
dist.all_gather_object(everyone, threads())
dist.destroy_process_group()
left = threads()
messages = [message(lambda output=output: output.sum().backward()) for output in (gathered, attended)]
# One write a line: under torchrun Python does not buffer, and print writes the end of a line on its own.
sys.stdout.write(json.dumps([everyone[rank], left, messages]) + "\n")
