"""The volumes of a run measured again with other settings: a result of its own, beside the run's, on the same chain.

Its folder is named by the hashes of what it is made of, so that the same re-analysis is the same folder: one that was
killed goes on, and one that is done is left as it is. The run's own files are read, after their hashes were checked.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.results import RESULTS, ReanalysisNote, RunResults
from xrm_control.core.errors import DataError
from xrm_control.core.states import Verdict
from xrm_control.core.version import __version__
from xrm_control.processing.achieved import achieved, judge
from xrm_control.processing.measured import write_run_tables
from xrm_control.processing.mosaic_sizes import mosaic_sizes
from xrm_control.processing.regions import analyse_roi, clear_scratch
from xrm_control.processing.results import sum_up
from xrm_control.processing.scans import RunScan
from xrm_control.processing.trust.judging import TrustJob, judge_region
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import CORES, TakerSpec
from xrm_control.storage.artifacts import recorded, require_recorded
from xrm_control.storage.durable import make_folder, sha256_file
from xrm_control.storage.journal import Journal
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.records import Artifact, ArtifactKind
from xrm_control.storage.run_folder import RoiFolder, RunFolder

_KEY_DIGITS = 12


@dataclass(frozen=True)
class Reanalysis:
    """One re-analysis. recipe: the run's, with `settings` in place of what it said; text: as YAML.

    volumes: hashes of volume and hand-off of each region that has a volume, by region.
    """

    folder: RunFolder
    recipe: Recipe
    text: str
    settings: Mapping[str, str]
    volumes: Mapping[str, dict[str, str]]

    @property
    def key(self) -> str:
        """Of what decides the result: settings, inputs, and the versions of what computes."""
        facts = {
            "analysis": self.recipe.analysis.model_dump(mode="json"),
            "core": [self.recipe.handoff.core, *self.recipe.handoff.command, _core_version(self.recipe.handoff)],
            "volumes": self.volumes,
            "version": __version__,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]

    @property
    def place(self) -> RunFolder:
        """Its own folder."""
        return self.folder.reanalysis(self.key)

    def note(self) -> ReanalysisNote:
        """What its results.json says of it."""
        inputs = {name: sha256 for of_roi in self.volumes.values() for name, sha256 in of_roi.items()}
        return ReanalysisNote(key=self.key, settings=dict(self.settings), inputs=inputs)


def volumes_of(folder: RunFolder, journal: JournalQueries) -> dict[str, dict[str, str]]:
    """Volume and hand-off of each region that has them, with their hashes. Raises Altered for one that is not what was
    recorded; DataError where there is no volume."""
    known = journal.artifacts()
    found: dict[str, dict[str, str]] = {}
    for artifact in known.values():
        if artifact.kind != ArtifactKind.HANDOFF:
            continue
        place = folder.roi(artifact.roi)
        names = [folder.relative(path) for path in (place.volume, place.handoff)]
        if all(name in known for name in names):
            require_recorded(folder, (known[name] for name in names))
            found[artifact.roi] = {name: known[name].sha256 for name in names}
    if not found:
        raise DataError(
            "no region of the run has a volume yet",
            where=str(folder.path),
            remedy=f"`xrm status {folder.path}` says how far it is",
        )
    # Regions' places and the truth go into the results too.
    require_recorded(folder, (known.get(path.name) for path in (folder.rois, folder.truth)))
    return found


def is_measured(work: Reanalysis, journal: JournalQueries, roi: str) -> bool:
    """Whether a region was measured in this re-analysis, and all its files are as they were then."""
    prefix = work.folder.relative(work.place.roi(roi).path) + "/"
    files = [artifact for path, artifact in journal.artifacts().items() if path.startswith(prefix)]
    return bool(files) and all(recorded(work.folder, artifact) for artifact in files)


def trust_job(work: Reanalysis, journal: JournalQueries, roi: str) -> TrustJob:
    """What is judged of a region when it is measured again: the same frames and volume, the new tables."""
    recipe = work.recipe
    pixel_um = recipe.instrument.describe().camera.binned_pixel_um(recipe.scan.binning)
    scan = RunScan(work.folder.path, roi, pixel_um, journal.stored_frames(roi))
    return TrustJob.of(scan, recipe, work.place.roi(roi).path)


def measure_again(work: Reanalysis, roi: str, job: TrustJob) -> None:
    """One region, from its volume into the re-analysis' own folder, and judged; runs on a worker.

    Raises as the analysis does.
    """
    place, source = work.place.roi(roi), work.folder.roi(roi)
    make_folder(place.path)
    clear_scratch(place.path)
    handed, volume = HANDOFF.read(source.handoff), f"../../../{roi}/{source.volume.name}"
    inputs = {name: sha256 for name, sha256 in handed.inputs.items() if name != handed.volume}
    handoff = handed.model_copy(
        update={
            "volume": volume,
            "recipe": handed.recipe.model_copy(update={"sha256": work.recipe.sha256()}),
            "inputs": {volume: work.volumes[roi][work.folder.relative(source.volume)], **inputs},
            "analysis": work.recipe.analysis.model_dump(mode="json"),
        }
    )
    work.folder.write_text(place.handoff, HANDOFF.text(handoff), replace=True)
    analyse_roi(place.handoff, place.path, work.recipe.handoff)
    judge_region(job)


def record_region(work: Reanalysis, journal: Journal, roi: str) -> None:
    """Commit all files of a region at once: it counts as measured, or not at all."""
    place = work.place.roi(roi)
    handoff = _described(work, journal, place, place.handoff.name, work.volumes[roi])
    made_of = {handoff.path: handoff.sha256}
    names = sorted(path.name for path in place.path.iterdir() if path.is_file() and path != place.handoff)
    journal.record_artifacts([handoff, *(_described(work, journal, place, name, made_of) for name in names)])


def sum_up_again(work: Reanalysis, journal: Journal, failed: Mapping[str, str]) -> RunResults:
    """Write the re-analysis' results and tables, and commit them. failed: regions that could not be measured: why."""
    reported = tuple(roi for roi in sorted(work.volumes) if roi not in failed)
    folder, place = work.folder, work.place
    run = achieved(folder, journal)
    left = {roi: why for roi, why in run.quarantined.items() if roi not in work.volumes}
    verdict, reasons = judge(replace(run, quarantined=left, reported=reported), work.recipe, journal, place)
    reasons = (*reasons, *(f"{roi} cannot be measured so: {why}" for roi, why in failed.items()))
    if failed and verdict in (Verdict.COMPLETE, Verdict.DOUBT):
        verdict = Verdict.INCOMPLETE
    results = sum_up(folder, journal, work.recipe, verdict, reasons, place, reported).model_copy(
        update={"reanalysis": work.note()}
    )
    folder.write_text(place.recipe, work.text, replace=True)
    folder.write_text(place.results, RESULTS.text(results), replace=True)
    tables = write_run_tables(place, reported, mosaic_sizes(folder))
    known = journal.artifacts()
    made_of = {
        path: artifact.sha256
        for path, artifact in sorted(known.items())
        if any(path.startswith(folder.relative(place.roi(roi).path) + "/") for roi in reported)
        or path in (folder.rois.name, folder.truth.name)
    }
    made = [_described(work, journal, place, path.name, made_of) for path in (place.results, *tables)]
    journal.record_artifacts([_described(work, journal, place, place.recipe.name, {}), *made])
    return results


def record_report(work: Reanalysis, journal: Journal) -> None:
    """Commit the re-analysis' report, which names its results."""
    results = work.folder.relative(work.place.results)
    made_of = {results: journal.artifacts()[results].sha256}
    journal.record_artifacts([_described(work, journal, work.place, work.place.report.name, made_of)])


def is_done(work: Reanalysis, journal: JournalQueries) -> bool:
    """Whether all of it is there, as it was recorded."""
    known, place = journal.artifacts(), work.place
    sums = [known.get(work.folder.relative(path)) for path in (place.results, place.report, place.recipe)]
    tables = [known.get(work.folder.relative(path)) for path in (place.particles, place.voids, place.columns)]
    return (
        all(recorded(work.folder, artifact) for artifact in (*sums, *(table for table in tables if table is not None)))
        and all(is_measured(work, journal, roi) for roi in work.volumes)
    )  # fmt: skip


def _described(
    work: Reanalysis, journal: JournalQueries, place: RoiFolder | RunFolder, name: str, inputs: Mapping[str, str]
) -> Artifact:
    path = place.path / name
    roi = place.path.name if isinstance(place, RoiFolder) else ""
    return Artifact(
        work.folder.relative(path), sha256_file(path), path.stat().st_size, ArtifactKind.REANALYSIS,
        journal.last_t_s() or 0.0, roi, dict(inputs),
    )  # fmt: skip


def _core_version(taker: TakerSpec) -> str:
    """Of the package that offers the analysis core; "" for the built-in one and for commands."""
    if taker.command or not taker.foreign:
        return ""
    points = importlib.metadata.entry_points(group=CORES, name=taker.core)
    return ", ".join(sorted(f"{point.dist.name} {point.dist.version}" for point in points if point.dist is not None))
