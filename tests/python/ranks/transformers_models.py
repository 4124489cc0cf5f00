"""Vision Transformers of Hugging Face's transformers over the ranks of torchrun, each compared with one rank. Called by
test_parallelize.py."""

import one_rank
import torch
import transformers
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

SMALL = dict(image_size=48, patch_size=8, hidden_size=24, intermediate_size=40, num_hidden_layers=2)  # 36 patches
DECODER = dict(decoder_hidden_size=24, decoder_num_attention_heads=3, decoder_num_hidden_layers=1)
SMALL |= dict(num_attention_heads=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


class Labelled(torch.nn.Module):
    """A model of transformers that is called with labels, as its users train it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values, labels=torch.tensor([1, 0])).logits


class Reconstructing(Labelled):
    """A model of transformers that has its own loss without labels."""

    def forward(self, pixel_values):
        return self.model(pixel_values).loss


def values(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def of(kind, finish=None, adapt=lambda model: model, x=None, draws=False, **changed):
    """x: the input, else two images. draws: the model draws random numbers."""

    def case():
        model = getattr(transformers, f"{kind}Model", None) or getattr(transformers, kind)
        config = getattr(transformers, f"{kind}Config", None) or model.config_class
        model = adapt(model(config(**(SMALL | changed))).train())
        alone = one_rank.alone() if draws else None
        return one_rank.difference(model, values(2, 3, 48, 48) if x is None else x, finish, alone)

    return case


def recomputed(model):
    model.activation_checkpointing_enable()
    return model


def sharded(model):
    for layer in model.model.vit.layers:
        fully_shard(layer)
    return fully_shard(model)


CASES = {
    "ViT": of("ViT"),
    "DeiT": of("DeiT"),
    "ViT-MSN": of("ViTMSN"),
    "I-JEPA": of("IJepa"),
    "DINOv2": of("Dinov2", mlp_ratio=2),
    "DINOv2 with registers": of("Dinov2WithRegisters", num_register_tokens=3, mlp_ratio=2),
    "DINOv3": of("DINOv3ViT", num_register_tokens=2, hidden_size=48, pos_embed_rescale=None),
    "MAE": of("ViTMAE", draws=True),
    "MAE with its decoder": of("ViTMAEForPreTraining", draws=True, adapt=Reconstructing, **DECODER),
    "VideoMAE": of("VideoMAE", x=values(1, 4, 3, 32, 32), image_size=32, num_frames=4, tubelet_size=2),
    "ViViT": of("Vivit", x=values(1, 4, 3, 32, 32), image_size=32, num_frames=4, tubelet_size=[2, 8, 8]),
    "AST": of("AST", x=values(2, 40, 24), max_length=40, num_mel_bins=24, frequency_stride=8, time_stride=8),
    "SigLIP": of("SiglipVision", attention_dropout=0.0),
    "CLIP": of("CLIPVision", attention_dropout=0.0),
    "ViT recomputed": of("ViT", adapt=recomputed),
    "ViT with labels": of("ViTForImageClassification", adapt=Labelled, num_labels=2),
    "DINOv2 with labels": of("Dinov2ForImageClassification", adapt=Labelled, num_labels=2, mlp_ratio=2),
    "DistributedDataParallel": of(
        "ViTForImageClassification", finish=DistributedDataParallel, adapt=Labelled, num_labels=2
    ),
    "FSDP2": of("ViTForImageClassification", finish=sharded, adapt=Labelled, num_labels=2),
}

if __name__ == "__main__":
    one_rank.main(CASES)
