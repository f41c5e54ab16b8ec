"""`xrm calibrate` on the simulator, held against its truth; and what becomes of a run whose camera stands otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulators.config import MicroscopeConfig
from xrm_control import app
from xrm_control.app.calibration import calibrate
from xrm_control.contracts.alignment import ALIGNMENT, Alignment
from xrm_control.contracts.rois import ROIS
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import CameraMoved, DataError, RecipeError, UnusableData
from xrm_control.core.events import AlignmentLook
from xrm_control.devices.simulated_geometry import SimulatedGeometry
from xrm_control.storage.journal import JournalReader

pytestmark = pytest.mark.usefixtures("white_figures")

TURNED = {"camera": {"rotation_deg": 2.0, "scale_x": 1.01, "scale_y": 1.01}, "x": {"backlash_um": 1.0}}
MIRRORED = {"camera": {"rotation_deg": -1.0, "mirrored": True}}


def recipe(folder: Path, geometry: dict[str, Any], **more: Any) -> app.Loaded:
    """Blobs in place of powder: a calibration looks at whatever there is to see."""
    path = folder / "recipe.yaml"
    content = {
        "name": "askew",
        "instrument": {"backend": "simulated", "rendering": False, "geometry": geometry},
        "mosaic": {"rows": 2, "columns": 2, "overlap_percent": 15},
        "roi": {"kind": "most_particles", "count": 1},
        **more,
    }
    path.write_text(yaml.safe_dump(content))
    return app.load(path)


def truth(geometry: dict[str, Any]) -> np.ndarray:
    return SimulatedGeometry.model_validate(geometry).applied(MicroscopeConfig()).stand.matrix()


@pytest.mark.parametrize(("geometry", "mirrored"), [(TURNED, False), (MIRRORED, True)])
def test_the_camera_is_found_as_it_stands(tmp_path: Path, geometry: dict[str, Any], mirrored: bool) -> None:
    out = tmp_path / "alignment.yaml"
    # What a try on a full disk has left bars no way.
    out.with_name("alignment.yaml.part").write_text("half")
    found = calibrate(recipe(tmp_path, geometry), out, mirrored=mirrored)
    off = np.abs(np.array(found.picture_to_stage) - truth(geometry))
    assert (off < 4 * np.array(found.picture_to_stage_u)).all()
    assert off.max() < 0.005
    assert found.backlash_x_um == pytest.approx(geometry.get("x", {}).get("backlash_um", 0.0), abs=0.1)
    assert found == ALIGNMENT.read(out)
    # A recipe takes the file in, and its meaning changes with it.
    with_it = recipe(tmp_path, geometry, alignment="alignment.yaml")
    assert with_it.recipe.alignment == found
    assert with_it.recipe.sha256() != recipe(tmp_path, geometry).recipe.sha256()


def test_where_the_file_cannot_be_is_asked_before_anything_moves(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        calibrate(recipe(tmp_path, TURNED), tmp_path / "none" / "alignment.yaml")


def test_a_mirror_image_that_nobody_stated_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "alignment.yaml"
    with pytest.raises(UnusableData, match="mirror image"):
        calibrate(recipe(tmp_path, MIRRORED), out)
    assert not out.exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "alignment.yaml"
    out.write_text("ours")
    with pytest.raises(RecipeError, match="there already"):
        calibrate(recipe(tmp_path, TURNED), out)
    assert out.read_text() == "ours"


def stored(folder: Path, geometry: dict[str, Any], **changes: Any) -> Alignment:
    """As a calibration without errors would have it."""
    (a, b), (c, d) = truth(geometry).tolist()
    one = Alignment(
        instrument="simulated microscope",
        measured_utc=utc_now(),
        pixel_size_um=0.064,
        picture_to_stage=((a, b), (c, d)),
        picture_to_stage_u=((0.002, 0.002), (0.002, 0.002)),
        mirrored=a * d - b * c < 0,
        backlash_x_um=1.0 if "x" in geometry else 0.0,
    ).model_copy(update=changes)
    ALIGNMENT.write(folder / "alignment.yaml", one)
    return one


OLD = {
    "too old": ({"measured_utc": utc_now() - timedelta(days=31)}, "alignment: age"),
    "of another instrument": ({"instrument": "another"}, "alignment: instrument"),
    "of another pixel": ({"pixel_size_um": 0.1}, "alignment: pixel"),
}


@pytest.mark.parametrize("name", OLD)
def test_one_that_does_not_fit_is_refused_before_anything_moves(tmp_path: Path, name: str) -> None:
    changes, what = OLD[name]
    stored(tmp_path, TURNED, **changes)
    loaded = recipe(tmp_path, TURNED, alignment="alignment.yaml")
    with pytest.raises(RecipeError, match=what):
        app.check(loaded)
    assert [one.what for one in app.examine(loaded) if not one.ok] == [what]


def test_a_matrix_that_mirrors_needs_to_be_stated(tmp_path: Path) -> None:
    stored(tmp_path, MIRRORED, mirrored=False)
    with pytest.raises(RecipeError, match="mirror image"):
        recipe(tmp_path, MIRRORED, alignment="alignment.yaml")


def test_a_run_holds_the_alignment_against_known_moves_and_uses_it(tmp_path: Path) -> None:
    stored(tmp_path, MIRRORED)
    outcome = app.run(recipe(tmp_path, MIRRORED, alignment="alignment.yaml"), tmp_path / "runs", None, until="rois")
    registration = ROIS.read(outcome.folder / "rois.json").mosaic.registration
    assert registration is not None
    assert np.abs(np.array(registration.picture_to_stage) - truth(MIRRORED)).max() < 0.01
    assert "stands as calibrated" in (outcome.folder / "log.jsonl").read_text()
    # A dark, a flat, and the middle of the mosaic with a move along either axis: no more light than that.
    with JournalReader.open(outcome.folder / "journal.sqlite") as journal:
        looks = [(round(look.data["x_um"]), round(look.data["y_um"])) for look in journal.events_of(AlignmentLook.kind)]
    clear, far_um = looks[0], round(0.4 * 65.536)
    assert looks == [clear, clear, (0, 0), (far_um, 0), (0, far_um)]
    assert len(list((outcome.folder / "checks").glob("*.tif"))) == 5


def test_a_camera_that_was_touched_ends_the_run_before_the_mosaic(tmp_path: Path) -> None:
    stored(tmp_path, {"camera": {"rotation_deg": 0.0}})
    touched = recipe(tmp_path, {"camera": {"rotation_deg": 4.0}}, alignment="alignment.yaml")
    with pytest.raises(CameraMoved, match="um off after a move"):
        app.run(touched, tmp_path / "runs", None)


SCANS = {
    "level": ({}, []),
    "turned": ({"camera": {"rotation_deg": 2.0}}, ["an axis along stage y is tilted"]),
    "mirrored": ({"camera": {"mirrored": True}}, ["mirror images"]),
}


@pytest.mark.parametrize("name", SCANS)
def test_what_scans_come_to_with_such_a_camera_is_said_before(tmp_path: Path, name: str) -> None:
    geometry, words = SCANS[name]
    stored(tmp_path, geometry)
    warnings = app.check(recipe(tmp_path, geometry, alignment="alignment.yaml")).warnings
    said = [one.what for one in warnings if one.where == "alignment: camera"]
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))


def test_an_axis_across_the_picture_cannot_be_reconstructed(tmp_path: Path) -> None:
    geometry = {"camera": {"transposed": True}}
    stored(tmp_path, geometry)
    with pytest.raises(RecipeError, match="lies across the picture"):
        app.check(recipe(tmp_path, geometry, alignment="alignment.yaml"))


TILTED = {
    "camera turned by 2 degrees": ({"camera": {"rotation_deg": 2.0}}, -2.0),
    "axis tilted by 1.5": ({"axis_tilt_deg": 1.5}, 1.5),
    "turned with the axis": ({"camera": {"rotation_deg": -1.0}, "axis_tilt_deg": -1.0}, 0.0),
}


@pytest.mark.parametrize("name", TILTED)
def test_the_axis_in_the_picture_is_told_by_opposite_views(tmp_path: Path, name: str) -> None:
    geometry, true_deg = TILTED[name]
    loaded = recipe(tmp_path, geometry, instrument={"backend": "simulated", "geometry": geometry})
    found = calibrate(loaded, tmp_path / "alignment.yaml")
    assert found.axis_tilt_deg == pytest.approx(true_deg, abs=0.06)
    assert found.axis_tilt_u_deg is not None
    assert found.axis_tilt_u_deg < 0.05
    assert "axis tilted by" in found.text()


def test_views_that_are_no_mirror_images_tell_no_tilt_and_scans_without_opposite_ones_ask_for_none(
    tmp_path: Path,
) -> None:
    blobs = calibrate(recipe(tmp_path, {}), tmp_path / "one.yaml")
    assert blobs.axis_tilt_deg is None
    assert "axis_tilt" not in (tmp_path / "one.yaml").read_text()
    geometry = {"axis_tilt_deg": 1.5}
    part = recipe(
        tmp_path,
        geometry,
        instrument={"backend": "simulated", "geometry": geometry},
        scan={"start_deg": -60, "end_deg": 60},
        reconstruction={"rotation_axis": 63.5},
    )
    assert calibrate(part, tmp_path / "two.yaml").axis_tilt_deg is None


def test_the_tilt_goes_with_the_alignment_to_the_reconstruction(tmp_path: Path) -> None:
    stored(tmp_path, {}, axis_tilt_deg=1.5, axis_tilt_u_deg=0.02)
    aligned = recipe(tmp_path, {}, alignment="alignment.yaml")
    assert aligned.recipe.aligned_reconstruction().known_tilt_deg == 1.5
    assert [one.what for one in app.check(aligned).warnings if one.where == "alignment: axis"] == [
        "volumes are made of pictures that are turned back by it: level the camera"
    ]
    # What the recipe says itself goes before, and must not be something else.
    said = recipe(tmp_path, {}, alignment="alignment.yaml", reconstruction={"known_tilt_deg": 0.5})
    assert said.recipe.aligned_reconstruction().known_tilt_deg == 0.5
    other = recipe(tmp_path, {}, alignment="alignment.yaml", reconstruction={"detector_tilt_deg": -1.5})
    with pytest.raises(RecipeError, match="alignment: axis"):
        app.check(other)
    assert recipe(tmp_path, {}).recipe.aligned_reconstruction().known_tilt_deg is None


def test_recipes_and_alignments_without_a_tilt_are_as_they_were(tmp_path: Path) -> None:
    stored(tmp_path, TURNED)
    dump = recipe(tmp_path, TURNED, alignment="alignment.yaml").recipe.model_dump(mode="json")
    assert "known_tilt_deg" not in dump["reconstruction"]
    assert not [name for name in dump["alignment"] if "tilt" in name]
