"""A run's files held against its journal, and the journal against its own chain.

The chain goes from the recipe (its hash is the journal's first row) over the frames (rows), what was made of them
(handoff.json names frames and volume; each record names what it was made of) to results.json and the report, which
name the journal's link that they sum up. Files are read in pieces, rows one by one; nothing is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeVar

from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.results import RESULTS
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.states import ENDS, ROI_ENDS, RunState
from xrm_control.processing.comparing import Judged, Unrecorded, compare
from xrm_control.processing.remedies import Remedies, of_unrecorded
from xrm_control.processing.soundness import Finding, Soundness, Verification
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.audit import SHORTEST_NOTE, JournalAudit
from xrm_control.storage.ownership import require_readable, whose
from xrm_control.storage.records import Artifact, ArtifactKind, ChainLink
from xrm_control.storage.run_folder import RunFolder

_COPY = "put it back from a copy"


Told = TypeVar("Told")


@dataclass
class _Found:
    """What is found on the way; `unsound`: paths that are not what was recorded."""

    findings: list[Finding] = field(default_factory=list[Finding])
    unsound: set[str] = field(default_factory=set[str])
    sound: int = 0
    bytes: int = 0

    def tell(self, name: str, state: Soundness, what: str, remedy: str = "") -> None:
        self.findings.append(Finding(name, state, what, remedy))

    def hold(self, folder: RunFolder, path: str, size: int, sha256: str, audit: JournalAudit) -> Judged | None:
        """Compare a file with its record; what is wrong with it is for the caller to tell."""
        problem = compare(folder, path, size, sha256, audit)
        if problem is None:
            self.sound += 1
            self.bytes += size
        else:
            self.unsound.add(path)
        return problem


def verify(folder: RunFolder, *, alive: bool, expect: str | None = None, typed: str | None = None) -> Verification:
    """Hold all of a run against what was recorded of it.

    alive: somebody carries it out; expect: a link of its chain that was noted elsewhere, or at least its first 12
    digits; typed: the folder's name as it stands in remedies. Raises DataError for an `expect` that is none, and for a
    journal that this process may not read: of that nothing is known.
    """
    note = None if expect is None else _noted(expect)
    for side in ("", "-wal"):
        require_readable(folder.journal.with_name(folder.journal.name + side))
    found = _Found()
    over, chained = Verification(folder.name, 0, 0, ()), True
    try:
        with JournalAudit.untouched(folder.journal, alive=alive) as audit:
            chained = audit.chained
            over = _Auditor(folder, audit, found, alive, shlex.quote(typed or str(folder.path))).audit(note)
    except (DataError, ValueError, TypeError) as error:
        # Whatever stands in a journal that was tampered with: it is told, and no trace of this program.
        what = error.what if isinstance(error, XrmError) else f"holds what no run has written: {error}"
        found.tell(folder.journal.name, Soundness.ALTERED, what, f"{_COPY}; files not named here could not be checked")
    if note is not None and not chained:
        raise DataError("the journal is of a version without a chain", where="--expect", value=expect)
    return replace(over, sound=found.sound, bytes=found.bytes, findings=tuple(found.findings))


class _Auditor:
    """One run that is verified."""

    def __init__(self, folder: RunFolder, audit: JournalAudit, found: _Found, alive: bool, typed: str) -> None:
        self._folder, self._audit, self._found, self._typed = folder, audit, found, typed
        self._alive, self._chained = alive, audit.chained

    def audit(self, note: str | None) -> Verification:
        """All of it; each part says what it finds."""
        self._journal()
        state = self._believed(self._audit.state, None)
        done = state is not None and state.state is RunState.DONE
        self._artifacts = self._audit.artifacts()
        self._rois = {roi: one.state for roi, one in self._believed(self._audit.roi_states, {}).items()}
        self._done = done
        self._hold_all()
        self._recipe()
        self._links()
        self._results()
        self._unrecorded()
        died = not self._alive and (state is None or state.state not in (*ENDS, RunState.PAUSED))
        if not done:
            self._unfinished(died, "the beginning" if state is None else state.state.value)
        end = self._audit.chain_end()
        return Verification(self._folder.name, 0, 0, (), end, self._confirmed(note), died)

    def _journal(self) -> None:
        name, tell = self._folder.journal.name, self._found.tell
        damage = self._audit.damage()
        if damage is not None:
            tell(name, Soundness.ALTERED, f"is damaged: {damage}", _COPY)
        for rule in self._audit.rules_missing():
            tell(name, Soundness.ALTERED, f"its rule {rule}, which keeps it from being changed, was taken out", _COPY)
        if not self._chained:
            tell(name, Soundness.NOT_COVERED, "a journal of this version has no chain: its rows vouch for themselves")
            return
        for flaw in self._audit.flaws():
            tell(name, Soundness.ALTERED, str(flaw), _COPY)

    def _believed(self, ask: Callable[[], Told], otherwise: Told) -> Told:
        """What the journal says, where it can be; a word that no run has written costs the others nothing."""
        try:
            return ask()
        except ValueError as error:
            self._found.tell(self._folder.journal.name, Soundness.ALTERED, f"says what no run does: {error}", _COPY)
            return otherwise

    def _confirmed(self, note: str | None) -> ChainLink | None:
        if note is None or not self._chained:
            return None
        link = self._audit.link_noted(note)
        if link is None:
            what = f"{note[:16]}..., which was noted elsewhere, is no link of its chain"
            self._found.tell(self._folder.journal.name, Soundness.ALTERED, what, _COPY)
        return link

    def _hold_all(self) -> None:
        """Every recorded file, and then what to do about those that are not what was recorded."""
        unsound: list[tuple[str, str | Artifact, Judged]] = []
        for file in self._audit.committed_files():
            problem = self._found.hold(self._folder, file.path, file.bytes, file.sha256, self._audit)
            if problem is not None:
                unsound.append((file.path, file.roi, problem))
        for path, known in self._artifacts.items():
            problem = self._found.hold(self._folder, path, known.bytes, known.sha256, self._audit)
            if problem is not None:
                unsound.append((path, known, problem))
        over = {roi for roi, state in self._rois.items() if state in ROI_ENDS}
        remedies = Remedies(self._typed, not self._done, over, self._found.unsound, self._artifacts)
        self._remedies = remedies
        for path, owner, (state, what) in unsound:
            if state is Soundness.NOT_COVERED:
                owned = whose(self._folder.path / path)
                self._found.tell(path, state, what, f"verify the run as {'its owner' if owned is None else owned[1]}")
                continue
            remedy = remedies.of_frame(owner) if isinstance(owner, str) else remedies.of(owner)
            self._found.tell(path, state, what, remedy)

    def _recipe(self) -> None:
        """The recipe's meaning is in the journal's first row; its file has a hash of its own in newer versions."""
        name = self._folder.recipe.name
        if name in self._artifacts or not self._folder.recipe.is_file():
            if name not in self._artifacts:
                self._found.tell(name, Soundness.MISSING, "is not there", _COPY)
            return
        try:
            same = load_document(self._folder.recipe, Recipe, {})[0].sha256() == self._audit.run().recipe_sha256
        except XrmError:
            same = False
        if same:
            self._found.sound += 1
            return
        what = "nothing vouches for its bytes, and what this version reads in it is not what was recorded"
        self._found.tell(name, Soundness.NOT_COVERED, what, "compare it with a copy")

    def _links(self) -> None:
        """Each link names the hashes of its inputs: are they those that are recorded?"""
        for path, known in self._artifacts.items():
            if path in self._found.unsound:
                continue
            if known.kind == ArtifactKind.HANDOFF:
                self._handoff(path, known.roi)
            for name, sha256 in known.inputs.items():
                of = self._artifacts.get(name)
                now = self._audit.committed_hash(name) if of is None else of.sha256
                if now != sha256:
                    self._outdated(path, f"was made of another {name} than the one that is recorded", known)

    def _handoff(self, path: str, roi: str) -> None:
        inputs = self._inputs_of(path)
        if inputs is None:
            return
        frames = {name: sha256 for name, sha256 in inputs.items() if name.startswith("frames/")}
        for name, sha256 in frames.items():
            if self._audit.committed_hash(name) != sha256:
                what = f"it and its row are not what {path} names: they were replaced together"
                self._found.unsound.add(name)
                self._found.tell(name, Soundness.ALTERED, what, _COPY)
        if self._rois.get(roi) in ROI_ENDS and frames.keys() != self._audit.kept_paths(roi):
            self._outdated(path, "was made of other frames than those that are kept", self._artifacts[path])
        beside = str(PurePosixPath(path).parent)
        for name, sha256 in inputs.items():
            known = self._artifacts.get(f"{beside}/{name}")
            if known is not None and known.sha256 != sha256:
                self._outdated(path, f"names another {name} than the one that is recorded", known)

    def _inputs_of(self, path: str) -> dict[str, str] | None:
        try:
            return HANDOFF.read_foreign(self._folder.path / path)[0].inputs
        except DataError as error:
            self._found.tell(path, Soundness.NOT_COVERED, f"is as recorded, and this version cannot read it: {error}")
            return None

    def _outdated(self, path: str, what: str, known: Artifact) -> None:
        if self._done:
            self._found.tell(path, Soundness.OUTDATED, what, self._remedies.of(known))
        else:
            self._found.tell(path, Soundness.UNFINISHED, what, of_unrecorded(Soundness.UNFINISHED, self._typed))

    def _results(self) -> None:
        """results.json names the recipe and the journal's link that it sums up."""
        name = self._folder.results.name
        if not self._folder.results.is_file() or name in self._found.unsound:
            return
        try:
            results = RESULTS.read(self._folder.results)
        except DataError as error:
            self._found.tell(name, Soundness.NOT_COVERED, f"this version cannot read it: {error}")
            return
        if results.recipe_sha256 != self._audit.run().recipe_sha256:
            self._found.tell(name, Soundness.ALTERED, "names another recipe than the journal's first row", _COPY)
        mark = results.chain
        if mark is None or not self._chained:
            return
        link = self._audit.link_at(mark.rows)
        if link is None or link.sha256 != mark.sha256:
            what = f"its first {mark.rows} rows are not those that {name} sums up: rows were taken out or replaced"
            self._found.tell(self._folder.journal.name, Soundness.ALTERED, what, _COPY)

    def _unrecorded(self) -> None:
        others = Unrecorded(self._folder, self._audit, self._artifacts, self._rois, self._done)
        for path in others.files():
            if path == self._folder.recipe.name and not self._chained:
                continue
            state, what = others.judge(PurePosixPath(path))
            again = path.startswith(f"{self._folder.reanalyses.name}/")
            self._found.tell(path, state, what, of_unrecorded(state, self._typed, of_reanalysis=again))

    def _unfinished(self, died: bool, state: str) -> None:
        """What of a run that has not come to its good end is still to be done."""
        tell = self._found.tell
        resume = "it is being carried out" if self._alive else f"`xrm resume {self._typed}` goes on with it"
        life = "is being carried out, in" if self._alive else "died in" if died else "ended in"
        tell("run", Soundness.UNFINISHED, f"{life} state {state}", resume)
        for roi, fate in self._audit.accounting_by_roi().items():
            if fate.open:
                what = f"{fate.open} of {fate.planned} planned frames are not taken"
                tell(f"frames/{roi or 'mosaic'}", Soundness.UNFINISHED, what, resume)
        for roi, life_ in self._rois.items():
            if life_ not in ROI_ENDS:
                tell(roi, Soundness.UNFINISHED, f"was {life_}, and is not measured", resume)


def _noted(expect: str) -> str:
    note = expect.strip().lower()
    if not (SHORTEST_NOTE <= len(note) <= 64 and set(note) <= set("0123456789abcdef")):
        raise DataError(
            "is no link of a chain", where="--expect", value=expect, limit=f"{SHORTEST_NOTE} to 64 hexadecimal digits"
        )
    return note
