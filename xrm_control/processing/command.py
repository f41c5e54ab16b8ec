"""A foreign program that takes a hand-off: it may not outlive, stall or fail what has started it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import AnalysisError

_GUARD = Path(__file__).with_name("command_guard.py")
_LOOK_S = 0.25
# The guard needs about seven seconds where something does not want to die; a busy machine gets more.
_GUARD_ENDS_S = 30.0
_LAST_WORDS = 500


def run_command(
    command: Sequence[str], *, name: str, where: str, timeout_s: float, stopped: Callable[[], bool]
) -> None:
    """Run `command` to its end, for at most `timeout_s` seconds of the wall clock; `name` and `where` are for messages.

    It reads nothing, and only the end of what it says is kept. It and all that it has started are gone when this
    returns, and soon after this process is, however it dies. Raises AnalysisError when it fails, cannot be started,
    takes too long, or `stopped()`.
    """
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_GUARD), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    passed_s = stopwatch()
    try:
        while guard.poll() is None and passed_s() < timeout_s and not stopped():
            _wait(guard, min(_LOOK_S, max(0.0, timeout_s - passed_s())))
        in_time = guard.poll() is not None
    finally:
        report = _let_go(guard)
    if not in_time:
        why = "with the run" if stopped() else "it took too long"
        limit = None if stopped() else f"{timeout_s:g} s (handoff.timeout_s)"
        raise AnalysisError(
            f"{name} was ended, {why}{_quoted(report)}", where=where, limit=limit, remedy="see what it waits for"
        )
    if "trouble" in report:
        raise AnalysisError(f"{name} cannot be started: {report['trouble']}", where=where, value=command[0])
    code = report.get("code")
    if code != 0:
        value = "it was killed" if code is None else f"exit code {code}" if code > 0 else f"killed by signal {-code}"
        raise AnalysisError(f"{name} failed{_quoted(report) or ': it said nothing'}", where=where, value=value)


def _wait(guard: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        guard.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _let_go(guard: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Close the guard's input, on which it ends the command; what it reports, nothing if it does not."""
    if guard.stdin is None or guard.stdout is None:
        raise RuntimeError("the guard was started without pipes")
    guard.stdin.close()
    _wait(guard, _GUARD_ENDS_S)
    if guard.poll() is None:
        guard.kill()
        guard.wait()
        guard.stdout.close()
        return {}
    with guard.stdout:
        said = guard.stdout.read()
    try:
        report: Any = json.loads(said)
    except ValueError:
        return {}
    return cast("dict[str, Any]", report) if isinstance(report, dict) else {}


def _quoted(report: dict[str, Any]) -> str:
    """The last words of the command, without what would command a terminal."""
    said = str(report.get("err") or "").strip() or str(report.get("out") or "").strip()
    words = "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in said)
    return f": {words[-_LAST_WORDS:]}" if words else ""
