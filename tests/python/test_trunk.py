"""Tests graticule.save_trunk and `train --start-from FILE`: blocks of other Vision Transformers as a recipe's trunk."""

import os
import sys

import pytest

from command import graticule, write_recipe
from sources import ROOT

sys.path.insert(0, os.fspath(ROOT / "tests" / "python" / "ranks"))
torch = pytest.importorskip("torch")
import sitecustomize  # noqa: E402, F401 (for torchvision)

vit, transformers = pytest.importorskip("timm.models.vision_transformer"), pytest.importorskip("transformers")
package, exported = pytest.importorskip("graticule"), pytest.importorskip("graticule.exported")

FORM = 'place = "added"\nqk_norm = "none"\nqk_variables = false'
EPSILON = 1e-5  # of our layer norms


def timm_model(**changed):
    sizes = dict(img_size=32, patch_size=16, embed_dim=32, depth=2, num_heads=4, num_classes=0, mlp_ratio=4)
    return shaken(vit.VisionTransformer(**(sizes | changed)))


def hugging_face(kind, **changed):
    sizes = dict(image_size=32, patch_size=16, hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    config = getattr(transformers, f"{kind}Config")(**(sizes | changed))
    return shaken(getattr(transformers, f"{kind}Model")(config))


def shaken(model):
    """The model in evaluation, with weights that are all different, and our epsilon."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = EPSILON
    return model.eval()


def trunk_of_timm(model, x):
    return model.norm(model.blocks(x[None]))[0]


def trunk_of_transformers(model, x):
    layers = model.layers if hasattr(model, "layers") else model.encoder.layer
    y = x[None]
    for layer in layers:
        y = layer(y)
    return model.layernorm(y)[0]


def run_trunk(weights, form, x):
    """Our blocks and the norm after them, in plain PyTorch."""
    form = {"kv_heads": form["heads"], **form}
    for i in range(form["depth"]):
        x = exported.block(weights, form, x, i)
    return exported.norm(weights, x, "head.norm")


@pytest.mark.parametrize(
    ("run", "model"),
    [
        (trunk_of_timm, lambda: timm_model(init_values=0.5)),
        (trunk_of_timm, lambda: timm_model(qk_norm=True, qkv_bias=False, proj_bias=False)),
        (trunk_of_transformers, lambda: hugging_face("ViT", intermediate_size=64)),
        (trunk_of_transformers, lambda: hugging_face("DeiT", intermediate_size=96)),
        (trunk_of_transformers, lambda: hugging_face("Dinov2", mlp_ratio=2)),
        (trunk_of_transformers, lambda: hugging_face("Dinov2WithRegisters", mlp_ratio=3)),
    ],
    ids=["timm, layer scale", "timm, norms", "ViT", "DeiT", "DINOv2", "DINOv2 with registers"],
)
def test_the_trunk_computes_the_same(run, model, tmp_path):
    model, x = model(), torch.randn(9, 32)
    form = package.save_trunk(model, tmp_path / "trunk.safetensors")
    from safetensors.torch import load_file

    with torch.no_grad():
        ours = run_trunk(load_file(tmp_path / "trunk.safetensors"), form, x)
        assert torch.allclose(ours, run(model, x), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("ranks", "layout"), [(1, ""), (2, "tensor = 2"), (2, 'ulysses = 2\nshard = "full"')])
def test_a_run_starts_from_it(ranks, layout, tmp_path):
    model, x = timm_model(), torch.randn(9, 32)
    form = package.save_trunk(torch.nn.Sequential(model, torch.nn.Linear(32, 2)), tmp_path / "trunk.safetensors")
    assert form == {"dim": 32, "depth": 2, "heads": 4, "mlp_ratio": 4.0} | {
        "place": "added",
        "qk_norm": "none",
        "qk_variables": False,
    }
    replace = [("heads = 4", f"heads = 4\n{FORM}\n[parallel]\n{layout}"), ("warmup = 2", "warmup = 2\nema = 0.5")]
    recipe, run = write_recipe(tmp_path, steps=1, replace=replace), tmp_path / "run"
    command = ("train", recipe, "--start-from", tmp_path / "trunk.safetensors", "--set", "run.keep=9")
    started = graticule(*command, ranks=ranks)
    assert started.returncode == 0, started.stderr
    assert "26 tensors: blocks.0, blocks.1, head; weights that it lacks are random" in started.stdout
    graticule("export", run / "checkpoints" / "step-0", tmp_path / "w.safetensors", check=True)
    weights, sizes, _ = exported.read(tmp_path / "w.safetensors")
    with torch.no_grad():
        assert torch.allclose(run_trunk(weights, sizes, x), trunk_of_timm(model, x), atol=2e-5, rtol=1e-4)
    again = graticule(*command, "--resume", "auto", ranks=ranks)
    assert again.returncode == 0 and "--start-from is not used" in again.stdout, again.stderr

    # An exported model is such a file, too, and has everything.
    other = write_recipe(tmp_path, steps=1, replace=[*replace, (f"{run}", f"{tmp_path / 'other'}")])
    from_export = graticule(
        "train", other, "--start-from", tmp_path / "w.safetensors", "--set", "run.keep=9", ranks=ranks
    )
    assert from_export.returncode == 0, from_export.stderr
    graticule("export", tmp_path / "other" / "checkpoints" / "step-0", tmp_path / "o.safetensors", check=True)
    assert all(torch.equal(w, weights[name]) for name, w in exported.read(tmp_path / "o.safetensors")[0].items())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (FORM.replace("added", "rotary"), ['its model.place is "added", the recipe\'s is "rotary"']),
        (FORM.replace("none", "cosine"), ["it has no blocks.1.attention.temperature, which the recipe's model has"]),
        (FORM + "\nkv_heads = 2", ["its blocks.0.attention.qkv.weight is [96, 32], the recipe's is [64, 32]"]),
        (FORM, []),
    ],
    ids=["place", "norm of queries", "key heads", "sizes"],
)
def test_another_form_is_refused(lines, words, tmp_path):
    package.save_trunk(timm_model(), tmp_path / "trunk.safetensors")
    sizes = "heads = 4"
    if not words:
        sizes = "heads = 8"
        words = [
            "its model.heads is 4, the recipe's is 8",
            "it has blocks.1.norm1.weight, which the recipe's model does not",
        ]
    replace = [("heads = 4", f"{sizes}\n{lines}")] + ([("depth = 2", "depth = 1")] if sizes == "heads = 8" else [])
    refused = graticule(
        "train", write_recipe(tmp_path, replace=replace), "--start-from", tmp_path / "trunk.safetensors"
    )
    assert refused.returncode == 2, refused.stderr
    for expected in words:
        assert expected in refused.stderr, refused.stderr


def test_a_damaged_file_is_named(tmp_path):
    package.save_trunk(timm_model(), tmp_path / "trunk.safetensors")
    whole = (tmp_path / "trunk.safetensors").read_bytes()
    (tmp_path / "trunk.safetensors").write_bytes(whole[:-1])
    replace = [("heads = 4", f"heads = 4\n{FORM}")]
    failed = graticule("train", write_recipe(tmp_path, replace=replace), "--start-from", tmp_path / "trunk.safetensors")
    assert failed.returncode == 1 and "trunk.safetensors: has" in failed.stderr, failed.stderr


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: timm_model(block_fn=vit.ResPostBlock), "has blocks ResPostBlock: only Block can be taken"),
        (lambda: timm_model(scale_attn_norm=True), "has weights that Graticule's blocks do not have: attn.norm.weight"),
        (lambda: timm_model(act_layer="quick_gelu"), "has the activation"),
        (lambda: timm_model(norm_layer="rmsnorm"), "norms that are no layer norms: norm1, norm2"),
        (lambda: hugging_face("Dinov2", use_swiglu_ffn=True), "weights that Graticule's blocks do not have: mlp.gate"),
        (lambda: torch.nn.Linear(2, 2), "Linear has no part of a known class: VisionTransformer"),
    ],
    ids=["norms after", "norm of attention", "activation", "RMS norm", "gated MLP", "no Vision Transformer"],
)
def test_blocks_that_compute_something_else_are_refused(model, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        package.save_trunk(model(), tmp_path / "trunk.safetensors")
    assert not list(tmp_path.iterdir())
