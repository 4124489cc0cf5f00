"""Computes the written fields of a state: on pressure levels and at the surface, on WeatherBench's grid and units.

The spectral state is evaluated on the exact equiangular grid without poles, so nothing is interpolated along the
ground. In the vertical all fields are linear in ln p between layers. Below the lowest layer wind and humidity are
constant, temperature increases by 6.5 K/km, and the geopotential follows from it:

    T = T_k (p/p_k)^a,   a = R gamma / g,   Phi = Phi_k - g (T - T_k) / gamma
"""

import jax.numpy as jnp
import numpy as np
from dinosaur import primitive_equations, scales, spherical_harmonic

from continents import evaluate

units = scales.units
GRAVITY, GAS_CONSTANT, LAPSE = 9.80665, 287.0, 0.0065
EXPONENT = GAS_CONSTANT * LAPSE / GRAVITY
SOLAR_CONSTANT = 1361.0


def output_grid(grid, rows):
    """The output grid: `rows` x 2 `rows` cells without poles, in the harmonics of the model's grid."""
    return spherical_harmonic.Grid(
        longitude_wavenumbers=grid.longitude_wavenumbers,
        total_wavenumbers=grid.total_wavenumbers,
        longitude_nodes=2 * rows,
        latitude_nodes=rows,
        latitude_spacing="equiangular",
        spherical_harmonics_impl=grid.spherical_harmonics_impl,
    )


def coordinates(out, rows):
    """Longitude 0..360 and latitude ascending, degrees."""
    longitude = np.rad2deg(out.nodal_axes[0])[: 2 * rows]
    latitude = np.rad2deg(np.arcsin(out.nodal_axes[1]))[:rows]
    return {"longitude": longitude.astype(np.float64), "latitude": latitude.astype(np.float64)}


def between_layers(fields, log_pressure, levels):
    """fields [n, layer, x, y], log_pressure [layer, x, y] -> [n, level, x, y]; the nearest layer's value outside."""
    last = log_pressure.shape[0] - 1
    found = []
    for level in levels:
        above = jnp.clip(jnp.sum(log_pressure < np.log(level), axis=0) - 1, 0, last - 1)[None]
        upper = jnp.take_along_axis(log_pressure, above, axis=0)
        lower = jnp.take_along_axis(log_pressure, above + 1, axis=0)
        weight = jnp.clip((np.log(level) - upper) / (lower - upper), 0, 1)
        at_upper = jnp.take_along_axis(fields, above[None], axis=1)[:, 0]
        at_lower = jnp.take_along_axis(fields, above[None] + 1, axis=1)[:, 0]
        found.append(at_upper + weight * (at_lower - at_upper))
    return jnp.stack(found, axis=1)


def weather(atmosphere, out, rows, levels, state):
    """Name -> field [level, longitude, latitude] or [longitude, latitude]; `levels` in Pa. Runs inside jax.jit."""
    specs, vertical = atmosphere.specs, atmosphere.coords.vertical

    def si(value, unit):
        return value * float(specs.dimensionalize(1.0, unit).magnitude)

    def nodal(modal):
        return out.to_nodal(modal)[..., : 2 * rows, :rows]

    surface_pressure = si(jnp.exp(nodal(state.log_surface_pressure)), units.pascal)[0]
    temperature = nodal(state.temperature_variation) + atmosphere.reference_temperature[:, None, None]
    winds = spherical_harmonic.vor_div_to_uv_nodal(out, state.vorticity, state.divergence)
    u, v = (si(wind, units.m / units.s)[..., : 2 * rows, :rows] for wind in winds)
    height = primitive_equations.get_geopotential(
        state.temperature_variation,
        atmosphere.reference_temperature,
        atmosphere.orography,
        vertical,
        specs.gravity_acceleration,
        specs.ideal_gas_constant,
    )
    geopotential = si(nodal(height), units.m**2 / units.s**2)
    humidity = jnp.maximum(nodal(state.tracers["specific_humidity"]), 0)

    pressure = vertical.centers[:, None, None] * surface_pressure
    names = ["temperature", "geopotential", "u_component_of_wind", "v_component_of_wind", "specific_humidity"]
    stacked = jnp.stack([temperature, geopotential, u, v, humidity])
    fields = dict(zip(names, between_layers(stacked, jnp.log(pressure), levels), strict=True))

    deep = jnp.maximum(jnp.asarray(levels)[:, None, None] / pressure[-1], 1)
    warmer = temperature[-1] * (deep**EXPONENT - 1)
    fields["temperature"] += warmer
    fields["geopotential"] -= GRAVITY / LAPSE * warmer

    ground = temperature[-1] * (1 / vertical.centers[-1]) ** EXPONENT
    surface = surface_geopotential(atmosphere, out, rows)
    fields["surface_pressure"] = surface_pressure
    fields["mean_sea_level_pressure"] = surface_pressure * (1 + LAPSE * surface / GRAVITY / ground) ** (1 / EXPONENT)
    fields["2m_temperature"] = ground
    # The wind grows with the seventh root of height, from the middle of the lowest layer.
    metres = (temperature[-1] + ground) / 2 * GAS_CONSTANT / GRAVITY * -np.log(vertical.centers[-1])
    fields["10m_u_component_of_wind"] = u[-1] * (10 / metres) ** (1 / 7)
    fields["10m_v_component_of_wind"] = v[-1] * (10 / metres) ** (1 / 7)
    return {name: field.astype(jnp.float32) for name, field in fields.items()}


def surface_geopotential(atmosphere, out, rows):
    """[longitude, latitude], m2/s2."""
    metres = float(atmosphere.specs.dimensionalize(1.0, units.m).magnitude)
    return out.to_nodal(atmosphere.orography)[: 2 * rows, :rows] * metres * GRAVITY


def constants(atmosphere, out, rows):
    """Name -> field [longitude, latitude] that does not change in time."""
    geopotential = np.asarray(surface_geopotential(atmosphere, out, rows), np.float32)
    land = evaluate(atmosphere.grid.to_modal(atmosphere.land), atmosphere.grid, out)[: 2 * rows, :rows]
    return {
        "land_sea_mask": np.clip(np.asarray(land, np.float32), 0, 1),
        "geopotential_at_surface": geopotential,
        "orography": geopotential / np.float32(GRAVITY),
    }


def sunlight(days, longitude, latitude):
    """Solar energy of an hour at the top of the air, J/m2 [time, longitude, latitude]; `days` since 1 January."""
    declination = np.deg2rad(23.44) * np.sin(2 * np.pi * (days - 80) / 365.25)[:, None, None]
    hour_angle = 2 * np.pi * days[:, None, None] + np.deg2rad(longitude)[None, :, None] - np.pi
    phi = np.deg2rad(latitude)[None, None, :]
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return (3600 * SOLAR_CONSTANT * np.maximum(sine, 0)).astype(np.float32)
