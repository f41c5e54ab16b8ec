"""Where ASTRA, or a CUDA library that it is linked to, is not there: what needs it says so, and nothing else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "nmc811_screening.yaml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ASTRA as it is without its CUDA libraries."""
    place = tmp_path_factory.mktemp("site")
    (place / "astra").mkdir()
    text = "raise ImportError('libcudart.so.12: cannot open shared object file')\n"
    (place / "astra" / "__init__.py").write_text(text)
    return place


def xrm(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from xrm_control.cli.main import main; main()", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["fourier", "tv", "cgls", "sirt"])
def test_other_methods_do_not_need_it(site: Path, kind: str) -> None:
    said = xrm(site, "check", RECIPE, "--set", f"reconstruction.method={{kind: {kind}}}")
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("method", ["{kind: fbp}", "{kind: cgls, engine: astra}"])
def test_what_needs_it_is_refused_before_anything_moves(site: Path, method: str) -> None:
    said = xrm(site, "check", RECIPE, "--set", f"reconstruction.method={method}")
    assert said.returncode == 2
    assert "ASTRA cannot be loaded: libcudart.so.12" in said.stderr
    assert "fourier" in said.stderr


def test_doctor_names_it(site: Path) -> None:
    found = {item["what"]: item for item in json.loads(xrm(site, "doctor", "--json").stdout)}
    assert found["fourier: a disc of known attenuation"]["ok"]
    assert not found["fbp: a disc of known attenuation"]["ok"]
    assert "libcudart" in found["fbp: a disc of known attenuation"]["found"]
