"""Views that few photons pass: before the logarithm a pixel is averaged with its neighbours, as far as it needs them.

The logarithm of a few counts is noisy and biased (E[-ln N] is high by 1/(2N)), and of none there is none: edge-on views
of a powder layer are full of such rays, and their streaks look like voids. How many quanta a pixel may expect is told
by its neighbourhood; the window of the mean grows until so many stand in it as are wanted, or until it is 4 pixels
wide, and where a pixel holds them by itself nothing is changed. After Hsieh 1998, doi 10.1118/1.598410, and Kachelriess
et al. 2001, doi 10.1118/1.1358303, each view for itself, so that a view can be treated as soon as it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AREAS_PX = tuple((2.0**level * 3 / (2 + 4.0**-level)) ** 2 for level in range(3))
"""Pixels that each window stands for, (sum w)^2 / sum w^2: pyramids of 1, 3 and 7 pixels across, whose full widths at
half maximum are 1, 2 and 4. A wider one would mix the shadows of particles with the light between them: mu falls."""
REACH_PX = 3
WANTED = 2.5
"""How many times as many quanta a window is made for as each ray is to stand on: it sets in smoothly."""


@dataclass(frozen=True)
class CountNoise:
    """Noise of a camera. gain_counts: variance per count; dark_counts: standard deviation without beam, beyond that of
    one quantum.
    """

    gain_counts: float
    dark_counts: float

    @classmethod
    def of(cls, gain_counts: float, dark_counts: float) -> CountNoise:
        """dark_counts: all of it. What is below a quantum decides nothing, and without darks it is not known."""
        return cls(gain_counts, float(np.sqrt(max(dark_counts**2 - gain_counts**2, 0.0))))

    def counts_of(self, quanta: float) -> float:
        """What a pixel must hold to be as sure as so many quanta would be: m^2 = quanta (gain m + dark^2)."""
        half = quanta * self.gain_counts / 2
        return half + float(np.sqrt(half**2 + quanta * self.dark_counts**2))


def average_few(
    values: NDArray[np.float32],
    beam: NDArray[np.float32],
    floor: NDArray[np.float32],
    noise: CountNoise,
    quanta: float,
    out: NDArray[np.float32],
    told: NDArray[np.float64],
) -> None:
    """Transmissions (n, rows, columns) -> out (rows, n, columns): averaged where pixels hold fewer than `quanta`.

    beam (rows, columns): counts of the open beam. floor (rows, columns): least transmission of one pixel; of more of
    them together it is as much lower as their noise. told (n, rows, 2): how many pixels were averaged, and the sum of
    their windows' full widths at half maximum, in pixels. Rows within `REACH_PX` of a border that is no border of the
    detector are not as they would be.
    """
    from xrm_control.reconstruction.averaging_kernels import averaged_where_few

    averaged_where_few(
        np.ascontiguousarray(values),
        beam,
        floor,
        (np.float32(noise.gain_counts), np.float32(noise.dark_counts**2)),
        (np.float32(quanta), np.float32(noise.counts_of(quanta))),
        np.array(AREAS_PX, np.float32),
        out,
        told,
    )
