"""Healthy scans of particles that are hard to tell: lobes, satellites, voids behind thin walls, lighter ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tests.processing.trust.faults import MU, PIXEL_UM, THETA, bed, integrals_of
from tests.reconstruction.phantoms import scan_of
from xrm_control.reconstruction.scan import ScanData


def nearly_grown_together(neck_share: float) -> ScanData:
    """Of every particle two lobes whose neck has so much of a lobe's radius."""
    pairs = []
    for n, ball in enumerate(one for one in bed() if abs(one.z_um) < 11):
        way = np.random.default_rng(n).standard_normal(2)
        aside = 0.5 * ball.radius_um * math.sqrt(1 - neck_share**2) * way / np.hypot(*way)
        # What both lobes hold counts twice in a sum of lengths: the neck is a little brighter than it would be.
        for sign in (-1, 1):
            place = replace(ball, x_um=ball.x_um + sign * float(aside[0]), z_um=ball.z_um + sign * float(aside[1]))
            pairs.append(replace(place, radius_um=ball.radius_um / 2))
    return scan_of(integrals_of(pairs), THETA, PIXEL_UM, noise_seed=1)


def with_satellites(sunk_um: float) -> ScanData:
    """On every particle of 8 um and more one of 4.6 um sits, sunk into it by so much."""
    hosts = [ball for ball in bed() if ball.radius_um >= 4.0]
    small = [
        replace(ball, y_um=ball.y_um + ball.radius_um + 2.3 - sunk_um, radius_um=2.3) for ball in hosts
    ]  # fmt: skip
    return scan_of(integrals_of([*hosts, *small]), THETA, PIXEL_UM, noise_seed=1)


def lidded(wall_um: float) -> ScanData:
    """In every particle of 6 um and more a void of 3 um behind so thin a wall."""
    voids = [
        replace(ball, y_um=ball.y_um + ball.radius_um - wall_um - 1.5, radius_um=1.5, mu_per_um=-MU)
        for ball in bed()
        if ball.radius_um >= 3.0
    ]
    return scan_of(integrals_of([*bed(), *voids]), THETA, PIXEL_UM, noise_seed=1)


def with_lighter_ones(share: float) -> ScanData:
    """Every third particle attenuates so much less."""
    lighter = [replace(ball, mu_per_um=(share if n % 3 == 0 else 1.0) * MU) for n, ball in enumerate(bed())]
    return scan_of(integrals_of(lighter), THETA, PIXEL_UM, noise_seed=1)
