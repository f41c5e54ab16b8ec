"""The window on a run of a whole day, in processor time: what a look, a table and a slice cost, and what stays."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.timing import Row
from benchmarks.window_day import DAY_S, a_day, say
from xrm_control.dashboard.lines import lines_after
from xrm_control.dashboard.mosaic import mosaic_view, regions_view
from xrm_control.dashboard.tables import table
from xrm_control.dashboard.view import look
from xrm_control.dashboard.volumes import section
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RoiFolder

SIDE = 1024
# Where nothing has to wait for a disk, if there is such a place.
_MEMORY = Path("/dev/shm")
_DISK = Path("/var/tmp")
NEIGHBOURS = 128
# Of one core: the target of a slice viewer, and of what is looked at all the time.
SLICES_PER_S, SHARE = 30.0, 0.04
# Of the columns that the page asks for at first.
SHOWN = (
    "particle_id", "roi", "x_um", "y_um", "z_um", "volume_um3", "volume_um3_u", "surface_area_um2", "sphericity",
    "sphericity_u", "equivalent_diameter_um", "equivalent_diameter_um_u", "radius_mean_um", "radius_mean_um_u",
    "void_count", "void_volume_um3", "dead_volume_percent", "mean_attenuation_per_um", "mean_attenuation_per_um_u",
    "touches_boundary", "weight",
)  # fmt: skip
# Written and read one at a time, in steps; a whole day has a hundred times as many.
STEPS, LINES_A_STEP = 8, 220


def rows() -> list[Row]:
    """A day of 300 regions, the memory while lines come; a volume of 1024^3."""
    place = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as root:
        found = [*_a_day(Path(root)), *_slices(Path(root) / "16", np.uint16), *_slices(Path(root) / "32", np.float32)]
    with tempfile.TemporaryDirectory(dir=_DISK) as root:
        return [*found, *_cold_slices(Path(root))]


def _a_day(root: Path) -> list[Row]:
    folder = a_day(root / "day")
    looks = _cpu_s(lambda: (look(folder), mosaic_view(folder), regions_view(folder)), 5)
    first_s = _cpu_s(lambda: table(folder, "particles", 0, 100_000, SHOWN), 1)
    again_s = _cpu_s(lambda: table(folder, "particles", 0, 100_000, SHOWN), 3)
    all_s = _cpu_s(lambda: table(folder, "particles", 0, 100_000), 3)
    found = [
        Row("a look for all viewers", "the window", looks, 1.0, "", f"one each {looks / SHARE:.0f} s at most"),
        Row("12 000 particles, first", "the window", first_s),
        Row("12 000 particles, again", "the window", again_s, first_s / max(again_s, 1e-9), "first"),
        Row("12 000 particles, all columns", "the window", all_s, first_s / max(all_s, 1e-9), "first"),
    ]
    sizes: list[float] = []
    with Journal.open(folder.journal) as journal:
        last = journal.last_event_id()
        for step in range(STEPS):
            for number in range(LINES_A_STEP):
                say(journal, number, DAY_S * (1 + step))
                for line in lines_after(folder, last):
                    last = line.id
            look(folder)
            gc.collect()
            sizes.append(_resident_bytes())
    ratio = sizes[-1] / sizes[0]
    warn = "" if ratio < 1.1 else "more than a tenth"
    return [
        *found,
        Row(f"memory after {(STEPS - 1) * LINES_A_STEP} lines more", "the window", None, ratio, "before", warn),
    ]


def _slices(root: Path, dtype: type[np.generic]) -> list[Row]:
    """Each of a hundred neighbours, what is read for all of them shared out among them; and the first."""
    place, kind = _volume(root, dtype), np.dtype(dtype).name
    found: list[Row] = []
    for which in ("xy", "xz", "yz"):
        first_s = _cpu_s(lambda which=which: section(place, which, 99).data, 1)
        numbers = iter(range(100, 1000))
        each_s = _cpu_s(lambda which=which, numbers=numbers: section(place, which, next(numbers)).data, NEIGHBOURS)
        warn = "" if 1 / each_s >= SLICES_PER_S else "misses its target"
        figures = {"first": f"{first_s:.3f} s"}
        name = f"slice {which} of {SIDE}^3, {kind}"
        found.append(Row(name, "the window", each_s, 1 / each_s / SLICES_PER_S, "30 a second", warn, figures))
    return found


def _cold_slices(root: Path) -> list[Row]:
    """Seconds of the clock, of a volume whose pages the system was asked to forget: what is left is the disk's."""
    place = _volume(root, np.float32)
    found: list[Row] = []
    for which in ("xy", "xz", "yz"):
        _forget(place.volume)
        waited_s = _wall_s(lambda which=which: section(place, which, 500).data)
        then_s = _wall_s(lambda which=which: [section(place, which, index).data for index in range(501, 511)]) / 10
        figures = {"each of the next ten": f"{then_s:.3f} s"}
        name = f"slice {which} of {SIDE}^3, float32, from a cold disk"
        found.append(Row(name, "the window", waited_s, None, "", "", figures))
    return found


def _volume(root: Path, dtype: type[np.generic]) -> RoiFolder:
    place = RoiFolder(root / "roi-01")
    place.path.mkdir(parents=True)
    plane = np.random.default_rng(1).integers(0, 60_000, (SIDE, SIDE)).astype(dtype)
    with tifffile.TiffWriter(place.volume, bigtiff=True) as out:
        out.write((plane for _ in range(SIDE)), shape=(SIDE, SIDE, SIDE), dtype=dtype, metadata={"axes": "ZYX"})
    return place


def _forget(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _wall_s(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _cpu_s(call: Callable[[], object], times: int) -> float:
    """Processor time of one call, the first of several not counted unless it is the only one."""
    if times > 1:
        call()
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times


def _resident_bytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return float(pages * resource.getpagesize())
