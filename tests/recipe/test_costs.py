"""What a plan says of memory and disk, held against what processes and folders really take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xrm_control.analysis.core import AnalysisSpec
from xrm_control.core.cost import Cost
from xrm_control.reconstruction.pipeline import ReconstructionSpec

# Peak of a process of its own, less what it takes before the work begins; the same work on little has been done before.
MEASURE = """
import json, sys
import numpy as np
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.reconstruction.pipeline import prepare, reconstruct_rows
from xrm_control.reconstruction.spec import ReconstructionSpec, parts_of
from xrm_control.reconstruction.scan import ScanData

def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])

def analysis(data, settings):
    spec = AnalysisSpec.model_validate(settings)
    return lambda: analyze_volume(np.array(data), 0.5, spec)

def reconstruction(data, settings):
    views, rows, columns = data.shape
    scan = ScanData(projections=data, theta_deg=np.linspace(-90, 90, views), time_s=np.arange(views) * 1.0,
                    flats=np.full((2, rows, columns), 1200, np.uint16), flat_time_s=np.array([-2.0, -1.0]),
                    darks=np.full((2, rows, columns), 100, np.uint16), pixel_size_um=0.5)
    spec = ReconstructionSpec.model_validate({**settings, "rotation_axis": (columns - 1) / 2})
    prepared = prepare(scan, spec)
    return lambda: reconstruct_rows(scan, spec, prepared, parts_of(spec, data.shape)[0])

work, folder, settings = globals()[sys.argv[1]], sys.argv[2], json.loads(sys.argv[3])
work(np.load(folder + "/small.npy"), settings)()
carry_out = work(np.load(folder + "/data.npy", mmap_mode="r"), settings)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = memory("VmRSS")
carry_out()
print(memory("VmHWM") - before)
"""


def balls(side: int) -> np.ndarray:
    """A volume (z, y, x) with a few particles in noise."""
    rng = np.random.default_rng(1)
    volume = rng.normal(0, 0.004, (side, side, side)).astype(np.float32)
    z, y, x = np.ogrid[:side, :side, :side]
    for _ in range(10):
        a, b, c = rng.uniform(0.25, 0.75, 3) * side
        volume[(z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 < (0.1 * side) ** 2] += 0.05
    return volume


def measured(work: str, folder: Path, small: np.ndarray, data: np.ndarray, settings: dict[str, object]) -> int:
    np.save(folder / "small.npy", small)
    np.save(folder / "data.npy", data)
    command = [sys.executable, "-c", MEASURE, work, str(folder), json.dumps(settings)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def counts(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(1).integers(900, 1100, shape, dtype=np.uint16)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [((141, 128, 128), {}), ((400, 64, 512), {"memory_gb": 0.1}), ((40, 16, 1024), {})],
    ids=["in one part", "in parts", "wide, of few views"],
)
def test_reconstruction_takes_no_more_memory_than_planned_and_not_much_less(
    tmp_path: Path, shape: tuple[int, int, int], settings: dict[str, object]
) -> None:
    planned = ReconstructionSpec.model_validate(settings).cost(shape).memory_bytes
    taken = measured("reconstruction", tmp_path, counts((20, 16, 16)), counts(shape), settings)
    assert planned / 15 < taken < planned


def test_analysis_takes_no_more_memory_than_planned_and_not_much_less(tmp_path: Path) -> None:
    settings: dict[str, object] = {"min_particle_um": 1.0}
    planned = AnalysisSpec.model_validate(settings).cost((160, 160, 160)).memory_bytes
    taken = measured("analysis", tmp_path, balls(40), balls(160), settings)
    assert planned / 15 < taken < planned


def test_a_slab_of_a_large_scan_needs_a_few_gigabytes() -> None:
    """1571 views of 1024 x 1024, 8 rows of them: not the 23 of all frames at once."""
    shape = (1571, 1024, 1024)
    slab = ReconstructionSpec(rows=(508, 516)).cost(shape)
    whole = ReconstructionSpec().cost(shape)
    assert slab.memory_bytes < 2.5e9
    assert whole.memory_bytes < 5.5e9
    assert slab.disk_bytes == 8 * 1024 * 1024 * 4
    assert whole.disk_bytes == 1024**3 * 4


def test_costs_add_up_as_work_that_follows_work() -> None:
    one, other = Cost(10, 100), Cost(1, 50)
    assert one.then(other) == Cost(11, 100)
    assert one.times(3) == Cost(30, 100)
