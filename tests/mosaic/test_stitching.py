"""Stitching: tiles cut out of a scene that is known everywhere, at places that are known to a fraction of a pixel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from xrm_control.core.errors import DataError, StorageError
from xrm_control.mosaic.picture import Area, draw_mosaic, mosaic_figure
from xrm_control.mosaic.registration import PairShift
from xrm_control.mosaic.settling import settle
from xrm_control.mosaic.stitching import Mosaic, Tile, reach_px, stitch, transmission, write_mosaic

PIXEL_UM = 0.5
SIDE = 64


class Scene:
    """Gaussian blobs on a plane: smooth, so that its value anywhere is the value of a pixel there (stage um)."""

    def __init__(self, seed: int, extent_um: float = 100.0, count: int = 500) -> None:
        random = np.random.default_rng(seed)
        self.x, self.y = random.uniform(-extent_um / 2, extent_um / 2, (2, count))
        self.sigma = random.uniform(1.2, 3.0, count)
        self.depth = random.uniform(0.1, 0.3, count)

    def at(self, x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
        """On the grid of x (columns) and y (rows)."""
        across = np.exp(-((x_um[:, None] - self.x) ** 2) / 2 / self.sigma**2)
        down = np.exp(-((y_um[:, None] - self.y) ** 2) / 2 / self.sigma**2)
        return np.exp(-(down * self.depth) @ across.T)


def grid_of(
    scene: Scene,
    overlap: float,
    *,
    rows: int = 3,
    columns: int = 3,
    errors_um: np.ndarray | None = None,
    noise: float = 0.0,
    gain: Sequence[float] = (),
) -> list[Tile]:
    """Tiles whose stage positions are wrong by `errors_um` (tiles, 2): what was seen lay at position + error."""
    random = np.random.default_rng(7)
    pitch = SIDE * PIXEL_UM * (1 - overlap)
    offsets = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_UM
    tiles = []
    for k in range(rows * columns):
        row, column = divmod(k, columns)
        x, y = (column - (columns - 1) / 2) * pitch, (row - (rows - 1) / 2) * pitch
        dx, dy = (0.0, 0.0) if errors_um is None else errors_um[k]
        image = scene.at(x + dx + offsets, y + dy + offsets)
        image = image + noise * np.sqrt(image) * random.standard_normal(image.shape)
        image = image * (gain[k] if len(gain) else 1.0)
        tiles.append(Tile(row, column, image.astype(np.float32), x, y))
    return tiles


def pixel_places(mosaic: Mosaic) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = mosaic.image.shape
    p = mosaic.pixel_size_um
    return mosaic.x0_um + np.arange(columns) * p, mosaic.y0_um + np.arange(rows) * p


def relative(offsets_um: np.ndarray) -> np.ndarray:
    return offsets_um - offsets_um.mean(axis=0)


def test_tiles_edge_to_edge_make_the_scene() -> None:
    scene = Scene(1)
    mosaic = stitch(grid_of(scene, 0.0), PIXEL_UM)
    assert mosaic.image.shape == (3 * SIDE, 3 * SIDE)
    assert mosaic.image.dtype == np.float32
    assert (mosaic.x0_um, mosaic.y0_um) == pytest.approx((-(3 * SIDE - 1) / 2 * PIXEL_UM,) * 2)
    np.testing.assert_allclose(mosaic.image, scene.at(*pixel_places(mosaic)), atol=1e-6)
    assert mosaic.residual_um is None


def test_x_grows_to_the_right_and_y_downwards() -> None:
    tiles = [Tile(0, 0, np.full((4, 4), 1.0, np.float32), 0.0, 0.0), Tile(0, 1, np.full((4, 4), 2.0, np.float32), 4, 0)]
    tiles += [Tile(1, 0, np.full((4, 4), 3.0, np.float32), 0.0, 4.0)]
    mosaic = stitch(tiles, 1.0)
    assert mosaic.image[0, 0] == 1
    assert mosaic.image[0, -1] == 2
    assert mosaic.image[-1, 0] == 3
    assert np.isnan(mosaic.image[-1, -1])
    assert (mosaic.x0_um, mosaic.y0_um) == (-1.5, -1.5)


def test_tiles_at_fractions_of_a_pixel_are_placed_where_they_were() -> None:
    scene = Scene(2)
    jitter = np.random.default_rng(3).uniform(-0.24, 0.24, (9, 2))
    tiles = [
        Tile(t.row, t.column, t.image, t.x_um + dx, t.y_um + dy)
        for t, (dx, dy) in zip(grid_of(scene, 0.02, errors_um=jitter), jitter, strict=True)
    ]
    mosaic = stitch(tiles, PIXEL_UM, register=False)
    truth = scene.at(*pixel_places(mosaic))
    seen = np.isfinite(mosaic.image)
    assert seen.mean() > 0.98
    assert np.abs(mosaic.image - truth)[seen].mean() < 0.002
    assert np.abs(mosaic.image - truth)[seen].max() < 0.06  # at the tiles' rims half a pixel is extrapolated
    assert np.array_equal(mosaic.offsets_um, np.zeros((9, 2)))


# overlap, noise, tolerance in pixels. The scene's mean slope is about 0.03 a pixel, so n shared pixels with noise s
# hold a shift to s sqrt(2) / (0.03 sqrt(n)): 0.07, 0.04 and 0.12 pixels in the three noisy cases.
CASES = {
    "tenth shared, no noise": (0.10, 0.0, 0.02),
    "tenth shared, 3 % noise": (0.10, 0.03, 0.15),
    "quarter shared, 3 % noise": (0.25, 0.03, 0.06),
    "quarter shared, 8 % noise": (0.25, 0.08, 0.15),
}


@pytest.mark.parametrize("name", CASES)
def test_errors_of_the_stage_are_found_as_well_as_noise_allows(name: str) -> None:
    overlap, noise, tolerance_px = CASES[name]
    errors = np.random.default_rng(5).uniform(-0.5, 0.5, (9, 2))
    mosaic = stitch(grid_of(Scene(4), overlap, errors_um=errors, noise=noise), PIXEL_UM, stage_accuracy_um=0.8)
    wrong = relative(mosaic.offsets_um) - relative(errors)
    assert np.sqrt((wrong**2).mean()) < tolerance_px * PIXEL_UM
    assert mosaic.residual_um is not None
    assert mosaic.residual_um < tolerance_px * PIXEL_UM
    if not noise:
        shift = mosaic.offsets_um[0] - errors[0]
        x, y = pixel_places(mosaic)
        seen = np.isfinite(mosaic.image)
        assert np.abs(mosaic.image - Scene(4).at(x - shift[0], y - shift[1]))[seen].mean() < 0.003


def test_brightness_that_differs_from_tile_to_tile_does_not_move_them() -> None:
    errors = np.random.default_rng(6).uniform(-0.4, 0.4, (9, 2))
    gain = np.random.default_rng(6).uniform(0.95, 1.05, 9).tolist()
    mosaic = stitch(grid_of(Scene(4), 0.2, errors_um=errors, noise=0.02, gain=gain), PIXEL_UM)
    assert np.abs(relative(mosaic.offsets_um) - relative(errors)).max() < 0.1 * PIXEL_UM


def test_auto_registers_only_where_there_is_enough_to_compare() -> None:
    errors = np.random.default_rng(5).uniform(-0.3, 0.3, (9, 2))
    assert stitch(grid_of(Scene(4), 0.03, errors_um=errors), PIXEL_UM).residual_um is None
    assert stitch(grid_of(Scene(4), 0.10, errors_um=errors), PIXEL_UM).residual_um is not None
    assert stitch(grid_of(Scene(4), 0.10, errors_um=errors), PIXEL_UM, register=False).residual_um is None


def test_no_tile_moves_beyond_the_accuracy_of_the_stage() -> None:
    errors = np.random.default_rng(5).uniform(-1.5, 1.5, (9, 2))
    mosaic = stitch(grid_of(Scene(4), 0.2, errors_um=errors), PIXEL_UM, stage_accuracy_um=0.5)
    assert np.hypot(*mosaic.offsets_um.T).max() <= 0.5 + 1e-9


def test_tiles_without_contrast_stay_where_the_stage_says() -> None:
    flat = [Tile(t.row, t.column, np.ones_like(t.image), t.x_um, t.y_um) for t in grid_of(Scene(1), 0.2)]
    mosaic = stitch(flat, PIXEL_UM, register=True)
    assert np.array_equal(mosaic.offsets_um, np.zeros((9, 2)))
    assert mosaic.residual_um is None
    np.testing.assert_allclose(mosaic.image, 1.0)


def test_one_false_match_does_not_bend_the_rest() -> None:
    true = np.random.default_rng(1).uniform(-1, 1, (9, 2))
    pairs = [(i, j) for i in range(9) for j in (i + 1, i + 3) if j < 9 and (j != i + 1 or i % 3 < 2)]
    shifts = [PairShift(i, j, true[j] - true[i], np.eye(2) * 400) for i, j in pairs]
    shifts[4] = PairShift(shifts[4].first, shifts[4].second, shifts[4].shift_px + 3.0, shifts[4].information)
    centres = np.array([(k % 3, k // 3) for k in range(9)], float) * 50.0
    settled = settle(shifts, centres, 4.0, 0.0, 32.0)
    assert np.abs(relative(settled.offsets_px) - relative(true)).max() < 0.1
    assert settled.residual_px < 0.1
    assert settled.rejected == ((shifts[4].first, shifts[4].second),)


def test_bad_pixels_are_filled_from_the_neighbour_or_left_open() -> None:
    scene = Scene(1)
    tiles = grid_of(scene, 0.25)
    tiles[0].image[60, 10] = np.nan  # in the overlap with the tile below
    tiles[0].image[5, 5] = np.nan
    mosaic = stitch(tiles, PIXEL_UM, register=False)
    truth = scene.at(*pixel_places(mosaic))
    assert np.isnan(mosaic.image[5, 5])
    assert np.isnan(mosaic.image).sum() == 1
    assert mosaic.image[60, 10] == pytest.approx(truth[60, 10], abs=1e-5)


def test_a_missing_tile_is_a_hole() -> None:
    tiles = [t for t in grid_of(Scene(1), 0.0) if (t.row, t.column) != (1, 1)]
    mosaic = stitch(tiles, PIXEL_UM)
    assert np.isnan(mosaic.image[SIDE : 2 * SIDE, SIDE : 2 * SIDE]).all()
    assert np.isnan(mosaic.image).sum() == SIDE**2


BAD = {
    "no tiles": ([], PIXEL_UM, "no tiles"),
    "two shapes": (
        [Tile(0, 0, np.ones((4, 4), np.float32), 0, 0), Tile(0, 1, np.ones((4, 5), np.float32), 2, 0)],
        PIXEL_UM,
        "differ in shape",
    ),
    "no position": ([Tile(0, 0, np.ones((4, 4), np.float32), float("nan"), 0)], PIXEL_UM, "no stage position"),
    "no pixel size": ([Tile(0, 0, np.ones((4, 4), np.float32), 0, 0)], 0.0, "pixel size"),
    "millimetres for um": (
        [Tile(0, k, np.ones((4, 4), np.float32), 2000.0 * k, 2000.0 * k) for k in range(3)],
        PIXEL_UM,
        "too far apart",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_stitched_is_refused(name: str) -> None:
    tiles, pixel_um, words = BAD[name]
    with pytest.raises(DataError, match=words):
        stitch(tiles, pixel_um)


def test_transmission_undoes_flat_and_dark() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(0.1, 1.0, (20, 30))
    light, dark = random.uniform(2e4, 4e4, (20, 30)), random.uniform(90, 110, (20, 30))
    raw = np.rint(truth * light + dark).astype(np.uint16)
    result = transmission(raw, light + dark, dark)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, truth, atol=1 / 2e4)
    stack = transmission(raw, np.stack([light * 0.9 + dark, light * 1.1 + dark]), np.stack([dark - 1, dark + 1]))
    np.testing.assert_allclose(stack, truth, atol=1 / 2e4)


def test_pixels_that_cannot_be_trusted_are_not_numbers() -> None:
    flat, dark = np.full((3, 3), 1000.0), np.full((3, 3), 100.0)
    raw = np.full((3, 3), 500, np.uint16)
    flat[0, 0] = 100.0  # dead
    raw[1, 1] = 65535  # saturated
    assert np.isnan(transmission(raw, flat, dark)).tolist() == [[True, False, False], [False, True, False], [False] * 3]


@pytest.mark.parametrize(
    ("raw", "flat", "dark", "words"),
    [
        (np.ones((4, 4)), np.ones((4, 5)), np.zeros((4, 4)), "differ in shape"),
        (np.ones(4), np.ones(4), np.zeros(4), "differ in shape"),
        (np.ones((4, 4)), np.ones((4, 4)), np.ones((4, 4)), "no brighter"),
    ],
)
def test_references_that_do_not_fit_are_refused(
    raw: np.ndarray, flat: np.ndarray, dark: np.ndarray, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        transmission(raw, flat, dark)


def some_mosaic() -> Mosaic:
    image = np.linspace(0, 1, 6 * 9, dtype=np.float32).reshape(6, 9)
    image[0, 8] = np.nan
    return Mosaic(image, -12.5, 7.25, 0.512, np.zeros((1, 2)), None)


def test_the_file_is_calibrated(tmp_path: Path) -> None:
    path = tmp_path / "mosaic.ome.tif"
    write_mosaic(some_mosaic(), path)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        np.testing.assert_array_equal(file.asarray(), some_mosaic().image)
        xml = ElementTree.fromstring(file.ome_metadata or "")
        numerator, denominator = file.pages.first.tags["XResolution"].value
    name = {"ome": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
    pixels, plane = xml.find(".//ome:Pixels", name), xml.find(".//ome:Plane", name)
    description = xml.findtext(".//ome:Description", namespaces=name)
    assert pixels is not None
    assert plane is not None
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("0.512", "µm")
    assert (pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeYUnit")) == ("0.512", "µm")
    assert (plane.get("PositionX"), plane.get("PositionY"), plane.get("PositionXUnit")) == ("-12.5", "7.25", "µm")
    assert json.loads(description or "")["stage_y0_um"] == 7.25
    assert 1e4 / (numerator / denominator) == pytest.approx(0.512, rel=1e-6)  # the plain TIFF tags agree
    assert [p.name for p in tmp_path.iterdir()] == ["mosaic.ome.tif"]


def test_the_same_mosaic_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.ome.tif", "b.ome.tif"):
        write_mosaic(some_mosaic(), tmp_path / name)
        draw_mosaic(some_mosaic(), [], [], tmp_path / f"{name}.png")
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()
    assert (tmp_path / "a.ome.tif.png").read_bytes() == (tmp_path / "b.ome.tif.png").read_bytes()


@pytest.mark.parametrize("write", [write_mosaic, lambda m, p: draw_mosaic(m, [], [], p)])
def test_a_place_that_cannot_be_written_is_said(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StorageError, match="cannot be written"):
        write(some_mosaic(), tmp_path / "missing" / "mosaic.tif")


def test_the_picture_shows_regions_by_name_and_a_scale() -> None:
    mosaic = stitch(grid_of(Scene(1), 0.0), PIXEL_UM)
    figure = mosaic_figure(mosaic, [("roi-01", -10, 5, 20, 20), ("roi-02", 20, 20, 20, 20)], [(0, 0, 8), (5, 5, 6)])
    axes = figure.axes[0]
    words = [text.get_text() for text in axes.texts]
    assert words == ["roi-01", "roi-02", "10 µm"]
    assert axes.get_xlim() == pytest.approx((-48, 48))
    assert axes.get_ylim() == pytest.approx((48, -48))  # y grows downwards
    box = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (box.x0, box.x1, sorted((box.y0, box.y1))) == (pytest.approx(-20), pytest.approx(0), pytest.approx([-5, 15]))


def test_what_is_not_scanned_is_shown_beneath_what_is() -> None:
    left = [("12", 20, 20, 20, 20)]
    avoided = [Area("hair", -20, -20, 10, 30, False), Area("bubble", 20, -20, 12, 12, True)]
    figure = mosaic_figure(stitch(grid_of(Scene(1), 0.0), PIXEL_UM), [("roi-01", -10, 5, 20, 20)], [], left, avoided)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["12", "hair", "bubble", "roi-01", "10 µm"]
    assert [type(patch).__name__ for patch in axes.patches] == ["Rectangle", "Rectangle", "Ellipse", "Rectangle"]
    assert axes.patches[0].get_linewidth() < axes.patches[3].get_linewidth()


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    draw_mosaic(some_mosaic(), [("roi-01", -11, 8, 1, 1)], [], tmp_path / "mosaic.png")
    assert (tmp_path / "mosaic.png").read_bytes().startswith(b"\x89PNG")
    blank = Mosaic(np.full((4, 4), np.nan, np.float32), 0.0, 0.0, 1.0, np.zeros((1, 2)), None)
    draw_mosaic(blank, [], [], tmp_path / "blank.png")


@pytest.mark.parametrize(
    ("accuracy_um", "pixel_um", "placed", "reach"),
    [(1.0, 0.5, False, 4.0), (3.0, 0.5, False, 12.0), (3.0, 0.25, False, 24.0), (3.0, 0.5, True, 1.0)],
)
def test_two_tiles_may_lie_twice_as_far_apart_as_the_stage_is_off(
    accuracy_um: float, pixel_um: float, placed: bool, reach: float
) -> None:
    assert reach_px(accuracy_um, pixel_um, placed=placed) == reach
