"""What the radiographs of all particles add to the CT of some.

`python -m benchmarks.double_sampling [SEEDS [CASE] | figure]`.

Voids of 2 um and more, as CT would find them all, in the whole particles of the regions that a strategy chooses; the
mosaic's radiographs are rendered, counted photon by photon, mapped, fitted and scored as in a run. Bodies are fitted
from their true places, as finding has its own judge (`benchmarks.finding`), but for the real-like powder, where the
finder's errors are the point. Told is how often the stated 95 % interval holds the powder's share, with and without the
radiographs; with scores dealt out at random, and with scores that only count neighbours; and how many particles by CT
alone would be as good: by the spread of the errors over the seeds, and as the program states it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from benchmarks.powders import PIXEL_UM
from benchmarks.radiographed import SIZE_UM, Strip, law, other_maker, radiograph, simulated
from benchmarks.timing import Row
from simulators.powder import make_specimen
from simulators.specimen import SpecimenConfig
from xrm_control.analysis.double_sampling import double_sampled
from xrm_control.analysis.population import share_of, weigh
from xrm_control.analysis.sampling import whole_probability
from xrm_control.analysis.size_classes import MosaicSizes, Window
from xrm_control.analysis.statistics import wilson
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.population import DoubleSampling
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D
from xrm_control.roi.strategies.grid import Grid
from xrm_control.roi.strategies.most_particles import MostParticles
from xrm_control.roi.strategies.varied_sizes import VariedSizes
from xrm_control.roi.strategy import Limits, Roi, RoiStrategy

Floats = NDArray[np.float64]
Points = NDArray[np.floating]

FIGURE = Path("docs/figures/double_sampling.png")
FIELD_UM, _CUT_UM = 65.5, 0.77
_FREE = Limits((-1e4, 1e4), (-1e4, 1e4))

STRATEGIES: Mapping[str, RoiStrategy] = {
    "grid, 4 x 2": Grid(rows=4, columns=2, pitch_um=120),
    "most particles, 6": MostParticles(count=6),
    "varied sizes, 6": VariedSizes(count=6),
}
PREDICTORS = ("radiographs", "dealt out", "neighbours")


@dataclass(frozen=True)
class Both:
    """The voided share as `analysis.population` states it, its interval, and with the radiographs."""

    plain: float
    interval: tuple[float, float]
    joined: DoubleSampling


Make = Callable[[int], Strip]
CASES: dict[str, Make] = {
    "ideal nmc622": lambda seed: simulated(0.0, seed),
    "another maker": other_maker,
    "real-like nmc622": lambda seed: simulated(1.0, seed, searched=True),
}


def shares(strip: Strip, strategy: RoiStrategy, predictor: str, seed: int) -> Both:
    """Choose, measure without error, join; the doubt of a mosaic that cannot be counted is passed over."""
    extent = MosaicMap(np.ones([round(side / PIXEL_UM) for side in SIZE_UM[::-1]], np.float32), PIXEL_UM, *_corner())
    rois = strategy.choose(strip.seen, extent, FIELD_UM, _FREE)
    scores = np.array([math.nan if one.void_score is None else one.void_score for one in strip.seen])
    places = [(one.x_um, one.y_um) for one in strip.seen]
    if predictor == "dealt out":
        scores = np.random.default_rng(seed).permutation(scores)
    elif predictor == "neighbours":
        tree = KDTree(places)
        number = np.array(tree.query_ball_point(places, 25.0, return_length=True), float)
        scores = np.where(np.isfinite(scores), number, math.nan)
    diameters = tuple(one.equivalent_diameter_um for one in strip.seen)
    windows = tuple(Window(roi.name, roi.x_um, roi.y_um, roi.z_um, FIELD_UM, FIELD_UM) for roi in rois)
    mosaic = MosaicSizes(diameters, SMALLEST_UM, "", tuple(places), tuple(scores.tolist()), windows)
    rows = measured(strip, rois)
    found, _ = weigh(rows, mosaic, 1)
    voided = found.rows.numbers(Particle.void_count) > 0
    share, count = share_of(voided, found)
    low, high = wilson(share, count)
    return Both(share, (low, high), double_sampled(rows, found, voided, (share, count), mosaic))


def _corner() -> tuple[float, float]:
    left, top = ((PIXEL_UM - side) / 2 for side in SIZE_UM)
    return left, top


def measured(strip: Strip, rois: Sequence[Roi]) -> Rows:
    """What a perfect analysis tells of the particles in the regions, cut ones too."""
    half_um = FIELD_UM / 2 - _CUT_UM
    rows: list[dict[str, float | str]] = []
    for roi in rois:
        from_axis = np.hypot(strip.at_um[:, 0] - roi.x_um, strip.at_um[:, 2] - roi.z_um)
        aside = np.maximum(from_axis, np.abs(strip.at_um[:, 1] - roi.y_um))
        for number, at in enumerate(np.flatnonzero(aside <= half_um + strip.d_um / 2), start=1):
            d_um, whole = float(strip.d_um[at]), bool(aside[at] <= half_um - strip.d_um[at] / 2)
            share = whole_probability(d_um, float(strip.at_um[at, 2]) - roi.z_um, half_um, half_um)[0]
            rows.append(
                {
                    "particle_id": number,
                    "roi": roi.name,
                    "volume_um3": np.pi / 6 * d_um**3,
                    "equivalent_diameter_um": d_um,
                    "void_count": int(strip.voided[at]),
                    "touches_boundary": int(not whole),
                    "weight": 1 / share if whole and share > 0 else 0.0,
                    **{f"stage_{axis}_um": float(strip.at_um[at, k]) for k, axis in enumerate("xyz")},
                }
            )
    return Rows.of(rows, KNOWN_PARTICLE_COLUMNS)


@dataclass(frozen=True)
class Estimates:
    """Over seeds (s,) and both ways: value, whether the interval holds the truth; n, worth: particles by CT, and as
    many as it states to be worth; plain, with_.
    """

    n: Floats
    worth: Floats
    error: Floats
    held: Floats
    width: Floats

    @property
    def effective(self) -> float:
        """Particles by CT alone of the same spread of error."""
        return float(self.n.mean() * self.error[:, 0].var() / max(self.error[:, 1].var(), 1e-12))


def estimates(done: Sequence[Both], truth: float) -> Estimates:
    """Of what states both."""
    table: list[tuple[float, ...]] = []
    for one in done:
        value, joined = one.joined.value, one.joined
        if value is None or joined.interval is None:
            continue
        low, high = joined.interval
        ends = [one.interval, (low or 0.0, high or 0.0)]
        held = [float(low <= truth <= high) for low, high in ends]
        widths = [high - low for low, high in ends]
        table.append((joined.n, joined.worth or math.nan, one.plain - truth, value - truth, *held, *widths))
    found = np.array(table).reshape(-1, 8)
    return Estimates(found[:, 0], found[:, 1], found[:, 2:4], found[:, 4:6], found[:, 6:8])


def truth_of(case: str, strips: Sequence[Strip]) -> float:
    """Of the powder: by its law where there is one, else of all strips together."""
    if case == "another maker":
        return law()
    return float(np.concatenate([strip.voided for strip in strips]).mean())


def separation(strips: Sequence[Strip]) -> float:
    """Area under the ROC curve of the scores, of particles that are found within half their radius."""
    pairs = [(one.void_score, voided) for strip in strips for one, voided in _matched(strip)]
    judged = [(score, voided) for score, voided in pairs if score is not None]
    voided, scores = [voided for _, voided in judged], [score for score, _ in judged]
    known, order = np.array(voided), np.argsort(np.argsort(scores))
    ones = int(known.sum())
    return float((order[known].sum() - ones * (ones - 1) / 2) / max(ones * (len(known) - ones), 1))


def study(case: str, seeds: int) -> list[Row]:
    """Each strategy and predictor on one powder."""
    strips = [CASES[case](seed) for seed in range(1, seeds + 1)]
    truth, area = truth_of(case, strips), separation(strips)
    found: list[Row] = []
    every: dict[str, list[Estimates]] = {name: [] for name in PREDICTORS}
    for title, strategy in STRATEGIES.items():
        for name in PREDICTORS:
            done = [shares(strip, strategy, name, seed) for seed, strip in enumerate(strips)]
            every[name].append(estimates(done, truth))
            found.append(_row(case, f"{title}; {name}", every[name][-1], truth, area))
    for name in PREDICTORS:
        joined = Estimates(
            *(np.concatenate([getattr(one, part) for one in every[name]]) for part in Estimates.__dataclass_fields__)
        )
        found.append(_row(case, f"all; {name}", joined, truth, area))
    doubts = sum(bool(strip.doubt) for strip in strips)
    return [*found[:-1], replace(found[-1], warn=f"{doubts} of {len(strips)} mosaics cannot be counted")]


def _row(case: str, who: str, of: Estimates, truth: float, area: float) -> Row:
    bias, spread = of.error.mean(axis=0), of.error.std(axis=0)
    held, width = of.held.mean(axis=0), of.width.mean(axis=0)
    figures = {"estimates": f"{len(of.n)}", "true share": f"{truth:.3f}", "AUC": f"{area:.3f}"}
    for k, name in enumerate(("without", "with")):
        figures[f"{name}: bias, spread, width; held"] = (
            f"{100 * bias[k]:+.1f}, {100 * spread[k]:.1f}, {100 * width[k]:.1f} points; {100 * held[k]:.0f} %"
        )
    figures["by CT"] = f"{of.n.mean():.0f}"
    figures["worth of 160: by spread, as stated"] = (
        f"{160 * of.effective / of.n.mean():.0f}, {160 * np.median(of.worth / of.n):.0f}"
    )
    return Row(case, who, figures=figures)


def draw(path: Path = FIGURE, seeds: int = 8) -> None:
    """A radiograph with its scores; the scores of voided and of sound particles; intervals with and without."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    strips = [simulated(0.0, seed) for seed in range(1, seeds + 1)]
    truth = truth_of("ideal nmc622", strips)
    figure = Figure(figsize=(15, 4.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    image = radiograph(make_specimen(SpecimenConfig("nmc622"), 1), 1)
    left.imshow(image.image, cmap="gray", extent=(*image.x_um, *image.y_um[::-1]), vmin=0.3, vmax=0.95)
    found = _matched(strips[0])
    for one, voided in found:
        colour = "tab:orange" if voided else "tab:cyan"
        left.add_patch(Circle((one.x_um, one.y_um), one.equivalent_diameter_um / 2 + 0.6, fill=False, color=colour))
        said = "–" if one.void_score is None else f"{one.void_score:.0f}"
        left.text(
            one.x_um, one.y_um, said, color=colour, fontsize=9, weight="bold", ha="center", va="center", clip_on=True
        )
    left.set(xlim=(-30, 30), ylim=(30, -30), xlabel="x (µm)", ylabel="y (µm)")
    left.set_title("scores (σ); orange: void of 2 µm and more")
    every = [pair for strip in strips for pair in _matched(strip)]
    for voided, colour, name in (
        (True, "tab:orange", "void of 2 µm and more"),
        (False, "tab:cyan", "none, or smaller"),
    ):
        scores = [one.void_score for one, known in every if known == voided and one.void_score is not None]
        middle.hist(np.clip(scores, -1, 20), bins=60, range=(-1, 20), alpha=0.6, color=colour, label=name)
    middle.set(xlabel="score (σ of noise and texture)", ylabel="particles")
    middle.set_title(f"{len(every)} particles, area under the ROC curve {separation(strips):.3f}")
    middle.legend()
    for seed, strip in enumerate(strips, start=1):
        told = shares(strip, STRATEGIES["most particles, 6"], "radiographs", seed)
        both = ((told.plain, told.interval), (told.joined.value, told.joined.interval))
        for k, ((value, ends), colour) in enumerate(zip(both, ("tab:gray", "tab:green"), strict=True)):
            if value is not None and ends is not None:
                low, high = (100 * (end or 0.0) for end in ends)
                right.plot([seed + 0.25 * k] * 2, [low, high], color=colour, lw=3, solid_capstyle="butt")
                right.plot(seed + 0.25 * k, 100 * value, "o", color="black", ms=4)
    right.axhline(100 * truth, color="tab:red", lw=1)
    right.set(xlabel="strip", ylabel="voided share (%), 95 % interval", ylim=(0, 70))
    right.set_title("CT alone (grey), with radiographs (green), truth (red)")
    figure.savefig(path, dpi=80)


def _matched(strip: Strip) -> list[tuple[Particle2D, bool]]:
    """What is seen of true particles, and whether these are voided."""
    tree = KDTree(strip.at_um[:, :2])
    found: list[tuple[Particle2D, bool]] = []
    for one in strip.seen:
        far, k = tree.query((one.x_um, one.y_um))
        if float(far) <= strip.d_um[int(k)] / 4:
            found.append((one, bool(strip.voided[int(k)])))
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["figure"]:
        draw()
        sys.exit()
    for chosen in (name for name in CASES if name.startswith(tuple(sys.argv[2:]) or tuple(CASES))):
        for one in study(chosen, int(sys.argv[1]) if len(sys.argv) > 1 else 20):
            print(f"{one.what:17s} {one.who:32s} {one.told}  {one.warn}", flush=True)
