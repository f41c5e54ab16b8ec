"""A run on the disk, and somebody's cluster."""

from __future__ import annotations

from collections.abc import Iterator

import dask.config
import pytest
from distributed.utils import get_mp_context

from tests.compute.cluster import local_cluster
from tests.scan_on_disk import scan_job
from xrm_control.compute.dask import Dask
from xrm_control.processing.regions import ScanJob

FORKED = {"distributed.worker.multiprocessing-method": "forkserver"}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ScanJob:
    return scan_job(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="session")
def _preloaded() -> None:
    with dask.config.set(FORKED):
        context = get_mp_context()  # which has a list of its own, the first time
    context.set_forkserver_preload(["distributed", "xrm_control.processing.regions"])


@pytest.fixture
def there(_preloaded: None, request: pytest.FixtureRequest) -> Iterator[Dask]:
    """Somebody's cluster of two processes; its scheduler picks a free port.

    They are forked from a process that has imported what they need: that is most of what starting one costs.
    """
    with (
        dask.config.set({**FORKED, **getattr(request, "param", {})}),
        local_cluster(n_workers=2, threads_per_worker=1, memory_limit=None) as cluster,
    ):
        yield Dask(scheduler=cluster.scheduler_address)
