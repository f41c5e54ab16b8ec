"""A specimen cut open: the attenuation coefficient in a plane across the rotation axis, for pictures and tests."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.cuts import Cut
from simulators.layered import outline_depth
from simulators.shapes import SLAB_UM
from simulators.specimen import Specimen


def slice_mu(
    specimen: Specimen, y_um: float, x_um: NDArray[np.float64], z_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Attenuation coefficient (z, x) in 1/um, without the tape's, at a height y of the stage frame."""
    found = np.zeros((len(z_um), len(x_um)))
    for particle in specimen.bodies:
        mu = specimen.mu_per_um * particle.relative_mu
        bodies = [(particle.table, particle.centre_um, mu)]
        bodies += [(void.table, void.centre_um, -mu) for void in particle.voids if void.table is not None]
        for table, centre, sign in bodies:
            slab = int(np.floor((y_um - centre[1]) / SLAB_UM + 0.5 * len(table)))
            if 0 <= slab < len(table):
                reach = float(table[slab].max())
                x, z = _near(x_um, centre[0], reach), _near(z_um, centre[2], reach)
                found[z, x] += sign * _inside(table, slab, x_um[x] - centre[0], z_um[z] - centre[2])
        for cut in (*particle.cuts, *(void.neck for void in particle.voids if void.neck is not None)):
            edges = _edges(cut, y_um - particle.centre_um[1])
            if len(edges):
                xs, zs = edges[:, 0], edges[:, 1]
                cx, _, cz = particle.centre_um
                x = slice(*np.searchsorted(x_um, (cx + xs.min(), cx + xs.max())))
                z = slice(*np.searchsorted(z_um, (cz + zs.min(), cz + zs.max())))
                found[z, x] -= mu * _even_odd(edges, x_um[x] - cx, z_um[z] - cz)
    return found


def _near(at: NDArray[np.float64], middle: float, reach: float) -> slice:
    return slice(*np.searchsorted(at, (middle - reach, middle + reach)))


def _edges(cut: Cut, y_um: float) -> NDArray[np.float32]:
    slab = int(np.floor(y_um / SLAB_UM + 0.5 * cut.slabs_of_host)) - cut.first
    if not 0 <= slab < len(cut.starts) - 1:
        return cut.edges[:0]
    return cut.edges[cut.starts[slab] : cut.starts[slab + 1]]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _inside(table, slab, x, z):  # type: ignore[no-untyped-def]
    slabs, m = table.shape
    flat = table.ravel()
    found = np.zeros((len(z), len(x)))
    for i in range(len(z)):
        for k in range(len(x)):
            found[i, k] = outline_depth(flat, 0, slabs, m, slab, x[k], z[i]) > 0.0
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _even_odd(edges, x, z):  # type: ignore[no-untyped-def]
    """Points whose ray towards +x crosses an odd number of edges."""
    found = np.zeros((len(z), len(x)))
    for i in range(len(z)):
        for e in range(len(edges)):
            x0, z0, x1, z1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            if (z0 <= z[i]) != (z1 <= z[i]):
                at = x0 + (z[i] - z0) * (x1 - x0) / (z1 - z0)
                for k in range(len(x)):
                    if x[k] < at:
                        found[i, k] = 1.0 - found[i, k]
    return found
