"""Compares a model that is cut over ranks with the same model on one rank: output, loss and every gradient."""

import copy
import json
import sys
import traceback

import torch
import torch.distributed as dist

import graticule


def loss_of(output):
    """A loss that weighs every number of the output differently, of a tensor or of transformers' outputs."""
    tensors = [output] if isinstance(output, torch.Tensor) else [v for v in output.values() if v is not None]
    generator = torch.Generator().manual_seed(3)
    return sum((t.float() * torch.randn(t.shape, generator=generator)).square().mean() for t in tensors)


def step(model, x):
    loss = loss_of(model(x))
    loss.backward()
    return loss.detach()


def gradients(model):
    named = {name.removeprefix("module."): p for name, p in model.named_parameters()}
    return {
        name: p.grad.full_tensor() if hasattr(p.grad, "full_tensor") else p.grad
        for name, p in named.items()
        if p.grad is not None
    }


def difference(model, x, finish=None, alone=None, **options):
    """The largest relative difference of loss and gradients. `finish(model)` wraps the parallel model; without it the
    gradients are averaged by graticule.average_gradients. alone: a group of this rank alone, for models that draw
    random numbers: the one rank draws them as the ranks do."""
    torch.manual_seed(7)
    plain = copy.deepcopy(model)
    if alone is not None:
        graticule.parallelize(plain, alone)
    expected_loss = step(plain, x)
    expected = gradients(plain)

    torch.manual_seed(7 + dist.get_rank())
    parallel = graticule.parallelize(model, **options)
    run = finish(parallel) if finish else parallel
    loss = step(run, x)
    if not finish:
        graticule.average_gradients(parallel, options.get("group"))
    got = gradients(run)
    assert set(got) == set(expected), set(got) ^ set(expected)
    largest = max(grad.abs().max() for grad in expected.values())
    errors = {"loss": abs(loss - expected_loss) / abs(expected_loss)}
    for name, grad in expected.items():
        errors[name] = (got[name] - grad).abs().max() / max(grad.abs().max(), 1e-3 * largest)
    worst = max(errors, key=errors.get)
    return float(errors[worst]), worst


def alone():
    """A group of this rank alone. Collective."""
    return [dist.new_group([rank]) for rank in range(dist.get_world_size())][dist.get_rank()]


def main(cases):
    """Runs all cases, or those named on the command line, on every rank, and prints a JSON line for each."""
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    for name in sys.argv[1:] or cases:
        torch.manual_seed(11)
        try:
            result = cases[name]()
        except Exception:
            result = traceback.format_exc(limit=-3)
        everyone = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, result)
        if dist.get_rank() == 0:
            print(json.dumps({"case": name, "ranks": everyone}), flush=True)
    dist.destroy_process_group()
