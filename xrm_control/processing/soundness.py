"""What verifying a run finds, by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.records import ChainLink


class Soundness(StrEnum):
    """What a file, or a row of the journal, is found to be.

    outdated: made of an earlier version of what is recorded now; not covered: it counts, and nothing vouches for it;
    aside: it does not count, and nothing does.
    """

    ALTERED = "altered"
    MISSING = "missing"
    ADDED = "added"
    OUTDATED = "outdated"
    UNFINISHED = "unfinished"
    NOT_COVERED = "not covered"
    ASIDE = "aside"


_UNSOUND = (Soundness.ALTERED, Soundness.MISSING, Soundness.ADDED, Soundness.OUTDATED)


@dataclass(frozen=True)
class Finding:
    """One thing that is not simply sound. name: a path in the run's folder; remedy: what to do next."""

    name: str
    state: Soundness
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Verification:
    """All of a run held against what was recorded. sound: files, with so many bytes, that are what was recorded.

    chain: the journal's last link; confirmed: the link that was expected, where it stands in the chain.
    """

    run: str
    sound: int
    bytes: int
    findings: tuple[Finding, ...]
    chain: ChainLink | None = None
    confirmed: ChainLink | None = None
    died: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """0 where all is sound, and covered, and finished."""
        found = {finding.state for finding in self.findings}
        if found.intersection(_UNSOUND):
            return ExitCode.ALTERED
        if self.died:
            return ExitCode.DIED
        return ExitCode.PARTLY if found.intersection((Soundness.UNFINISHED, Soundness.NOT_COVERED)) else ExitCode.OK

    @property
    def counts(self) -> dict[Soundness, int]:
        """How many findings there are of each kind, in the order of their weight."""
        counted = Counter(finding.state for finding in self.findings)
        return {state: counted[state] for state in Soundness if counted[state]}

    def as_dict(self) -> dict[str, Any]:
        """The findings as JSON-able data."""
        return {"ok": self.exit_code == ExitCode.OK, "exit_code": int(self.exit_code), **asdict(self)}
