#!/usr/bin/env python3
"""Makes years of weather with a general circulation model, without a network, in WeatherBench 2's layout.

  python tools/gcm/make_dataset.py --years 2001 2008 --out data/gcm.zarr
  python tools/gcm/make_dataset.py --truncation T85 --days 20 --out data/gcm_128x256.zarr

The model is dinosaur (PyPI: dinosaur-dycore) with an idealised forcing (atmosphere.py); its output is not reanalysis.
After a stop the same command continues. It holds one piece of the data in memory (--piece).
"""

import argparse
import os
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from dinosaur import primitive_equations

import pressure_levels
from atmosphere import STEP_MINUTES, make_atmosphere, refine, state_at_rest
from weather_store import WeatherStore

HOURS = 6
ROWS = {"T21": 32, "T42": 64, "T85": 128}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="the Zarr store to make")
    parser.add_argument("--truncation", choices=sorted(STEP_MINUTES), default="T21", help="32, 64 or 128 rows")
    parser.add_argument("--years", type=int, nargs=2, metavar=("FIRST", "LAST"), default=(2001, 2001))
    parser.add_argument("--days", type=int, help="only this many days from the first year's start")
    parser.add_argument("--levels", type=int, nargs="+", default=[200, 500, 850], help="hPa (default: 200 500 850)")
    parser.add_argument("--layers", type=int, default=8, help="sigma layers of the model")
    parser.add_argument("--spin-up", type=int, default=120, help="days at T21 before the first (default: 120)")
    parser.add_argument("--settle", type=int, default=10, help="of which days at the truncation itself")
    parser.add_argument("--piece", type=int, default=30, help="days in memory, lost at most by a stop (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="of continents and first state")
    parsed = parser.parse_args()
    if parsed.years[0] > parsed.years[1]:
        parser.error(f"--years {parsed.years[0]} {parsed.years[1]}: the first is after the last")
    if min(parsed.levels) < 100 or max(parsed.levels) > 1000:
        parser.error(f"--levels {parsed.levels}: from 100 to 1000 hPa")
    if parsed.piece < 1 or (parsed.days is not None and parsed.days < 1):
        parser.error("--piece and --days: at least 1")
    if not 0 <= parsed.settle <= parsed.spin_up:
        parser.error(f"--settle {parsed.settle}: from 0 to the {parsed.spin_up} days of --spin-up")
    if os.path.exists(parsed.out):
        parser.error(f"{parsed.out} exists: remove it, or name another")
    return parsed


def times_of(years, days):
    first = np.datetime64(f"{years[0]}-01-01", "h")
    last = first + np.timedelta64(24 * days, "h") if days else np.datetime64(f"{years[1] + 1}-01-01", "h")
    return np.arange(first, last, np.timedelta64(HOURS, "h"))


def since_new_year(times):
    """Days with fractions. Small numbers keep the float32 clock of the model exact to seconds."""
    return (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "h") / 24


def run(atmosphere, diagnose):
    """Returns a function (state, days since new year of each saved time) -> (state, fields stacked over the times)."""

    def to_next(state, clock):
        state = atmosphere.advance(state)
        state.sim_time = clock
        return state, diagnose(state)

    compiled = jax.jit(lambda state, clocks: jax.lax.scan(to_next, state, clocks))
    return lambda state, days: compiled(state, jnp.float32(days * atmosphere.day))


def spin_up(atmosphere, options, first_time):
    """Computes, from rest, the state one save before the first time."""
    coarse = make_atmosphere("T21", options.layers, HOURS, options.seed)
    steps = options.spin_up * 24 // HOURS
    before = first_time - HOURS * np.arange(steps, 0, -1).astype("timedelta64[h]")
    settle = options.settle * 24 // HOURS
    state = state_at_rest(coarse, options.seed)
    days = since_new_year(before)
    state, _ = run(coarse, lambda _: None)(state, days[: steps - settle])
    if options.truncation != "T21":
        state = refine(state, coarse, atmosphere)
    state, _ = run(atmosphere, lambda _: None)(state, days[steps - settle :])
    return state


def description(options):
    return {
        "title": "output of an idealised general circulation model, not reanalysis",
        "source": f"dinosaur {options.truncation}, {options.layers} sigma layers, seed {options.seed}, "
        f"{options.spin_up} days of spin-up, of which {options.settle} at the truncation",
        "Conventions": "CF-1.8",
    }


def begin(store, atmosphere, out, diagnose, options, times):
    """Returns the state to start from: before the first time, with an empty store, or that of a stopped run."""
    rows = ROWS[options.truncation]
    if store.begun():
        store.check(times, options.levels, description(options))
        state, done = store.load_state(primitive_equations.State)
        print(f"going on after {done} of {len(times)} times", flush=True)
        return state, done
    state = spin_up(atmosphere, options, times[0])
    shapes = {name: field.shape for name, field in jax.eval_shape(diagnose, state).items()}
    shapes["toa_incident_solar_radiation"] = (2 * rows, rows)
    store.create(
        shapes,
        pressure_levels.constants(atmosphere, out, rows),
        {
            "time": times.astype("datetime64[ns]"),
            "level": options.levels,
            **pressure_levels.coordinates(out, rows),
        },
        description(options),
    )
    store.save_state(state, 0)
    return state, 0


def main():
    options = arguments()
    rows = ROWS[options.truncation]
    times = times_of(options.years, options.days)
    atmosphere = make_atmosphere(options.truncation, options.layers, HOURS, options.seed)
    out = pressure_levels.output_grid(atmosphere.grid, rows)
    coordinates = pressure_levels.coordinates(out, rows)
    levels = [100.0 * level for level in options.levels]

    def diagnose(state):
        return pressure_levels.weather(atmosphere, out, rows, levels, state)

    store = WeatherStore(options.out)
    state, first = begin(store, atmosphere, out, diagnose, options, times)
    advance, begun = run(atmosphere, diagnose), time.monotonic()
    done = first
    while done < len(times):
        days = since_new_year(times[done : done + options.piece * 24 // HOURS])
        state, fields = advance(state, days)
        fields = {name: np.asarray(field) for name, field in fields.items()}
        broken = [name for name, field in fields.items() if not np.isfinite(field).all()]
        if broken:
            sys.exit(f"[gcm] {', '.join(broken)} not finite after {times[done]}: try another --seed")
        fields["toa_incident_solar_radiation"] = pressure_levels.sunlight(days, **coordinates)
        store.write(done, fields)
        done += len(days)
        store.save_state(state, done)
        rate = (done - first) * HOURS / 24 / (time.monotonic() - begun) * 60
        print(f"{done} of {len(times)} times, {rate:.0f} days a minute", flush=True)
    store.finish()


if __name__ == "__main__":
    main()
