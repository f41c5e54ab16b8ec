"""Everything the report needs from a run folder, read once; what is missing becomes a sentence, not an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from xrm_control.contracts.column import Column
from xrm_control.contracts.columns import COLUMNS, STANDARD
from xrm_control.contracts.document import Document, JsonFile
from xrm_control.contracts.handoff import HANDOFF, HandoffSpec
from xrm_control.contracts.plan import PLAN, PlanDocument
from xrm_control.contracts.quality import FOREIGN_QUALITY, QUALITY, QualityDocument, QualityMetrics
from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.contracts.rois import ROIS, RoiRecord, RoisDocument
from xrm_control.contracts.rows import Rows, not_measured, pool_rows, read_rows
from xrm_control.core.errors import DataError, XrmError
from xrm_control.reporting.volumes import Stack, open_stack

MARKERS = ("recipe.yaml", PLAN.name, "journal.sqlite", RESULTS.name, ROIS.name)

Model = TypeVar("Model", bound=Document)
Read = TypeVar("Read")


@dataclass(frozen=True)
class RegionData:
    """One region of interest: its entry in rois.json, its tables, volumes and quality (None where not there).

    tables: the folder of its tables and pictures.
    """

    name: str
    place: RoiRecord | None
    tables: Path
    particles: Rows | None = None
    voids: Rows | None = None
    volume: Stack | None = None
    labels: Stack | None = None
    phases: Stack | None = None
    quality: QualityMetrics = field(default_factory=QualityMetrics)
    handoff: HandoffSpec | None = None

    def without(self, file: str) -> RegionData:
        """The same without the volume, the labels or the phases that lie in this file."""
        kept = {
            name: None
            for name in ("volume", "labels", "phases")
            if (stack := getattr(self, name)) is not None and stack.file == file
        }
        return replace(self, **kept) if kept else self

    @property
    def not_measured(self) -> tuple[str, ...]:
        """What the analysis core did not measure, by name; nothing where it has not measured at all."""
        return () if self.particles is None else not_measured(self.particles, self.voids)


@dataclass(frozen=True)
class Beside:
    """A re-analysis: where its tables, results and recipe are, and whether another core than the built-in one made
    them. Frames, volumes, plan and regions are the run's."""

    path: Path
    foreign: bool


@dataclass(frozen=True)
class RunData:
    """A run folder as read. `problems` says in one sentence each what is missing or could not be read.

    results, rois, plan: None where they are not there, or cannot be read; has_results: whether the file is there.
    """

    folder: Path
    results: RunResults | None
    rois: RoisDocument | None
    plan: PlanDocument | None
    recipe: str | None
    regions: tuple[RegionData, ...]
    problems: tuple[str, ...]
    has_results: bool = True

    def without(self, error: XrmError) -> RunData | None:
        """The same without the volume that could be opened and not be read; None where the error is of none."""
        regions = tuple(region.without(error.where or "") for region in self.regions)
        if all(one is other for one, other in zip(regions, self.regions, strict=True)):
            return None
        return replace(self, regions=regions, problems=(*self.problems, _said(error, Path(error.where or ""))))

    @property
    def particles(self) -> Rows:
        """The particles of all regions."""
        return pool_rows(region.particles for region in self.regions if region.particles is not None)

    @property
    def voids(self) -> Rows:
        """The voids of all regions."""
        return pool_rows(region.voids for region in self.regions if region.voids is not None)

    @property
    def not_measured(self) -> tuple[str, ...]:
        """What no region's analysis measured, by name."""
        analysed = [region.not_measured for region in self.regions if region.particles is not None]
        return tuple(name for name in dict.fromkeys(n for r in analysed for n in r) if all(name in r for r in analysed))


def read_run(folder: Path, beside: Beside | None = None) -> RunData:
    """Read a run folder, finished or not, or a re-analysis in it. Raises DataError when it is none of a run at all."""
    if not folder.is_dir():
        raise DataError("no such run folder", where=str(folder), remedy="give the folder that `xrm run` printed")
    if not any((folder / name).exists() for name in MARKERS) and not any(folder.glob("roi-*")):
        raise DataError(
            "this folder does not hold a run",
            where=str(folder),
            remedy=f"a run has at least one of {', '.join(MARKERS)}",
        )
    problems: list[str] = []
    place = folder if beside is None else beside.path
    results = _document(RESULTS, place, problems, "the run has not finished, or died before it could sum up")
    rois = _document(ROIS, folder, problems, "no regions were chosen yet")
    plan = _document(PLAN, folder, problems, "the plan was not stored")
    recipe = _recipe(place / "recipe.yaml", problems)
    foreign = beside.foreign if beside is not None else plan is not None and plan.recipe.handoff.foreign
    regions = tuple(
        _region(folder, place / name, rois, results, problems, foreign) for name in _region_names(folder, rois, results)
    )
    return RunData(folder, results, rois, plan, recipe, regions, tuple(problems), (place / RESULTS.name).exists())


def _region_names(folder: Path, rois: RoisDocument | None, results: RunResults | None) -> list[str]:
    named = [] if rois is None else [roi.name for roi in rois.rois]
    summed = [] if results is None else list(results.quality)
    seen = [path.name for path in sorted(folder.glob("roi-*")) if path.is_dir()]
    return list(dict.fromkeys(name for name in [*named, *summed, *seen] if _is_plain(name)))


def _is_plain(name: str) -> bool:
    """A region's name becomes a folder's name: nothing that climbs out of the run."""
    return bool(name) and Path(name).name == name and name not in {".", ".."}


def _region(
    folder: Path,
    own: Path,
    rois: RoisDocument | None,
    results: RunResults | None,
    problems: list[str],
    foreign: bool,
) -> RegionData:
    """`own`: where its tables are; `foreign`: another core than the built-in one need not write what that promises."""
    name = own.name
    place = None if rois is None else next((roi for roi in rois.rois if roi.name == name), None)
    summed = QualityMetrics() if results is None else results.quality.get(name, QualityMetrics())
    if not own.is_dir():
        problems.append(f"{name}: no folder; the region was not scanned, or nothing of it has been written")
        return RegionData(name, place, own, quality=summed)

    def expected(file: str) -> bool:
        return not foreign or (own / file).exists()

    quality: QualityDocument | None = None
    if expected(QUALITY.name):
        meaning = "the region has not been analysed"
        quality = (
            _document(FOREIGN_QUALITY, own, problems, meaning)
            if foreign
            else _document(QUALITY, own, problems, meaning)
        )
    known = STANDARD
    if (own / COLUMNS.name).exists():
        told = _document(COLUMNS, own, problems, "")
        known = STANDARD if told is None else STANDARD.joined(told)
    return RegionData(
        name=name,
        place=place,
        tables=own,
        particles=_table(own / "particles.csv", known.particles, problems),
        voids=_table(own / "voids.csv", known.voids, problems) if expected("voids.csv") else None,
        volume=_stack(folder / name / "volume.ome.tif", problems),
        labels=_stack(own / "labels.ome.tif", problems) if expected("labels.ome.tif") else None,
        # Not part of every taker's answer: outlines of voids are drawn where it is there.
        phases=_stack(own / "phases.ome.tif", problems) if (own / "phases.ome.tif").exists() else None,
        quality=summed if quality is None else quality.metrics.joined(summed),
        handoff=_document(HANDOFF, own, problems, "the volume was not handed to the analysis"),
    )


def _label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.parent.name.startswith("roi-") else path.name


def _document(kind: JsonFile[Model], folder: Path, problems: list[str], meaning: str) -> Model | None:
    path = folder / kind.name
    if not path.exists():
        problems.append(f"{_label(path)}: missing; {meaning}")
        return None
    return _read(lambda: kind.read(path), path, problems)


def _recipe(path: Path, problems: list[str]) -> str | None:
    if path.exists() and not path.is_file():
        # Nobody waits for the writer of a pipe.
        problems.append(f"{_label(path)}: is no regular file")
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{_label(path)}: {'missing' if not path.exists() else f'cannot be read ({error})'}")
        return None


def _table(path: Path, known: tuple[Column, ...], problems: list[str]) -> Rows | None:
    if not path.exists():
        problems.append(f"{_label(path)}: missing; nothing was measured there")
        return None
    return _read(lambda: read_rows(path, known), path, problems)


def _stack(path: Path, problems: list[str]) -> Stack | None:
    if not path.exists():
        problems.append(f"{_label(path)}: missing")
        return None
    return _read(lambda: open_stack(path), path, problems)


def _said(error: XrmError, path: Path) -> str:
    # The file is named already: of where it is wrong, what is in it is left to say.
    at = (error.where or "").partition(", ")[2]
    facts = ", ".join(str(fact) for fact in (at, error.value) if fact not in (None, ""))
    return f"{_label(path)}: {error.what}" + (f" ({facts})" if facts else "")


def _read(read: Callable[[], Read], path: Path, problems: list[str]) -> Read | None:
    try:
        return read()
    except XrmError as error:
        problems.append(_said(error, path))
        return None
