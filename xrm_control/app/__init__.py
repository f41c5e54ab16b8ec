"""The composition root: recipe and settings become instrument, run folder, executor and session.

What a run needs is imported where it is used, so that `check` and `plan` answer at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xrm_control.app.aligned import findings
from xrm_control.app.recipes import Loaded, check, load, plan, trade_off
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import DataError, LockUnknown
from xrm_control.core.findings import Finding
from xrm_control.core.lazy import lazy
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import json_schema
from xrm_control.recipe.needs import needs_of

if TYPE_CHECKING:
    from xrm_control.app.commands import go_on, send
    from xrm_control.app.exporting import export
    from xrm_control.app.meshes import export_meshes
    from xrm_control.app.outcome import Outcome
    from xrm_control.app.reanalysis import reanalyze
    from xrm_control.app.runs import pace, resume, run
    from xrm_control.app.service import left_behind
    from xrm_control.app.volumes import analyze, reconstruct
    from xrm_control.contracts.lot import LotVerdict
    from xrm_control.processing.soundness import Verification
    from xrm_control.storage.records import RunSummary
    from xrm_control.storage.run_folder import RunFolder

__all__ = [
    "Loaded",
    "Outcome",
    "analyze",
    "check",
    "diagram",
    "examine",
    "export",
    "export_meshes",
    "glance",
    "go_on",
    "kinds",
    "left_behind",
    "load",
    "pace",
    "plan",
    "reanalyze",
    "reconstruct",
    "report",
    "resume",
    "run",
    "schema",
    "send",
    "status",
    "trade_off",
    "verify",
]

# Before a report is written anew, files up to this size are held against their hashes: all that hold numbers.
_LOOKED_AT_BYTES = 64_000_000

__getattr__ = lazy(
    __name__,
    {
        **dict.fromkeys(("analyze", "reconstruct"), f"{__name__}.volumes"),
        **dict.fromkeys(("pace", "resume", "run"), f"{__name__}.runs"),
        **dict.fromkeys(("go_on", "send"), f"{__name__}.commands"),
        "export": f"{__name__}.exporting",
        "export_meshes": f"{__name__}.meshes",
        "left_behind": f"{__name__}.service",
        "Outcome": f"{__name__}.outcome",
        "reanalyze": f"{__name__}.reanalysis",
    },
)


def status(path: Path) -> RunSummary:
    """How far a run has come, also while another process carries it out; and whether one still does."""
    from xrm_control.processing.incidents import incidents
    from xrm_control.processing.outcomes import outcomes
    from xrm_control.storage.journal import JournalReader
    from xrm_control.storage.run_folder import RunFolder

    summary, folder = glance(path), RunFolder.open(path)
    with JournalReader.open(folder.journal) as journal:
        odd = tuple(f"{one.t_s:.0f} s: {one.text}" for one in incidents(journal))
        return replace(summary, outcomes=outcomes(folder, journal), incidents=odd, lot=_lot(folder))


def _lot(folder: RunFolder) -> LotVerdict | None:
    """The verdict on the lot, where results.json has one; a file that cannot be used is told of by `verify`."""
    from xrm_control.contracts.results import RESULTS

    if not folder.results.is_file():
        return None
    try:
        return RESULTS.read(folder.results).lot
    except DataError:
        return None


def glance(path: Path) -> RunSummary:
    """`status` without outcomes and incidents, at a fraction of its cost: for those who look again and again."""
    from xrm_control.storage.durable import disk_trouble
    from xrm_control.storage.journal import JournalReader
    from xrm_control.storage.lock import is_suspended
    from xrm_control.storage.run_folder import RunFolder

    folder = RunFolder.open(path)
    # The holder first: a run that ends between the two questions has its end on record before it lets go of the lock.
    holder, unknown = None, ""
    try:
        holder = folder.holder()
    except LockUnknown as error:
        unknown = error.message()
    with JournalReader.open(folder.journal) as journal:
        summary = journal.summary()
    written = folder.last_written()
    process = int(holder) if holder is not None and holder.isdecimal() else None
    return replace(
        summary,
        alive=holder is not None,
        life_unknown=unknown,
        disk_trouble=disk_trouble(folder.path),
        process=process,
        suspended=process is not None and is_suspended(process),
        last_sign_utc=None if written is None else written.isoformat(timespec="seconds"),
    )


def verify(path: Path, expect: str | None = None) -> Verification:
    """All of a run held against its journal, and the journal against its chain; nothing is written.

    expect: a link of the chain that was noted elsewhere. Raises DataError for what is no run's folder, or no link.
    """
    from xrm_control.processing.soundness import Finding as Doubt
    from xrm_control.processing.soundness import Soundness
    from xrm_control.processing.verification import verify as hold
    from xrm_control.storage.run_folder import RunFolder

    folder = RunFolder.open(path)
    try:
        alive, unknown = folder.holder() is not None, ""
    except LockUnknown as error:
        # Of what somebody may be writing at this moment nothing is told to be missing.
        alive, unknown = True, error.message()
    found = hold(folder, alive=alive, expect=expect, typed=str(path))
    if unknown:
        doubt = Doubt(folder.lock_file.name, Soundness.NOT_COVERED, f"whether the run is carried out: {unknown}")
        return replace(found, findings=(*found.findings, doubt))
    return found


def examine(loaded: Loaded, *, expose: bool = False) -> list[Finding]:
    """The recipe's instrument, looked at without moving anything; with `expose` one frame is taken, shutter closed."""
    recipe = loaded.recipe
    found = recipe.instrument.examine(needs_of(recipe, recipe.instrument.describe()), expose=expose)
    return [*found, *findings(recipe, utc_now())]


def report(path: Path) -> Path:
    """Write report.html anew from the run folder's files; of a run that died, or could not sum itself up, also that."""
    from xrm_control.processing.results import sum_up_again
    from xrm_control.reporting.report import build_report
    from xrm_control.storage.artifacts import altered, record_file, recorded
    from xrm_control.storage.journal import Journal, JournalReader
    from xrm_control.storage.records import ArtifactKind
    from xrm_control.storage.run_folder import RunFolder

    folder, now = RunFolder.open(path), status(path)
    with JournalReader.open(folder.journal) as journal:
        known = journal.artifacts().get(folder.results.name)
    summed_up = folder.results.is_file() if known is None else recorded(folder, known)
    # Without its recipe nothing can be summed up; the report says what is not there.
    over = now.died or now.stopped or (now.ended and not now.maybe_alive and not summed_up)
    if over and folder.recipe.is_file():
        sum_up_again(folder)
    with JournalReader.open(folder.journal) as journal:
        odd = () if now.maybe_alive else altered(folder, journal.artifacts(), _LOOKED_AT_BYTES)
    doubts = [
        f"{name}: is not what was recorded; `xrm verify` says what to do" for name in odd if name != folder.report.name
    ]
    if now.life_unknown:
        doubts.append(f"whether the run is carried out cannot be told: {now.life_unknown}")
    text = build_report(folder.path, doubts=doubts)
    if now.maybe_alive:
        # The journal is another's to write; at its end the run writes a report of its own, and records it.
        return folder.write_text(folder.report, text, replace=True)
    with folder.lock(), Journal.open(folder.journal) as journal:
        folder.write_text(folder.report, text, replace=True)
        record_file(folder, journal, folder.report, ArtifactKind.REPORT, journal.last_t_s() or 0.0)
    return folder.report


def diagram() -> str:
    """The state machine of a run as a Mermaid diagram."""
    from xrm_control.session.states import diagram as draw

    return draw()


def schema() -> dict[str, Any]:
    """The recipe's JSON schema, for editors that complete and check YAML."""
    return json_schema(Recipe)


def kinds(family: str) -> tuple[str, ...]:
    """The kinds of a family by the name of its entry-point group: ``kinds("reconstructors")``."""
    from xrm_control.recipe.families import kinds as kinds_of

    return kinds_of(family)
