"""ROI1 and Stats1 against numpy and scikit-image, and the TIFF plugin read back with Pillow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import moments_central

from simulators.ioc.detector_plugin import Array
from tests.simulators.ioc.detector_bench import Bench, darks, running

Check = Callable[[Bench], Awaitable[None]]


def on_a_detector(check: Check, port: str, **settings: Any) -> None:
    async def go() -> None:
        async with running() as bench:
            await bench.plugin(port, EnableCallbacks="Enable", **settings)
            await check(bench)

    asyncio.run(go())


# What is asked for; what of the dark frame (128 x 128) is handed on.
REGIONS: list[tuple[str, dict[str, Any], Callable[[NDArray[Any]], NDArray[Any]]]] = [
    ("all", {}, lambda dark: dark),
    ("a part", {"MinX": 10, "SizeX": 20, "MinY": 30, "SizeY": 5}, lambda dark: dark[30:35, 10:30]),
    ("beyond the edge", {"MinX": 120, "SizeX": 50}, lambda dark: dark[:, 120:]),
    ("not enabled in X", {"MinX": 10, "SizeX": 20, "SizeY": 5, "EnableX": "Disable"}, lambda dark: dark[:5]),
    ("its whole size", {"SizeX": 20, "AutoSizeX": "Yes"}, lambda dark: dark),
    ("turned over", {"ReverseX": "Yes", "SizeY": 9}, lambda dark: dark[:9, ::-1]),
    ("binned", {"BinX": 2, "BinY": 4}, lambda dark: dark.reshape(32, 4, 64, 2).sum((1, 3), np.uint16)),
    ("scaled", {"EnableScale": "Enable", "Scale": 2.0}, lambda dark: (dark / 2.0).astype(np.uint16)),
    ("another type", {"DataTypeOut": "UInt8"}, lambda dark: dark.astype(np.uint8)),
]


@pytest.mark.parametrize(("asked", "part"), [row[1:] for row in REGIONS], ids=[row[0] for row in REGIONS])
def test_a_region_is_handed_on(
    asked: dict[str, Any], part: Callable[[NDArray[Any]], NDArray[Any]], tmp_path: Path
) -> None:
    """To the file plugin, which listens to the region's port."""

    async def check(bench: Bench) -> None:
        await bench.plugin(
            "TIFF1", EnableCallbacks="Enable", NDArrayPort="ROI1", AutoSave="Yes", FilePath=str(tmp_path)
        )
        await bench.put(Acquire=1)
        expected = part(darks(1)[0])
        got = np.asarray(Image.open(tmp_path / "_000001.tif"))
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)
        assert (bench.get("ROI1:ArraySizeY_RBV"), bench.get("ROI1:ArraySizeX_RBV")) == expected.shape
        assert bench.get("ROI1:UniqueId_RBV") == bench.get("TIFF1:UniqueId_RBV") == 1
        assert bench.get("ROI1:MaxSizeX_RBV") == 128

    on_a_detector(check, "ROI1", **asked)


def test_a_clipped_region_says_what_it_is_and_remembers_what_was_asked() -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        assert [bench.get(f"ROI1:{name}_RBV") for name in ("MinX", "SizeX")] == [120, 8]
        await bench.plugin("ROI1", MinX=10)
        await bench.put(Acquire=1)
        assert [bench.get(f"ROI1:{name}_RBV") for name in ("MinX", "SizeX")] == [10, 50]

    on_a_detector(check, "ROI1", MinX=120, SizeX=50)


def test_statistics_are_those_of_numpy() -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        dark = darks(1)[0].astype(float)
        stats = {
            name: bench.get(f"Stats1:{name}_RBV") for name in ("MinValue", "MaxValue", "MeanValue", "Sigma", "Total")
        }
        assert list(stats.values()) == pytest.approx([dark.min(), dark.max(), dark.mean(), dark.std(), dark.sum()])
        for end in ("Min", "Max"):
            assert (
                dark[int(bench.get(f"Stats1:{end}Y_RBV")), int(bench.get(f"Stats1:{end}X_RBV"))] == stats[f"{end}Value"]
            )
        edge = np.ones_like(dark, bool)
        edge[2:-2, 2:-2] = False
        assert bench.get("Stats1:Net_RBV") == pytest.approx(dark.sum() - dark[edge].mean() * dark.size, abs=1e-3)
        assert bench.get("Stats1:CentroidX_RBV") == 0.0, "not asked for"
        counts, _ = np.histogram(dark, 50, (200.0, 240.0))
        assert np.array_equal(bench._pvs["T:Det:Stats1:Histogram_RBV"].value, counts)
        assert bench.get("Stats1:HistBelow_RBV") + bench.get("Stats1:HistAbove_RBV") + counts.sum() == dark.size

    histogram = {"ComputeHistogram": "Yes", "HistSize": 50, "HistMin": 200.0, "HistMax": 240.0}
    on_a_detector(check, "Stats1", BgdWidth=2, **histogram)


def test_moments_and_profiles_are_those_of_a_known_spot() -> None:
    y, x = np.mgrid[0:64, 0:96]
    u, v = (x - 40.0) * 0.8 + (y - 30.0) * 0.6, (y - 30.0) * 0.8 - (x - 40.0) * 0.6
    spot = np.round(1e4 * np.exp(-0.5 * ((u / 8.0) ** 2 + (v / 3.0) ** 2))).astype(np.uint16)
    lit = np.where(spot >= 100, spot, 0).astype(float)
    m = moments_central(lit, order=4)
    mu = m / m[0, 0]

    async def check(bench: Bench) -> None:
        stats = next(plugin for plugin in bench.detector._plugins if plugin._port == "Stats1")
        await stats.process(Array(spot, 1, (0, 0)))
        seen = {
            name: bench.get(f"Stats1:{name}_RBV") for name in ("CentroidX", "CentroidY", "SigmaX", "SigmaY", "SigmaXY")
        }
        assert seen["CentroidX"] == pytest.approx(40.0, abs=0.01)
        assert seen["CentroidY"] == pytest.approx(30.0, abs=0.01)
        assert (seen["SigmaX"], seen["SigmaY"]) == pytest.approx((mu[0, 2] ** 0.5, mu[2, 0] ** 0.5))
        assert seen["SigmaXY"] == pytest.approx(mu[1, 1] / (mu[0, 2] * mu[2, 0]) ** 0.5)
        assert bench.get("Stats1:SkewX_RBV") == pytest.approx(mu[0, 3] / mu[0, 2] ** 1.5, abs=1e-9)
        assert bench.get("Stats1:KurtosisY_RBV") == pytest.approx(mu[4, 0] / mu[2, 0] ** 2 - 3.0)
        assert bench.get("Stats1:Orientation_RBV") == pytest.approx(np.degrees(np.arctan2(0.6, 0.8)), abs=0.1)
        assert np.allclose(bench._pvs["T:Det:Stats1:ProfileAverageX_RBV"].value, spot.mean(axis=0))
        assert np.array_equal(bench._pvs["T:Det:Stats1:ProfileCursorY_RBV"].value, spot[:, 7])

    settings = {"ComputeCentroid": "Yes", "CentroidThreshold": 100.0, "ComputeProfiles": "Yes", "CursorX": 7}
    on_a_detector(check, "Stats1", **settings)


@pytest.mark.parametrize("mode", ["Single", "Capture", "Stream"])
def test_tiff_files_hold_one_frame_each_in_every_mode(tmp_path: Path, mode: str) -> None:
    async def check(bench: Bench) -> None:
        assert bench.alarmed("TIFF1:FullFileName_RBV"), "it has no value until a file was written"
        await bench.put(Acquire=1)
        capture = await bench.start("TIFF1:Capture", 1) if mode != "Single" else None
        assert bench.alarmed("TIFF1:FullFileName_RBV") == (mode != "Single")
        await bench.put(ImageMode="Multiple", NumImages=3, Acquire=1)
        if capture is not None:
            await capture
        written = sorted(tmp_path.iterdir())
        first = 1 if mode == "Single" else 2
        assert [path.name for path in written] == [f"scan_{number:04d}.tif" for number in range(7, 12 - first)]
        assert bench.get("TIFF1:FullFileName_RBV") == str(written[-1])
        assert not bench.alarmed("TIFF1:FullFileName_RBV")
        for number, path in enumerate(written, start=first):
            with Image.open(path) as image:
                assert image.tag_v2[65001] == number  # type: ignore[attr-defined]
                assert np.array_equal(np.asarray(image), darks(4)[number - 1])
        assert bench.get("HDF1:ArrayCounter_RBV") == 0

    on_a_detector(
        check,
        "TIFF1",
        FilePath=str(tmp_path),
        FileName="scan",
        FileTemplate="%s%s_%4.4d.tif",
        FileNumber=7,
        FileWriteMode=mode,
        NumCapture=3,
        AutoSave="Yes",
    )


def test_a_tiff_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        assert bench.get("TIFF1:WriteStatus") == "Write error"
        assert bench.get("TIFF1:WriteMessage").startswith("Error opening file")

    on_a_detector(check, "TIFF1", FilePath=str(tmp_path / "nowhere"), AutoSave="Yes")
