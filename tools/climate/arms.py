"""The arms of the experiment, and what makes two of them equal.

    full         every variable's patches are tokens
    aggregated   a patch's variables are merged by cross-attention with one learned query first (ClimaX)
    channels     one embedding of all channels of a patch (the plain ViT)

at equal samples: the same recipe, data, order of samples and seeds. At equal FLOPs an arm cheaper than `full` gets
    -long        as many more samples as its step is cheaper
    -wide        the width, in steps of one head, whose step comes nearest to that of `full`
FLOPs are those that graticule counts (model/shape): forward and backward of one sample.
"""

import functools

import program
from training import set_all


def tokens_of(arm):
    return arm.partition("-")[0]


def extra_of(arm):
    """What it gets to have the FLOPs of `full`: long, wide, or nothing."""
    return arm.partition("-")[2]


@functools.cache
def _flops(recipe, settings):
    dry_run = program.ask("plan", recipe, "--ranks", 1, "--dry-run", 0, "--json", *set_all(settings))
    return dry_run["flops_a_sample"]["step"]


def flops(study, settings):
    """Of a step, for one sample of a study under more settings."""
    return _flops(study["recipe"], (*study["set"], *settings))


def value_of(study, key):
    """Of a setting that the study's list `set` holds."""
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
    """What an arm trains with: `settings` (section.key=value), `steps` and `flops` of a sample."""
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
