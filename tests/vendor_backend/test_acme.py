"""The example of the how-to: found by its entry point, it carries a short recipe to the end; and it keeps promises."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.faults import Fault
from tests.plugins.offered import install
from tests.system.conftest import SHORT, SLAB
from xrm_control.core.clock import Clock, run, utc_now
from xrm_control.core.errors import FrameLost, InstrumentUnreachable, LimitReached, MotionStalled, ShutterStuck

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SPEED = 30.0


def xrm(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line where the example is installed, as its own pyproject says."""
    about = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = {group.removeprefix("xrm_control."): members for group, members in about["entry-points"].items()}
    if not site.exists():
        install(site, about["name"].replace("-", "_") + "_about", "", points)
    path = os.pathsep.join(map(str, (site, HERE, ROOT)))
    return subprocess.run(
        [sys.executable, "-c", "from xrm_control.cli.main import main; main()", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_short_recipe_runs_to_the_end(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    few = {
        "instrument": {"backend": "acme", "seed": 3, "times_faster": SPEED},
        "mosaic": {"columns": 1, "rows": 1, "flats": 1, "darks": 1},
        "scan": {"projections": 31, "useful_diameter_um": 16, "references": {"kind": "both", "count": 2}, "darks": 1},
    }
    recipe.write_text(yaml.safe_dump({**SHORT, **SLAB, **few}), encoding="utf-8")
    assert xrm(tmp_path / "site", "check", recipe).returncode == 0
    done = xrm(tmp_path / "site", "run", recipe, "--out", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["results"]["verdict"]["status"] == "complete"
    assert (Path(told["run"]) / "roi-01" / "particles.csv").stat().st_size > 0


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a session on the example's instrument, with faults of the microscope behind its SDK."""
    monkeypatch.syspath_prepend(str(HERE))
    import acme_backend  # pyright: ignore[reportMissingImports]
    import acme_sdk  # pyright: ignore[reportMissingImports]

    def on(session: Callable[[Any], Coroutine[Any, Any, Any]], *faults: Fault) -> Any:
        async def main() -> Any:
            sdk = acme_sdk.AcmeMicroscope("acme://test", speed=SPEED, faults=faults)
            instrument = acme_backend.AcmeInstrument(sdk, Clock(utc_now()))
            await instrument.connect()
            await instrument.camera.configure(8, 0.5)
            return await asyncio.wait_for(session(instrument), 300)

        return run(main(), SPEED)

    return on


def test_it_describes_the_microscope_that_is_behind_it(acme: Callable[..., Any]) -> None:
    from xrm_control.devices.simulated import SimulatedBackend

    async def session(instrument: Any) -> Any:
        return instrument.describe()

    mine, physics = acme(session), SimulatedBackend().describe()
    assert (mine.axes, mine.camera) == (physics.axes, physics.camera)
    assert (mine.energy_kev, mine.flux_per_um2_s) == (
        pytest.approx(physics.energy_kev, rel=1e-3),
        pytest.approx(physics.flux_per_um2_s, rel=1e-3),
    )


@pytest.mark.parametrize(("axis", "target"), [("x", 123.4), ("z", -40.0), ("theta", -90.0)])
def test_a_move_ends_where_it_was_told(acme: Callable[..., Any], axis: str, target: float) -> None:
    async def session(instrument: Any) -> float:
        return await instrument.axes[axis].move(target)

    assert acme(session) == pytest.approx(target, abs=0.1)


FAULTS: list[tuple[str, Fault | None, type[Exception]]] = [
    ("beyond", None, LimitReached),
    ("move", Fault("stall", axis="x", times=20, at_s=0.0), MotionStalled),
    ("open", Fault("stuck_shutter", at_s=0.0), ShutterStuck),
    ("expose", Fault("dropped_frame", frames=(1,)), FrameLost),
]


@pytest.mark.parametrize(("action", "fault", "error"), FAULTS, ids=lambda item: item if isinstance(item, str) else "")
def test_a_fault_is_never_a_success(
    acme: Callable[..., Any], action: str, fault: Fault | None, error: type[Exception]
) -> None:
    async def session(instrument: Any) -> None:
        doing = {
            "beyond": lambda: instrument.axes["x"].move(9000.0),
            "move": lambda: instrument.axes["x"].move(100.0),
            "open": lambda: instrument.shutter.set(True),
            "expose": lambda: instrument.camera.expose(),
        }
        await doing[action]()

    with pytest.raises(error):
        acme(session, *(() if fault is None else (fault,)))


def test_halt_leaves_it_safe(acme: Callable[..., Any]) -> None:
    async def session(instrument: Any) -> tuple[bool, bool]:
        await instrument.shutter.set(True)
        moving = asyncio.create_task(instrument.axes["x"].move(1500.0))
        await asyncio.wait([moving], timeout=0.3)
        instrument.halt()
        with pytest.raises(MotionStalled):
            await moving
        return (await instrument.make_safe()).verified, await instrument.shutter.is_open()

    assert acme(session) == (True, False)


def test_a_wrong_address_is_unreachable(acme: Callable[..., Any]) -> None:
    import acme_backend  # pyright: ignore[reportMissingImports]

    with pytest.raises(InstrumentUnreachable, match="nowhere"):
        acme_backend.AcmeBackend(address="nowhere").open(None)  # pyright: ignore[reportArgumentType]
