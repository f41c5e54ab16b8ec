"""A region judged after it was measured: every check, and the verdict in its quality.json. Runs on a worker.

It reads only durable files and writes quality.json and pictures anew, so judging twice gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.columns import COLUMNS, STANDARD
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.quality import FOREIGN_QUALITY, QUALITY, ForeignQuality, QualityDocument, QualityMetrics
from xrm_control.contracts.rois import ROIS
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.trust import CheckResult, TrustVerdict, worst
from xrm_control.core.errors import XrmError
from xrm_control.devices.protocols import InstrumentDescription
from xrm_control.processing.scans import RunScan
from xrm_control.processing.trust.check import TrustCheck, all_checks
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.left_out import leave_out_movers
from xrm_control.recipe.document import Recipe
from xrm_control.reconstruction.pipeline import put_right
from xrm_control.storage.durable import disk_watched, durable_file
from xrm_control.storage.formats.planes_on_disk import PlanesOnDisk
from xrm_control.storage.run_folder import RoiFolder, RunFolder

PICTURE = "trust-{}.png"
_FAILURES = (XrmError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class TrustJob:
    """What is to be judged. scan: the region's frames; out: where its tables are, of a run or of a re-analysis;
    counts_per_photon: of the camera, None where nobody has said.
    """

    scan: RunScan
    recipe: Recipe
    out: Path
    energy_kev: float
    field_um: float
    counts_per_photon: float | None

    @classmethod
    def of(cls, scan: RunScan, recipe: Recipe, out: Path, described: InstrumentDescription | None = None) -> TrustJob:
        """described: the instrument as it was found, by default as the recipe names it."""
        described = described or recipe.instrument.describe()
        camera = described.camera
        return cls(scan, recipe, out, described.energy_kev, camera.field_of_view_um, camera.counts_per_photon)


def judge_region(job: TrustJob) -> QualityMetrics:
    """Judge a region and write down what was found; returns its figures with the verdict.

    Raises StorageError for a disk that fails.
    """
    with disk_watched("the judging of the region", job.out):
        return _judge(job)


def _judge(job: TrustJob) -> QualityMetrics:
    evidence = gather(job)
    checks = all_checks()
    results = tuple(pictured(one, evidence, job.out, checks) for one in judged(evidence, checks))
    foreign = job.recipe.handoff.foreign
    # Another core's table is its own.
    moved = None if foreign else leave_out_movers(evidence, job.out, job.recipe.analysis.seed)
    path = job.out / QUALITY.name
    stated: QualityDocument = ForeignQuality()
    if not foreign or path.is_file():
        stated = (FOREIGN_QUALITY if foreign else QUALITY).read(path)
    verdict: dict[str, Any] = {"verdict": worst(results), "checks": results, "moved_particles": moved}
    document = QualityDocument.model_validate({**stated.metrics.stated(), **verdict})
    with durable_file(path, "the figures of quality", replace=True) as file:
        file.write(QUALITY.text(document).encode())
    return evidence.quality.model_copy(update=verdict)


def judged(evidence: RegionEvidence, checks: tuple[TrustCheck, ...] | None = None) -> tuple[CheckResult, ...]:
    """What each check finds, those that speak against the numbers first."""
    found = [_looked(check, evidence) for check in (all_checks() if checks is None else checks)]
    order = (TrustVerdict.REDO, TrustVerdict.DOUBT, TrustVerdict.PASS, None)
    return tuple(sorted(found, key=lambda one: (order.index(one.verdict), one.check)))


def pictured(
    result: CheckResult, evidence: RegionEvidence, out: Path, checks: tuple[TrustCheck, ...] | None = None
) -> CheckResult:
    """With a picture of what a check rests on, beside quality.json, where it speaks against the numbers."""
    path = out / PICTURE.format(result.check)
    path.unlink(missing_ok=True)
    among = all_checks() if checks is None else checks
    check = next((one for one in among if one.model_dump()["kind"] == result.check), None)
    against = result.verdict in (TrustVerdict.DOUBT, TrustVerdict.REDO)
    if not against and (result.verdict is None or check is None or not check.tells_more(evidence)):
        return result
    try:
        with np.errstate(all="ignore"):
            drawing = None if check is None else check.picture(evidence)
        if drawing is None:
            return result
        from xrm_control.reporting.figures.drawn import png

        picture = png(drawing, result.check)
    except _FAILURES:
        # The sentence stands without it.
        return result
    with durable_file(path, "the picture of a check", replace=True) as file:
        file.write(picture)
    return result.model_copy(update={"picture": path.name})


def _looked(check: TrustCheck, evidence: RegionEvidence) -> CheckResult:
    try:
        with np.errstate(all="ignore"):
            return check.look(evidence)
    except _FAILURES as error:
        # A check that cannot be made vouches for nothing.
        return check.doubt(
            f"{check.model_dump()['kind']} could not be checked: {str(error) or type(error).__name__}",
            "look at the region's frames and files",
        )


def gather(job: TrustJob) -> RegionEvidence:
    """What the checks look at. Raises DataError for files of the region that cannot be read."""
    folder = RunFolder.open(job.scan.run)
    source, own = folder.roi(job.scan.roi), RoiFolder(job.out)
    rois = ROIS.read(folder.rois) if folder.rois.is_file() else None
    handed = HANDOFF.read(source.handoff).quality
    foreign = job.recipe.handoff.foreign
    if own.quality.is_file():
        quality = (FOREIGN_QUALITY if foreign else QUALITY).read(own.quality).metrics.joined(handed)
    else:
        quality = handed
    known = STANDARD.joined(COLUMNS.read(own.columns)) if own.columns.is_file() else STANDARD
    spec = job.recipe.aligned_reconstruction()
    # As they were reconstructed.
    scan, preprocess = put_right(job.scan.load(), spec.preprocess, quality.view_shifts_px)
    return RegionEvidence(
        scan=scan,
        spec=spec.model_copy(update={"preprocess": preprocess}),
        quality=quality,
        particles=read_rows(own.particles, known.particles) if own.particles.is_file() else None,
        volume=_stack(source.volume),
        labels=_stack(own.labels),
        phases=_stack(own.path / "phases.ome.tif"),
        roi=None if rois is None else next((roi for roi in rois.rois if roi.name == job.scan.roi), None),
        mosaic=None if rois is None else rois.mosaic,
        sample=job.recipe.sample,
        energy_kev=job.energy_kev,
        field_um=job.field_um,
        useful_diameter_um=job.recipe.scan.useful_diameter_um,
        margin_um=job.recipe.roi.margin_um,
        counts_per_photon=job.counts_per_photon,
        own_tables=not foreign,
    )


def _stack(path: Path) -> NDArray[np.generic] | None:
    """A volume (z, y, x); None where there is none."""
    import tifffile

    if not path.is_file():
        return None
    found = PlanesOnDisk.of_tiff(path)
    # All of it: each check looks at the whole.
    whole = tifffile.imread(path) if found is None else np.asarray(found)
    return whole if whole.ndim == 3 else None
