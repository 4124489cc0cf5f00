"""The pictures of the page: error by lead, error maps, spectra, attention, loss against samples and FLOPs."""

from pathlib import Path

import matplotlib

import analysis
import experiment
import fields
import quantities

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from graticule.plot import STYLE
from graticule.run_files import training_lines

# Okabe and Ito's palette by tokens; dashes tell the arms that were given more.
LOOKS = {
    "full": {"color": "#0072B2", "marker": "o"},
    "aggregated": {"color": "#D55E00", "marker": "s"},
    "aggregated-wide": {"color": "#D55E00", "marker": "D", "linestyle": "--"},
    "aggregated-long": {"color": "#D55E00", "marker": "v", "linestyle": ":"},
    "channels": {"color": "#009E73", "marker": "^"},
    "channels-wide": {"color": "#009E73", "marker": "D", "linestyle": "--"},
    "channels-long": {"color": "#009E73", "marker": "v", "linestyle": ":"},
    "persistence": {"color": "#7F7F7F", "marker": "x", "linestyle": "-.", "linewidth": 1},
    "climatology": {"color": "#7F7F7F", "marker": "+", "linestyle": ":", "linewidth": 1},
    "regression": {"color": "#CC79A7", "marker": "P", "linestyle": "-.", "linewidth": 1},
}
NAMES = {
    "aggregated-wide": "aggregated, FLOPs of full by width",
    "aggregated-long": "aggregated, FLOPs of full by samples",
    "channels-wide": "channels, FLOPs of full by width",
    "channels-long": "channels, FLOPs of full by samples",
    "regression": "linear regression",
}


def save(figure, path):
    figure.savefig(path)
    plt.close(figure)


def error_by_lead(found, path):
    """Draws the error of direct forecasts: one panel for each quantity, a line for each model, bars of 95 %."""
    shown = [*quantities.TEMPERATURES, "geopotential 500 hPa"]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(2, 2, figsize=(10, 8))
        for axes, quantity in zip(panels.flat, shown, strict=True):
            for shift, (name, errors) in enumerate(found.items()):
                keys = [(quantity, lead, step) for lead, step in quantities.FORECASTS if lead == step]
                keys = [key for key in keys if key in errors.mse]
                values = np.array([analysis.score(errors, key) for key in keys])
                leads = np.array([key[1] for key in keys]) * (1 + 0.012 * (shift - len(found) / 2))
                look = {"linestyle": "-", "markersize": 5, "linewidth": 1.5, "capsize": 2, **LOOKS[name]}
                axes.errorbar(leads, values[:, 0], yerr=values[:, 1], label=NAMES.get(name, name), **look)
            axes.set(xscale="log", title=quantity, xlabel="lead (hours)", ylim=(0, None))
            axes.set(
                ylabel=f"RMSE ({quantities.SCORED[quantity][1]})", xticks=[6, 24, 72], xticklabels=["6", "24", "72"]
            )
            axes.minorticks_off()
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        save(figure, path)


def error_maps(study_runs, store, path):
    """Draws the RMSE over dates of T850 at 24 h for the first two arms, and their difference."""
    name = "temperature@850"
    maps = {arm: fields.error_map(run, store, name) for arm, run in study_runs.items()}
    (first, ours), (second, theirs) = list(maps.items())[:2]
    with plt.rc_context(STYLE | {"axes.grid": False}):
        figure, panels = plt.subplots(1, 3, figsize=(13, 3.4))
        high = max(float(ours.max()), float(theirs.max()))
        for axes, (arm, values) in zip(panels, [(first, ours), (second, theirs)], strict=False):
            drawn = axes.pcolormesh(values.longitude, values.latitude, values, cmap="viridis", vmin=0, vmax=high)
            axes.set_title(f"RMSE, {arm} (K)")
            figure.colorbar(drawn, ax=axes, shrink=0.8)
        difference = ours - theirs
        most = float(np.abs(difference).quantile(0.99))
        drawn = panels[2].pcolormesh(
            difference.longitude, difference.latitude, difference, cmap="RdBu_r", vmin=-most, vmax=most
        )
        panels[2].set_title(f"{first} less {second} (K)")
        figure.colorbar(drawn, ax=panels[2], shrink=0.8)
        land = fields.land(store)
        for axes in panels:
            axes.contour(land.longitude, land.latitude, land, levels=[0.5], colors="white", linewidths=0.8)
            axes.set(xlabel="longitude", xticks=range(0, 361, 90), yticks=range(-90, 91, 45))
        panels[0].set_ylabel("latitude")
        save(figure, path)


def spectra(study_runs, store, path):
    """Draws the power of T850 at 24 h by zonal wavenumber, 30 to 60 degrees of both hemispheres: forecasts, truth."""
    name = "temperature@850"
    with plt.rc_context(STYLE):
        figure, (axes, ratio) = plt.subplots(1, 2, figsize=(10, 4.2))
        truth = fields.spectrum(fields.truth(next(iter(study_runs.values())), store, name))
        waves = np.arange(1, len(truth))
        axes.plot(waves, truth[1:], color="black", linewidth=2, label="truth")
        for arm, run in study_runs.items():
            power = fields.spectrum(fields.forecast(run, name))
            look = {"linestyle": "-", "linewidth": 1.5, **LOOKS[arm], "marker": None}
            axes.plot(waves, power[1:], label=NAMES.get(arm, arm), **look)
            ratio.plot(waves, power[1:] / truth[1:], **look)
        axes.set(xscale="log", yscale="log", xlabel="zonal wavenumber", ylabel="power (K²)", title="T850 at 24 h")
        ratio.axhline(1, color="black", linewidth=1)
        ratio.set(xscale="log", xlabel="zonal wavenumber", title="share of the truth's power", ylim=(0, 1.3))
        axes.legend(fontsize=8)
        save(figure, path)


def losses(folder, study, definitions, path):
    """The training loss of the first seeds, smoothed, against samples and against FLOPs."""
    with plt.rc_context(STYLE):
        figure, (by_samples, by_flops) = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
        for arm in study["arms"]:
            run = f"{folder}/{experiment.run_name(study, arm, study['seeds'][0])}"
            loss = smoothed(np.array([line["loss"] for line in training_lines(Path(run))]))
            definition = definitions[arm]
            samples = definition["samples"] * np.arange(1, len(loss) + 1) / len(loss)
            look = {"linestyle": "-", "linewidth": 1.5, **LOOKS[arm], "marker": None}
            by_samples.plot(samples, loss, label=NAMES.get(arm, arm), **look)
            by_flops.plot(samples * definition["flops"], loss, **look)
        by_samples.set(xscale="log", xlabel="samples", ylabel="training loss", title="by samples")
        by_flops.set(xscale="log", xlabel="FLOPs", title="by FLOPs")
        by_samples.legend(fontsize=8)
        save(figure, path)


def smoothed(loss):
    """The running mean over the previous twentieth of the run, or over all previous steps if there are fewer."""
    window = max(1, len(loss) // 20)
    total = np.concatenate([[0], np.cumsum(loss)])
    first = np.maximum(np.arange(1, len(loss) + 1) - window, 0)
    last = np.arange(1, len(loss) + 1)
    return (total[last] - total[first]) / (last - first)


def attention(looked, variables, token_variable, place, path):
    """Draws the attention of one token: its share by variable, and maps of the variables with the largest shares.

    `looked` is [V, R, Q] and sums to 1; `place` is (row, column) of the token.
    """
    by_variable = looked.sum(axis=(1, 2))
    most = np.argsort(-by_variable)
    shown = most[:5]
    with plt.rc_context(STYLE | {"axes.grid": False}):
        figure, panels = plt.subplots(2, 3, figsize=(13, 6))
        bars = panels[0, 0]
        bars.barh([variables[i] for i in most[::-1]], by_variable[most[::-1]] * 100, color="#0072B2")
        bars.set(title="share of attention by variable (%)")
        bars.tick_params(axis="y", labelsize=6)
        for axes, i in zip(panels.flat[1:], shown, strict=True):
            even = looked[i] * looked.size
            drawn = axes.imshow(even, origin="lower", cmap="magma", vmin=0, extent=(0, 360, -90, 90), aspect="auto")
            rows, columns = looked.shape[1:]
            axes.plot((place[1] + 0.5) * 360 / columns, (place[0] + 0.5) * 180 / rows - 90, "c+", markersize=12)
            axes.set(title=variables[i], xticks=range(0, 361, 90), yticks=range(-90, 91, 45))
            figure.colorbar(drawn, ax=axes, shrink=0.8)
        figure.suptitle(f"What the token of {token_variable} at the cross attends to (1: as much as an even spread)")
        save(figure, path)
