"""A view and its repetition at the end of the scan, held against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import BAND_HIGH_PX, BAND_LOW_PX, Images, RegionEvidence
from xrm_control.reconstruction.filters import banded
from xrm_control.reconstruction.motion_images import shifted
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.registering import registered
from xrm_control.reconstruction.scan import ScanData

_SAME_DEG = 0.05
_ROUNDS = 4
_EDGE_PX = 4
_CONTRAST_FLOOR = 0.02
_LEAST_SEEN = np.float32(1e-3)


@dataclass(frozen=True)
class Repetition:
    """How far the repetition lies from the view, in pixels, with standard errors. first (rows, columns): -ln T of the
    view; change: its repetition less it.
    """

    theta_deg: float
    apart_s: float
    right_px: float
    down_px: float
    u_right_px: float
    u_down_px: float
    first: NDArray[np.floating]
    change: NDArray[np.floating]


def repetition(evidence: RegionEvidence) -> Repetition | None:
    """Of the last view that was taken again; None where none was."""
    scan, again = evidence.scan, evidence.scan.repeated
    if again is None or not len(again.frames):
        return None
    view = int(np.argmin(np.abs(evidence.theta_deg - float(again.theta_deg[-1]))))
    if abs(evidence.theta_deg[view] - float(again.theta_deg[-1])) > _SAME_DEG:
        return None
    first = _integrals(evidence, scan, view)
    second = _integrals(evidence, _as_scan(scan), len(again.frames) - 1)
    one, other = (np.asarray(banded(image, BAND_LOW_PX, BAND_HIGH_PX), np.float32)[None] for image in (first, second))
    found = np.zeros(2)
    columns = (_EDGE_PX, one.shape[2] - _EDGE_PX)
    u = np.full(2, np.inf)
    for _ in range(_ROUNDS):
        here = shifted(shifted(one, found[1:], 1), found[:1], 2)
        step = registered(here, here - other, columns)
        found, u = found + step.px[0], step.u_px[0]
    return Repetition(
        theta_deg=float(again.theta_deg[-1]),
        apart_s=float(again.time_s[-1] - np.asarray(scan.time_s, float)[view]),
        right_px=float(found[0]),
        down_px=float(found[1]),
        u_right_px=float(u[0]),
        u_down_px=float(u[1]),
        first=first,
        change=second - first,
    )


@dataclass(frozen=True)
class RepeatedIntegrals:
    """integrals (rows, columns): -ln T of a view that was taken again, put where the views were put."""

    theta_deg: float
    integrals: Images


def repeated_integrals(evidence: RegionEvidence) -> RepeatedIntegrals | None:
    """Of the last view that was taken again; None where none was."""
    found, again = evidence.once(repetition), evidence.scan.repeated
    if found is None or again is None:
        return None
    image = -np.log(np.maximum(_seen(evidence, _as_scan(evidence.scan), len(again.frames) - 1), _LEAST_SEEN))
    to_right, to_down = -found.right_px, -found.down_px
    if evidence.spec.preprocess.apply_shifts and evidence.scan.shifts_px is not None:
        view = int(np.argmin(np.abs(evidence.theta_deg - found.theta_deg)))
        right, down = np.asarray(evidence.scan.shifts_px, float)[view]
        to_right, to_down = to_right + right, to_down + down
    put = shifted(shifted(image[None], np.array([to_down]), 1), np.array([to_right]), 2)
    return RepeatedIntegrals(found.theta_deg, put[0])


def _integrals(evidence: RegionEvidence, scan: ScanData, view: int) -> Images:
    """-ln T of a view where it was taken: nothing is put right."""
    return -np.log(np.maximum(_seen(evidence, scan, view), 0) + np.float32(_CONTRAST_FLOOR))


def _seen(evidence: RegionEvidence, scan: ScanData, view: int) -> Images:
    spec = evidence.spec.preprocess.model_copy(update={"apply_shifts": False})
    seen = transmission(scan, spec, views=np.array([view]), references=evidence.references)
    return evidence.straight(seen.values)[0]


def _as_scan(scan: ScanData) -> ScanData:
    """The repeated views in the place of the projections; the first view besides, for a scan has two angles."""
    again = scan.repeated
    if again is None:
        return scan
    ends = np.asarray(scan.projections[[0, len(scan.theta_deg) - 1]])
    return replace(
        scan,
        projections=np.concatenate([again.frames, ends]),
        theta_deg=np.append(again.theta_deg, np.asarray(scan.theta_deg, float)[[0, -1]]),
        time_s=np.append(again.time_s, np.asarray(scan.time_s, float)[[0, -1]]),
        shifts_px=None,
        light=None,
        flat_light=None,
        repeated=None,
    )
