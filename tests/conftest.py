"""Every run in this process on a simulated microscope has its witness: see `trace_invariants`.

Workers of pytest-xdist begin with the longest files, so that none of them is left alone with one at the end.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators import powder
from tests.compiling import compile_once
from tests.once import FOLDER, once
from tests.storms import remembered
from tests.trace_invariants import said_in, tolerances, violations
from xrm_control import app
from xrm_control.core.memory import collect_less_often
from xrm_control.devices.simulated import SimulatedInstrument
from xrm_control.roi import particles2d

# Files that take more than about 20 s each, the longest first.
LONGEST = (
    "system/test_acceptance.py", "processing/trust/test_checks.py", "dashboard/browser/test_newcomer.py",
    "system/test_channel_access_faults.py", "system/test_channel_access_sessions.py", "system/test_kills.py",
    "system/test_queue_beside_a_run.py",
    "dashboard/browser/test_run_page.py", "dashboard/browser/test_other_pages.py",
    "dashboard/browser/test_staying_connected.py", "dashboard/browser/test_real_run.py", "system/test_short_runs.py",
    "processing/test_results.py", "session/test_commands.py", "session/test_conditions.py",
    "system/test_failing_disk.py", "system/test_guests.py", "devices/epics/test_exposure.py",
    "system/test_interrupts.py", "devices/epics/test_sites.py", "system/test_handoff_ends.py", "system/test_queue.py",
    "system/test_reconstruct_files.py", "compute/test_dask_losses.py", "processing/test_reanalysis.py",
    "system/test_signal_storm.py", "devices/epics/test_shutter.py", "system/test_owner_races.py",
    "devices/test_conformance.py", "devices/epics/test_connecting.py", "session/test_ending.py",
    "session/test_policies.py", "session/test_resuming.py", "api/test_runs.py", "processing/trust/test_pictures.py",
    "analysis/test_light_phase.py", "reconstruction/test_tilt.py", "analysis/test_matter.py",
    "reconstruction/test_motion.py", "analysis/test_faint.py", "reconstruction/test_gridding.py",
    "session/test_landing.py", "session/test_ordering.py", "reconstruction/test_iterative.py",
    "devices/epics/test_site.py", "compute/test_dask.py", "reconstruction/test_bad_input.py",
    "session/test_handoff_runs.py", "simulators/ioc/test_detector_clients.py", "simulators/ioc/test_process.py",
    "devices/epics/test_stopping.py", "simulators/ioc/test_supervision.py", "processing/test_outcomes.py",
    "session/test_placing.py", "api/test_notebook.py", "devices/epics/test_control.py", "plugins/test_members.py",
    "processing/test_command.py", "session/test_status_publisher.py", "session/test_command_sequences.py",
    "processing/test_volumes.py", "system/test_wall_clock.py", "vendor_backend/test_acme.py", "test_witness.py",
    "reporting/test_report.py", "reconstruction/test_tv.py", "dashboard/test_disconnect_storm.py",
    "dashboard/test_by_its_document.py", "dashboard/test_hostile.py", "system/test_failing_commands.py",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Files go to the workers in the order of collection, not those with the most tests first."""
    config.option.loadscopereorder = False
    collect_less_often()


def pytest_collection_finish() -> None:
    """The tests themselves stay till the end: nobody need ask whether something still refers to them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, where others run beside."""
    if hasattr(config, "workerinput"):
        places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def _witnessed() -> Iterator[None]:
    """`app.run` as it is, and then the instrument's own trace held against what the run promises."""
    with pytest.MonkeyPatch.context() as patch:
        opened: list[SimulatedInstrument] = []
        make, carry_out = SimulatedInstrument.__init__, app.run

        def remember(self: SimulatedInstrument, *arguments: Any, **words: Any) -> None:
            make(self, *arguments, **words)
            opened.append(self)

        def witnessed(loaded: app.Loaded, out: Path, *arguments: Any, **words: Any) -> app.Outcome:
            opened.clear()
            before = set(out.iterdir()) if out.is_dir() else set()
            ended: Exception | None = None
            try:
                return carry_out(loaded, out, *arguments, **words)
            except Exception as error:
                ended = error
                raise
            finally:
                made = set(out.iterdir()) - before if out.is_dir() else set()
                if opened and len(made) == 1:
                    _judge(opened[-1], made.pop(), ended)

        patch.setattr(SimulatedInstrument, "__init__", remember)
        patch.setattr(app, "run", witnessed)
        yield


@pytest.fixture(scope="session", autouse=True)
def _answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made once for all workers has its place; powders and compiled functions are."""
    place = tmp_path_factory.getbasetemp()
    answers = (place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / "answers"
    answers.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(answers))
        patch.setattr(powder, "_powder", once(powder._powder))
        compile_once(patch, answers)
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals_as_in_a_terminal() -> None:
    """What a shell makes the jobs in its background ignore, and nohup all of them, they and their children heed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def white_figures() -> Iterator[None]:
    """For runs whose pictures nobody looks at: figures are made, encoded and written as ever, and not drawn."""
    with remembered.left_white():
        yield


@pytest.fixture(scope="module")
def searched_once() -> Iterator[None]:
    """For runs that find what others found: the search for particles in the same mosaic is made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(particles2d, "_search", once(particles2d._search))
        yield


class BrokenPromise(BaseException):
    """What the trace shows against the program; no test that expects an error of the run may take it for one."""


def _judge(instrument: SimulatedInstrument, folder: Path, ended: Exception | None) -> None:
    said = said_in(folder)
    found = violations(instrument.microscope.trace(instrument._clock.now_s()), said, tolerances(instrument.microscope))
    if found:
        raise BrokenPromise("\n".join(found)) from ended
