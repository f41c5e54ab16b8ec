"""A scan of another instrument judged after it was reconstructed: the checks that need its views and volume alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.core.sample import SampleSpec
from xrm_control.processing.trust.check import all_checks
from xrm_control.processing.trust.evidence import RegionEvidence, Slabs
from xrm_control.processing.trust.flats_of_views import flats_of_views
from xrm_control.processing.trust.judging import judged
from xrm_control.processing.trust.proportion import out_of_proportion
from xrm_control.processing.trust.transmission_noise import steeper
from xrm_control.reconstruction.light_level import light_changes
from xrm_control.reconstruction.pipeline import put_right
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.spec import ReconstructionSpec
from xrm_control.storage.formats.planes_on_disk import AnyVolume

_LEAST_ROWS = 16  # of the views, made small
_LEAST_SHARE = 0.25  # of Crowther's number of views: below, diameters of balls are off by 2 % and more
_SEEN = 0.1  # of the densest column


@dataclass(frozen=True)
class FileDoubt:
    """What speaks against a volume, and what to do about it."""

    check: str
    reason: str
    remedy: str

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.reason} -> {self.remedy}" if self.remedy else self.reason


def doubts_of(
    scan: ScanData,
    spec: ReconstructionSpec,
    parts: Sequence[AnyVolume],
    axis_px: float,
    quality: Mapping[str, float],
    shifts_px: Sequence[tuple[float, float]] = (),
) -> tuple[FileDoubt, ...]:
    """What speaks against the volume, in parts (rows, columns, columns) along z, of a scan that no run has taken.

    quality: figures of the reconstruction by name; shifts_px: by how much views were moved, as found. The worst of the
    checks first.
    """
    moved = spec.preprocess.apply_shifts and scan.shifts_px is not None
    evidence = evidence_of_file(scan, spec, parts, axis_px, quality, shifts_px)
    # Moves of pixels change the noise from view to view; a few rows hold no place.
    places = not moved and evidence.looks.images.shape[1] >= _LEAST_ROWS
    chosen = tuple(one for one in all_checks() if one.of_views and (places or not one.of_places))
    found = [FileDoubt(one.check, one.reason, one.remedy) for one in judged(evidence, chosen) if _speaks(one)]
    return (*found, *_flats(evidence), *_light(evidence), *_too_few(evidence), *_counts(evidence))


def evidence_of_file(
    scan: ScanData,
    spec: ReconstructionSpec,
    parts: Sequence[AnyVolume],
    axis_px: float,
    quality: Mapping[str, float],
    shifts_px: Sequence[tuple[float, float]] = (),
) -> RegionEvidence:
    """What can be looked at of a scan that no run has taken. See `doubts_of`."""
    known = set(QualityMetrics.model_fields)
    scan, preprocess = put_right(scan, spec.preprocess, shifts_px)
    return RegionEvidence(
        scan=scan,
        spec=spec.model_copy(update={"preprocess": preprocess}),
        quality=QualityMetrics.model_validate(
            {name: value for name, value in quality.items() if name in known}
            | {"rotation_axis_px": axis_px, "view_shifts_px": tuple(shifts_px)}
        ),
        particles=None,
        volume=np.asarray(parts[0]) if len(parts) == 1 else Slabs(parts),
        labels=None,
        phases=None,
        roi=None,
        mosaic=None,
        # Of what the chosen checks do not ask for nothing is known.
        sample=SampleSpec(),
        energy_kev=math.nan,
        field_um=math.nan,
        useful_diameter_um=0.0,
    )


def _light(evidence: RegionEvidence) -> Iterator[FileDoubt]:
    """Of views that no run has taken, in a beam that nobody watched."""
    looks = evidence.looks
    time_s = np.asarray(evidence.scan.time_s, float)[looks.views]
    axis_px = (evidence.axis_px + 0.5) / looks.bin - 0.5
    for change in light_changes(looks.images, evidence.theta_deg[looks.views], time_s, axis_px):
        yield FileDoubt("light", change, "take flats in the light of the views, or state how much each frame got")


def _flats(evidence: RegionEvidence) -> Iterator[FileDoubt]:
    if said := flats_of_views(evidence.scan):
        yield FileDoubt("flats", said, "take flats without the sample, and give them: --references")


def _counts(evidence: RegionEvidence) -> Iterator[FileDoubt]:
    """Pictures and no counts: a gamma of 2.2, as pictures have, more than halves attenuation."""
    scan = evidence.scan
    if scan.normalised:
        if said := steeper(scan):
            yield FileDoubt("counts", said, "hand over counts with flats and darks, or transmissions without a gamma")
        return
    if np.dtype(scan.projections.dtype).itemsize == 1:
        yield FileDoubt(
            "counts",
            "the frames have 8 bits, as pictures that were stretched or stored with a gamma: counts are then not in "
            "proportion to light, and attenuation is wrong by up to a half",
            "hand over the counts as the camera gave them (10 bits or more)",
        )
    elif said := out_of_proportion(evidence):
        yield FileDoubt("counts", said, "hand over the counts as the camera gave them, with darks of the same setting")


def _too_few(evidence: RegionEvidence) -> Iterator[FileDoubt]:
    """By what is seen of the sample, since nobody has said how much of it is to be seen whole."""
    integrals = evidence.integrals.mean(axis=1)
    seen = np.flatnonzero((integrals > _SEEN * integrals.max()).any(axis=0))
    if not seen.size or integrals.max() <= 0:
        return
    axis_px = (evidence.axis_px + 0.5) / evidence.looks.bin - 0.5
    width_px = 2 * float(np.abs(seen - axis_px).max()) * evidence.looks.bin
    wanted = math.pi / 2 * min(width_px, evidence.scan.projections.shape[2])
    views = len(np.unique(np.round(evidence.theta_deg % 180.0, 3)))
    if views < _LEAST_SHARE * wanted:
        yield FileDoubt(
            "angles",
            f"too few views: {views} for a sample {width_px:.0f} pixels wide, which wants {wanted:.0f} (limit "
            f"at least {_LEAST_SHARE * wanted:.0f})",
            "take more views, or use a method for few of them: --method tv",
        )


def _speaks(result: CheckResult) -> bool:
    return result.verdict in (TrustVerdict.DOUBT, TrustVerdict.REDO)
