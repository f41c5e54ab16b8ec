"""Each check rises for its own fault, by name, with a picture of it, and stays down without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.processing.trust import bodies, faults, reference_faults
from tests.processing.trust.faults import Region, evidence_of, scan
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult, TrustVerdict, worst
from xrm_control.processing.trust.check import TrustCheck, all_checks
from xrm_control.processing.trust.checks.attenuation import AttenuationCheck
from xrm_control.processing.trust.checks.axis_halves import AxisHalvesCheck
from xrm_control.processing.trust.checks.expected import FOUND, ExpectedCheck
from xrm_control.processing.trust.checks.stray_light import StrayLightCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.judging import judged, pictured
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reporting.figures.drawn import HEIGHT_PX, WIDTH_PX
from xrm_control.reporting.figures.style import CSS_PX_PER_INCH, PNG_DPI

RAISED = (TrustVerdict.DOUBT, TrustVerdict.REDO)


CHECKS = {check.model_dump()["kind"]: check for check in all_checks()}


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_scan_passes_every_check(seed: int) -> None:
    found = judged(evidence_of(Region(scan(seed))))
    assert {one.check: one.text for one in found if one.verdict in RAISED} == {}
    assert {one.check for one in found if one.verdict is TrustVerdict.PASS} == CHECKS.keys()
    assert worst(found) is TrustVerdict.PASS


def altered(alter: faults.Alter) -> Callable[[], Region]:
    return lambda: Region(alter(scan()))


def as_taken(alter: faults.Alter) -> Callable[[], Region]:
    return lambda: Region(alter(scan()), faults.AS_TAKEN)


CASES = {
    "stray light in a thick bed": (
        "stray_light",
        "stray light",
        lambda: Region(faults.stray_light(0.4)(faults.thick())),
    ),
    "stray light that leaves mu open": ("stray_light", "leaves mu uncertain by 5.9 %", lambda: Region(
        faults.stray_measured(0.02))),
    "a blade that tells nothing": ("stray_light", "not taken off", lambda: Region(faults.blade_without_shade())),
    "much stray light": ("attenuation", "below the tabulated", altered(faults.stray_light(0.5))),
    "another material": (
        "attenuation",
        "above the tabulated",
        lambda: Region(scan(), sample=faults.SAMPLE.model_copy(update={"formula": "LiFePO4", "density_g_cm3": 3.6})),
    ),
    "30 degrees missing": ("angles", "gaps", altered(faults.gap(20, 50))),
    "-60 to 60 degrees": ("angles", "gaps", lambda: Region(
        faults.scan().without(np.flatnonzero(np.abs(faults.THETA) > 60).tolist()),
        ReconstructionSpec(rotation_axis=faults.AXIS_PX))),
    "a sixth of the views": ("angles", "too few projections", altered(faults.every(6))),
    "jitter of 0.8 px": ("motion", "motion", as_taken(faults.shifted_views(
        lambda n: float(np.random.default_rng(n).normal(0, 0.8))))),
    "a sample that sinks by 2 px": ("motion", "motion", as_taken(faults.sunken(2.0))),
    "a view that comes back 2 px beside": ("repeated_view", "2.0", as_taken(faults.comes_back(2.0))),
    "four dead columns": ("dead_columns", "dead columns", altered(faults.dead_columns(40, 41, 42, 43))),
    "a column of another gain": ("dead_columns", "dead columns", altered(faults.weak_columns(0.9, 60))),
    "flats in powder": ("flats", "powder or dust", altered(reference_faults.flats_in_powder)),
    "flats in powder, seen by the light": ("transmission", "transmission above 1", altered(
        reference_faults.flats_in_powder)),
    "flats exposed for less": ("transmission", "transmission above 1", altered(reference_faults.dim_flats)),
    "saturated flats": ("frames", "saturated", altered(reference_faults.saturated_flats(1, 2))),
    "darks that were taken too low": ("dark_level", "counts above what was taken off", lambda: Region(
        reference_faults.darks_off(-0.06)(faults.four_fold()))),
    "views half black": ("frames", "black", altered(faults.black_views(30, 60))),
    "two neighbouring views half black": ("frames", "black", altered(faults.black_views(60, 61))),
    "a slip of 2 px in mid-scan": ("continuity", "slip", as_taken(faults.shifted_views(lambda n: 2.0 * (n > 60)))),
    "a drift of 3 px over the scan": ("drift", "drift", as_taken(faults.shifted_views(lambda n: 3.0 * n / 120))),
    "a dense bed": ("starved_rays", "dense bed", lambda: Region(faults.dense_bed())),
    "two materials": ("mu_spread", "spread of mu", lambda: Region(faults.two_materials())),
    "dust of lighter matter": ("faint", "too faint for their size", lambda: Region(faults.dusty())),
    "particles with a dense core": ("one_grey", "not of one grey", lambda: Region(faults.graded())),
    "an axis that is stated wrong": ("axis_halves", "axis used is 3", lambda: Region(
        scan(), ReconstructionSpec(rotation_axis=faults.AXIS_PX + 3))),
    "particles too large": ("coarse_tail", "coarse tail", lambda: Region(scan(), diameters_um=(6.0, 8.0, 30.0))),
    "particles that were promised": ("expected_particles", "promised", lambda: Region(scan(), expected=120)),
    "particles that nobody promised": ("expected_particles", "promised", lambda: Region(scan(), expected=0)),
    "a detector that is tilted": ("axis_halves", "between halves", lambda: Region(faults.tilted())),
    "an axis that moves during a full turn": ("axis_halves", "first and last pairs", lambda: Region(
        faults.full_turn(4.0))),
    "views of 1.3 times the variance": ("noise", "differ from the flats", altered(faults.noisier(0.3))),
    "smoothed frames": ("noise", "smoothed", altered(faults.smoothed_frames(0.5))),
    "each frame twice": ("noise", "stored twice", altered(faults.each_twice)),
    "each frame twice, seen by the halves": ("resolution", "share their noise", altered(faults.each_twice)),
    "a gain that is off by a fifth": ("noise", "a photon makes", lambda: Region(
        scan(), counts_per_photon=1.2 * faults.COUNTS_PER_PHOTON)),
    "views out of focus": ("resolution", "blur", altered(faults.blurred(2.0))),
    "torn frames": ("reprojection", "around row", altered(faults.torn)),
    "views half black, unexplained": ("reprojection", "unexplained", altered(faults.black_views(30, 60))),
    "powder that does not hold": ("movers", "whole particles moved and are left out", lambda: Region(
        faults.restless(5))),
    "lobes that are nearly grown together": ("necks", "may be one", lambda: Region(
        bodies.nearly_grown_together(0.5))),
    "voids behind walls of 0.3 um": ("lids", "closed at a quarter", lambda: Region(bodies.lidded(0.3))),
    "particles of 0.4 of the attenuation": ("light_phase", "light bodies", lambda: Region(
        bodies.with_lighter_ones(0.4))),
    "a crack": ("facing_faces", "may be one with a crack", lambda: Region(faults.cracked())),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def faulty(request: pytest.FixtureRequest) -> tuple[str, RegionEvidence]:
    """The name of a case and its evidence, made once."""
    return request.param, evidence_of(CASES[request.param][2]())


def test_a_fault_raises_its_check(faulty: tuple[str, RegionEvidence]) -> None:
    name, words, _ = CASES[faulty[0]]
    (found,) = judged(faulty[1], (CHECKS[name],))
    assert found.verdict in RAISED, found
    assert words in found.text
    assert found.remedy
    if name == "motion":
        numbers = {one.name: one.value or 0.0 for one in found.evidence}
        both = np.hypot(numbers["sideways, rms, px"], numbers["along the axis, rms, px"])
        assert numbers["displacement of views, rms, px"] == pytest.approx(both)


def test_a_check_that_speaks_is_shown_beside_its_figures(faulty: tuple[str, RegionEvidence], tmp_path: Path) -> None:
    case, evidence = faulty
    check = CASES[case][0]
    (found,) = judged(evidence, (CHECKS[check],))
    shown = pictured(found, evidence, tmp_path)
    assert shown.picture == f"trust-{check}.png"
    assert shown == found.model_copy(update={"picture": shown.picture})
    first = (tmp_path / shown.picture).read_bytes()
    image = matplotlib.image.imread(BytesIO(first), format="png")
    assert 0.95 < image.shape[1] / (WIDTH_PX * PNG_DPI / CSS_PX_PER_INCH) < 1.05
    assert image.shape[0] <= 2.3 * HEIGHT_PX * PNG_DPI / CSS_PX_PER_INCH
    assert image[..., :3].std() > 0.05
    pictured(found, evidence, tmp_path)
    assert (tmp_path / shown.picture).read_bytes() == first


def test_every_check_has_a_case() -> None:
    assert {name for name, _, _ in CASES.values()} == CHECKS.keys()


@pytest.mark.parametrize("sunk_um", [0.3, 0.5])
def test_small_particles_on_large_ones_are_no_halves_of_one(sunk_um: float) -> None:
    """They face their hosts with most of their section."""
    evidence = evidence_of(Region(bodies.with_satellites(sunk_um)))
    assert evidence.particles is not None
    diameters_um = evidence.particles.numbers(Particle.equivalent_diameter_um)
    assert np.count_nonzero(abs(diameters_um - 4.6) < 0.3) >= 2
    (found,) = judged(evidence, (CHECKS["facing_faces"],))
    assert found.verdict is TrustVerdict.PASS, found


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (lambda: Region(scan()), r"nothing was measured behind a blade: .* may take \d %"),
        (lambda: Region(faults.stray_measured(1e-4)), "stray light was measured behind a blade and taken off"),
    ],
)
def test_a_sound_scan_says_whether_stray_light_was_measured(region: Callable[[], Region], words: str) -> None:
    found = {one.check: one for one in judged(evidence_of(region()), (StrayLightCheck(), AttenuationCheck()))}
    assert re.search(words, found["stray_light"].reason)
    assert {one.verdict for one in found.values()} == {TrustVerdict.PASS}
    told = {one.name for one in found["attenuation"].evidence}
    assert ("of which stray light leaves uncertain" in told) == ("taken off" in words)


@pytest.mark.parametrize("seed", range(4))
def test_what_the_specimen_holds_is_what_is_found(seed: int) -> None:
    """The balls of the specimen that lie in the window less its margin, as a mosaic without fault counts them."""
    across, along = 24 - faults.MARGIN_UM, 16 - faults.MARGIN_UM
    inside = [
        ball
        for ball in faults.bed(seed)
        if np.hypot(ball.x_um, ball.y_um) + ball.radius_um <= across and abs(ball.z_um) + ball.radius_um <= along
    ]
    (found,) = judged(evidence_of(Region(scan(seed), expected=len(inside))), (ExpectedCheck(),))
    assert found.verdict is TrustVerdict.PASS, found
    counted = {one.name: one.value for one in found.evidence}
    assert counted[FOUND] == pytest.approx(len(inside), abs=1)


def test_a_third_that_the_mosaic_made_up_is_told() -> None:
    promised = {one.name: one.value for one in judged(evidence_of(Region(scan())), (ExpectedCheck(),))[0].evidence}
    told = judged(evidence_of(Region(scan(), expected=2 * round(promised[FOUND] or 0) + 4)), (ExpectedCheck(),))[0]
    assert told.verdict is TrustVerdict.DOUBT
    assert "what is no particle" in told.remedy


def test_a_full_turn_whose_axis_stays_is_not_doubted_for_it() -> None:
    (found,) = judged(evidence_of(Region(faults.full_turn(0.0))), (AxisHalvesCheck(),))
    assert found.verdict is TrustVerdict.PASS, found
    assert any(one.name.startswith("first and last pairs") for one in found.evidence)


def test_a_check_that_cannot_be_made_is_a_doubt() -> None:
    class Broken(TrustCheck):
        kind: str = "broken"

        def look(self, evidence: RegionEvidence) -> CheckResult:
            raise ValueError("no such thing")

    (found,) = judged(evidence_of(Region(scan())), (Broken(),))
    assert (found.verdict, found.reason) == (TrustVerdict.DOUBT, "broken could not be checked: no such thing")
