"""Figures: geometry against hand-made truth, and a picture for every kind of poor data."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy import ndimage

from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import PARTICLE_COLUMNS
from xrm_control.reporting.figures.axes import axes_figure
from xrm_control.reporting.figures.distributions import bin_edges, histogram_figure, void_sizes_figure
from xrm_control.reporting.figures.roses import (
    local_roughness_figure,
    plane_diameters_figure,
    rose_figure,
    roughness_figure,
)
from xrm_control.reporting.figures.slices import (
    Cut,
    Window,
    fullest_cuts,
    grey_window,
    label_edges,
    round_length,
    slice_figure,
    slice_strip,
)
from xrm_control.reporting.figures.style import BLUE, GREEN, VERMILLION, Picture
from xrm_control.reporting.figures.truth import error_by_size_figure, error_figure, identity_figure
from xrm_control.reporting.radii import Sample

POOR = {
    "none": np.zeros(0),
    "one": np.array([3.0]),
    "equal": np.full(7, 5.0),
    "zero": np.zeros(4),
    "all NaN": np.full(3, np.nan),
    "some NaN": np.array([1.0, np.nan, 2.0]),
    "huge spread": np.array([1e-3, 1.0, 1e6]),
}


def pixels(picture: Picture) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(picture.data), format=picture.mime.removeprefix("image/"))


@pytest.mark.parametrize("side", ["stage", "volume"])
def test_both_frames_are_drawn_with_their_three_axes(side: str) -> None:
    """Each has an arrow of each colour, on its half of the picture and well within."""
    # Another test's may have been made while nothing was drawn.
    axes_figure.cache_clear()
    image = pixels(axes_figure())[..., :3]
    half = np.array_split(image, 2, axis=1)[side == "volume"]
    for colour in (VERMILLION, GREEN, BLUE):
        rows, columns = np.nonzero(np.abs(half - to_rgb(colour)).max(axis=2) < 0.05)
        assert len(rows) > 40
        assert max(np.ptp(rows), np.ptp(columns)) > 0.15 * len(half)


def test_label_edges_of_one_pixel() -> None:
    labels = np.zeros((3, 4), int)
    labels[1, 2] = 5
    sides = {tuple(map(tuple, side)) for side in label_edges(labels).tolist()}
    assert sides == {((2, 1), (2, 2)), ((3, 1), (3, 2)), ((2, 1), (3, 1)), ((2, 2), (3, 2))}


def test_label_edges_part_touching_particles() -> None:
    labels = np.array([[1, 1, 2, 2]] * 3)
    assert sorted(label_edges(labels)[:, :, 0].ravel().tolist()) == [2.0] * 6


@pytest.mark.parametrize("shift", [0, 1, -2])
def test_fullest_cuts_meet_the_particle(shift: int) -> None:
    labels = np.zeros((9, 11, 13), np.uint16)
    labels[3 + shift, 2:5, 7:10] = 1
    labels[2 + shift : 5 + shift, 4, 8] = 1
    cuts = fullest_cuts(labels, labels.shape)
    assert cuts == (Cut("xy", 3 + shift), Cut("xz", 4), Cut("yz", 8))


@pytest.mark.parametrize("labels", [None, np.zeros((9, 11, 13), np.uint16), np.ones((2, 2, 2), np.uint16)])
def test_cuts_fall_back_to_the_middle(labels: np.ndarray | None) -> None:
    assert [cut.index for cut in fullest_cuts(labels, (9, 11, 13))] == [4, 5, 6]


@pytest.mark.parametrize(("span", "length"), [(64.0, 10), (65.5, 10), (24.6, 5), (8.0, 2), (520, 100), (0.4, 0.1)])
def test_scale_bar_lengths(span: float, length: float) -> None:
    assert round_length(span) == pytest.approx(length)


@pytest.mark.parametrize(("depth", "side", "most", "px"), [(5, 16, 128, 128), (40, 16, 10, 128), (6, 64, 128, 32)])
def test_strip_shows_each_slice_in_its_place(depth: int, side: int, most: int, px: int) -> None:
    greys = np.linspace(0, 1, depth)
    volume = np.broadcast_to(greys[:, None, None], (depth, side, side))
    strip = slice_strip(volume, 0.5, Window(0, 1), most_slices=most, most_px=px)
    sheet = pixels(strip.picture)
    assert sheet.ndim == 2
    every = -(-depth // most)
    assert len(strip.positions_um) == len(range(0, depth, every)) <= most
    for at, position in enumerate(strip.positions_um):
        top, left = at // strip.columns * strip.tile_height_px, at % strip.columns * strip.tile_width_px
        tile = sheet[top : top + strip.tile_height_px, left : left + strip.tile_width_px]
        assert tile.mean() == pytest.approx(255 * greys[at * every], abs=4)
        assert position == pytest.approx((at * every - (depth - 1) / 2) * 0.5)


def test_grey_window_ignores_what_is_no_number() -> None:
    volume = np.linspace(0, 1, 32 * 8 * 8).reshape(32, 8, 8).astype(np.float32)
    volume[0, 0, 0] = np.nan
    window = grey_window(volume)
    assert 0 <= window.low < 0.05
    assert 0.9 < window.high <= 1
    assert grey_window(np.full((4, 4, 4), np.nan)) == Window(0, 1)


def test_outlines_lie_on_the_particle() -> None:
    volume, labels = np.zeros((8, 20, 20), np.float32), np.zeros((8, 20, 20), np.uint16)
    labels[:, 5:15, 5:15] = 1
    plain = pixels(slice_figure(volume, None, 1.0, Cut("xy", 4), Window(0, 1)))
    drawn = pixels(slice_figure(volume, labels, 1.0, Cut("xy", 4), Window(0, 1)))
    rows, columns = np.nonzero(np.abs(plain - drawn).max(-1) > 0.3)
    box = np.array([np.ptp(columns), np.ptp(rows)], float)
    black = np.nonzero((plain[..., :3].max(-1) < 0.01).sum(0) > plain.shape[0] / 2)[0]
    assert box / np.ptp(black) == pytest.approx([0.5, 0.5], abs=0.03)


@pytest.mark.parametrize("values", POOR.values(), ids=POOR)
def test_bins_hold_every_value(values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    if finite.size:
        edges = bin_edges(finite)
        assert 6 <= len(edges) <= 31
        assert np.histogram(finite, edges)[0].sum() == finite.size


@pytest.mark.parametrize("values", POOR.values(), ids=POOR)
def test_a_picture_for_poor_data(values: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrm_control.reporting.figures.style.PNG_DPI", 30)
    kinds = ("closed", "open", "", "ambiguous", "odd", "closed", "closed")[: len(values)]
    pictures = [
        histogram_figure(values, values, label="d (µm)", title="x", colour="#0072B2", paper=6.4),
        void_sizes_figure(values, values, kinds, 1.4),
        identity_figure(values, values, quantity="volume", unit="µm³", logarithmic=True),
        error_by_size_figure(values, values, 2.0, 6.0),
        error_figure(values, values, "all"),
        roughness_figure(values, values, np.zeros(0), np.zeros(0), values, 1.0),
    ]
    for picture in pictures:
        assert np.ptp(pixels(picture)) > 0.5


@pytest.mark.parametrize("count", [0, 1, 7])
def test_roses_of_any_number(count: int) -> None:
    radii = np.full((count, 3, 8), 5.0)
    rows = Rows.of([{"equivalent_diameter_um": 10.0}] * count, PARTICLE_COLUMNS)
    sample = Sample(rows, radii, np.full(count, np.nan))
    for picture in (rose_figure(sample, "xz", 5.0), plane_diameters_figure(sample), local_roughness_figure(sample)):
        assert np.ptp(pixels(picture)) > 0.5


def test_the_sample_is_marked_among_all_particles() -> None:
    """Two of the sample: two marks in two colours, and nothing else changes."""
    every_um, roughness, floor_um = np.linspace(4, 12, 30), np.linspace(0.2, 0.8, 30), np.full(30, np.nan)
    none, two = (
        pixels(roughness_figure(every_um, roughness, sample_um, sample, floor_um, 1.0))
        for sample_um, sample in ((np.zeros(0), np.zeros(0)), (np.array([6.0, 10.0]), np.array([0.6, 0.4])))
    )
    labelled: Any = ndimage.label(np.abs(two - none).max(-1) > 0.1)
    marks, count = labelled
    assert count == 2
    colours = {tuple(np.round(np.median(two[marks == mark][:, :3], axis=0), 1)) for mark in (1, 2)}
    assert len(colours) == 2


def test_same_data_same_bytes() -> None:
    values = np.random.default_rng(3).normal(5, 1, 50)
    first, second = (histogram_figure(values, values + 1, label="d", title="t", colour="#0072B2") for _ in range(2))
    assert first.data == second.data
    assert (first.width_px, first.height_px) == (340, 275)
