"""Discs and spheres of known attenuation, their line integrals in closed form, and scans made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.scan import ScanData


@dataclass(frozen=True)
class Ball:
    """Centre in the volume frame (um, from the rotation axis and the middle row), radius, attenuation."""

    x_um: float
    y_um: float
    z_um: float
    radius_um: float
    mu_per_um: float


def line_integrals(
    balls: list[Ball],
    theta_deg: NDArray,
    *,
    columns: int,
    axis_px: float,
    pixel_um: float,
    rows: int = 1,
    samples: int = 4,
    strip: tuple[float, float, float] | None = None,
) -> NDArray[np.float32]:
    """(n, rows, columns), the mean of `samples` lines a pixel; chord of a sphere: 2 sqrt(r^2 - d^2).

    strip: width, thickness (um) and attenuation of a strip of tape through the rotation axis, along x.
    """
    theta = np.radians(np.asarray(theta_deg, float))
    fine = (np.arange(columns * samples) + 0.5) / samples - 0.5
    u_um = (fine - axis_px) * pixel_um
    v_um = (np.arange(rows) - (rows - 1) / 2) * pixel_um
    out = np.zeros((len(theta), rows, columns))
    views = np.arange(len(theta))[:, None, None]
    for ball in balls:
        centre = ball.x_um * np.cos(theta) - ball.y_um * np.sin(theta)
        # Elsewhere the chord is nought: the rows that the ball reaches, and a window of columns that moves with it.
        inside = np.flatnonzero(np.abs(v_um - ball.z_um) < ball.radius_um)[None, :, None]
        wide = min(columns, math.ceil(2 * ball.radius_um / pixel_um) + 4)
        first = np.floor((centre - ball.radius_um) / pixel_um + axis_px).astype(int) - 1
        at = np.clip(first, 0, columns - wide)[:, None] + np.arange(wide)
        across_um = u_um.reshape(columns, samples)[at][:, None] - centre[:, None, None, None]
        squared = across_um**2 + (v_um[inside][..., None] - ball.z_um) ** 2
        chord = 2 * np.sqrt(np.maximum(ball.radius_um**2 - squared, 0))
        out[views, inside, at[:, None]] += ball.mu_per_um * chord.mean(axis=3)
    if strip is not None:
        width, thick, mu = strip
        cos, sin = np.abs(np.cos(theta))[:, None] + 1e-12, np.abs(np.sin(theta))[:, None] + 1e-12
        reach = width / 2 * cos + thick / 2 * sin - np.abs(u_um)[None]
        chord = np.clip(reach / (cos * sin), 0, np.minimum(thick / cos, width / sin))
        out += mu * chord.reshape(len(theta), 1, columns, samples).mean(axis=3)
    return out.astype(np.float32)


def scan_of(
    integrals: NDArray[np.float32],
    theta_deg: NDArray,
    pixel_um: float,
    *,
    beam_counts: float = 20_000.0,
    dark_counts: float = 100.0,
    noise_seed: int | None = None,
    photons: float = 5000.0,
    beam_change: float = 0.0,
) -> ScanData:
    """A scan with two sets of flats, one before and one after, between which the beam changes by `beam_change`."""
    n, rows, columns = integrals.shape
    random = np.random.default_rng(noise_seed)
    profile = 1 + 0.2 * np.cos(np.linspace(-2, 2, columns))[None, :] * np.ones((rows, 1))
    time_s = np.arange(n) + 10.0
    flat_time_s = np.array([*np.arange(5.0), *(np.arange(5.0) + n + 20)])
    span = flat_time_s[5:].mean() - flat_time_s[:5].mean()

    def beam(moments: NDArray) -> NDArray:
        return beam_counts * profile * (1 + beam_change * (moments - flat_time_s[:5].mean()) / span)[:, None, None]

    def measured(expected: NDArray) -> NDArray[np.uint16]:
        if noise_seed is not None:
            expected = random.poisson(expected / beam_counts * photons) * (beam_counts / photons)
            expected = expected + random.normal(0, 5.0, expected.shape)
        return np.clip(np.rint(expected + dark_counts), 0, 65535).astype(np.uint16)

    return ScanData(
        projections=measured(beam(time_s) * np.exp(-integrals)),
        theta_deg=np.asarray(theta_deg, float),
        time_s=time_s,
        flats=measured(beam(flat_time_s)),
        flat_time_s=flat_time_s,
        darks=measured(np.zeros((5, rows, columns))),
        pixel_size_um=pixel_um,
    )


def coordinates_um(columns: int, pixel_um: float) -> tuple[NDArray, NDArray]:
    """x and y of the voxels of one slice."""
    line = (np.arange(columns) - (columns - 1) / 2) * pixel_um
    x, y = np.meshgrid(line, line)
    return x, y
