"""The arms of the experiment, and their budgets.

    full         a token for each variable and patch
    aggregated   a token for each patch; cross-attention with one learned query merges its variables (ClimaX)
    channels     a token for each patch; one embedding takes all channels (the plain ViT)

Equal samples: the same recipe, data, order of samples and seeds. Equal FLOPs: an arm that is cheaper than `full` gets
    -long        more samples, until its training costs the FLOPs of `full`
    -wide        the width, in steps of one head, whose step costs nearest to the FLOPs of a step of `full`
graticule counts the FLOPs (core/model_shape): forward and backward of one sample.
"""

import functools

import program
from training import set_all


def tokens_of(arm):
    return arm.partition("-")[0]


def extra_of(arm):
    """How the arm reaches the FLOPs of `full`: "long", "wide", or ""."""
    return arm.partition("-")[2]


@functools.cache
def _flops(recipe, settings):
    dry_run = program.ask("plan", recipe, "--ranks", 1, "--dry-run", 0, "--json", *set_all(settings))
    return dry_run["flops_a_sample"]["step"]


def flops(study, settings):
    """FLOPs of a training step for one sample, with the settings of the study and these."""
    return _flops(study["recipe"], (*study["set"], *settings))


def value_of(study, key):
    """The value of a setting in the study's list `set`."""
    found = [setting.partition("=")[2] for setting in study["set"] if setting.startswith(key + "=")]
    if not found:
        raise program.FailedError(f"study {study['name']}: its list `set` must name {key}")
    return int(found[-1])


def width(heads, head_width):
    return (f"model.dim={heads * head_width}", f"model.heads={heads}")


def widest(study, tokens, wanted):
    """The settings of the width whose FLOPs are nearest to `wanted`."""
    head_width = value_of(study, "model.dim") // value_of(study, "model.heads")

    def cost(heads):
        return flops(study, (tokens, *width(heads, head_width)))

    high = 1
    while cost(high) < wanted:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) < wanted else (low, middle)
    return width(min((low, high), key=lambda heads: abs(cost(max(heads, 1)) - wanted)), head_width)


def define(study, arm):
    """The training of an arm: `settings` (section.key=value), `steps`, `samples`, and `flops` of a sample."""
    batch = value_of(study, "data.batch")
    tokens, extra = f"model.tokens={tokens_of(arm)}", extra_of(arm)
    settings, samples = (tokens,), study["samples"]
    if extra:
        wanted = flops(study, ("model.tokens=full",))
        if extra == "wide":
            settings = (tokens, *widest(study, tokens, wanted))
        else:
            samples = samples * wanted / flops(study, settings)
    steps = round(samples / batch)
    return {"settings": settings, "steps": steps, "samples": steps * batch, "flops": flops(study, settings)}
