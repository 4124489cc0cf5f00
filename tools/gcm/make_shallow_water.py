#!/usr/bin/env python3
"""Makes trajectories of the shallow-water equations on the sphere, in the HDF5 layout of The Well.

  python tools/gcm/make_shallow_water.py --out data/shallow_water.hdf5
  python tools/gcm/make_shallow_water.py --truncation T42 --trajectories 20 --out data/shallow_water_64x128.hdf5

The solver is dinosaur (PyPI: dinosaur-dycore). Each trajectory is the barotropic instability of Galewsky, Scott and
Polvani (2004): a jet of 80 m/s along a latitude circle, and a bump of 120 m. Latitude (by the solver's own draw) and
longitude of the bump differ. The jet breaks into vortices after four days, and there the trajectories begin.
"""

import argparse
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import h5py
import jax
import numpy as np
from dinosaur import (
    coordinate_systems,
    layer_coordinates,
    scales,
    shallow_water,
    shallow_water_states,
    spherical_harmonic,
    xarray_utils,
)

units = scales.units
STEP_MINUTES = {"T21": 20, "T42": 10, "T85": 5}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="the HDF5 file to make")
    parser.add_argument("--truncation", choices=sorted(STEP_MINUTES), default="T42", help="32, 64 or 128 rows")
    parser.add_argument("--trajectories", type=int, default=16)
    parser.add_argument("--steps", type=int, default=25, help="states of a trajectory (default: 25)")
    parser.add_argument("--hours", type=int, default=6, help="between states (default: 6)")
    parser.add_argument("--spin-up", type=int, default=96, help="hours before the first state (default: 96)")
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args()
    if min(parsed.trajectories, parsed.steps, parsed.hours) < 1 or parsed.spin_up < 0:
        parser.error("--trajectories, --steps and --hours: at least 1; --spin-up: at least 0")
    if os.path.exists(parsed.out):
        parser.error(f"{parsed.out} exists: remove it, or name another")
    return parsed


def make_solver(options):
    """Returns the grid, and a function: random key -> height (m), velocity (m/s; south, east) over step, rows, columns.

    Rows go from north to south.
    """
    grid = getattr(spherical_harmonic.Grid, options.truncation)()
    coords = coordinate_systems.CoordinateSystem(grid, layer_coordinates.LayerCoordinates(1))
    specs = shallow_water.ShallowWaterSpecs.from_si()
    first_state, features = shallow_water_states.barotropic_instability_tc(coords, specs)
    mean = features[xarray_utils.REF_POTENTIAL_KEY]
    step = specs.nondimensionalize(STEP_MINUTES[options.truncation] * units.minute)
    inner = options.hours * 60 // STEP_MINUTES[options.truncation]
    before = -(-options.spin_up // options.hours)
    filters = shallow_water.default_filters(grid, step)
    advance = shallow_water.shallow_water_leapfrog_trajectory(
        coords, step, specs, inner, before + options.steps, mean, filters=filters
    )
    speed, depth = (float(specs.dimensionalize(1.0, unit).magnitude) for unit in (units.m / units.s, units.m))

    def physical(state):
        cos_velocity = spherical_harmonic.get_cos_lat_vector(state.vorticity, state.divergence, grid)
        east, north = (grid.to_nodal(part)[0] / grid.cos_lat * speed for part in cos_velocity)
        height = (grid.to_nodal(state.potential)[0] + mean[0]) / specs.g * depth
        return height.T[::-1], -north.T[::-1], east.T[::-1]

    def solve(key):
        state = first_state(key)
        _, states = advance((state, state))
        height, south, east = jax.lax.map(physical, states)
        return height[before:], south[before:], east[before:]

    return grid, jax.jit(solve)


def describe(file, options, grid):
    """Writes all but the fields, as docs/data_format.md of The Well says."""
    longitude, sine = grid.nodal_axes
    file.attrs.update(
        dataset_name="barotropic instability of a jet on the sphere",
        grid_type="equiangular",
        n_spatial_dims=2,
        n_trajectories=options.trajectories,
        source=f"dinosaur {options.truncation}, seed {options.seed}",
    )
    file.attrs["simulation_parameters"] = []
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = ["theta", "phi"]
    axes = {
        "time": 3600.0 * options.hours * np.arange(options.steps),
        "theta": np.pi / 2 - np.arcsin(sine)[::-1],
        "phi": longitude,
    }
    for name, values in axes.items():
        dimensions.create_dataset(name, data=values.astype("f4")).attrs["sample_varying"] = False
    file.create_group("scalars").attrs["field_names"] = []
    for axis, kind in (("theta", "OPEN"), ("phi", "PERIODIC")):
        group = file.create_group(f"boundary_conditions/{axis}_{kind.lower()}")
        group.attrs.update(bc_type=kind, sample_varying=False, time_varying=False)
        group.attrs["associated_dims"] = [axis]
        group.create_dataset("mask", data=np.ones(len(axes[axis]), bool))


def create_field(file, order, name, units, shape):
    group = file.create_group(f"t{order}_fields")
    group.attrs["field_names"] = [name]
    field = group.create_dataset(name, shape, "f4")
    field.attrs.update(sample_varying=True, time_varying=True, units=units)
    field.attrs["dim_varying"] = [True, True]
    return field


def main():
    options = arguments()
    grid, solve = make_solver(options)
    columns, rows = grid.nodal_shape
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    keys = jax.random.split(jax.random.PRNGKey(options.seed), options.trajectories)
    turns = np.random.default_rng(options.seed).integers(columns, size=options.trajectories)
    partial = options.out + ".partial"
    with h5py.File(partial, "w") as file:
        describe(file, options, grid)
        shape = (options.trajectories, options.steps, rows, columns)
        height, velocity = (
            create_field(file, 0, "height", "m", shape),
            create_field(file, 1, "velocity", "m s**-1", (*shape, 2)),
        )
        for i, key in enumerate(keys):
            fields = [np.roll(np.asarray(field), turns[i], -1) for field in solve(key)]
            if not all(np.isfinite(field).all() for field in fields):
                raise SystemExit(f"[shallow_water] trajectory {i} is not finite: try another --seed")
            height[i], velocity[i] = fields[0], np.stack(fields[1:], -1)
            print(f"{i + 1} of {options.trajectories} trajectories", flush=True)
    os.replace(partial, options.out)


if __name__ == "__main__":
    main()
