"""What a journal can add up of its frames, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind, FrameOutcome
from xrm_control.storage.journal_rows import Questions

_AXES = {"x": "x_um", "y": "y_um", "z": "z_um", "theta": "theta_deg"}


@dataclass(frozen=True)
class KindOfStage:
    """The frames of one kind in one stage. Times in s; flux: counts per s of exposure, over those that count."""

    stage: str
    roi: str
    kind: FrameKind
    outcomes: FrameOutcomes
    exposures: int = 0
    retaken: int = 0
    exposed_s: float = 0.0
    bytes: int = 0
    begin_s: float | None = None
    end_s: float | None = None
    flux: float | None = None


@dataclass(frozen=True)
class Rejection:
    """An attempt that does not count."""

    frame_id: FrameId
    stage: str
    reason: str
    t_s: float


@dataclass(frozen=True)
class Step:
    """What one frame took, its way included: kind of the frame at its end, and from when to when."""

    kind: FrameKind
    begin_s: float
    end_s: float


class AccountQueries(Questions):
    """Questions of sums, for any reader of a journal."""

    def kinds_of_stages(self) -> list[KindOfStage]:
        """Every stage that was begun, by kind of frame, in planned order."""
        kept, missing, still_open = FrameOutcome.KEPT, FrameOutcome.MISSING, FrameOutcome.OPEN
        outcomes = self._rows(
            f"SELECT stage, roi, kind, sum(outcome = '{kept}' AND rejected = 0) AS kept,"
            f" sum(outcome = '{kept}' AND rejected > 0) AS retaken, sum(outcome = '{missing}') AS missing,"
            f" sum(outcome = '{still_open}') AS not_reached, sum(rejected) AS rejected FROM outcome"
            " GROUP BY stage, kind ORDER BY (SELECT min(rowid) FROM planned_frame AS p"
            " WHERE p.stage = outcome.stage AND p.kind = outcome.kind)"
        )
        attempts = {
            (row["stage"], row["kind"]): row
            for row in self._rows(
                "SELECT p.stage, p.kind, count(*) AS exposures, sum(p.exposure_s) AS exposed_s,"
                " coalesce(sum(c.bytes), 0) AS bytes, min(a.t_s) AS begin_s, max(coalesce(c.t_end_s, a.t_s)) AS end_s,"
                " avg(CASE WHEN r.frame_id IS NULL THEN c.mean_counts / p.exposure_s END) AS flux"
                " FROM attempt AS a JOIN planned_frame AS p USING (frame_id)"
                " LEFT JOIN committed AS c USING (frame_id, attempt) LEFT JOIN rejected AS r USING (frame_id, attempt)"
                " GROUP BY p.stage, p.kind"
            )
        }
        found: list[KindOfStage] = []
        for row in outcomes:
            fates = FrameOutcomes(
                kept=row["kept"], retaken=row["retaken"], missing=row["missing"], not_reached=row["not_reached"]
            )
            tried = attempts.get((row["stage"], row["kind"]))
            what = (row["stage"], row["roi"], FrameKind(row["kind"]), fates)
            if tried is None:
                found.append(KindOfStage(*what))
                continue
            found.append(
                KindOfStage(
                    *what,
                    exposures=tried["exposures"],
                    retaken=row["rejected"],
                    exposed_s=tried["exposed_s"],
                    bytes=tried["bytes"],
                    begin_s=tried["begin_s"],
                    end_s=tried["end_s"],
                    flux=tried["flux"],
                )
            )
        return found

    def extremes(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest measured position of each axis at an exposure, in um and degrees; empty without any."""
        columns = ", ".join(f"min({one}) AS low_{axis}, max({one}) AS high_{axis}" for axis, one in _AXES.items())
        row = self._rows(f"SELECT {columns} FROM committed")[0]
        return {axis: (row[f"low_{axis}"], row[f"high_{axis}"]) for axis in _AXES if row[f"low_{axis}"] is not None}

    def all_rejections(self) -> list[Rejection]:
        """All attempts that do not count, in the order of time."""
        rows = self._rows(
            "SELECT frame_id, p.stage, r.reason, r.t_s FROM rejected AS r JOIN planned_frame AS p USING (frame_id)"
            " ORDER BY r.t_s, r.rowid"
        )
        return [Rejection(FrameId(row["frame_id"]), row["stage"], row["reason"], row["t_s"]) for row in rows]

    def steps(self) -> list[Step]:
        """From the end of each exposure to that of the next one of the same stage, in the order of time."""
        rows = self._rows(
            "SELECT p.stage, p.kind, c.t_end_s FROM committed AS c JOIN planned_frame AS p USING (frame_id)"
            " ORDER BY c.t_end_s"
        )
        found: list[Step] = []
        before: dict[str, float] = {}
        for row in rows:
            if row["stage"] in before:
                found.append(Step(FrameKind(row["kind"]), before[row["stage"]], row["t_end_s"]))
            before[row["stage"]] = row["t_end_s"]
        return found
