"""What the checks of a run's regions speak against, one sentence for each check, whichever regions it concerns."""

from __future__ import annotations

from collections.abc import Sequence

from xrm_control.contracts.quality import FOREIGN_QUALITY
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.storage.run_folder import RunFolder


def doubts(place: RunFolder, rois: Sequence[str]) -> tuple[str, ...]:
    """Of the regions that were measured, the gravest first; none for runs whose regions nobody judged.

    Raises DataError for a quality.json that cannot be read.
    """
    found: dict[tuple[TrustVerdict, str], list[tuple[str, CheckResult]]] = {}
    for roi in rois:
        path = place.roi(roi).quality
        if not path.is_file():
            continue
        # As another core may have written it: verdict and checks are read alike.
        for check in FOREIGN_QUALITY.read(path).checks:
            verdict = check.verdict
            if verdict is not None and verdict is not TrustVerdict.PASS:
                found.setdefault((verdict, check.check), []).append((roi, check))
    gravest = sorted(found, key=lambda key: (key[0] is not TrustVerdict.REDO, -len(found[key]), key[1]))
    return tuple(_sentence(verdict, found[verdict, name]) for verdict, name in gravest)


def _sentence(verdict: TrustVerdict, those: list[tuple[str, CheckResult]]) -> str:
    rois, check = ", ".join(roi for roi, _ in those), those[0][1]
    what = f"{rois}: {check.text}"
    return f"to be redone: {what}" if verdict is TrustVerdict.REDO else what
