"""A run that stands still says why: in its journal, in the window, and in the terminal."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from tests.session.test_context import TO_PICKING, Stand
from xrm_control import app
from xrm_control.cli.plain import PlainConsole
from xrm_control.cli.tables import status_view
from xrm_control.core.states import RunState
from xrm_control.dashboard.view import look
from xrm_control.session.context import RunContext


def test_what_a_run_waits_for_is_its_cause(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        for trigger in TO_PICKING:
            run.states.go(trigger)
        async with run.hold("beam lost at mosaic/tile_r00_c01 [flux 2 %]"):
            await run.clock.sleep(60.0)
            view, summary = look(run.folder), app.status(run.folder.path)
        assert view.state is RunState.HELD
        assert view.state_reason == "beam lost at mosaic/tile_r00_c01 [flux 2 %]"
        (alarm,) = [one for one in view.alarms if one.cause.startswith("the run is held")]
        assert alarm.cause == "the run is held: beam lost at mosaic/tile_r00_c01 [flux 2 %]"
        assert alarm.evidence.startswith("since 2")
        assert "0.0 s of instrument time" in alarm.evidence
        console = PlainConsole(width=200, record=True, file=StringIO())
        console.print(status_view(summary))
        assert "held at 0.0 s: beam lost at mosaic/tile_r00_c01 [flux 2 %]" in " ".join(console.export_text().split())
        assert look(run.folder).state_reason == ""

    stand.act(act)
