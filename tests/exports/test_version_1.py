"""A run of the version before is exported: its journal is a real one, its frames are made anew for the test."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import tifffile

from xrm_control.app.exporting import export
from xrm_control.storage.formats.registry import read_scan

VERSION_1 = Path(__file__).parents[1] / "data" / "version_1"
SHAPE = (6, 16)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of frame n every pixel holds 100 + n; sizes and hashes stand in the journal."""
    run = Path(shutil.copytree(VERSION_1, tmp_path_factory.mktemp("before") / "run"))
    with contextlib.closing(sqlite3.connect(run / "journal.sqlite")) as journal, journal:
        journal.execute("DROP TRIGGER only_add_committed_update")
        for number, (path,) in enumerate(journal.execute("SELECT path FROM committed ORDER BY path").fetchall()):
            data = io.BytesIO()
            tifffile.imwrite(data, np.full(SHAPE, 100 + number, np.uint16))
            content = data.getvalue()
            (run / path).parent.mkdir(parents=True, exist_ok=True)
            (run / path).write_bytes(content)
            journal.execute(
                'UPDATE committed SET bytes = ?, "rows" = ?, columns = ?, dtype = ?, sha256 = ? WHERE path = ?',
                (len(content), *SHAPE, "uint16", hashlib.sha256(content).hexdigest(), path),
            )
    journal.close()
    return run


@pytest.mark.parametrize("to", ["nxtomo", "data_exchange"])
def test_it_is_exported(run: Path, to: str, tmp_path: Path) -> None:
    """Views in order of the angles that were measured, each with its own pixels, of those that were kept at last."""
    kept = "SELECT theta_deg, path FROM kept WHERE frame_id LIKE 'roi-01/proj%' ORDER BY frame_id"
    with contextlib.closing(sqlite3.connect(run / "journal.sqlite")) as journal, journal:
        paths = [path for (path,) in journal.execute("SELECT path FROM committed ORDER BY path")]
        expected = [(theta, 100 + paths.index(path)) for theta, path in journal.execute(kept)]
    journal.close()
    (written,) = export(run, to, tmp_path)
    scan = read_scan(written.path)
    found = [(float(theta), int(scan.projections[n][0, 0])) for n, theta in enumerate(scan.theta_deg)]
    assert len(found) == len(scan.projections) == 61
    assert np.array(found) == pytest.approx(np.array(expected))
    assert scan.pixel_size_um == pytest.approx(0.512)
    assert (len(scan.flats) > 0, len(scan.darks) > 0) == (True, True)
