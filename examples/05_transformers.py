"""A Vision Transformer of Hugging Face's transformers over the ranks of torchrun, trained with DistributedDataParallel
and compared with one rank.

torchrun --nproc-per-node 2 05_transformers.py                # 1,025 tokens, seconds
torchrun --nproc-per-node 2 05_transformers.py --side 2048    # 16,385 tokens
"""

import argparse
import copy

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from transformers import ViTConfig, ViTForImageClassification

import graticule

arguments = argparse.ArgumentParser()
arguments.add_argument("--side", type=int, default=512, help="pixels along a side of the image")
side = arguments.parse_args().side

dist.init_process_group("gloo")
torch.manual_seed(0)
sizes = dict(hidden_size=192, num_hidden_layers=6, num_attention_heads=3, intermediate_size=768)
model = ViTForImageClassification(ViTConfig(image_size=side, num_labels=10, **sizes))
images, labels = torch.randn(1, 3, side, side), torch.tensor([3])
one_rank = copy.deepcopy(model)


def three_updates(network):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        loss = network(images, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


losses = three_updates(DistributedDataParallel(graticule.parallelize(model)))
if dist.get_rank() == 0:
    expected = three_updates(one_rank)
    tokens = model.vit.embeddings.position_embeddings.shape[1]
    print(f"{tokens} tokens over {dist.get_world_size()} ranks: losses {losses}, on one rank {expected}")
    for mine, whole in zip(model.parameters(), one_rank.parameters(), strict=True):
        assert torch.allclose(mine, whole, rtol=1e-3, atol=1e-5)
dist.barrier()
dist.destroy_process_group()
