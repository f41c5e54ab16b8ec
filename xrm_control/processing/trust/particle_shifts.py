"""Where each particle lies in each view, against where the volume has it.

Against the particles as they were segmented, solid: the volume itself agrees with each view wherever things have moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.repeating import repeated_integrals
from xrm_control.reconstruction.blocks import smaller
from xrm_control.reconstruction.placing import Leftover, placed
from xrm_control.reconstruction.traces import Levels, Trace, traces

_MOST_VIEWS = 160
_KEPT_BYTES = 2**27
_OPEN = 3.5  # times the thinnest: within 17 degrees of a strip's edge, nothing is told from the rest

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ParticleShifts:
    """Of p particles in n views, in the order in which they were taken.

    ids (p,); views (n,): their numbers, -1: one that was repeated at the end; theta_deg (n,). right, down (p, n): how
    far each lies off, in pixels of the detector; more (p, n): how much more of it there is than the volume has, as a
    share; u (p, n, 3): one sigma of these three by the pixels that they are from, without an end where the view does
    not show it whole.
    """

    ids: NDArray[np.int64]
    views: NDArray[np.int64]
    theta_deg: Array
    right: Array
    down: Array
    more: Array
    u: Array


@dataclass(frozen=True)
class _Images:
    """integrals, variance (n, rows, columns): -ln T, and of its noise; theta_deg, views (n,)."""

    integrals: NDArray[np.float32]
    variance: NDArray[np.float32]
    theta_deg: Array
    views: NDArray[np.int64]


def particle_shifts(evidence: RegionEvidence, numbers: NDArray[np.int64]) -> ParticleShifts | str:
    """Of the particles of these `numbers` in the labels; why there are none, in their place."""
    quality = evidence.quality
    if evidence.small_volume is None or evidence.labels is None:
        return "no volume with labels over all rows of the detector"
    if None in (quality.particle_mode_per_um, quality.background_mode_per_um, quality.threshold_per_um):
        return "the core that measured does not state the levels of grey"
    images = _images(evidence)
    first = _Kept(_traces(evidence, images.theta_deg))
    seen = Leftover.of(images.integrals, images.variance, first)
    again = first.kept if first.all_kept else _traces(evidence, images.theta_deg)
    wanted = set(numbers.tolist())
    found = [(trace.number, *placed(trace, seen)) for trace in again if trace.number in wanted]
    if not found:
        return "no particle that the field does not cut"
    values, u = np.stack([one for _, one, _ in found]), np.stack([one for _, _, one in found])
    scale = np.array([1, evidence.looks.bin, evidence.looks.bin])
    values, u = values * scale, u * scale
    ids = np.array([number for number, _, _ in found], np.int64)
    return ParticleShifts(ids, images.views, images.theta_deg, values[..., 1], values[..., 2], values[..., 0], u)


class _Kept:
    """Traces one after the other, kept as long as all of them take little memory."""

    def __init__(self, those: Iterator[Trace]) -> None:
        self._those = those
        self.kept: list[Trace] = []
        self.all_kept = True

    def __iter__(self) -> Iterator[Trace]:
        held = 0
        for trace in self._those:
            held += trace.image.nbytes
            if held > _KEPT_BYTES:
                self.all_kept = False
                self.kept.clear()
            if self.all_kept:
                self.kept.append(trace)
            yield trace


def _images(evidence: RegionEvidence) -> _Images:
    """In the order in which they were taken, the repeated view last."""
    looks, variance = evidence.looks, evidence.noise_variance
    time_s = np.asarray(evidence.scan.time_s, float)[looks.views]
    order = np.argsort(time_s, kind="stable")[:: -(-len(time_s) // _MOST_VIEWS)]
    thick = evidence.integrals.mean(axis=(1, 2))[order]
    order = order[thick < _OPEN * thick.min()]
    integrals, views = evidence.integrals[order], looks.views[order]
    noise = np.full_like(integrals, integrals.var() * 1e-2) if variance is None else variance[order]
    theta = evidence.theta_deg[views]
    again = repeated_integrals(evidence)
    if again is None:
        return _Images(integrals, noise, theta, views)
    small = smaller(again.integrals[None], looks.bin, looks.bin)
    alike = int(np.argmin(np.abs(theta - again.theta_deg)))
    return _Images(
        np.concatenate([integrals, small]),
        np.concatenate([noise, noise[alike : alike + 1]]),
        np.append(theta, again.theta_deg),
        np.append(views, -1),
    )


def _traces(evidence: RegionEvidence, theta_deg: Array) -> Iterator[Trace]:
    volume, size, quality = evidence.small_volume, evidence.looks.bin, evidence.quality
    if volume is None or evidence.labels is None:
        return iter(())
    levels = Levels(
        *(
            float(value or 0.0)
            for value in (quality.background_mode_per_um, quality.particle_mode_per_um, quality.threshold_per_um)
        )
    )
    labels = np.asarray(evidence.labels[size // 2 :: size, size // 2 :: size, size // 2 :: size])
    labels = labels[: volume.shape[0], : volume.shape[1], : volume.shape[2]].astype(np.int32)
    return traces(volume, labels, levels, evidence.projector, theta_deg, evidence.scan.pixel_size_um * size)
