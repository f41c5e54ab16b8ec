"""The family of checks: what may be wrong though no step has failed. A member is a file in `checks/`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from xrm_control.contracts.trust import CheckResult, Evidence, TrustVerdict
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Drawing

Numbers = Mapping[str, float | tuple[float, str]]


class TrustCheck(Spec):
    """Base of the family. A member adds `kind: Literal["..."]`, says in `source` where its limits are from, and looks.

    What it raises of `core.errors` or arithmetic costs the check alone, and is a doubt.
    """

    source: ClassVar[str] = ""
    of_views: ClassVar[bool] = False
    """Whether it needs no more than views and volume, and so judges a file of another instrument too."""
    of_places: ClassVar[bool] = False
    """Whether it looks at where things are in the views, as they were taken."""

    @abstractmethod
    def look(self, evidence: RegionEvidence) -> CheckResult:
        """Judge one region by what there is of it."""

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """What shows it, asked for where the check speaks against the numbers, or tells more; None without."""
        return None

    def tells_more(self, evidence: RegionEvidence) -> bool:
        """Whether its picture is worth a look though nothing speaks against the numbers."""
        return False

    def passed(self, reason: str, numbers: Numbers | None = None) -> CheckResult:
        """Nothing speaks against the numbers. numbers: by name, with their limits in words where they have one."""
        return self._result(TrustVerdict.PASS, reason, "", numbers)

    def doubt(self, reason: str, remedy: str, numbers: Numbers | None = None) -> CheckResult:
        """Something speaks against the numbers."""
        return self._result(TrustVerdict.DOUBT, reason, remedy, numbers)

    def redo(self, reason: str, remedy: str, numbers: Numbers | None = None) -> CheckResult:
        """The numbers are wrong."""
        return self._result(TrustVerdict.REDO, reason, remedy, numbers)

    def nothing(self, why: str) -> CheckResult:
        """There is nothing to look at."""
        return self._result(None, why, "", None)

    def _result(self, verdict: TrustVerdict | None, reason: str, remedy: str, numbers: Numbers | None) -> CheckResult:
        evidence = tuple(
            Evidence(name=name, value=value[0], limit=value[1])
            if isinstance(value, tuple)
            else Evidence(name=name, value=value)
            for name, value in (numbers or {}).items()
        )
        name = str(self.model_dump()["kind"])
        return CheckResult(
            check=name, verdict=verdict, reason=reason, remedy=remedy, evidence=evidence, source=self.source
        )


CHECKS = Family("xrm_control.processing.trust.checks", group="xrm_control.trust_checks")


def all_checks() -> tuple[TrustCheck, ...]:
    """Every check that can be used, by name."""
    members: Mapping[str, type[Any]] = CHECKS.members(TrustCheck)
    return tuple(member() for member in members.values())
