"""An exported model (graticule export) as a torch.nn.Module, and its forecasts as xarray data sets.

model = graticule.load("weights.safetensors")
data = xarray.open_dataset("data.zarr")
forecast = model.forecast(data, "2001-12-01", steps=3)
"""

import numpy as np
import torch
import xarray as xr
from torch import nn

from graticule import exported, run_files

PLACES = ("latitude", "longitude")
DEGREES = 1e-3  # coordinates may differ by as much, as for the program


def load(path):
    """The model of a file that `graticule export` wrote. ValueError: it is no such file."""
    return Model(*exported.read(path))


class Model(nn.Module):
    """A trained model. `sizes` and `statistics` are those of the file (docs/model.md); the keys of `state_dict()` are
    the names of its tensors, so weights can be trained on, changed and compared by name."""

    def __init__(self, weights, sizes, statistics):
        super().__init__()
        self.sizes, self.statistics = sizes, statistics
        for name, weight in weights.items():
            *folders, last = name.split(".")
            owner = self
            for folder in folders:
                if not hasattr(owner, folder):
                    owner.add_module(folder, nn.Module())
                owner = getattr(owner, folder)
            owner.register_parameter(last, nn.Parameter(weight))

    @property
    def variables(self):
        """The names of the input variables, in the order of the fields."""
        return self.sizes["variables"]

    @property
    def targets(self):
        """The names of the variables that the model predicts."""
        return self.sizes["targets"]

    def forward(self, fields, lead_hours=None, time=None):
        """One step on normalised fields [V, Y, X], on cells [V, N], differentiable: see exported.run_model and
        exported.normalise."""
        return exported.run_model(dict(self.named_parameters()), self.sizes, fields, self.lead(lead_hours), time)

    def lead(self, lead_hours=None):
        """The given lead, or the first that the model was trained on. ValueError: it was not trained on it."""
        leads = self.sizes["lead_hours"]
        if lead_hours is not None and lead_hours not in leads:
            raise ValueError(f"[forecast] lead_hours={lead_hours} was not trained: choose of {leads}")
        return lead_hours or leads[0]

    def forecast(self, data, init, steps=1, lead_hours=None):
        """Rolls the model out from the time `init` of `data`: an xarray data set in the layout of `graticule forecast`
        with the targets at 1, 2, ... `steps` leads, NaN where `graticule forecast` has none.

        `data` has the model's variables under the names of `variables` (`name@level` at its level), on the model's
        grid. Variables that are no target are read from `data` at every step. ValueError says what does not fit.
        """
        lead = self.lead(lead_hours)
        states = _States(data, self.sizes)
        start, hours = np.datetime64(init, "ns"), np.timedelta64(lead, "h")
        past = [states.at(start - n * hours) for n in range(self.sizes.get("history", 1))]
        forecasts = exported.roll_out(
            dict(self.named_parameters()),
            self.sizes,
            self.statistics,
            torch.stack(past) if len(past) > 1 else past[0],
            lead,
            steps,
            later=lambda step: states.at(start + step * hours),
            time=start.astype("datetime64[s]").astype(int).item(),
        )
        leads = np.arange(1, steps + 1) * hours.astype("timedelta64[ns]")
        return self._as_dataset(forecasts, start, leads)

    def _as_dataset(self, forecasts, start, leads):
        """[steps, V, Y, X] -> a data set of the targets, levels of one variable together."""
        cells = exported.on_cells(self.sizes)
        dims = ("time", "prediction_timedelta", *(("cell",) if cells else PLACES))
        places = {name: ("cell" if cells else name, self.sizes[name + "s"]) for name in PLACES}
        fields = []
        for name in self.targets:
            base, level = run_files.name_and_level(name)
            values = forecasts[None, :, self.variables.index(name)].numpy()
            units = {"units": self.statistics["variables"][name].get("units", "")}
            field = xr.DataArray(values, {"time": [start], dims[1]: leads, **places}, dims, base, units)
            fields.append(field if level is None else field.expand_dims(level=[level], axis=2))
        return xr.merge(fields, join="outer", compat="no_conflicts", combine_attrs="override")


class _States:
    """The fields of a data set as the model reads them."""

    def __init__(self, data, sizes):
        self.variables = sizes["variables"]
        cells = exported.on_cells(sizes)
        there = ("time", *data.coords) if cells else data.dims
        absent = [name for name in ("time", *PLACES) if name not in there]
        if absent:
            raise ValueError(
                f"[forecast] the data have no {'coordinate' if cells else 'dimension'} {', '.join(absent)}"
            )
        self.data = data if cells else data.sortby("latitude").sortby("longitude")
        self.dims = data["latitude"].dims if cells else PLACES
        for dim in PLACES:
            ours, theirs = np.asarray(sizes[dim + "s"]), self.data[dim].values
            apart = np.abs((ours - theirs + 180) % 360 - 180) if ours.shape == theirs.shape else [np.inf]
            if np.max(apart) > DEGREES:
                raise ValueError(
                    f"[forecast] the data have {len(theirs)} {dim}s from {theirs[0]:g} to {theirs[-1]:g}, the model "
                    f"{len(ours)} from {ours[0]:g} to {ours[-1]:g}: give data on the model's grid"
                )

    def at(self, time):
        """[V, Y, X] at one time, constants too."""
        return torch.from_numpy(np.stack([self.field(name, time) for name in self.variables]))

    def field(self, name, time):
        try:
            field = run_files.select(self.data, name)
        except KeyError:
            raise ValueError(
                f"[forecast] the data have no {name}: the model reads {', '.join(self.variables)}"
            ) from None
        if "time" in field.dims:
            if time not in field["time"].values:
                raise ValueError(f"[forecast] {name} has no time {np.datetime_as_string(time, unit='h')}")
            field = field.sel(time=time)
        return field.transpose(*self.dims).values.astype("f4")
