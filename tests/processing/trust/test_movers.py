"""Particles that move during a scan are named, and what stays is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.movers import CASES, THETA, Case, evidence_of, run
from benchmarks.movers import scan_of as mover_scan
from tests.processing.trust import faults
from tests.processing.trust.faults import Region, scan
from xrm_control.analysis.population import pool
from xrm_control.contracts.columns import STANDARD
from xrm_control.contracts.rows import csv_text, read_rows
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.processing.trust.checks.continuity import ContinuityCheck
from xrm_control.processing.trust.checks.movers import MoversCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.judging import pictured
from xrm_control.processing.trust.left_out import leave_out_movers, marked
from xrm_control.processing.trust.movers import Mover, Movers, judged_shifts, movers
from xrm_control.processing.trust.particle_shifts import ParticleShifts
from xrm_control.reporting.figures.drawing import Chart

PIXEL_UM, U_PX, U_MORE = 0.5, 0.15, 0.03
BY_NAME = {case.name: case for case in CASES}


def shifts(
    paths_um: dict[int, np.ndarray], *, count: int = 14, seed: int = 0, whole_px: np.ndarray | None = None
) -> ParticleShifts:
    """Of particles that go these ways (n, 3), among others that stand still; whole_px (n, 2): of the views."""
    random = np.random.default_rng(seed)
    theta = np.append(THETA, 0.0)
    views = np.append(np.arange(len(THETA)), -1)
    angle = np.radians(theta)
    u = np.broadcast_to([U_MORE, U_PX, U_PX], (count, len(theta), 3)).copy()
    seen = random.standard_normal(u.shape) * u
    seen[..., 1:] += 0 if whole_px is None else whole_px
    for particle, path in paths_um.items():
        x, y, z = path.T / PIXEL_UM
        seen[particle - 1, :, 1] += x * np.cos(angle) - y * np.sin(angle)
        seen[particle - 1, :, 2] += z
    ids = np.arange(1, count + 1)
    return ParticleShifts(ids, views, theta, seen[..., 1], seen[..., 2], seen[..., 0], u)


def judged(found: ParticleShifts) -> Movers:
    return judged_shifts(found, PIXEL_UM, dict.fromkeys(found.ids.tolist(), 8.0))


def hop(step_um: tuple[float, float, float], view: int) -> np.ndarray:
    return (np.arange(len(THETA) + 1) >= view)[:, None] * np.array(step_um)


def creep(step_um: tuple[float, float, float]) -> np.ndarray:
    return np.linspace(0, 1, len(THETA) + 1)[:, None] * np.array(step_um)


def settling(step_um: tuple[float, float, float], share: float) -> np.ndarray:
    time = np.linspace(0, 1, len(THETA) + 1)
    gone = (1 - np.exp(-time / share)) / (1 - np.exp(-1 / share))
    return gone[:, None] * np.array(step_um)


WAYS = {
    "a hop sideways": (hop((0.8, 0, 0), 70), "hop", 0.8, 0.0),
    "a hop along the beam of the face-on view": (hop((0, 0.8, 0), 50), "hop", 0.8, THETA[50]),
    "a hop along the axis": (hop((0, 0, -0.6), 100), "hop", 0.6, THETA[100]),
    "a slant hop, early": (hop((0.6, 0.6, 0.6), 20), "hop", 1.04, THETA[20]),
    "before the repeated view": (hop((0.8, 0, 0.8), 141), "hop", 1.13, 0.0),
    "drift": (creep((0.8, 0.8, 0)), "drift", 1.13, THETA[0]),
    "settling": (settling((0.8, 0, 0.8), 0.2), "settle", 1.13, THETA[0]),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_way_is_told_with_its_length_and_angle(case: str) -> None:
    path, way, by_um, at_deg = WAYS[case]
    (one,) = judged(shifts({5: path})).those
    assert (one.particle, one.way) == (5, way)
    assert one.by_um == pytest.approx(by_um, abs=max(4 * one.u_um, 0.02))
    assert one.u_um < 0.15
    assert one.theta_deg == pytest.approx(at_deg, abs=2 * float(np.diff(THETA)[0]))


def test_steps_are_told_along_each_axis() -> None:
    (one,) = judged(shifts({3: hop((0.5, -0.7, 0.9), 66)})).those
    assert one.step_um == pytest.approx((0.5, -0.7, 0.9), abs=0.08)


def test_two_movers_are_two_and_the_surest_is_first() -> None:
    found = judged(shifts({2: hop((0.6, 0, 0), 60), 9: hop((0, 0, 2.0), 80)}))
    assert [one.particle for one in found.those] == [9, 2]
    assert found.looked_at == 14


STILL = {
    "nothing": None,
    "jitter": 0.3 * np.random.default_rng(5).standard_normal((len(THETA) + 1, 2)),
    "drift": np.linspace(-1.5, 1.5, len(THETA) + 1)[:, None] * np.array([1.0, -1.0]),
    "a slip": 2.0 * (np.arange(len(THETA) + 1) >= 60)[:, None] * np.array([1.0, 0.5]),
}


@pytest.mark.parametrize("case", STILL)
@pytest.mark.parametrize("seed", range(5))
def test_what_all_do_is_nobody_s_move(case: str, seed: int) -> None:
    assert judged(shifts({}, seed=seed, whole_px=STILL[case])).those == ()


def test_less_than_the_least_is_not_told() -> None:
    assert judged(shifts({5: hop((0.2, 0, 0), 70)})).those == ()


def test_one_that_is_there_in_half_of_the_views_is_gone() -> None:
    found = shifts({})
    found.more[4, 60:] -= 1.0
    (one,) = judged(found).those
    assert (one.particle, one.way, one.at_least) == (5, "gone", True)
    assert one.theta_deg == pytest.approx(THETA[60])


@pytest.mark.parametrize(("name", "seed"), [("hop 1 um", 1), ("hop 2 um", 4), ("drift 2 um", 0)])
def test_the_one_that_moves_in_a_bed_is_named_and_no_other(name: str, seed: int) -> None:
    found = run(BY_NAME[name], seed)
    assert (found.whole, found.named, found.false) == (True, True, 0)
    assert abs(found.off_um) < 0.35 * BY_NAME[name].by_um


@pytest.mark.parametrize("name", ["still", "still, 150 photons", "still, jitter 0.3 px"])
def test_nobody_is_named_in_a_bed_that_stands(name: str) -> None:
    assert run(BY_NAME[name], 0).false == 0


@pytest.fixture(scope="module")
def one_moved() -> RegionEvidence:
    return evidence_of(mover_scan(Case("one", "hop", 1.5), 1).scan)


def test_what_moved_is_said_and_passes_where_it_is_left_out(one_moved: RegionEvidence, tmp_path: Path) -> None:
    found = MoversCheck().look(one_moved)
    assert found.verdict is TrustVerdict.PASS
    assert found.reason.startswith("1 of 15 whole particles moved and is left out: particle 13 by 1.")
    assert MoversCheck().tells_more(one_moved)
    assert pictured(found, one_moved, tmp_path).picture == "trust-movers.png"
    # What passes and has no more to tell needs none.
    still = ContinuityCheck().look(one_moved)
    assert pictured(still, one_moved, tmp_path) == still
    assert [path.name for path in tmp_path.iterdir()] == ["trust-movers.png"]
    drawing = MoversCheck().picture(one_moved)
    assert isinstance(drawing, Chart)
    assert "Particle 13" in drawing.title
    theirs = replace(one_moved, own_tables=False)
    assert MoversCheck().look(theirs).verdict is TrustVerdict.DOUBT


def test_a_jump_that_is_explained_is_no_second_doubt(one_moved: RegionEvidence) -> None:
    assert ContinuityCheck().look(one_moved).verdict is TrustVerdict.PASS
    alone = ContinuityCheck().look(replace(one_moved, labels=None))
    assert alone.verdict is TrustVerdict.DOUBT
    assert "something moved" in alone.reason


def test_a_mover_counts_in_no_statistics(one_moved: RegionEvidence, tmp_path: Path) -> None:
    particles = one_moved.particles
    assert particles is not None
    (tmp_path / "particles.csv").write_text(csv_text(particles))
    assert leave_out_movers(one_moved, tmp_path, 1) == 1
    first = (tmp_path / "particles.csv").read_bytes()
    rows = read_rows(tmp_path / "particles.csv", STANDARD.particles)
    moved = np.isfinite(rows.numbers(Particle.moved_um))
    assert np.array(rows.ids(Particle.particle_id))[moved].tolist() == [13]
    assert rows.numbers(Particle.moved_um)[moved] == pytest.approx(1.5, abs=0.2)
    before, after = (pool(table, None).population for table in (particles, rows))
    assert after.n_whole == before.n_whole - 1
    others = particles.where(~moved & ~particles.flags(Particle.touches_boundary))
    mean = np.average(others.numbers(Particle.volume_um3), weights=others.numbers(Particle.weight))
    assert after.quantities["volume_um3"].mean == pytest.approx(mean)
    # Judged again, as when a run is resumed.
    again = replace(one_moved, particles=rows)
    assert leave_out_movers(again, tmp_path, 1) == 1
    assert (tmp_path / "particles.csv").read_bytes() == first


def test_a_mark_of_before_goes_where_nothing_moved(tmp_path: Path) -> None:
    evidence = faults.evidence_of(Region(scan()))
    assert evidence.particles is not None
    shown = shifts({})
    nan = np.full(len(shown.views), np.nan)
    one = Mover(1, "hop", 1.0, 0.1, (1.0, 0.0, 0.0), 3, 0.0, 20.0, nan, nan)
    rows = marked(evidence.particles, Movers((one,), 14, shown, 0.0))
    assert rows.numbers(Particle.moved_um)[0] == 1.0
    assert leave_out_movers(replace(evidence, particles=rows), tmp_path, 1) == 0
    written = read_rows(tmp_path / "particles.csv", STANDARD.particles)
    assert np.isnan(written.numbers(Particle.moved_um)).all()


@pytest.mark.parametrize(
    ("without", "why"),
    [
        ({"particles": None}, "no particles were measured"),
        ({"labels": None}, "no volume with labels"),
        ({"volume": None}, "no volume with labels"),
    ],
)
def test_why_nobody_could_look(without: dict[str, None], why: str) -> None:
    evidence = replace(faults.evidence_of(Region(scan())), **without)
    found = movers(evidence)
    assert isinstance(found, str)
    assert why in found
    assert MoversCheck().look(evidence).verdict is None
