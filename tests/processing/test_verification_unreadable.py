"""What may not be read is not called altered: nothing is known of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.others import open_to_all, somebody_else
from tests.processing.test_verification import told
from xrm_control import app
from xrm_control.core.errors import DataError
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.run_folder import RunFolder

FRAME = "frames/roi-01/proj_0003.tif"


@pytest.mark.parametrize("name", [FRAME, "roi-01/volume.ome.tif", "report.html"])
def test_a_file_that_may_not_be_read_is_not_called_altered(name: str, ended: RunFolder) -> None:
    with open_to_all() as place:
        run = Path(shutil.copytree(ended.path, place / "run"))
        (run / name).chmod(0o000)
        with somebody_else():
            found = app.verify(run)
    assert (told(found), found.exit_code) == ({(name, "not covered")}, ExitCode.PARTLY)
    (finding,) = [one for one in found.findings if one.name == name]
    assert "Permission denied" in finding.what
    assert finding.remedy.startswith("verify the run as ")


def test_a_folder_that_may_not_be_looked_into_is_not_called_altered(ended: RunFolder) -> None:
    with open_to_all() as place:
        run = Path(shutil.copytree(ended.path, place / "run"))
        (run / "frames" / "roi-01").chmod(0o000)
        with somebody_else():
            found = app.verify(run)
    assert {state for _, state in told(found)} == {"not covered"}
    assert all(name.startswith("frames/roi-01/") for name, _ in told(found))


def test_of_a_journal_that_may_not_be_read_nothing_is_said(ended: RunFolder) -> None:
    with open_to_all() as place:
        run = Path(shutil.copytree(ended.path, place / "run"))
        (run / "journal.sqlite").chmod(0o000)
        with somebody_else(), pytest.raises(DataError, match=r"may not be read.*belongs to"):
            app.verify(run)
