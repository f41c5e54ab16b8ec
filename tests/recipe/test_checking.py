"""What needs no beam is found before there is any: refused or doubted, with place, value, limit and what to do."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest

from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig
from xrm_control import app
from xrm_control.acquisition.feasibility import elongation, longest_exposure_s
from xrm_control.core.errors import RecipeError, SafetyRefusal
from xrm_control.core.model import Spec
from xrm_control.devices.protocols import InstrumentDescription

RECIPES = Path(__file__).parents[2] / "recipes"
NMC811 = RECIPES / "nmc811_screening.yaml"
GIVEN = {"reconstruction.rotation_axis": "63.5"}

# A field of 105 um.
WIDE = {
    "instrument.rotation": "full", "scan.start_deg": "0", "scan.end_deg": "360", "scan.axis_offset_um": "20",
    "scan.useful_diameter_um": "60", "roi": "{kind: manual, positions: [{x_um: 0, y_um: 0}]}",
}  # fmt: skip

# Options over the shipped recipe; the field that is blamed; what is said of it.
REFUSED: list[tuple[dict[str, str], str, str]] = [
    # The strip decides where flats are taken.
    ({"sample.strip_width_um": "0.3"}, "sample.strip_width_um=0.3", "flats would be taken in it .* 300 if mm"),
    ({"sample.strip_width_um": "0.32"}, "sample.strip_width_um", "320 if mm were meant"),
    ({"sample.strip_width_um": "32"}, "sample.strip_width_um", "wholly beside the strip"),
    ({"sample.strip_width_um": "100"}, "sample.strip_width_um", "-50 to 50 um, mosaic x -163.8 to 163.8"),
    ({"sample.strip_width_um": "5", "mosaic.columns": "1"}, "sample.strip_width_um", "a tenth of the field"),
    ({"mosaic.columns": "9"}, "mosaic.columns=9", "wholly beside the strip"),
    ({"mosaic.centre_x_um": "300"}, "mosaic.centre_x_um=300", "wholly beside the strip"),
    ({"sample.strip_thickness_um": "0.08"}, "sample.strip_thickness_um", "axis would lie outside.* -0.04 to 0.04 um"),
    ({"roi.z_um": "60"}, "roi.z_um", "axis would lie outside"),
    ({"roi": "{kind: manual, positions: [{x_um: 0, y_um: 0, z_um: -55}]}"}, "roi", "z -55 um"),
    # Light.
    ({"scan.exposure_s": "3.5"}, "scan.exposure_s=3.5", r"saturates.* 3.5 s at binning 8.* 1.56 s .*1.2 s or less"),
    ({"scan.exposure_s": "500", "scan.binning": "1"}, "scan.exposure_s", "saturates"),
    ({"mosaic.exposure_s": "7"}, "mosaic.exposure_s=7", "saturates"),
    ({"mosaic.exposure_s": "0.0005"}, "mosaic.exposure_s", "less than one photon.*0.5 photons a pixel"),
    ({"scan.exposure_s": "0.02", "scan.binning": "1"}, "scan.exposure_s", "0.312 photons a pixel"),
    (
        {"scan.blocker": "3", "instrument.blocker": "false"},
        "scan.blocker=3",
        r"no opaque blade.*3 frames.*say auto or 0",
    ),
    # Half acquisition.
    (WIDE | {"scan.axis_offset_um": "30"}, "scan.axis_offset_um=30", "hardly overlap"),
    (WIDE | {"scan.axis_offset_um": "2000", "scan.binning": "1"}, "scan.axis_offset_um", "hardly overlap"),
    (WIDE | {"scan.end_deg": "180"}, "scan.end_deg", "needs a full turn"),
    (WIDE | {"roi": "{kind: grid, rows: 1, columns: 2, pitch_um: 70}"}, "roi", "twice"),
    (WIDE | {"roi": "{kind: varied_sizes, count: 3}"}, "roi", "twice"),
    (WIDE | {"reconstruction.half_acquisition": "false"}, "reconstruction.half_acquisition", "one side of the region"),
    (WIDE | {"reconstruction.rotation_axis": "63.5"}, "reconstruction.rotation_axis", "not where the scan keeps it"),
    (WIDE | {"scan.useful_diameter_um": "110"}, "scan.useful_diameter_um", "larger than the field.*105.536"),
    # Regions.
    ({"roi": "{kind: manual, positions: [{x_um: 150, y_um: 0}]}"}, "roi.positions[0]", "leaves the mosaic.*163.84"),
    ({"roi": "{kind: manual, positions: [{x_um: 0, y_um: 9}, {x_um: 9, y_um: -240}]}"}, "roi.positions[1]", "-240"),
    ({"roi": "{kind: grid, centre: {x_um: 900, y_um: 0}}"}, "roi", "no window of the grid"),
    ({"roi": "{kind: grid, pitch_um: 900}"}, "roi.pitch_um", "no window of the grid"),
    ({"roi.margin_um": "40"}, "roi.margin_um=40", "leaves nothing of the window"),
    ({"scan.moved_allowed_um": "40"}, "scan.moved_allowed_um", "below half the field of view"),
    # Detector.
    ({"reconstruction.rows": "[100, 50]"}, "reconstruction.rows", r"100 to 50, limit 0 to 128\).*\[50, 100\] perhaps"),
    ({"reconstruction.rows": "[0, 1024]"}, "reconstruction.rows", "0 to 1024, limit 0 to 128"),
    ({"reconstruction.rows": "[-4, 20]"}, "reconstruction.rows", "-4 to 20"),
    ({"reconstruction.rows": "[60, 64]"}, "reconstruction.rows", "too thin.*at least 8"),
    ({"reconstruction.rotation_axis": "9999"}, "reconstruction.rotation_axis", "not on the detector.*0 to 127"),
    ({"reconstruction.rotation_axis": "-1"}, "reconstruction.rotation_axis", "not on the detector"),
    ({"reconstruction.rotation_axis": "512"}, "reconstruction.rotation_axis", "count from 0 at the scan's binning"),
    ({"reconstruction.rotation_axis": "10"}, "reconstruction.rotation_axis", "disc of 10.8 um"),
    ({"reconstruction.preprocess.air_margin_px": "64"}, "reconstruction.preprocess.air_margin_px", "at most 63"),
    ({"reconstruction.preprocess.ring_window_px": "999"}, "reconstruction.preprocess.ring_window_px", "at most 64"),
    # Sampling.
    ({"scan.useful_diameter_um": "500"}, "scan.useful_diameter_um", "larger than the field.*500 um, limit 65.536"),
    ({"scan.useful_diameter_um": "66"}, "scan.useful_diameter_um", "larger than the field"),
    ({"scan.useful_diameter_um": "0.046"}, "scan.useful_diameter_um", "far too few projections"),
    ({"scan.useful_diameter_um": "1e300"}, "scan.useful_diameter_um", "at most"),
    ({"scan.projections": "2"}, "scan.projections=2", "far too few projections.*at least 7.*take 141"),
    ({"scan.projections": "6"}, "scan.projections", "far too few"),
    ({"scan.projections": "9001"}, "scan.projections", "closer than .*at most 9000"),
    (
        {"roi": "{kind: grid, rows: 30, columns: 30, pitch_um: 66}", "scan.references": "{kind: every, interval: 1}"},
        "scan.references",
        "more frames than a run may have",
    ),
    # Angles.
    ({"scan.start_deg": "-1.57", "scan.end_deg": "1.57"}, "scan.start_deg", "radians.*start_deg: -90 and end_deg: 90"),
    ({"scan.start_deg": "-1.5708", "scan.end_deg": "1.5708", **GIVEN}, "scan.start_deg", "radians"),
    ({"scan.start_deg": "0", "scan.end_deg": "3.1416", **GIVEN}, "scan.", "radians.*end_deg: 180"),
    ({"scan.start_deg": "0", "scan.end_deg": "6.283", **GIVEN}, "scan", "radians"),
    ({"scan.start_deg": "-9"}, "scan.start_deg=-9", "half a turn apart.*99.00 degrees covered"),
    ({"scan.end_deg": "9", **GIVEN, "scan.start_deg": "-9"}, "scan", "range of angles is too small.*18 in all"),
    ({"scan.start_deg": "-900"}, "scan.start_deg", "at least -720"),
    # Analysis.
    ({"analysis.threshold": "{kind: fixed, level_per_um: 0.5}"}, "analysis.threshold", "no particle would be found"),
    ({"analysis.min_particle_um": "70"}, "analysis.min_particle_um", "none that is so large fits"),
    ({"handoff.command": "[no-such-program]"}, "handoff.command", "no such program in the search path"),
    ({"handoff.command": "[./no-such-program]"}, "handoff.command", "there is no such program"),
    ({"handoff.command": "[/]"}, "handoff.command", "is a folder"),
    ({"handoff.command": "[/etc/passwd]"}, "handoff.command", "may not be executed"),
    ({"handoff.command": "[sh, no_such_core.sh]"}, "handoff.command", "no such file.*no_such_core.sh"),
    ({"handoff.command": "['']"}, "handoff.command", "names no program"),
    ({"handoff.command": "[sh]", "handoff.core": "mine"}, "handoff", "only one can take the volumes"),
    ({"handoff.command": "[sh]", "handoff.timeout_s": "0.01"}, "handoff.timeout_s", "at least 1 s"),
    # Material.
    ({"sample.formula": "''"}, "sample.formula", "it is empty"),
    ({"sample.formula": "(" * 90 + "Li" + ")" * 90}, "sample.formula", "deeper than 10"),
    ({"sample.formula": "(" * 5000 + "Li" + ")" * 5000}, "sample.formula", "at most 200 characters, got 10002"),
    ({"sample.formula": "1e300"}, "sample.formula", "expected text"),
    ({"sample.formula": "'1e300'"}, "sample.formula", "follows no element"),
    ({"sample.formula": "Li1e300O2"}, "sample.formula", "at most 10000"),
    ({"sample.formula": "Unobtainium"}, "sample.formula", "Unobtainium"),
    # Numbers that would switch something off.
    ({"output.keep_free_gb": "1e300"}, "output.keep_free_gb", "at most"),
    ({"reconstruction.preprocess.zinger_sigmas": "1e300"}, "zinger_sigmas", "at most 1000"),
    ({"retry.beam_wait_s": "1e300"}, "retry.beam_wait_s", "at most"),
    ({"scan.clear_margin_um": "1e300"}, "scan.clear_margin_um", "at most"),
    ({"safety.clearance_um": "1e300"}, "safety.clearance_um", "at most 20000"),
]

UNSAFE: list[tuple[dict[str, str], str, str]] = [
    (WIDE | {"instrument.rotation": "half"}, "scan.end_deg", "axis theta .*95"),
    ({"safety.clearance_um": "3001"}, "safety.clearance_um", "wider than the instrument's.*limit 3000 um"),
    ({"safety.clearance_um": "100"}, "safety.clearance_um", "too close to the optics"),
    ({"sample.strip_width_um": "4000"}, "sample.strip_width_um", "axis x would leave its limits.*for the flats"),
    ({"scan.clear_margin_um": "2500"}, "scan.clear_margin_um", "axis z would leave its limits.*for the flats"),
    ({"mosaic.rows": "100"}, "mosaic.rows", "axis y would leave"),
    ({"mosaic.z_um": "800"}, "mosaic.z_um", "axis z would leave"),
    ({"scan.start_deg": "-120"}, "scan.start_deg", "axis theta would leave.*-120"),
    ({"scan.end_deg": "96"}, "scan.end_deg", "axis theta would leave"),
    ({"safety.x_um": "[-3000, 3000]"}, "safety.x_um", "inside the controller's"),
    ({"safety.theta_deg": "[90, -90]"}, "safety.theta_deg", "lower limit must be below"),
]

DOUBTED: list[tuple[dict[str, str], str, str]] = [
    ({"sample.strip_width_um": "250"}, "sample.strip_width_um", "mosaic shows places where flats are taken"),
    ({"scan.clear_margin_um": "0"}, "scan.clear_margin_um", "mosaic shows places where flats"),
    ({"scan.exposure_s": "1.5"}, "scan.exposure_s", "nearly fills the camera"),
    ({"scan.exposure_s": "0.05"}, "scan.exposure_s", "14 % noise"),
    ({"mosaic.exposure_s": "0.02"}, "mosaic.exposure_s", "22 % noise"),
    ({"scan.projections": "41"}, "scan.projections", "few projections: nothing finer than 1.8 um.*141 to a half turn"),
    ({"scan.projections": "100"}, "scan.projections", "few projections"),
    ({"scan.useful_diameter_um": "20"}, "scan.useful_diameter_um", "disc of 32.8 um"),
    ({"scan.start_deg": "-60", "scan.end_deg": "60", **GIVEN}, "scan.start_deg", "1.55 times as long"),
    ({"scan.start_deg": "-9", **GIVEN}, "scan.start_deg", "81 degrees are not seen"),
    ({"roi": "{kind: grid, rows: 9, columns: 2}"}, "roi", "windows will be left out"),
    ({"roi.count": "99"}, "roi.count", "99 regions, limit 40 windows"),
    ({"reconstruction.rotation_axis": "30"}, "reconstruction.rotation_axis", "disc of 31.2 um is seen whole"),
    ({"analysis.min_particle_um": "0.5"}, "analysis.min_particle_um", "no more than noise"),
    ({"analysis.threshold": "{kind: fixed, level_per_um: 0.002}"}, "analysis.threshold", "near one of the two levels"),
    ({"scan.references": "{kind: every, interval: 500}"}, "scan.references", "no references are taken during"),
    ({"sample.formula": "Au", "sample.density_g_cm3": "19.3"}, "sample.formula", "would be opaque"),
    ({"sample.density_g_cm3": "0.00478"}, "sample.density_g_cm3", "would hardly show"),
]


def case_id(item: object) -> str:
    return ",".join(f"{key}={value[:20]}" for key, value in item.items()) if isinstance(item, dict) else ""


def check(options: dict[str, str]) -> tuple[str, ...]:
    return tuple(warning.message() for warning in app.check(app.load(NMC811, options)).warnings)


@pytest.mark.parametrize(("options", "blamed", "said"), REFUSED, ids=case_id)
def test_refused(options: dict[str, str], blamed: str, said: str) -> None:
    with pytest.raises(RecipeError, match=f"(?s){said}") as caught:
        check(options)
    assert blamed in str(caught.value)


def test_a_cluster_needs_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "distributed" else found(name))
    with pytest.raises(RecipeError, match=r"compute\.kind.*dask is not installed.*distributed.*pip install"):
        check({"compute.kind": "dask"})
    assert check({"compute.kind": "processes"}) == ()


@pytest.mark.parametrize(("options", "blamed", "said"), UNSAFE, ids=case_id)
def test_unsafe(options: dict[str, str], blamed: str, said: str) -> None:
    with pytest.raises(SafetyRefusal, match=f"(?s){said}") as caught:
        check(options)
    assert blamed in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("options", "blamed", "said"), DOUBTED, ids=case_id)
def test_doubted(options: dict[str, str], blamed: str, said: str) -> None:
    (warning,) = check(options)
    assert blamed in warning
    assert re.search(said, warning), warning


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_beyond_doubt(path: Path) -> None:
    assert app.check(app.load(path)).warnings == ()


SOUND = [
    WIDE,
    {"sample": "{strip_width_um: 30}", "mosaic": "{columns: 1, clear_margin_um: 18}", "scan.clear_margin_um": "18"},
    {"sample.strip_width_um": "400"},
    {"scan.exposure_s": "1.4"},
    {"scan.exposure_s": "20", "scan.binning": "1", "reconstruction.rows": "[0, 8]"},
    {"scan.projections": "181"},
    {"scan.start_deg": "-92", "scan.end_deg": "92"},
    {"scan.start_deg": "-90", "scan.end_deg": "89"},
    {"reconstruction.rotation_axis": "66"},
    {"reconstruction.rows": "[0, 128]"},
    {"safety.clearance_um": "500"},
    {"handoff.command": "[sh, -c, exit]"},
    {"sample.formula": "Li(Ni0.8Mn0.1Co0.1)O2"},
    {"roi": "{kind: manual, positions: [{x_um: 131, y_um: 229}]}"},
]


@pytest.mark.parametrize("options", SOUND, ids=case_id)
def test_sound(options: dict[str, str]) -> None:
    assert check(options) == ()


def test_a_mistake_is_told_with_the_line_of_its_file_and_all_are_told_at_once(tmp_path: Path) -> None:
    text = NMC811.read_text(encoding="utf-8").replace("strip_width_um: 320", "strip_width_um: 0.3")
    text = text.replace("rotation_axis: auto", "rotation_axis: 9999").replace("end_deg: 90", "end_deg: 99")
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    with pytest.raises(SafetyRefusal) as caught:
        app.check(app.load(path))
    said = str(caught.value).splitlines()
    for key in ("sample.strip_width_um", "reconstruction.rotation_axis", "scan.end_deg"):
        number = next(n for n, line in enumerate(lines, 1) if line.strip().startswith(key.split(".")[1]))
        assert any(line.startswith(f"{path}:{number}: {key}: ") and " -> " in line for line in said), said


_EPICS = {"instrument": "{backend: epics}"}


@pytest.mark.parametrize(("known", "says"), [("3000", "wider than the instrument's"), ("null", "does not say where")])
def test_no_number_of_a_recipe_widens_the_envelope(known: str, says: str) -> None:
    wide = {**_EPICS, "instrument.map.clearance_um": known, "safety.clearance_um": "9000"}
    with pytest.raises(SafetyRefusal, match=says):
        check(wide)
    assert not check({**_EPICS, "instrument.map.clearance_um": "9000", "safety.clearance_um": "9000"})
    assert not check({**wide, "safety.clearance_um": "2900"})


def test_a_map_that_says_what_a_photon_counts_bounds_exposures() -> None:
    with pytest.raises(RecipeError, match=r"saturates the camera.*limit 1\.57 s"):
        check({**_EPICS, "scan.exposure_s": "3.5"})
    with pytest.raises(RecipeError, match=r"saturates the camera.*4095 counts"):
        check({**_EPICS, "instrument.map.camera.full_scale": "4095"})
    (warning,) = check({**_EPICS, "instrument.map.camera.counts_per_photon": "null", "scan.exposure_s": "3.5"})
    assert "nobody has said what a photon counts" in warning


def full_share(exposure_s: float, binning: int) -> float:
    """Share of an open-beam frame's pixels that are full."""
    microscope = Microscope(MicroscopeConfig(specimen=SpecimenConfig("empty", tape=False)))
    microscope.configure_camera(binning, exposure_s, 0.0)
    microscope.set_shutter(True, 0.0)
    exposure = microscope.expose(1.0)
    frame = microscope.read(exposure.number, exposure.ready_s)
    assert frame is not None
    return float(np.mean(frame.image >= 0.995 * 65535))


def description() -> InstrumentDescription:
    return app.load(NMC811).recipe.instrument.describe()


@pytest.mark.parametrize("binning", [4, 8])
def test_the_longest_exposure_is_that_of_the_microscope(binning: int) -> None:
    """Half a per cent of full pixels is what a run refuses."""
    longest_s = longest_exposure_s(binning, description())
    assert longest_s is not None
    assert full_share(longest_s, binning) < 0.01
    assert full_share(0.95 * longest_s, binning) < 0.005 < full_share(1.05 * longest_s, binning)


def test_elongation_is_that_of_the_missing_wedge() -> None:
    """1.55 at -60 to 60 and 1.31 at -70 to 70 degrees are the textbook's."""
    assert [round(elongation(2 * tilt), 2) for tilt in (60, 70, 90)] == [1.55, 1.31, 1.0]
    assert math.isinf(elongation(0.0))


def numbers(model: type[Spec]) -> list[str]:
    """Fields of a specification that take any number, however large."""
    fields = model.model_json_schema()["properties"]
    found = []
    for name, field in fields.items():
        for choice in field.get("anyOf", [field]):
            if choice.get("type") in ("number", "integer") and not {"maximum", "exclusiveMaximum"} & choice.keys():
                found += [f"{model.__name__}.{name}"] if "enum" not in choice and "const" not in choice else []
    return found


def test_every_number_of_a_stage_has_an_upper_bound() -> None:
    """None that is typed wrongly by powers of ten passes as a setting; but for seeds and what the detector bounds."""
    recipe = app.load(NMC811).recipe
    stages: list[Spec] = [recipe.sample, recipe.safety, recipe.mosaic, recipe.roi, recipe.scan, recipe.retry]
    stages += [
        recipe.output,
        recipe.handoff,
        recipe.analysis,
        recipe.analysis.split,
        recipe.analysis.voids,
        recipe.reconstruction,
    ]
    stages += [recipe.reconstruction.preprocess, recipe.scan.references, recipe.scan.order]
    found = [name for stage in stages for name in numbers(type(stage))]
    assert found == ["AnalysisSpec.seed", "ReconstructionSpec.rotation_axis"]
