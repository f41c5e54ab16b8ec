"""How a run, or a re-analysis of one, ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xrm_control.contracts.results import RunResults


@dataclass(frozen=True)
class Outcome:
    """folder: where results.json and report.html are."""

    folder: Path
    exit_code: int
    results: RunResults
