"""The simulator's own movers: how many of them are named, and how many others.

`python -m benchmarks.movers_twin [SEEDS [MOVERS MOVER_UM [PRESET]]]`: whole runs of one region of the preset `nmc622`,
seed after seed, in which this share of the particles (0.2) hops so far (2 um) at some moment of the scan; PRESET: the
instrument's realism (ideal). Whole particles alone are looked at. Early: before the views that see enough, within 17
degrees of the strip's edge.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from benchmarks.twin import RECIPE

_WITHIN_S, _EARLY_DEG = 300.0, -73.0


@dataclass(frozen=True)
class Found:
    """One run. moved, early: whole particles that hopped during the scan, and how many of them early; named,
    early_named: how many of these; false: named that had not; still: whole ones that had not; off_um: errors of the
    stated distances.
    """

    moved: int
    early: int
    named: int
    early_named: int
    false: int
    still: int
    off_um: tuple[float, ...]
    verdict: str
    said: tuple[str, ...]


def run(seed: int, movers: float, mover_um: float, preset: str, out: Path) -> Found:
    """A whole run, its table held against the truth."""
    from simulators.seeding import generator
    from xrm_control import app
    from xrm_control.contracts.columns import STANDARD
    from xrm_control.contracts.rows import read_rows
    from xrm_control.contracts.tables import Particle
    from xrm_control.core.states import FrameKind
    from xrm_control.processing.scans import middle_s
    from xrm_control.storage.journal import Journal
    from xrm_control.storage.run_folder import RunFolder

    realism = {"preset": preset, "movers": movers, "mover_um": mover_um, "movers_within_s": _WITHIN_S}
    instrument = {"backend": "simulated", "specimen": "nmc622", "seed": seed, "realism": realism}
    path = out / "movers.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "instrument": instrument}))
    outcome = app.run(app.load(path, {}), out, None, lambda *_: None, None)
    folder = RunFolder.open(outcome.folder)
    with Journal.open(folder.journal) as journal:
        stored = journal.stored_frames("roi-01")
    frames = [frame for plan, frame in stored if plan.kind is FrameKind.PROJECTION]
    # Until the view that is repeated.
    over_s = max(middle_s(frame) for plan, frame in stored if plan.kind in (FrameKind.PROJECTION, FrameKind.REPEAT))
    time_s = np.array([middle_s(frame) for frame in frames])
    theta = np.array([frame.exposure.actual.theta_deg for frame in frames])
    # As `simulators.moving` draws them.
    truth = json.loads(folder.truth.read_text())["particles"]
    random = generator(seed, "movers")
    hops: dict[int, tuple[float, np.ndarray]] = {}
    for body in truth:
        moves, at_s, heading = random.random(), random.uniform(0, _WITHIN_S), random.uniform(0, 2 * np.pi)
        if moves < movers:
            hops[body["id"]] = (at_s, mover_um * np.array((np.cos(heading), np.sin(heading), 0.0)))
    rows = read_rows(folder.roi("roi-01").particles, STANDARD.particles)
    rows = rows.where(~rows.flags(Particle.touches_boundary))
    places = np.stack([rows.numbers(Particle.stage_um[axis]) for axis in "xyz"], axis=1)
    named_um, sizes_um = rows.numbers(Particle.moved_um), rows.numbers(Particle.equivalent_diameter_um)
    counts = dict.fromkeys(("moved", "early", "named", "early_named", "false", "still"), 0)
    off: list[float] = []
    for place, moved_um, size_um in zip(places, named_um, sizes_um, strict=True):
        named = bool(np.isfinite(moved_um))
        body = min(truth, key=lambda one: _off(one, hops, place, time_s[0]))
        at_s, _ = hops.get(body["id"], (np.inf, None))
        if not time_s[0] < at_s < over_s or _off(body, hops, place, time_s[0]) > size_um / 2:
            counts["still"] += 1
            counts["false"] += named
            continue
        early = bool(np.interp(at_s, time_s, theta) < _EARLY_DEG)
        counts["moved"] += 1
        counts["early"] += early
        counts["named"] += named
        counts["early_named"] += early and named
        if named:
            off.append(float(moved_um) - mover_um)
    checks = outcome.results.quality["roi-01"].checks
    said = tuple(one.check for one in checks if one.verdict is not None and one.verdict.value != "pass")
    return Found(**counts, off_um=tuple(off), verdict=outcome.results.verdict.status.value, said=said)


def _off(body: dict[str, float], hops: dict[int, tuple[float, np.ndarray]], place: np.ndarray, begun_s: float) -> float:
    """How far a place lies from the way that a true particle went during the scan."""
    start = np.array([body[f"{axis}_um"] for axis in "xyz"])
    at_s, step = hops.get(int(body["id"]), (np.inf, np.zeros(3)))
    first = start + step * (at_s <= begun_s)
    share = float(np.clip((place - first) @ step / max(float(step @ step), 1e-9), 0, 1)) if at_s > begun_s else 0.0
    return float(np.linalg.norm(place - first - share * step))


def main(arguments: Sequence[str]) -> None:
    """Print a line for each run, and the sums."""
    seeds = int(arguments[0]) if arguments else 1
    movers, mover_um = (float(one) for one in (arguments[1:3] or (0.2, 2.0)))
    preset = arguments[3] if len(arguments) > 3 else "ideal"
    found: list[Found] = []
    print("seed | moved | named | of early ones | named that had not | still | off um, median | verdict | said by")
    for seed in range(1, seeds + 1):
        with TemporaryDirectory() as folder:
            found.append(run(seed, movers, mover_um, preset, Path(folder)))
        print(" | ".join((str(seed), *_shown(found[-1:]), found[-1].verdict, ", ".join(found[-1].said))), flush=True)
    print(" | ".join(("all", *_shown(found))))


def _shown(found: Sequence[Found]) -> tuple[str, ...]:
    off = [abs(one) for run in found for one in run.off_um]
    late = sum(one.moved - one.early for one in found)
    return (
        str(sum(one.moved for one in found)),
        f"{sum(one.named - one.early_named for one in found)} of {late}",
        f"{sum(one.early_named for one in found)} of {sum(one.early for one in found)}",
        str(sum(one.false for one in found)),
        str(sum(one.still for one in found)),
        f"{np.median(off):.2f}" if off else "-",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
