"""Every run in this process on a simulated microscope has its witness: see `trace_invariants`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.trace_invariants import said_in, tolerances, violations
from xrm_control import app
from xrm_control.devices.simulated import SimulatedInstrument


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
def _signals_as_in_a_terminal() -> None:
    """What a shell makes the jobs in its background ignore, and nohup all of them, they and their children heed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class BrokenPromise(BaseException):
    """What the trace shows against the program; no test that expects an error of the run may take it for one."""


def _judge(instrument: SimulatedInstrument, folder: Path, ended: Exception | None) -> None:
    said = said_in(folder)
    found = violations(instrument.microscope.trace(instrument._clock.now_s()), said, tolerances(instrument.microscope))
    if found:
        raise BrokenPromise("\n".join(found)) from ended
