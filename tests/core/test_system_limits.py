"""What the system has no more of: told with a remedy, and never taken for anything else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control.core.errors import OutOfResources, StorageError
from xrm_control.core.system_limits import is_spent, told

ROOT = Path(__file__).parents[2]


def of(code: int, path: str | None = None) -> OSError:
    return OSError(code, os.strerror(code), path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of(errno.EMFILE, "/there"), "/there: this process may open no more files -> .*ulimit -n"),
        (of(errno.ENFILE), "the system can open no more files"),
        (of(errno.EAGAIN), "the system starts no more processes -> .*ulimit -u"),
        (of(errno.ENOMEM), "the system gives no more memory -> .*fewer workers"),
        (MemoryError("Unable to allocate 9 GiB"), "the system gives no more memory"),
        (RuntimeError("can't start new thread"), "the system starts no more processes"),
    ],
)
def test_told_with_what_to_do(error: Exception, said: str) -> None:
    found = told(error)
    assert found is not None
    with pytest.raises(OutOfResources, match=said):
        raise found
    if isinstance(error, OSError):
        assert is_spent(error)


@pytest.mark.parametrize("error", [of(errno.EIO), of(errno.ENOSPC), RuntimeError("x"), StorageError("x"), ValueError()])
def test_anything_else_is_left_as_it_is(error: Exception) -> None:
    assert told(error) is None


LIMITED = """
import resource, sys
from pathlib import Path
from xrm_control import app
from xrm_control.core.errors import OutOfResources
loaded = app.load(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, resource.RLIM_INFINITY))
try:
    app.run(loaded, Path(sys.argv[2]), None)
except OutOfResources as error:
    print(error)
"""


def test_too_few_addresses_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    """Libraries that find none while they load try for ever, or end the process where it stands."""
    recipe = write_recipe(tmp_path, **SMALL)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(recipe), str(tmp_path / "runs")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "too few addresses for a run here (value 700 MB, limit 1024 MB" in done.stdout, done.stderr
    assert not (tmp_path / "runs").exists()
