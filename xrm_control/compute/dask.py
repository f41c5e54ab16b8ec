"""Work on a Dask cluster, for those who outgrow one machine. The only importer of dask.

Only names of functions, specs and paths travel; the data stay on a disk that all workers see under the same path. Work
whose worker dies is run again elsewhere, so a killed worker costs time; the scheduler gives up a piece of work that
took several workers with it (its setting ``distributed.scheduler.allowed-failures``). A scheduler that is gone, or is
there and does not answer, or has no worker left, is told; what it had, and what comes then, is done on this machine.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import pickle
import re
import signal
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from xrm_control.compute.executor import Compute, Executed, Workers
from xrm_control.compute.processes import Processes
from xrm_control.compute.worker import give_way, ignore_interrupts, keep_memory
from xrm_control.core.errors import RecipeError, WorkersLost

if TYPE_CHECKING:
    import distributed

Result = TypeVar("Result")

_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_CONNECT_S = 10.0
_CLOSE_S = 20.0
_ASK_EVERY_S = 15.0
_ANSWER_S = 30.0
_UNANSWERED = 4  # questions one after the other: 2 to 3 minutes
_WITHOUT_WORKERS = 20  # answers one after the other: 5 minutes
_NOT_ANSWERED = "its scheduler does not answer any more"
_NO_WORKER_LEFT = "its scheduler has had no worker for minutes"
_NO_WORKER = "5 minutes"
_SURE_TO_BE_DEAD = "30 minutes"  # a worker may be silent that long while a computation does not let go of Python's lock


def _address(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise ValueError("a scheduler's address looks like tcp://host:8786 (or tls://)")
    return text


def _not_installed(why: str) -> RecipeError:
    return RecipeError(
        f"dask is not installed ({why})",
        where="compute.kind",
        value="dask",
        remedy="pip install 'xrm_control[dask]', or use kind: processes",
    )


class Dask(Compute):
    """Workers of a Dask scheduler that runs already, or, without its address, a cluster on this machine."""

    kind: Literal["dask"] = "dask"
    scheduler: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="Address of a running scheduler, tcp://host:port; null: a cluster on this machine."
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes of a cluster on this machine.")

    @property
    def processes(self) -> int:
        """See `Compute.processes`."""
        return self.workers if self.scheduler is None else 0

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Dask:
        if self.scheduler is not None and "workers" in self.model_fields_set:
            raise ValueError("give scheduler or workers: a scheduler that runs already has its own workers")
        return self

    @property
    def here(self) -> bool:
        """See `Compute.here`."""
        return self.scheduler is None

    def check_machine(self) -> None:
        """See `Compute.check_machine`."""
        for name in ("dask", "distributed"):
            if importlib.util.find_spec(name) is None:
                raise _not_installed(f"no module named {name}")

    def open(self, tell: Callable[[str], None] | None = None) -> Workers:
        """See `Compute.open`. Connects at once, so that nothing is scanned for a cluster that is not there.

        Raises RecipeError when dask is not installed, WorkersLost when the scheduler does not answer or has no worker.
        """
        try:
            import dask.config
            import distributed
        except ImportError as error:
            raise _not_installed(str(error)) from error
        for name in ("distributed", "distributed.client", "tornado.application"):
            # What goes wrong is told by our errors; dask's tracebacks would only tear the screen.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        if self.scheduler is not None:
            return _Connected(_Cluster(_connect(distributed, self.scheduler), None), tell)
        threads = str(max(1, (os.cpu_count() or 1) // self.workers))
        settings = {
            "distributed.scheduler.worker-ttl": _SURE_TO_BE_DEAD,
            "distributed.scheduler.no-workers-timeout": _NO_WORKER,
            # The user's own environment goes before this.
            "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": threads,
        }
        with dask.config.set(settings):
            try:
                local = distributed.LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=1,
                    memory_limit=None,
                    # Without an address the scheduler would still serve HTTP, on one port for all.
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                    preload=[__name__],
                )
            except (OSError, RuntimeError) as error:
                raise WorkersLost(
                    f"no cluster can be started on this machine: {error}",
                    where="compute",
                    remedy="give fewer workers, or use kind: processes",
                ) from error
        client = distributed.Client(local, set_as_default=False)
        return _Connected(_Cluster(client, local), tell)


def _connect(distributed: Any, scheduler: str) -> distributed.Client:
    try:
        client = distributed.Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise WorkersLost(
            "the dask scheduler does not answer",
            where="compute.scheduler",
            value=scheduler,
            limit=f"{_CONNECT_S:g} s",
            remedy="start it with `dask scheduler`, look at the address and the firewall, or use kind: processes",
        ) from error
    try:
        client.wait_for_workers(1, timeout=_CONNECT_S)
    except (TimeoutError, OSError) as error:
        client.close(timeout=_CONNECT_S)
        raise WorkersLost(
            "the dask scheduler has no worker",
            where="compute.scheduler",
            value=scheduler,
            remedy=f"start some with `dask worker {scheduler}` (an adaptive cluster: at least one)",
        ) from error
    return client


class _ClusterGone(WorkersLost):
    """Nothing more is to be had from the cluster: the same work may well be done elsewhere."""


class _Connected(Executed):
    """Workers of a cluster; the end of the block waits until the connection and a cluster of our own are gone.

    A cluster that is gone costs time: a process of this machine does the rest.
    """

    def __init__(self, cluster: _Cluster, tell: Callable[[str], None] | None) -> None:
        super().__init__(cluster, lambda: cluster.shutdown(wait=False))
        self._cluster, self._tell = cluster, tell
        self._instead: Workers | None = None

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """See `Workers.run`."""
        if self._instead is None:
            try:
                return await super().run(function, *arguments)
            except _ClusterGone as error:
                if self._instead is None:
                    self._instead = Processes().open(self._tell)
                    if self._tell is not None:
                        self._tell(f"{error.what}; what is left is computed on this machine")
        return await self._instead.run(function, *arguments)

    def stop(self) -> None:
        """See `Workers.stop`."""
        super().stop()
        if self._instead is not None:
            self._instead.stop()

    def __exit__(self, *_: object) -> None:
        if self._instead is not None:
            self._instead.stop()
        self._cluster.shutdown(wait=True)


@dataclass(frozen=True)
class Asked:
    """How often in a row a scheduler with work in hand has not answered, and has answered that it has no worker."""

    unanswered: int = 0
    without: int = 0

    def and_then(self, workers: int | None) -> Asked:
        """With one more answer; None: there was none."""
        if workers is None:
            return Asked(unanswered=self.unanswered + 1)
        return Asked(without=0 if workers else self.without + 1)

    @property
    def why_over(self) -> str | None:
        """Why it is given up; None: it is not."""
        if self.unanswered >= _UNANSWERED:
            return _NOT_ANSWERED
        return _NO_WORKER_LEFT if self.without >= _WITHOUT_WORKERS else None


class _Cluster(Executor):
    """A client of a scheduler as an executor: first come, first served."""

    def __init__(self, client: distributed.Client, local: distributed.LocalCluster | None) -> None:
        self._client = client
        self._local = local
        self._lock, self._settling = threading.Lock(), threading.Lock()
        self._pending: set[Future[Any]] = set()
        self._closing: threading.Thread | None = None
        self._gone: _ClusterGone | None = None
        self._over = threading.Event()
        if local is None:
            threading.Thread(target=self._watch, name="watch dask", daemon=True).start()

    def _watch(self) -> None:
        """Give up a scheduler that is there and does not answer, or has no worker for long: its connection stands."""
        asked = Asked()
        while not self._over.wait(_ASK_EVERY_S):
            if not self._pending:
                asked = Asked()
                continue
            try:
                scheduler: Any = self._client.scheduler
                workers: Any = self._client.sync(scheduler.ncores, callback_timeout=_ANSWER_S)
            except (OSError, RuntimeError, AttributeError, CancelledError):
                asked = asked.and_then(None)
            else:
                asked = asked.and_then(len(workers))
            if asked.why_over is not None:
                self._give_up(asked.why_over)
                return

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._gone = _gone(why)
            pending = tuple(self._pending)
        for result in pending:
            self._failed(result, self._gone)

    def submit(self, function: Callable[..., Result], /, *arguments: Any, **named: Any) -> Future[Result]:
        """See `concurrent.futures.Executor.submit`; what is submitted must survive being run twice."""
        from distributed.client import ClosedClientError

        # As bytes, dask does not look into the arguments, and the scheduler need not know their types.
        work = pickle.dumps((function, arguments, named))
        name = f"{getattr(function, '__name__', 'work')}-{uuid.uuid4().hex}"
        result: Future[Any] = Future()
        with self._lock:
            if self._closing is not None:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._gone is not None:
                result.set_exception(self._gone)
                return result
            self._pending.add(result)
        try:
            there = self._client.submit(_call, work, key=name, pure=False)
        except (ClosedClientError, OSError, RuntimeError) as error:
            self._pending.discard(result)
            self._failed(result, _gone(str(error)))
            return result
        there.add_done_callback(lambda done: self._landed(done, result))
        result.add_done_callback(lambda mine: self._left(mine, there))
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Cancel what has not come back and close in the background; `wait` until that is done.

        Work in flight ends with the workers of an own cluster; on another's it runs to its end, and nobody listens.
        """
        with self._lock:
            pending = tuple(self._pending)
            self._over.set()
            closing = self._closing
            if closing is None:
                # A scheduler that does not answer keeps nobody from ending.
                closing = self._closing = threading.Thread(target=self._close, name="close dask", daemon=True)
                closing.start()
        for result in pending:
            result.cancel()
        if wait:
            closing.join(_CLOSE_S)

    def _close(self) -> None:
        if self._local is not None:
            self._local.sync(self._kill, self._local)
        self._client.close(timeout=_CLOSE_S / 2)
        if self._local is not None:
            self._local.close(timeout=_CLOSE_S / 2)

    async def _kill(self, local: distributed.LocalCluster) -> None:
        """End what computes now; asked politely, a worker would first finish its work."""
        for nanny in local.workers.values():
            process = nanny.process
            if process is not None and process.status.name == "running" and process.pid is not None:
                nanny.close_gracefully("stop")  # so that it is not started anew
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)

    def _left(self, result: Future[Any], there: distributed.Future) -> None:
        self._pending.discard(result)
        if result.cancelled() and not there.done():
            there.cancel(force=True)

    def _landed(self, there: distributed.Future, result: Future[Any]) -> None:
        """Hand an outcome over; called in a thread of dask's."""
        if there.status == "finished":
            try:
                value = there.result()
            except (OSError, CancelledError) as error:
                self._failed(result, _gone(str(error)))
                return
            self._settle(result, lambda: result.set_result(value))
        elif there.status == "error":
            self._failed(result, _told(there.exception()))
        else:
            self._failed(result, _gone("the connection to the scheduler broke"))

    def _failed(self, result: Future[Any], error: BaseException) -> None:
        """What fails once we close fails because we close: that is no loss to tell of, it is abandoned."""
        self._pending.discard(result)
        if self._closing is not None:
            result.cancel()
        self._settle(result, lambda: result.set_exception(error))

    def _settle(self, result: Future[Any], how: Callable[[], None]) -> None:
        """Once: what was given up may come all the same."""
        with self._settling:
            if not result.done() and result.set_running_or_notify_cancel():
                how()


def dask_setup(_: Any) -> None:
    """What a worker of an own cluster does first, also when it is started anew (dask calls a preload by this name)."""
    ignore_interrupts()
    give_way()
    keep_memory()


def _call(work: bytes) -> Any:
    """Runs on the worker."""
    function, arguments, named = pickle.loads(work)
    return function(*arguments, **named)


def _told(error: Any) -> BaseException:
    """Errors of the work as they are; dask's own, and a worker without our code, in our words."""
    from distributed.scheduler import KilledWorker, NoWorkerError

    if isinstance(error, NoWorkerError):
        return _gone(_NO_WORKER_LEFT)
    if isinstance(error, KilledWorker):
        return _lost(str(error).split(" Inspecting", maxsplit=1)[0], "look at the memory and the logs of the workers")
    if isinstance(error, ImportError):
        return _lost(f"a worker lacks what is needed: {error}", "install the same xrm_control on all workers")
    return error or _lost("no reason was given")


def _gone(why: str) -> _ClusterGone:
    return _ClusterGone(f"the dask cluster is lost: {why}", where="compute", remedy="look at the cluster")


def _lost(why: str, remedy: str = "look at the cluster; the frames are safe on the disk") -> WorkersLost:
    return WorkersLost(f"the work on the dask cluster was lost: {why}", where="compute", remedy=remedy)
