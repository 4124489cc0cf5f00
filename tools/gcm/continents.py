"""Invented continents and mountains. A seed gives the same ones at every resolution."""

import jax
import numpy as np
from dinosaur import spherical_harmonic


def evaluate(modal, source, target):
    """Evaluates a field of the spherical harmonics of `source`, on the nodes of `target` (longitude, latitude)."""
    grid = spherical_harmonic.Grid(
        longitude_wavenumbers=source.longitude_wavenumbers,
        total_wavenumbers=source.total_wavenumbers,
        longitude_nodes=target.longitude_nodes,
        latitude_nodes=target.latitude_nodes,
        latitude_spacing=target.latitude_spacing,
        spherical_harmonics_impl=source.spherical_harmonics_impl,
    )
    return grid.to_nodal(modal)


def random_pattern(grid, seed, smallest, largest):
    """Mean 0, deviation 1; power l^-2 in the total wavenumbers l of smallest..largest, drawn at T21 for every grid."""
    base = spherical_harmonic.Grid.T21()
    degree = np.arange(base.modal_shape[-1])
    power = np.where((degree >= smallest) & (degree <= largest), 1 / np.maximum(degree, 1), 0)
    modal = jax.random.normal(jax.random.PRNGKey(seed), base.modal_shape) * base.mask * power
    reference = np.asarray(base.to_nodal(modal))
    return (np.asarray(evaluate(modal, base, grid)) - reference.mean()) / reference.std()


def land_and_height(grid, seed):
    """Share of land in 0..1 (about a third of the globe) and height of the surface in metres, on the grid's nodes."""
    land = 1 / (1 + np.exp(-6 * (random_pattern(grid, 2 * seed + 100, 2, 8) - 0.55)))
    roughness = np.clip(random_pattern(grid, 2 * seed + 101, 3, 14), 0, 2)
    return land, 1500 * land**2 * roughness
