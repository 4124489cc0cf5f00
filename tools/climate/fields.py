"""Computes error maps, spectra and attention maps from the fields of forecasts and truth."""

import subprocess

import numpy as np
import torch

import program
from graticule import exported, run_files


def forecast(run, name):
    """The forecast [initial time, latitude, longitude] at the first lead of the file."""
    with run_files.open_fields(run_files.Path(f"{run}/fields-24.nc")) as opened:
        first = run_files.select(opened, name).isel(prediction_timedelta=0)
        return first.transpose("time", "latitude", "longitude").load()


def truth(run, store, name):
    """The data at the valid times of the forecasts, labelled by the initial times."""
    ours = forecast(run, name)
    valid = ours.time.values + ours.prediction_timedelta.values
    field = run_files.select(store, name).sel(time=valid).sortby("latitude").transpose("time", "latitude", "longitude")
    return ours.copy(data=field.values)


def land(store):
    return store["land_sea_mask"].transpose("latitude", "longitude").sortby("latitude")


def error_map(run, store, name):
    """RMSE over the dates, for each place."""
    return np.sqrt(((forecast(run, name) - truth(run, store, name)) ** 2).mean("time"))


def spectrum(field):
    """Mean power by zonal wavenumber over dates and the latitudes from 30 to 60 degrees, both hemispheres."""
    middle = field.where((np.abs(field.latitude) > 30) & (np.abs(field.latitude) < 60), drop=True)
    waves = np.fft.rfft(middle.values, axis=-1) / middle.shape[-1]
    power = np.abs(waves) ** 2
    power[..., 1:] *= 2
    return power.mean(axis=(0, 1))


def exported_model(run, store, time):
    """The newest model of a run, and a state of the data as it reads it: (weights, model, normalised [V, Y, X])."""
    path = f"{run}/model.safetensors"
    subprocess.run([program.PROGRAM, "export", run, path], check=True, capture_output=True)
    weights, model, statistics = exported.read(path)
    now = store.sel(time=np.datetime64(time, "ns")).sortby("latitude")
    stacked = [run_files.select(now, name).transpose("latitude", "longitude").values for name in model["variables"]]
    return weights, model, exported.normalise(torch.from_numpy(np.stack(stacked)).float(), model, statistics)


def attention(run, store, time, variable, latitude, longitude):
    """Attention of one token at 24 h: ([depth, H, V, R, Q], variables, (row, column))."""
    weights, model, normalised = exported_model(run, store, time)
    p = model["patch"]
    rows, columns = -(-model["rows"] // p), -(-model["columns"] // p)
    row = int((latitude + 90) / 180 * rows)
    column = int(longitude / 360 * columns)
    token = (model["variables"].index(variable) * rows + row) * columns + column
    looked = exported.attention_of_token(weights, model, normalised, 24, token)
    return looked.unflatten(2, (-1, rows, columns)).numpy(), model["variables"], (row, column)
