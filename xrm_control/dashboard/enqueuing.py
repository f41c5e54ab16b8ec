"""A recipe put into the queue from the window, and the queue carried out: each request once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xrm_control.app.queue import items
from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal
from xrm_control.dashboard.drafts import overrides
from xrm_control.dashboard.guests import Guests
from xrm_control.dashboard.models import Enqueue
from xrm_control.storage.queue_folder import QueueFolder

_BEGUN_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Enqueuer:
    """Of the queue in `queue`, which is begun where there is none; what was asked for is on file with `guests`."""

    queue: Path
    guests: Guests

    def add(self, recipe: Path, draft: Enqueue, by: str) -> str:
        """Check a recipe and freeze it into the queue; what is told of it.

        Raises RecipeError or SafetyRefusal with all that is wrong with it, CommandRefusal for a request that was made
        before and has failed.
        """
        settings = overrides(draft.settings)
        wanted = items.Wanted(by=by, now=draft.first)
        asked = ["queue", "now" if draft.first else "add", str(recipe), "--queue", str(self.queue)]
        asked += [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]

        def act() -> str:
            item = items.add(self.queue, recipe, settings, wanted)
            return f"item {item.number} ({item.name}) {'is done next' if draft.first else 'waits in the queue'}"

        return self.guests.once(draft.request, asked, act)

    def run(self, request: str) -> str:
        """Have the queue carried out by a process that knows nothing of the window, and outlives it.

        Raises CommandRefusal with what it says where it ends at once, and where nothing is to be done.
        """
        arguments = ["queue", "run", "--queue", str(self.queue)]
        if not self.queue.is_dir():
            raise CommandRefusal("nothing is in the queue", where=str(self.queue), remedy="put a recipe in first")
        folder = QueueFolder.open(self.queue)
        if self.guests.asked(request, arguments) is None and folder.runner() is None:
            process = self.guests.start(request, arguments)
            waited_s = stopwatch()
            while folder.runner() is None and waited_s() < _BEGUN_WITHIN_S:
                if process.poll() is not None:
                    break
                pause(_LOOK_EVERY_S)
            if process.poll():
                said = self.guests.words(request) or "it ended before it had begun"
                raise CommandRefusal(said, value=f"exit code {process.returncode}")
        runner = folder.runner()
        return "the queue has been carried out" if runner is None else f"process {runner} carries the queue out"
