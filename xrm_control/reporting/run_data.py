"""Everything the report needs from a run folder, read once; what is missing becomes a sentence, not an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xrm_control.core.errors import DataError, XrmError
from xrm_control.reporting.formatting import items, mapping
from xrm_control.reporting.rows import Rows, pool, read_rows
from xrm_control.reporting.volumes import Stack, open_stack

EMPTY = Rows({}, 0)
MARKERS = ("recipe.yaml", "plan.json", "journal.sqlite", "results.json", "rois.json")


@dataclass(frozen=True)
class RegionData:
    """One region of interest: its entry in rois.json, its tables, volumes and quality (None where not there)."""

    name: str
    place: Mapping[str, Any]
    particles: Rows | None
    voids: Rows | None
    volume: Stack | None
    labels: Stack | None
    phases: Stack | None
    quality: Mapping[str, Any]
    handoff: Mapping[str, Any]


@dataclass(frozen=True)
class RunData:
    """A run folder as read. `problems` says in one sentence each what is missing or could not be read."""

    folder: Path
    results: Mapping[str, Any]
    rois: Mapping[str, Any]
    plan: Mapping[str, Any]
    recipe: str | None
    regions: tuple[RegionData, ...]
    problems: tuple[str, ...]
    has_results: bool = field(default=True)

    @property
    def particles(self) -> Rows:
        """The particles of all regions."""
        return pool(region.particles for region in self.regions if region.particles is not None)

    @property
    def voids(self) -> Rows:
        """The voids of all regions."""
        return pool(region.voids for region in self.regions if region.voids is not None)


def read_run(folder: Path) -> RunData:
    """Read a run folder, finished or not. Raises DataError when the folder is not one of a run at all."""
    if not folder.is_dir():
        raise DataError("no such run folder", where=str(folder), remedy="give the folder that `xrm run` printed")
    if not any((folder / name).exists() for name in MARKERS) and not any(folder.glob("roi-*")):
        raise DataError(
            "this folder does not hold a run",
            where=str(folder),
            remedy=f"a run has at least one of {', '.join(MARKERS)}",
        )
    problems: list[str] = []
    results = _json(folder / "results.json", problems, "the run has not finished, or died before it could sum up")
    rois = _json(folder / "rois.json", problems, "no regions were chosen yet")
    plan = _json(folder / "plan.json", problems, "the plan was not stored")
    recipe = _recipe(folder / "recipe.yaml", problems)
    needed = not _other_core(plan)
    regions = tuple(
        _region(folder, name, rois, results, problems, needed) for name in _region_names(folder, rois, results)
    )
    return RunData(folder, results, rois, plan, recipe, regions, tuple(problems), (folder / "results.json").exists())


def _region_names(folder: Path, rois: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
    named = [str(roi["name"]) for roi in items(rois, "rois") if isinstance(roi, Mapping) and "name" in roi]
    seen = [path.name for path in sorted(folder.glob("roi-*")) if path.is_dir()]
    return list(dict.fromkeys(name for name in [*named, *mapping(results, "quality"), *seen] if _is_plain(name)))


def _other_core(plan: Mapping[str, Any]) -> bool:
    """Whether the run's recipe names another analysis core than the built-in one, which need not write all files."""
    taker = mapping(plan, "recipe", "handoff")
    return bool(taker.get("command")) or taker.get("core", "builtin") != "builtin"


def _is_plain(name: str) -> bool:
    """A region's name becomes a folder's name: nothing that climbs out of the run."""
    return bool(name) and Path(name).name == name and name not in {".", ".."}


def _region(
    folder: Path,
    name: str,
    rois: Mapping[str, Any],
    results: Mapping[str, Any],
    problems: list[str],
    needed: bool,
) -> RegionData:
    """`needed`: whether what only the built-in core promises must be there."""
    own = folder / name
    place = next((roi for roi in items(rois, "rois") if isinstance(roi, Mapping) and roi.get("name") == name), {})
    if not own.is_dir():
        problems.append(f"{name}: no folder; the region was not scanned, or nothing of it has been written")
        return RegionData(name, place, None, None, None, None, None, mapping(results, "quality", name), {})

    def expected(file: str) -> bool:
        return needed or (own / file).exists()

    quality = {}
    if expected("quality.json"):
        quality = _json(own / "quality.json", problems, "the region has not been analysed")
    return RegionData(
        name=name,
        place=place,
        particles=_table(own / "particles.csv", problems),
        voids=_table(own / "voids.csv", problems) if expected("voids.csv") else None,
        volume=_stack(own / "volume.ome.tif", problems),
        labels=_stack(own / "labels.ome.tif", problems) if expected("labels.ome.tif") else None,
        # Not part of every taker's answer: outlines of voids are drawn where it is there.
        phases=_stack(own / "phases.ome.tif", problems) if (own / "phases.ome.tif").exists() else None,
        quality={**quality, **mapping(results, "quality", name)},
        handoff=_json(own / "handoff.json", problems, "the volume was not handed to the analysis"),
    )


def _label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.parent.name.startswith("roi-") else path.name


def _json(path: Path, problems: list[str], meaning: str) -> Mapping[str, Any]:
    if not path.exists():
        problems.append(f"{_label(path)}: missing; {meaning}")
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{_label(path)}: cannot be read ({error})")
        return {}
    if not isinstance(document, dict):
        problems.append(f"{_label(path)}: holds a {type(document).__name__}, not an object")
        return {}
    return document


def _recipe(path: Path, problems: list[str]) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{_label(path)}: {'missing' if not path.exists() else f'cannot be read ({error})'}")
        return None


def _table(path: Path, problems: list[str]) -> Rows | None:
    if not path.exists():
        problems.append(f"{_label(path)}: missing; nothing was measured there")
        return None
    try:
        return read_rows(path)
    except XrmError as error:
        problems.append(f"{_label(path)}: {error.what}")
        return None


def _stack(path: Path, problems: list[str]) -> Stack | None:
    if not path.exists():
        problems.append(f"{_label(path)}: missing")
        return None
    try:
        return open_stack(path)
    except XrmError as error:
        problems.append(f"{_label(path)}: {error.what}")
        return None
