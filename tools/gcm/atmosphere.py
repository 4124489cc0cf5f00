"""The atmosphere: dinosaur's primitive equations with a forcing that makes seasons, days, land and oceans.

Held and Suarez (1994) relax temperature to an equilibrium T_eq and slow the wind near the ground. Here, with b(sigma)
the weight of the boundary layer (0 above sigma 0.7, 1 at the ground), phi latitude and h the hour angle of the sun,

    T_eq = (p/p0)^kappa [T0 - dTy (sin phi - sin phi_s)^2 - dThz ln(p/p0) cos^2 phi]
           + land b (10 K s sin phi + 60 K cos phi cos h),   at least 200 K

where s = sin(2 pi (day - 110) / year) and sin phi_s = s sin 8 deg: the thermal equator follows the sun by a month.
Oceans hold the boundary layer with an extra rate of 1 / (3 days). Specific humidity is carried along: it evaporates
towards 85 % of saturation near the ground (less over land) and rains out above 98 %. It does not act back: there is no
latent heat, no cloud, no radiation.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from dinosaur import (
    coordinate_systems,
    filtering,
    held_suarez,
    primitive_equations,
    primitive_equations_states,
    scales,
    sigma_coordinates,
    spherical_harmonic,
    time_integration,
    xarray_utils,
)

from continents import evaluate, land_and_height

units = scales.units
YEAR_DAYS = 365.25
# Minutes of a time step; these are stable with eight layers, and each divides six hours.
STEP_MINUTES = {"T21": 40, "T42": 20, "T85": 10}
HUMIDITY = "specific_humidity"


class Forcing(held_suarez.HeldSuarezForcing):
    """Held and Suarez's forcing with the additions above. `sim_time`: model time since 1 January."""

    def __init__(self, coords, specs, reference_temperature, land):
        super().__init__(coords, specs, reference_temperature)
        self.land = jnp.asarray(land)
        self.day = float(specs.nondimensionalize(1 * units.day))
        self.pascal = float(specs.dimensionalize(1.0, units.pascal).magnitude)
        self.column_sigma = self.sigma[:, None, None]
        self.boundary = np.maximum(0, (self.column_sigma - self.sigma_b) / (1 - self.sigma_b))
        self.longitude = coords.horizontal.nodal_mesh[0]

    def equilibrium(self, surface_pressure, days):
        ratio = self.column_sigma * surface_pressure / self.p0
        season = jnp.sin(2 * jnp.pi * (days - 110) / YEAR_DAYS)
        from_equator = jnp.sin(self.lat) - season * np.sin(np.deg2rad(8))
        radiative = ratio**self.physics_specs.kappa * (
            self.maxT - self.dTy * from_equator**2 - self.dThz * jnp.log(ratio) * jnp.cos(self.lat) ** 2
        )
        sun = jnp.cos(2 * jnp.pi * days + self.longitude - jnp.pi) * jnp.cos(self.lat)
        ground = 10 * season * jnp.sin(self.lat) + 60 * sun
        return jnp.maximum(self.minT, radiative + self.land * self.boundary * ground)

    def humidity_tendency(self, humidity, temperature, pressure):
        """Evaporation minus rain, per unit of model time. `pressure` is in Pa."""
        hour = self.day / 24
        vapour = 611.2 * jnp.exp(17.67 * (temperature - 273.15) / jnp.maximum(temperature - 29.65, 50))
        saturated = 0.622 * vapour / jnp.maximum(pressure - 0.378 * vapour, vapour)
        wetness = (1 - 0.7 * self.land) * self.boundary
        evaporation = wetness * jnp.maximum(0.85 * saturated - humidity, 0) / (24 * hour)
        rain = jnp.maximum(humidity - 0.98 * saturated, 0) / (4 * hour)
        # Spectral truncation makes small negative values; the last term fills them up again.
        return evaporation - rain + jnp.maximum(-humidity, 0) / (2 * hour)

    def explicit_terms(self, state):
        grid = self.coords.horizontal
        nodal = primitive_equations.compute_diagnostic_state(state=state, coords=self.coords)
        temperature = self.reference_temperature[:, None, None] + nodal.temperature_variation
        surface_pressure = jnp.exp(grid.to_nodal(state.log_surface_pressure))
        equilibrium = self.equilibrium(surface_pressure, state.sim_time / self.day)
        rate = self.kt() + self.boundary * (1 - self.land) / (3 * self.day)
        brake = jax.tree.map(lambda wind: grid.to_modal(-self.kv() * wind / grid.cos_lat**2), nodal.cos_lat_u)
        pressure = self.column_sigma * surface_pressure * self.pascal
        wet = self.humidity_tendency(nodal.tracers[HUMIDITY], temperature, pressure)
        return primitive_equations.State(
            vorticity=grid.curl_cos_lat(brake),
            divergence=grid.div_cos_lat(brake),
            temperature_variation=grid.to_modal(rate * (equilibrium - temperature)),
            log_surface_pressure=jnp.zeros_like(state.log_surface_pressure),
            tracers={HUMIDITY: grid.to_modal(wet)},
            sim_time=0.0,
        )


@dataclasses.dataclass
class Atmosphere:
    """The model at one truncation. `advance` computes the next saved state from a state."""

    coords: coordinate_systems.CoordinateSystem
    specs: primitive_equations.PrimitiveEquationsSpecs
    reference_temperature: np.ndarray
    orography: jax.Array  # modal, model units
    land: np.ndarray  # on the nodes
    day: float  # in model time
    initial: object  # key -> state at rest, with small waves of pressure
    advance: object

    @property
    def grid(self):
        return self.coords.horizontal


def make_atmosphere(truncation, layers, hours, seed):
    """Makes the model: `hours` are between saved states, `seed` chooses the continents."""
    harmonics = (
        spherical_harmonic.FastSphericalHarmonics if truncation == "T85" else spherical_harmonic.RealSphericalHarmonics
    )
    grid = getattr(spherical_harmonic.Grid, truncation)(spherical_harmonics_impl=harmonics)
    coords = coordinate_systems.CoordinateSystem(grid, sigma_coordinates.SigmaCoordinates.equidistant(layers))
    specs = primitive_equations.PrimitiveEquationsSpecs.from_si()
    land, height = land_and_height(grid, seed)
    initial, features = primitive_equations_states.isothermal_rest_atmosphere(
        coords, specs, p0=1e5 * units.pascal, p1=3e3 * units.pascal, surface_height=height * units.meter
    )
    reference = features[xarray_utils.REF_TEMP_KEY]
    smooth = filtering.exponential_filter(grid, attenuation=16, order=4)
    orography = smooth(primitive_equations.truncated_modal_orography(features[xarray_utils.OROGRAPHY], coords))

    forcing = Forcing(coords, specs, reference, land)
    equations = time_integration.compose_equations(
        [primitive_equations.PrimitiveEquations(reference, orography, coords, specs), forcing]
    )
    minutes = STEP_MINUTES[truncation]
    step = specs.nondimensionalize(minutes * units.minute)
    # Damps the smallest tenth of the waves within a minute of model time, as dinosaur's own Held-Suarez example does.
    damping = time_integration.exponential_step_filter(
        grid, step, tau=specs.nondimensionalize(1 * units.minute), order=1.5, cutoff=0.8
    )
    stepper = time_integration.step_with_filters(time_integration.imex_rk_sil3(equations, step), [damping])
    advance = time_integration.repeated(stepper, round(hours * 60 / minutes))
    return Atmosphere(coords, specs, reference, orography, land, forcing.day, initial, advance)


def state_at_rest(atmosphere, seed):
    """A state without wind, with one temperature, and with humidity that decreases with height and latitude."""
    state = atmosphere.initial(jax.random.PRNGKey(seed))
    sigma = atmosphere.coords.vertical.centers[:, None, None]
    sine = atmosphere.grid.nodal_mesh[1]
    humidity = jnp.asarray(0.005 * np.exp((sigma - 1) / 0.2) * (1 - sine**2), jnp.float32)
    state.tracers = {HUMIDITY: atmosphere.grid.to_modal(humidity)}
    state.sim_time = jnp.float32(0)
    return state


def refine(state, coarse, fine):
    """Converts a state to a finer truncation. Surface pressure is adapted to the new mountains, at 280 K."""

    def carry(modal):
        return fine.grid.clip_wavenumbers(fine.grid.to_modal(evaluate(modal, coarse.grid, fine.grid)))

    raised = (fine.orography - carry(coarse.orography)) * fine.specs.gravity_acceleration
    return primitive_equations.State(
        vorticity=carry(state.vorticity),
        divergence=carry(state.divergence),
        temperature_variation=carry(state.temperature_variation),
        log_surface_pressure=carry(state.log_surface_pressure) - raised / (fine.specs.ideal_gas_constant * 280.0),
        tracers={name: carry(modal) for name, modal in state.tracers.items()},
        sim_time=state.sim_time,
    )
