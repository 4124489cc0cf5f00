"""Two groups of two ranks that train on different samples, over four ranks of torchrun: the mean over all ranks is the
gradient of the mean loss on one rank. Called by test_parallelize.py."""

import copy

import one_rank
import torch
from timm.models.vision_transformer import VisionTransformer
from timm_models import SIZE, sharded
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel

import graticule


def loss_of(model, images, labels):
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    return loss


def of(finish, average=lambda model: None):
    """A case: `finish` wraps the parallel model, `average` is called after backward."""

    def case():
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "sequence"))
        images, labels = torch.randn(2, 3, 48, 80, generator=torch.Generator().manual_seed(5)), torch.tensor([1, 4])
        model = VisionTransformer(**SIZE)
        plain, sample = copy.deepcopy(model), mesh.get_local_rank("data")
        loss_of(plain, images, labels)
        run = finish(graticule.parallelize(model, mesh["sequence"]))
        loss_of(run, images[[sample]], labels[[sample]])
        average(model)
        expected, got = one_rank.gradients(plain), one_rank.gradients(run)
        largest = max(grad.abs().max() for grad in expected.values())
        return max(
            (float((got[name] - grad).abs().max() / max(grad.abs().max(), 1e-3 * largest)), name)
            for name, grad in expected.items()
        )

    return case


CASES = {
    "DistributedDataParallel": of(DistributedDataParallel),
    "FSDP2": of(sharded),
    "average_gradients": of(lambda model: model, graticule.average_gradients),
}

if __name__ == "__main__":
    one_rank.main(CASES)
