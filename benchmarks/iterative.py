"""Thirty rounds of CGLS, SIRT and total variation on 128^3 from 141 views, beside ASTRA's on the same sinograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row, median_s
from xrm_control.core.cpus import cpus
from xrm_control.reconstruction.iterative import iterate
from xrm_control.reconstruction.methods.cgls import Cgls
from xrm_control.reconstruction.methods.sirt import Sirt
from xrm_control.reconstruction.methods.tv import TotalVariation
from xrm_control.reconstruction.reconstructor import Reconstructor

SIDE, VIEWS, ROUNDS, MU_PER_UM, PIXEL_UM = 128, 141, 30, 0.0458, 0.512
NOISE = 0.05  # of one line integral
ASTRA_SLICES = 4
Algorithm = Literal["CGLS", "SIRT"]
METHODS: dict[Algorithm, Cgls | Sirt] = {
    "CGLS": Cgls(engine="gram", iterations=ROUNDS, noise=None),
    "SIRT": Sirt(engine="gram", iterations=ROUNDS, noise=None),
}
THETA_DEG = np.linspace(-90, 90, VIEWS)


@dataclass(frozen=True)
class Disc:
    """Of attenuation MU_PER_UM, in um from the rotation axis."""

    x_um: float
    y_um: float
    radius_um: float


DISCS = (Disc(-9, 4, 8), Disc(12, -10, 5), Disc(6, 14, 3), Disc(-12, -16, 1.5), Disc(2, -20, 1))


def rows() -> list[Row]:
    """Time, and noise within the largest disc."""
    stack = np.repeat(sinogram()[None], SIDE, axis=0)
    stack = (stack + np.random.default_rng(1).normal(0, NOISE, stack.shape)).astype(np.float32)
    centre = (SIDE - 1) / 2
    what = f"{SIDE}^3 from {VIEWS} views, {ROUNDS} rounds"
    threads = f"{cpus()} threads"

    def astra(algorithm: Algorithm, count: int, *, dense: bool) -> NDArray[np.float32]:
        return iterate(
            algorithm, stack[:count], THETA_DEG, centre, iterations=ROUNDS, surround=0, device="cpu", dense=dense
        )

    def ours(method: Reconstructor, count: int) -> NDArray[np.float32]:
        return method.reconstruct(stack[:count], THETA_DEG, centre, PIXEL_UM)

    table: list[Row] = []
    astra_s: dict[Algorithm, float] = {}
    for algorithm, method in METHODS.items():
        name = f"ASTRA's {algorithm}"
        theirs_s = median_s(lambda a=algorithm: astra(a, ASTRA_SLICES, dense=True), 1) * SIDE / ASTRA_SLICES
        astra_s[algorithm] = theirs_s
        matrix_s = median_s(lambda a=algorithm: astra(a, SIDE, dense=False), 1)
        ours_s = median_s(lambda m=method: ours(m, SIDE), 3)
        theirs, mine = astra(algorithm, ASTRA_SLICES, dense=True) / PIXEL_UM, ours(method, 8)
        table += [
            Row(
                what, f"{name} ({ASTRA_SLICES} slices, scaled), {threads}", theirs_s, 1.0, "itself",
                f"noise {flat_noise(theirs):.1%}",
            ),
            Row(what, f"{algorithm} by ASTRA's matrix", matrix_s, theirs_s / matrix_s, name),
            Row(
                what, f"{method.kind}, {threads}", ours_s, theirs_s / ours_s, name, f"noise {flat_noise(mine):.1%}"
            ),
        ]  # fmt: skip
    for method in (Cgls(iterations=ROUNDS), TotalVariation(iterations=ROUNDS)):
        ours_s = median_s(lambda m=method: ours(m, SIDE), 3)
        who = f"{method.kind}, as the noise tells, {threads}"
        table.append(
            Row(what, who, ours_s, astra_s["CGLS"] / ours_s, "ASTRA's CGLS", f"noise {flat_noise(ours(method, 8)):.1%}")
        )
    return table


def sinogram() -> NDArray[np.float64]:
    """(views, columns), the mean of four lines a pixel."""
    fine = 4
    place_um = ((np.arange(SIDE * fine) + 0.5) / fine - 0.5 - (SIDE - 1) / 2) * PIXEL_UM
    theta = np.deg2rad(THETA_DEG)[:, None]
    total = np.zeros((VIEWS, SIDE * fine))
    for disc in DISCS:
        offset = place_um - (disc.x_um * np.cos(theta) - disc.y_um * np.sin(theta))
        total += 2 * MU_PER_UM * np.sqrt(np.clip(disc.radius_um**2 - offset**2, 0, None))
    return total.reshape(VIEWS, SIDE, fine).mean(axis=2)


def truth() -> NDArray[np.float64]:
    """The slice, the mean of 4 x 4 points a pixel."""
    fine = 4
    at_um = ((np.arange(SIDE * fine) + 0.5) / fine - 0.5 - (SIDE - 1) / 2) * PIXEL_UM
    picture = np.zeros((SIDE * fine,) * 2)
    for disc in DISCS:
        picture[np.hypot(at_um - disc.x_um, at_um[:, None] - disc.y_um) <= disc.radius_um] = MU_PER_UM
    return picture.reshape(SIDE, fine, SIDE, fine).mean(axis=(1, 3))


def flat_noise(volume: NDArray[np.floating]) -> float:
    """Standard deviation within the largest disc, mean over slices, relative to its attenuation."""
    away = _away_um(DISCS[0])
    return float(volume[:, away < DISCS[0].radius_um - 1.5].std(axis=1).mean()) / MU_PER_UM


def edge_px(volume: NDArray[np.floating]) -> float:
    """From 10 to 90 % at the rim of the largest disc, mean of all slices and directions."""
    disc, away = DISCS[0], _away_um(DISCS[0])
    places = np.arange(-2.5, 2.51, 0.1)
    rim = [volume[:, np.abs(away - disc.radius_um - at * PIXEL_UM) < 0.12].mean() / MU_PER_UM for at in places]
    falling = -np.asarray(rim)
    return float(np.interp(-0.1, falling, places) - np.interp(-0.9, falling, places))


def _away_um(disc: Disc) -> NDArray[np.float64]:
    at_um = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_UM
    return np.hypot(at_um - disc.x_um, at_um[:, None] - disc.y_um)
