"""A preview grows with the scan, is right, and never stands in its way."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals
from tests.session.scripted import FRAMES_OF_SMALL, Night
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.clock import VIRTUAL, run
from xrm_control.core.events import EventStream, FrameKept
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraDescription
from xrm_control.devices.simulated import SimulatedBackend
from xrm_control.processing.live import LivePreview
from xrm_control.reconstruction.incremental_fbp import OrthogonalSlices
from xrm_control.reconstruction.preprocess import PreprocessSpec

MU, PIXEL_UM, SIDE, AXIS_PX = 0.05, 0.5, 48, 24.3
BALL = Ball(3, -2, 1, 5, MU)


def camera() -> CameraDescription:
    return SimulatedBackend().describe().camera


def plan(order: str = "sequential", references: str = "both", count: int = 2, behind: int = 0) -> Acquisition:
    more = {"interval": 20} if references == "every" else {}
    spec = TomographySpec.model_validate(
        {
            "projections": 61,
            "order": {"kind": order},
            "references": {"kind": references, "count": count, **more},
            "darks": 2,
        }
    )
    return spec.acquisition("roi-01", Pose(0, 0, 0, 0), SampleSpec(), camera(), blockers=behind)


def kept(step: FrameStep, image: np.ndarray) -> FrameKept:
    return FrameKept(step.frame_id, step.kind, step.index, step.pose.theta_deg, image)


class Scanned:
    """A ball, scanned as planned; the beam grows by a tenth while it is."""

    def __init__(self, folder: Path, acquisition: Acquisition) -> None:
        self.steps = acquisition.steps
        self.heard: list[str] = []
        self.events = EventStream(lambda: 0.0)
        self.events.subscribe(lambda event: self.heard.append(event.text))
        self.picture = folder / "roi-01" / "preview.png"
        self.live = LivePreview(
            acquisition,
            PIXEL_UM,
            PreprocessSpec(),
            AXIS_PX,
            self.picture,
            self.events,
        )

    def frame(self, number: int) -> np.ndarray:
        step = self.steps[number]
        beam = 1 + 0.1 * number / len(self.steps)
        if step.kind != FrameKind.PROJECTION:
            lines = np.zeros((1, SIDE, SIDE), np.float32)
        else:
            theta = np.array([step.pose.theta_deg])
            lines = line_integrals([BALL], theta, columns=SIDE, rows=SIDE, axis_px=AXIS_PX, pixel_um=PIXEL_UM)
        light = 0.0 if step.kind == FrameKind.DARK else 20_000 * beam
        return (100 + light * np.exp(-lines[0])).round().astype(np.uint16)

    async def keep(self, numbers: range) -> None:
        for number in numbers:
            step = self.steps[number]
            self.live.hear(kept(step, self.frame(number)))
            await self.live.finish()


def ball_and_air(slices: OrthogonalSlices) -> tuple[float, float]:
    values = slices.yx
    x, y = coordinates_um(SIDE, PIXEL_UM)
    away = np.hypot(x - BALL.x_um, y - BALL.y_um)
    return float(values[away < 3].mean()) / MU, float(values[(away > 7) & (np.hypot(x, y) < 11)].mean()) / MU


@pytest.mark.parametrize(
    ("order", "references", "tolerance"),
    # Flats that come when the scan is over, or before a beam that grows, leave their error in a preview.
    [
        ("sequential", "both", 0.1),
        ("interlaced", "both", 0.1),
        ("sequential", "every", 0.04),
        ("sequential", "after", 0.12),
    ],
)
def test_the_preview_of_a_ball_is_a_ball(tmp_path: Path, order: str, references: str, tolerance: float) -> None:
    scan = Scanned(tmp_path, plan(order, references))

    async def main() -> OrthogonalSlices | None:
        await scan.keep(range(len(scan.steps)))
        return await scan.live.finish()

    slices = run(main(), VIRTUAL)
    assert slices is not None
    assert (slices.views, slices.planned) == (61, 61)
    ball, air = ball_and_air(slices)
    assert ball == pytest.approx(1, abs=tolerance)
    assert air == pytest.approx(0, abs=tolerance)
    assert scan.heard == [f"roi-01: watch it grow in {scan.picture}"]


def test_frames_behind_the_blade_are_no_references(tmp_path: Path) -> None:
    scan = Scanned(tmp_path, plan(behind=2))

    async def main() -> OrthogonalSlices | None:
        await scan.keep(range(len(scan.steps)))
        return await scan.live.finish()

    slices = run(main(), VIRTUAL)
    assert slices is not None
    assert ball_and_air(slices) == pytest.approx((1, 0), abs=0.1)


def test_there_is_a_picture_from_the_first_view_on_and_it_changes(tmp_path: Path) -> None:
    scan = Scanned(tmp_path, plan())
    first = next(number for number, step in enumerate(scan.steps) if step.kind == FrameKind.PROJECTION)
    pictures: list[bytes] = []

    async def main() -> None:
        await scan.keep(range(first))
        assert not scan.picture.exists()
        for begin, end in ((first, first + 1), (first + 1, first + 4), (first + 4, first + 61)):
            await scan.keep(range(begin, end))
            pictures.append(scan.picture.read_bytes())
        await scan.live.finish()

    run(main(), VIRTUAL)
    assert len(set(pictures)) == 3
    with Image.open(scan.picture) as image:
        assert image.format == "PNG"
        assert image.width > 3 * 300


def test_a_frame_that_cannot_be_used_ends_the_preview_and_nothing_else(tmp_path: Path) -> None:
    scan = Scanned(tmp_path, plan())

    async def main() -> None:
        await scan.keep(range(10))
        scan.live.hear(kept(scan.steps[10], np.zeros((3, 3), np.uint16)))
        await scan.live.finish()
        scan.live.hear(kept(scan.steps[11], scan.frame(11)))
        scan.live.close()

    run(main(), VIRTUAL)
    assert len(scan.heard) == 2
    assert "roi-01: no more preview" in scan.heard[1]
    assert "shape" in scan.heard[1]


def test_a_preview_that_cannot_keep_up_skips_views(tmp_path: Path) -> None:
    scan = Scanned(tmp_path, plan())
    free = threading.Event()

    async def main() -> OrthogonalSlices | None:
        scan.live._thread.submit(free.wait)
        for number, step in enumerate(scan.steps):
            scan.live.hear(kept(step, scan.frame(number)))
        free.set()
        return await scan.live.finish()

    slices = run(main(), VIRTUAL)
    assert slices is not None
    # Four references come first, and are never left out.
    assert slices.views == 12
    assert scan.heard[1:] == ["roi-01: the preview could not keep up with 49 views"]


def test_a_run_shows_what_it_scans_and_ends_with_the_volumes_slices(tmp_path: Path) -> None:
    night = Night(tmp_path)
    # The little scan cannot be measured; a preview it has nevertheless.
    assert night.code == 5
    assert len(night.events(FrameKept)) == FRAMES_OF_SMALL
    with night.journal() as journal:
        assert journal.artifacts()["roi-01/preview.png"].kind == "preview"
    with Image.open(night.folder / "roi-01" / "preview.png") as image:
        assert image.width > 3 * 300
