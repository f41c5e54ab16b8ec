"""A run on the disk, and somebody's cluster."""

from __future__ import annotations

from collections.abc import Iterator

import dask.config
import pytest

from tests.compute.cluster import local_cluster
from tests.scan_on_disk import scan_job
from xrm_control.compute.dask import Dask
from xrm_control.processing.regions import ScanJob


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ScanJob:
    return scan_job(tmp_path_factory.mktemp("scan"))


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Iterator[Dask]:
    """Somebody's cluster of two processes; its scheduler picks a free port."""
    with (
        dask.config.set(getattr(request, "param", {})),
        local_cluster(n_workers=2, threads_per_worker=1, memory_limit=None) as cluster,
    ):
        yield Dask(scheduler=cluster.scheduler_address)
