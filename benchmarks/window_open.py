"""The window in a browser: a day's run opened and acted on, a page that stays open for seven days, and what five
viewers cost the run that they look at. Needs Chromium, and Playwright of the tests' extra.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.timing import Row
from benchmarks.window_day import DAY_S, a_day, say
from tests.dashboard.conftest import listening
from tests.session.scripted import SMALL
from tests.system.conftest import SHORT, write_recipe
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder

DAYS, LINES_A_DAY = 7, 22_000
VIEWERS, PAIRS, PROJECTIONS, SPEED = 5, 3, 600, "20"
INTERACTION_MS, PAINT_MS, GROWN, COST = 100.0, 1000.0, 1.1, 1.02
_CHROMIUM = "chromium"
_SETTLES_MS = 600


def rows() -> list[Row]:
    """Processor time of the page's thread where it says so: seconds of the clock are the machine's."""
    # Where nothing has to wait for a disk, if there is such a place: a week of lines, each of them flushed.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as root:
        place = Path(root)
        folder = a_day(place / "day")
        with listening(folder.path.parent, place) as address, browsing() as page:
            found = [*_interactions(page, f"{address}/#/run/{folder.name}"), _seven_days(page, address, folder)]
        return [*found, _viewers(place)]


@contextlib.contextmanager
def browsing() -> Iterator[Page]:
    """A fresh profile on a desk's screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which(_CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


def _interactions(page: Page, address: str) -> list[Row]:
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    cdp.send("Performance.enable")

    def opened() -> None:
        page.goto(address)
        page.locator(".region-row").nth(299).wait_for(state="attached")

    def listed() -> None:
        page.goto(f"{address}/particles")
        page.get_by_label("whole ones only").uncheck()
        page.locator(".grid-row").nth(5).wait_for()

    def act(what: str, call: Callable[[], object]) -> Row:
        before = _metric(cdp, "TaskDuration")
        call()
        page.wait_for_timeout(_SETTLES_MS)
        spent_s = _metric(cdp, "TaskDuration") - before
        return Row(
            f"... {what}, of the page's thread", "the window", spent_s, spent_s * 1000 / INTERACTION_MS, "100 ms"
        )

    opened()
    painted_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    found = [Row("a day's run: first paint", "the window", painted_ms / 1000, painted_ms / PAINT_MS, "1 s")]
    stage = page.locator(".mosaic-stage").bounding_box()
    x, y = (stage["x"] + 200, stage["y"] + 200) if stage else (0, 0)
    found += [
        act("a region chosen by key", lambda: page.keyboard.press("n")),
        act("zoomed in", lambda: page.keyboard.press("+")),
        act("all of it again", lambda: page.keyboard.press("0")),
        act("a region clicked in the list", lambda: page.locator(".region-row").nth(5).click()),
        act("the wheel on the mosaic", lambda: (page.mouse.move(x, y), page.mouse.wheel(0, -200))),
    ]
    listed()
    heads = page.locator(".grid th button")
    return [
        *found,
        act("12 000 particles sorted", lambda: heads.nth(3).click()),
        act("... filtered", lambda: page.get_by_label("Filter:").fill("d>5")),
        act("... scrolled", lambda: page.locator(".grid-scroll").evaluate("grid => { grid.scrollTop = 100000 }")),
    ]


def _seven_days(page: Page, address: str, folder: RunFolder) -> Row:
    """Heap of the page after each day's lines, garbage collected; all lines have come before it is asked."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")
    page.goto(f"{address}/#/run/{folder.name}")
    page.locator(".line").last.wait_for()
    sizes: list[float] = []
    nodes: list[float] = []
    with Journal.open(folder.journal) as journal:
        for day in range(DAYS):
            for number in range(LINES_A_DAY):
                say(journal, number, DAY_S * (1 + day))
            last = page.locator(f".line[data-id='{journal.last_event_id()}']")
            last.wait_for(state="attached")
            page.wait_for_timeout(1000)
            cdp.send("HeapProfiler.collectGarbage")
            sizes.append(_metric(cdp, "JSHeapUsedSize"))
            nodes.append(_metric(cdp, "Nodes"))
    figures = {"MB": f"{sizes[0] / 1e6:.1f} to {sizes[-1] / 1e6:.1f}", "nodes": f"{nodes[0]:.0f} to {nodes[-1]:.0f}"}
    ratio = max(sizes[1:]) / sizes[0]
    warn = "" if ratio < GROWN else "more than a tenth"
    return Row(f"a page open for {DAYS} days", "the window", None, ratio, "the first day", warn, figures)


def _metric(cdp: CDPSession, name: str) -> float:
    found: list[dict[str, Any]] = cdp.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in found if one["name"] == name)


def _viewers(root: Path) -> Row:
    """Processor time of a run's process while nobody and while five look on, in turn; medians."""
    spent: dict[int, list[float]] = {0: [], VIEWERS: []}
    for number in range(PAIRS):
        for viewers in (0, VIEWERS) if number % 2 else (VIEWERS, 0):
            spent[viewers].append(_a_run(root / f"pair-{number}-{viewers}", viewers))
    alone_s, watched_s = (statistics.median(spent[viewers]) for viewers in (0, VIEWERS))
    spread = max(spent[0]) / min(spent[0]) - 1
    warn = "" if watched_s / alone_s < COST else "more than 2 %"
    figures = {"spread": f"{100 * spread:.1f} %"}
    return Row(f"a run with {VIEWERS} viewers", "the run", watched_s, watched_s / alone_s, "nobody", warn, figures)


def _a_run(root: Path, viewers: int) -> float:
    root.mkdir(parents=True)
    scan = {**SMALL["scan"], "projections": PROJECTIONS}
    plain = {"instrument": {**SHORT["instrument"], "rendering": False}, "scan": scan}
    recipe = write_recipe(root, **{**SMALL, **plain})
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(root / "runs")]
    (root / "runs").mkdir()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*command, "--speed", SPEED], stdin=quiet, stdout=quiet, stderr=quiet)
    with contextlib.ExitStack() as stack:
        if viewers:
            address = stack.enter_context(_served(root / "runs"))
            while not (found := list((root / "runs").glob("*/journal.sqlite"))):
                threading.Event().wait(0.05)
            for _ in range(viewers):
                threading.Thread(target=_look_on, args=(f"{address}/api/runs/{found[0].parent.name}/stream",)).start()
        _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def _served(root: Path) -> Iterator[str]:
    """The server in a process of its own."""
    port = "8947"
    command = [sys.executable, "-m", "xrm_control.cli", "serve", str(root), "--port", port]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(address):
                break
            threading.Event().wait(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _look_on(address: str) -> None:
    with contextlib.suppress(OSError), urllib.request.urlopen(address) as stream:
        for _ in stream:
            pass
