"""Files of a run that a browser may have: by name, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from xrm_control.core.errors import DataError
from xrm_control.storage.run_folder import RunFolder

_ALLOWED = re.compile(
    r"report\.html|mosaic\.png|(particles|voids)\.csv|(results|rois|plan|columns|quality)\.json|recipe\.yaml|log\.jsonl|"
    r"roi-\d{2,}/(preview\.png|quality\.json|results\.json|(particles|voids)\.csv|"
    r"(figures|evidence)/[A-Za-z0-9_-]{1,80}\.(png|svg))"
)
_TEXT = "text/plain; charset=utf-8"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".yaml": _TEXT,
    ".jsonl": _TEXT,
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""What a file is, by the ending of its name."""


def file_of(folder: RunFolder, name: str) -> Path:
    """Raises DataError for what is not there, not for browsers, or leads out of the run's folder."""
    path = folder.path / name
    if not _ALLOWED.fullmatch(name) or not path.is_file() or not inside(path, folder.path):
        raise DataError("there is no such file to look at", where=folder.name, value=name[:80])
    return path


def inside(path: Path, folder: Path) -> bool:
    """Whether a path, with all links followed, is one of the folder's."""
    return path.resolve().is_relative_to(folder.resolve())
