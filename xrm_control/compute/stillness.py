"""Does a process that computes still do anything? One that is suspended, waits for itself, or for a disk that is gone,
never ends, and never says so.

Told by the processor's time that it has used, which Linux counts in hundredths of a second. One that waits for a
program of its own is not still: how long that may take is said elsewhere.
"""

from __future__ import annotations

from pathlib import Path

STILL_S, _LOOK_EVERY_S = 600.0, 5.0
_STATES = {
    "T": "it is suspended (SIGSTOP)",
    "t": "a debugger holds it",
    "D": "it waits for a disk that does not answer",
}
# Of /proc/PID/stat behind the name, counted from 0: state, time as itself and in the kernel.
_STATE, _USER, _SYSTEM = 0, 11, 12


class Stillness:
    """Counts looks at a process, and not time: whoever looks may have been suspended as well."""

    def __init__(self, pid: int, still_s: float = STILL_S) -> None:
        self.every_s = min(_LOOK_EVERY_S, still_s / 4)
        self._folder, self._still_s = Path(f"/proc/{pid}"), still_s
        self._used, self._looks = -1, 0

    def look(self) -> str | None:
        """Once every `every_s` while a reply is waited for; why it is given up, or None."""
        try:
            words = _facts(self._folder.name)
            children = [child for path in self._folder.glob("task/*/children") for child in path.read_text().split()]
        except (OSError, ValueError):
            # It is gone, or this is not Linux.
            return None
        waits = any(map(_lives, children))
        used = int(words[_USER]) + int(words[_SYSTEM])
        self._looks = 0 if waits or used != self._used else self._looks + 1
        self._used = used
        if self._looks * self.every_s < self._still_s:
            return None
        return f"did nothing for {self._still_s:g} s: {_STATES.get(words[_STATE], 'it waits for something')}"


def _lives(pid: str) -> bool:
    """Not so one that has ended, and for whose end nobody has asked."""
    try:
        return _facts(pid)[_STATE] != "Z"
    except OSError:
        return False


def _facts(pid: str) -> list[str]:
    """Of a process, as the kernel tells them behind its name. Raises OSError where it is gone."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
