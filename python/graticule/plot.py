"""Draws a run folder: python -m graticule.plot RUN [--out DIR] [--truth FILE].

It makes loss.png, scores-VARIABLE.png, map-VARIABLE.png and overview.png from the files of the folder. For each picture
that it cannot draw it names the command that makes the missing file. Exit code 2: nothing could be drawn.
"""

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from graticule import run_files
from graticule.run_files import MissingError

# Okabe and Ito's palette: told apart with any colour vision; markers and dashes tell the same without colour.
LINES = {
    "model": {"color": "#0072B2", "marker": "o", "linestyle": "-", "zorder": 3},
    "persistence": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "climatology": {"color": "#7F7F7F", "marker": "^", "linestyle": ":"},
}
STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.1,
    "savefig.dpi": 150,
}
FAVOURITES = ["geopotential@500", "temperature@850", "2m_temperature"]
UNITS = {"m2/s2": "m²/s²", "m**2 s**-2": "m²/s²", "m s**-1": "m/s", "kg kg**-1": "kg/kg", "1": ""}


def title_of(variable):
    """temperature@850 -> Temperature at 850 hPa; 2m_temperature -> 2 m temperature."""
    name, level = run_files.name_and_level(variable)
    words = name.replace("_", " ").replace("2m ", "2 m ").replace("10m ", "10 m ")
    words = words[:1].upper() + words[1:]
    return words if level is None else f"{words} at {level:g} hPa"


def with_units(label, units):
    units = UNITS.get(units, units)
    return f"{label} ({units})" if units else label


def draw_loss(axes, lines):
    """Draws the loss of every step (thin) and its running mean over a fiftieth of the run."""
    steps = np.array([line["step"] for line in lines])
    loss = np.array([line["loss"] for line in lines], dtype=float)
    window = max(1, len(loss) // 50)
    color = LINES["model"]["color"]
    axes.plot(steps, loss, color=color, alpha=0.3 if window > 1 else 1, linewidth=1)
    if window > 1:
        smooth = np.convolve(loss, np.ones(window) / window, mode="valid")
        axes.plot(steps[window - 1 :], smooth, color=color, linewidth=2, label=f"mean of {window} steps")
        axes.legend()
    if np.nanmin(loss) > 0:
        axes.set_yscale("log")
        decades = np.log10(np.nanmax(loss) / np.nanmin(loss))
        plain = matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_locator(matplotlib.ticker.LogLocator(subs=(2, 3, 5)))
        axes.yaxis.set_minor_formatter(plain if decades < 2 else matplotlib.ticker.NullFormatter())
    axes.set(xlabel="step", ylabel="loss (weighted, normalised)", title="Training loss")


def draw_score(axes, rows, variable, score):
    """Draws one score of one variable by lead, a line for each kind of forecast; bars if there is only one lead."""
    rows = [row for row in rows if row["variable"] == variable and row[score] is not None]
    leads = sorted({row["lead_hours"] for row in rows})
    kinds = [kind for kind in LINES if any(row["forecast"] == kind for row in rows)]
    for kind in kinds:
        points = sorted((row["lead_hours"], row[score]) for row in rows if row["forecast"] == kind)
        if len(leads) > 1:
            axes.plot(*zip(*points, strict=True), label=kind, markersize=5, linewidth=1.8, **LINES[kind])
        else:
            bar = axes.bar(kind, points[0][1], color=LINES[kind]["color"], width=0.6)
            axes.bar_label(bar, fmt="%.4g", padding=2)
    units = rows[0]["units"] if score == "rmse" and rows else ""
    axes.set_ylabel(with_units(score.upper(), units))
    if len(leads) > 1:
        axes.set_xlabel("lead (hours)")
        axes.set_xticks(leads[:: -(-len(leads) // 10)])
        axes.legend()
    elif leads:
        axes.set_xlabel(f"forecast of {leads[0]} hours")
        axes.grid(axis="x", visible=False)
        axes.margins(y=0.12)
    if score == "rmse":
        axes.set_ylim(bottom=0)


def draw_field(axes, field, title, units, **colors):
    longitude, latitude = field["longitude"].values, field["latitude"].values
    mesh = axes.pcolormesh(longitude, latitude, field.values, shading="nearest", rasterized=True, **colors)
    step = (longitude[-1] - longitude[0]) / max(1, len(longitude) - 1)
    whole = (longitude[-1] - longitude[0] + step) > 350
    if whole:
        axes.set_xticks(range(0, 360, 60), ["0°", "60°E", "120°E", "180°", "120°W", "60°W"])
        axes.set_yticks(range(-90, 91, 45), ["90°S", "45°S", "0°", "45°N", "90°N"])
        axes.set(xlim=(longitude[0] - step / 2, longitude[-1] + step / 2), ylim=(-90, 90))
    else:
        axes.set(xlabel="longitude (°E)", ylabel="latitude (°N)")
    axes.grid(visible=False)
    axes.spines[["top", "right"]].set_visible(True)
    axes.set(title=title, aspect="equal")
    axes.figure.colorbar(mesh, ax=axes, orientation="horizontal", shrink=0.8, pad=0.03, aspect=30, label=units)


class Maps:
    """The data sets of forecast and truth, and the initial time and lead to draw."""

    def __init__(self, run, arguments):
        self.forecast_path = run_files.find_fields(run, "forecast", arguments.forecast)
        self.truth_path = run_files.find_fields(run, "truth", arguments.truth)
        self.forecast = run_files.open_fields(self.forecast_path)
        self.truth = run_files.open_fields(self.truth_path)
        self.time = self.forecast["time"].values[0]
        leads = self.forecast["prediction_timedelta"].values
        hours = leads / np.timedelta64(1, "h")
        if arguments.lead is not None and arguments.lead not in hours:
            listed = ", ".join(f"{hour:g}" for hour in hours)
            raise MissingError(f"[plot] {self.forecast_path} has no lead of {arguments.lead:g} h: choose of {listed}")
        self.lead = leads[list(hours).index(arguments.lead)] if arguments.lead is not None else leads[hours > 0][0]

    def title(self, variable):
        hours = self.lead / np.timedelta64(1, "h")
        start = np.datetime_as_string(self.time, unit="h").replace("T", " ") + " UTC"
        origin = " · synthetic data" if "synthetic" in str(self.forecast.attrs.get("source", "")).lower() else ""
        return f"{title_of(variable)}, {hours:g} h from {start}{origin}"

    def draw(self, axes, variable):
        forecast, truth = (
            run_files.field_of(fields, path, variable, self.time, self.lead)
            for fields, path in ((self.forecast, self.forecast_path), (self.truth, self.truth_path))
        )
        if forecast.shape != truth.shape:
            raise MissingError(f"[plot] {self.truth_path} has another grid than {self.forecast_path}")
        error = forecast.copy(data=forecast.values - truth.values)
        units = forecast.attrs.get("units", "")
        units = UNITS.get(units, units)
        low, high = np.nanpercentile(np.concatenate([forecast.values, truth.values]), [0.5, 99.5])
        limit = np.nanpercentile(np.abs(error.values), 99.5) or 1
        same = {"cmap": "viridis", "vmin": low, "vmax": high}
        draw_field(axes[0], forecast, "Forecast", units, **same)
        draw_field(axes[1], truth, "Truth", units, **same)
        draw_field(axes[2], error, "Forecast - truth", units, cmap="RdBu_r", vmin=-limit, vmax=limit)


def chosen(names, wanted):
    """The variables that the user named, else up to three favourites, else the first three."""
    unknown = [name for name in wanted or [] if name not in names]
    if unknown:
        raise MissingError(f"[plot] no {', '.join(unknown)} here: choose of {', '.join(names)}")
    return wanted or [name for name in FAVOURITES if name in names] or names[:3]


class Folder:
    """The folder of the pictures, and the list of those that were drawn."""

    def __init__(self, path):
        self.path, self.drawn = path, []
        path.mkdir(parents=True, exist_ok=True)

    def save(self, figure, name):
        path = self.path / f"{name.replace('@', '_')}.png"
        figure.savefig(path)
        plt.close(figure)
        self.drawn.append(path)


def plot_loss(folder, lines):
    figure, axes = plt.subplots(figsize=(7, 4))
    draw_loss(axes, lines)
    folder.save(figure, "loss")


def plot_scores(folder, rows, convention):
    for variable in dict.fromkeys(row["variable"] for row in rows):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4))
        draw_score(axes[0], rows, variable, "rmse")
        draw_score(axes[1], rows, variable, "acc")
        figure.suptitle(f"{title_of(variable)}: scores by convention {convention}")
        folder.save(figure, f"scores-{variable}")


def plot_maps(folder, maps, variables):
    for variable in variables:
        figure, axes = plt.subplots(1, 3, figsize=(14, 3.5))
        maps.draw(axes, variable)
        figure.suptitle(maps.title(variable))
        folder.save(figure, f"map-{variable}")


def plot_overview(folder, lines, rows, maps, variable):
    """Draws the loss and the RMSE of one variable above its three maps."""
    figure = plt.figure(figsize=(13, 7.1))
    above, below = figure.subfigures(2, 1, height_ratios=[1, 0.98])
    left, right = above.subplots(1, 2)
    draw_loss(left, lines)
    draw_score(right, rows, variable, "rmse")
    right.set_title(f"{title_of(variable)}: RMSE by lead")
    maps.draw(below.subplots(1, 3), variable)
    below.suptitle(maps.title(variable), fontsize=11)
    folder.save(figure, "overview")


def attempt(read, *arguments):
    """The result of `read`; None after a message that says why there is none."""
    try:
        return read(*arguments)
    except MissingError as missing:
        print(missing, file=sys.stderr)
        return None


def draw(run, arguments):
    if not run.is_dir():
        raise MissingError(f"[plot] {run} is not a folder: give the run folder that graticule train wrote")
    lines = attempt(run_files.training_lines, run)
    scored = attempt(run_files.scores, run)
    rows = scored["scores"] if scored else []
    maps = attempt(Maps, run, arguments)
    if not (lines or scored or maps):
        raise MissingError(f"[plot] nothing in {run} can be drawn")
    scored_names = list(dict.fromkeys(row["variable"] for row in rows))
    mapped_names = run_files.variable_names(maps.forecast) if maps else []
    # Prefer variables that both have: a forecast also contains variables that are no target.
    common = [name for name in mapped_names if name in scored_names] or mapped_names
    variables = chosen(common if not arguments.variables else mapped_names, arguments.variables) if maps else []

    folder = Folder(arguments.out or run / "plots")
    with plt.rc_context(STYLE):
        if lines:
            plot_loss(folder, lines)
        if scored:
            plot_scores(folder, rows, scored["convention"])
        if maps:
            plot_maps(folder, maps, variables)
        if lines and scored and maps and variables[0] in scored_names:
            plot_overview(folder, lines, rows, maps, variables[0])
    return folder.drawn


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m graticule.plot", description="Draws a run folder as PNG files.")
    parser.add_argument("run", type=Path, help="the run folder that graticule train wrote")
    parser.add_argument("--out", type=Path, help="where the pictures go (default: RUN/plots)")
    parser.add_argument("--forecast", type=Path, help="forecast file (default: RUN/forecast.nc or .zarr)")
    parser.add_argument("--truth", type=Path, help="truth of the same layout (default: RUN/truth.nc or .zarr)")
    parser.add_argument("--variables", nargs="+", help="variables to map, such as temperature@850 2m_temperature")
    parser.add_argument("--lead", type=float, help="lead to map, in hours (default: the first)")
    arguments = parser.parse_args(argv)
    try:
        for path in draw(arguments.run, arguments):
            print(path)
    except MissingError as missing:
        print(missing, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
