"""What verifying a run says in the terminal: the worst first, in a line what does not count, then the sum."""

from __future__ import annotations

import pytest

from xrm_control.cli.soundness import view
from xrm_control.core.exit_code import ExitCode
from xrm_control.processing.soundness import Finding, Soundness, Verification

ALTERED = Finding("roi-01/volume.ome.tif", Soundness.ALTERED, "its hash is another one", "restore it")
MISSING = Finding("mosaic.png", Soundness.MISSING, "it is not there")
UNFINISHED = Finding("roi-02", Soundness.UNFINISHED, "it was not measured")
BARE, NOTES, LOG = (
    Finding("extra.csv", Soundness.NOT_COVERED, "nothing vouches for it"),
    Finding("notes.txt", Soundness.ASIDE, "nobody reads it"),
    Finding("log.jsonl", Soundness.ASIDE, "nobody reads it"),
)
SOUND = "one: 12 files sound (3.5 MB)"
# findings, lines, exit code
CASES: list[tuple[tuple[Finding, ...], list[str], ExitCode]] = [
    ((), [SOUND], ExitCode.OK),
    ((NOTES, LOG), ["not counted  notes.txt, log.jsonl", SOUND], ExitCode.OK),
    ((MISSING,), ["missing      mosaic.png: it is not there", f"{SOUND}, 1 missing"], ExitCode.ALTERED),
    (
        (BARE, NOTES, UNFINISHED),
        [
            "unfinished   roi-02: it was not measured",
            "not covered  extra.csv: nothing vouches for it",
            "not counted  notes.txt",
            f"{SOUND}, 1 unfinished, 1 not covered",
        ],
        ExitCode.PARTLY,
    ),
    (
        (MISSING, ALTERED, MISSING),
        [
            "altered      roi-01/volume.ome.tif: its hash is another one -> restore it",
            *["missing      mosaic.png: it is not there"] * 2,
            f"{SOUND}, 1 altered, 2 missing",
        ],
        ExitCode.ALTERED,
    ),
]


@pytest.mark.parametrize(("findings", "lines", "code"), CASES)
def test_what_was_found_is_told_and_summed_up(findings: tuple[Finding, ...], lines: list[str], code: ExitCode) -> None:
    found = Verification("one", 12, 3_500_000, findings)
    assert view(found).splitlines() == lines
    assert found.exit_code == code
