"""Writes the page and its pictures from the files of a budget's runs."""

import os
import textwrap

import numpy as np
import xarray as xr

import analysis
import arms
import experiment
import fields
import insides
import pictures
import program
import quantities
import tried

TEMPLATE = "tools/climate/page.md"
ON_HABITS = """

The table has the share of the truth's power that the forecasts keep, by zonal wavenumber, and how far a
model tells leads apart: the root mean square of the difference of its outputs for 72 h and for 6 h, over that for 72 h,
for one state. 0 would mean that it does not use the lead.

"""
ON_LOOKS = """

The table has every head of every block: the share of the token's own place (over all variables), of its
neighbours to the west, from where most weather comes, and to the east, and of the 3 x 3 places around it. The last
column says to how many tokens the head attends (the exponential of the entropy).

"""
# Sentences for pages whose data come from the circulation model.
ON_DATA = (
    "\n**The data are the output of an idealised general circulation model, not reanalysis.** The numbers compare "
    "models with\neach other; they say nothing about skill on Earth."
)
ON_WAVES = (
    " The circulation model has no waves beyond wave number 21 (its truncation, T21). What the forecasts show there\n"
    "are seams between patches."
)
AT_EQUAL_FLOPS = {
    "wide": "| `...-wide` | the same, but wider: a step costs as many FLOPs as a step of `full` |",
    "long": "| `...-long` | the same, but with more samples: the training costs as many FLOPs as that of `full` |",
}
CLAIMED_GAIN = 0.20  # of arXiv 2405.15780
LOOKED_AT = ("temperature@850", 45.0, 180.0)  # the token in the attention picture: variable, latitude, longitude


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percent(pair):
    mean, half = pair
    return f"{100 * mean:+.1f} ± {100 * half:.1f} %"


def number(pair):
    mean, half = pair
    digits = 0 if mean >= 100 else 2
    return f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if half else "")


def arms_table(study, definitions, results):
    rows = []
    for arm, definition in definitions.items():
        settings = dict(setting.split("=") for setting in definition["settings"])
        width = settings.get("model.dim", arms.value_of(study, "model.dim"))
        samples, flops = definition["samples"], definition["flops"]
        lr = experiment.best_lr(results, study, arm)
        seeds = len(experiment.seeds(study, arm))
        rows.append([f"`{arm}`", width, f"{samples:,}", f"{flops:.3g}", f"{samples * flops:.3g}", f"{lr:g}", seeds])
    header = ["arm", "width", "samples", "FLOPs of a sample", "FLOPs of the training", "learning rate", "seeds"]
    return table(header, rows)


def validation_table(errors_of):
    """A table of `errors_of`: arm -> {setting or learning rate: error}."""
    choices = list(next(iter(errors_of.values())))
    rows = [[f"`{arm}`", *(f"{errors[choice]:.3f}" for choice in choices)] for arm, errors in errors_of.items()]
    return table(["arm", *(choice if isinstance(choice, str) else f"{choice:g}" for choice in choices)], rows)


def tried_text(budget, folder):
    """The paragraph on the settings that the budget tries on validation times; empty if it tries none."""
    if "tried" not in budget:
        return ""
    settings = budget["tried"]
    return (
        f"**What else was tried.** Each column changes one setting: {settings['samples']:,} samples, seed 0, the arm's "
        "own learning rate, scored like the search on the\nvalidation year. No arm above uses any of these "
        f"settings.\n\n{validation_table(tried.errors(budget, folder))}\n\n"
    )


def at_the_edge(results, study):
    """Names the arms whose best rate is the smallest or the largest of the search."""
    ends = {"smallest": min, "largest": max}
    said = []
    for word, end in ends.items():
        own = results[study["name"]]
        arms_there = [arm for arm in own if experiment.best_lr(results, study, arm) == end(own[arm])]
        if arms_there:
            said.append(f"the {word} rate is the best for " + ", ".join(f"`{arm}`" for arm in arms_there))
    return f" ({'; '.join(said)}; a rate beyond it may be better)" if said else ""


def search_text(budget, results, study):
    search = experiment.settings_of(budget, study, "search")
    return (
        f"{search['samples']} samples at each rate, seed 0, scored on {search['dates']} dates"
        f"{at_the_edge(results, study)}."
    )


def section_on_search(budget, results, study):
    """The search of a study beyond the first, as text and table."""
    if "rates_of" in study:
        return "The learning rates are those of the first study; nothing was searched."
    return f"Search: {search_text(budget, results, study)}\n\n{validation_table(results[study['name']])}"


def change_table(kind, found, study):
    header = [
        f"quantity ({kind})",
        "forecast",
        *(f"`{arm}`, equal {equal}" for _, arm, equal in analysis.comparisons(study)),
    ]
    rows = []
    for quantity in quantities.SCORED:
        for lead, step in quantities.FORECASTS:
            key = (quantity, lead, step)
            cells = [
                percent(analysis.change(found[ours], found[base], key))
                for ours, base, _ in analysis.comparisons(study)
            ]  # fmt: skip
            rows.append([quantity, f"{lead} h, {quantities.kind_of(lead, step)}", *cells])
    return table(header, rows)


def error_table(kind, found):
    header = [f"quantity ({kind})", "forecast", *(pictures.NAMES.get(name, name) for name in found)]
    rows = []
    for quantity, (_, unit) in quantities.SCORED.items():
        for lead, step in quantities.FORECASTS:
            key = (quantity, lead, step)
            cells = [number(analysis.score(errors, key)) if key in errors.mse else "" for errors in found.values()]
            rows.append([f"{quantity} ({unit})", f"{lead} h, {quantities.kind_of(lead, step)}", *cells])
    return table(header, rows)


def acc_table(kind, found):
    shown = {name: errors for name, errors in found.items() if errors.acc and name != "climatology"}
    rows = []
    for quantity in quantities.SCORED:
        for lead, step in quantities.FORECASTS:
            key = (quantity, lead, step)
            if lead == step and all(key in errors.acc for errors in shown.values()):
                cells = [f"{np.mean(errors.acc[key]):.3f}" for errors in shown.values()]
                rows.append([quantity, f"{lead} h", *cells])
    return table([f"quantity ({kind})", "lead", *shown], rows)


def asked_forecasts():
    """The direct forecasts of temperature that the question is about: (quantity, lead, step)."""
    return [(quantity, lead, lead) for lead in (24, 72) for quantity in quantities.TEMPERATURES]


def finding(found, study):
    """The answer in three sentences, computed: how many temperature forecasts get better or worse, the largest gain."""
    asked = asked_forecasts()
    counts, gains = {"samples": [], "FLOPs": []}, []
    for ours, base, equal in analysis.comparisons(study):
        changes = [analysis.change(found[ours], found[base], key) for key in asked]
        clear = [mean for mean, half in changes if abs(mean) > half]
        better = sum(mean < 0 for mean in clear)
        counts[equal.partition(",")[0]].append(
            f"better than `{base}` in {better} of {len(asked)} temperature forecasts and worse in {len(clear) - better}"
        )
        gains += [-mean for mean in clear]
    sentences = [
        f"Trained with the same {equal}, `full` is {'; '.join(said)}." for equal, said in counts.items() if said
    ]
    largest = max([0.0, *gains])
    seen = "is reached" if largest >= CLAIMED_GAIN else "is not seen"
    sentences += [
        f"The largest gain of `full` is {100 * largest:.1f} %: the gain of up to {100 * CLAIMED_GAIN:.0f} % that arXiv "
        f"2405.15780 reports {seen} here.",
        "(`full` attends over every variable; the other arms merge the variables of a patch first. The forecasts are "
        f"those of {len(quantities.TEMPERATURES)} temperatures at 24 h and 72 h. A change inside its 95 % interval "
        "counts as neither better nor worse.)",
    ]
    return textwrap.fill(" ".join(sentences), 120, break_on_hyphens=False)


def verdict(found_of, studies):
    """The changes of the temperatures as a table, bold where the interval excludes zero.

    It has the first study, and those that train the same model with another number of samples.
    """
    first = studies[0]

    def cell(change):
        said = percent(change)
        return f"**{said}**" if abs(change[0]) > change[1] else said

    asked = asked_forecasts()
    rows = []
    for study in studies:
        if study["set"] == first["set"]:
            found = found_of[study["name"]]
            for ours, base, equal in analysis.comparisons(study):
                changes = [analysis.change(found[ours], found[base], key) for key in asked]
                rows.append([f"`{base}`, equal {equal}", f"{study['samples']:,}", *map(cell, changes)])
    return (
        "The table has the change of the RMSE of direct temperature forecasts when `full` replaces another arm, at "
        f"width {arms.value_of(first, 'model.dim')}.\nNegative means that `full` is better. Bold means that the 95 % "
        "interval excludes zero.\n\n"
        + table(["against", "samples of `full`", *(f"{quantity}, {lead} h" for quantity, lead, _ in asked)], rows)
    )


def beaten(found, study):
    """Which arms beat persistence and climatology at 24 h and 72 h, in words."""
    sentences = []
    for lead in (24, 72):
        rmse = {
            (name, quantity): found[name].rmse((quantity, lead, lead)).mean()
            for name in [*study["arms"], "persistence", "climatology"]
            for quantity in quantities.SCORED
        }
        losing = {
            arm: [
                quantity
                for quantity in quantities.SCORED
                if rmse[arm, quantity] >= min(rmse["persistence", quantity], rmse["climatology", quantity])
            ]
            for arm in study["arms"]
        }
        losers = [
            f"`{arm}` ({'every quantity' if len(lost) == len(quantities.SCORED) else ', '.join(lost)})"
            for arm, lost in losing.items()
            if lost
        ]
        sentences.append(
            f"At {lead} h these arms lose to persistence or to climatology: " + "; ".join(losers) + "."
            if losers
            else f"Every arm beats persistence and climatology at {lead} h in every quantity."
        )
    return "\n".join(sentences)


def more_studies(budget, definitions, results, found_of):
    """A section for each study beyond the first: its arms and its changes."""
    sections, kind = [], budget["data"]["kind"]
    for study in budget["study"][1:]:
        found = found_of[study["name"]]
        dates = experiment.settings_of(budget, study, "scores")["dates"]
        sections.append(
            f"### {study['title']}\n\n"
            f"{arms_table(study, definitions[study['name']], results)}\n\n"
            f"{section_on_search(budget, results, study)}\n\n"
            f"Result, {dates} test dates, {len(study['seeds'])} seeds:\n\n"
            f"{change_table(kind, found, study)}\n\n"
            f"{beaten(found, study)}\n\n{error_table(kind, found)}\n\n"
        )
    return "".join(sections)


def ways_to_equal_flops(budget):
    """How the arms of the budget reach the FLOPs of `full`: by width, by samples."""
    extras = {arms.extra_of(arm) for study in budget["study"] for arm in study["arms"]}
    return [way for way in AT_EQUAL_FLOPS if way in extras]


def archive_text(budget, definitions, states):
    """Says how often the longest training reads a state of the training years."""
    longest = max(definition["samples"] for definition in definitions.values())
    said = f"The training years have {states:,} states; the longest training reads each {longest / states:.1f} times."
    if "long" not in ways_to_equal_flops(budget):
        return said
    return "A `-long` arm needs more data, which must exist.\n" + said


def data_text(data, store):
    source = f" ({store.attrs['source']})" if "source" in store.attrs else ""
    return (
        f"`{data['path']}`: {store.attrs.get('title', data['kind'])}{source}, on "
        f"{store.sizes['latitude']} x {store.sizes['longitude']} points; training {data['train'][0]} to "
        f"{data['train'][1]}, validation {data['valid'][0]} to {data['valid'][1]}, test {data['test'][0]} to "
        f"{data['test'][1]}."
    )


def precision_of(study):
    """The precision that the study sets; else the recipe's default."""
    return next((s.partition("=")[2] for s in study["set"] if s.startswith("train.precision=")), "fp32")


def earlier_text(budget):
    """The budget's file on results of before, which no run of today gives again; empty without one."""
    if "earlier" not in budget:
        return ""
    with open(budget["earlier"]) as file:
        return file.read() + "\n"


def draw(pictures_folder, budget, folder, study, definitions, found, store):
    os.makedirs(pictures_folder, exist_ok=True)
    runs = {arm: f"{folder}/{experiment.run_name(study, arm, study['seeds'][0])}" for arm in study["arms"]}
    pictures.error_by_lead(found, f"{pictures_folder}/error_by_lead.png")
    pictures.error_maps(runs, store, f"{pictures_folder}/error_maps.png")
    pictures.spectra(runs, store, f"{pictures_folder}/spectra.png")
    pictures.losses(folder, study, definitions, f"{pictures_folder}/loss.png")
    variable, latitude, longitude = LOOKED_AT
    time = experiment.settings_of(budget, study, "scores")["fields_from"]
    looked, variables, place = fields.attention(runs["full"], store, time, variable, latitude, longitude)
    last = looked[-1].mean(axis=0)
    pictures.attention(last, variables, variable, place, f"{pictures_folder}/attention.png")
    bands = [f"waves {first} to {last}" for first, last in insides.BANDS]
    habits = [[f"`{arm}`", *insides.habits(run, store, time)] for arm, run in runs.items()]
    return {
        "attention_text": attention_text(last, variables, variable, place),
        "looks": ON_LOOKS
        + table(
            ["block", "head", "own place", "west of it", "east of it", "3 x 3 places", "tokens"],
            insides.looks(looked, place),
        ),
        "habits": ON_HABITS + table(["arm", *bands, "tells leads apart"], habits),
    }


def attention_text(looked, variables, variable, place):
    own, near = looked[variables.index(variable)].sum(), insides.near(looked.sum(axis=0), place)
    return (
        f"The token of {variable} gives {100 * own:.0f} % to its own variable's patches (an even spread: "
        f"{100 / len(variables):.0f} %) and {100 * near:.0f} % to the 3 x 3 places around it, over all variables."
    )


def write(options, budget, definitions, results):
    """Writes the page `options.page` from the template, about the runs in `options.out`."""
    folder, study = options.out, budget["study"][0]
    of_study = definitions[study["name"]]
    found_of = {one["name"]: analysis.read_study(budget, folder, one) for one in budget["study"]}
    found = found_of[study["name"]]
    data = budget["data"]
    store = xr.open_zarr(data["path"])
    size = {key: arms.value_of(study, key) for key in ("model.dim", "model.depth", "model.heads", "data.batch")}
    states = store.sel(time=slice(*data["train"])).sizes["time"]
    pictures_beside = f"pictures/{os.path.basename(options.page).removesuffix('.md')}"
    pictures_folder = os.path.join(os.path.dirname(options.page), pictures_beside)
    with open(TEMPLATE) as file:
        template = file.read()
    text = template.format(
        pictures=pictures_beside,
        finding=finding(found, study),
        verdict=verdict(found_of, budget["study"]) + "\n\n" + beaten(found, study),
        budget=options.budget,
        recipe=study["recipe"],
        sizes=f"width {size['model.dim']}, {size['model.depth']} blocks, {size['model.heads']} heads, batch "
        f"{size['data.batch']}, {len(study['seeds'])} seeds, {precision_of(study)}",
        at_equal_flops="\n".join(AT_EQUAL_FLOPS[way] for way in ways_to_equal_flops(budget)),
        arms=arms_table(study, of_study, results),
        on_data=ON_DATA if experiment.made_here(data) else "",
        on_waves=ON_WAVES if experiment.made_here(data) else "",
        data=data_text(data, store),
        search_text=search_text(budget, results, study),
        search=validation_table(results[study["name"]]),
        dates=experiment.settings_of(budget, study, "scores")["dates"],
        changes=change_table(data["kind"], found, study),
        on_archive=archive_text(budget, of_study, states),
        tried=tried_text(budget, folder),
        more=more_studies(budget, definitions, results, found_of),
        errors=error_table(data["kind"], found),
        acc=acc_table(data["kind"], found),
        earlier=earlier_text(budget),
        **draw(pictures_folder, budget, folder, study, of_study, found, store),
    )
    program.write_whole(options.page, text)
