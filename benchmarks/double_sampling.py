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
from scipy import ndimage
from scipy.spatial import KDTree

from benchmarks.powders import MU_PER_UM, PIXEL_UM, Body, Layer, Scene, apart, sizes
from benchmarks.selection import void_probability
from benchmarks.timing import Row
from simulators.powder import make_specimen
from simulators.render import Grid as Sampling
from simulators.specimen import Specimen, SpecimenConfig
from xrm_control.analysis.population import pool
from xrm_control.analysis.sampling import whole_probability
from xrm_control.analysis.size_classes import MosaicSizes, Window
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.population import Population
from xrm_control.contracts.rows import Rows
from xrm_control.roi.bodies import Bodies, blur_of, number_above, settle, shadow
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D, count_particles
from xrm_control.roi.resting import Resting
from xrm_control.roi.strategies.grid import Grid
from xrm_control.roi.strategies.most_particles import MostParticles
from xrm_control.roi.strategies.varied_sizes import VariedSizes
from xrm_control.roi.strategy import Limits, Roi, RoiStrategy
from xrm_control.roi.thickness import thickness_map
from xrm_control.roi.void_scores import void_scores

Floats = NDArray[np.float64]
Points = NDArray[np.floating]

FIGURE = Path("docs/figures/double_sampling.png")
SIZE_UM, FIELD_UM, LEAST_VOID_UM = (327.68, 524.288), 65.5, 2.0
_PHOTONS, _BLUR_UM, _FINE, _CUT_UM = 1000.0, 0.064, 4, 0.77
_FREE = Limits((-1e4, 1e4), (-1e4, 1e4))
_LAW = 400_000

STRATEGIES: Mapping[str, RoiStrategy] = {
    "grid, 4 x 2": Grid(rows=4, columns=2, pitch_um=120),
    "most particles, 6": MostParticles(count=6),
    "varied sizes, 6": VariedSizes(count=6),
}
PREDICTORS = ("radiographs", "dealt out", "neighbours")


@dataclass(frozen=True)
class Strip:
    """Of m true particles: places (m, 3) and diameters in um, the largest void of each (0: none); what a mosaic shows
    of them; doubt: why that cannot be counted, for which the program would state nothing.
    """

    at_um: Floats
    d_um: Floats
    void_um: Floats
    seen: tuple[Particle2D, ...]
    doubt: str = ""

    @property
    def voided(self) -> NDArray[np.bool_]:
        return self.void_um >= LEAST_VOID_UM


def simulated(difficulty: float, seed: int, *, searched: bool = False) -> Strip:
    """The simulator's nmc622; searched: its particles are found, and not only fitted."""
    specimen = make_specimen(SpecimenConfig("nmc622", difficulty=difficulty), seed)
    truth = specimen.truth()
    at_um = np.array([[p[f"{axis}_um"] for axis in "xyz"] for p in truth["particles"]])
    d_um = np.array([p["equivalent_diameter_um"] for p in truth["particles"]])
    void_um = np.zeros(len(d_um))
    for void in truth["voids"]:
        host = void["particle_id"] - 1
        void_um[host] = max(void_um[host], void["equivalent_diameter_um"])
    mosaic = radiograph(specimen, seed)
    if searched:
        seen, count = count_particles(mosaic, specimen.mu_per_um)
        return Strip(at_um, d_um, void_um, seen, count.doubt)
    return Strip(at_um, d_um, void_um, fitted(mosaic, specimen.mu_per_um, at_um, d_um))


def radiograph(specimen: Specimen, seed: int) -> MosaicMap:
    """The mosaic, without rotation."""
    columns, rows = (round(side / PIXEL_UM) for side in SIZE_UM)
    fine_um = PIXEL_UM / _FINE
    left, top = (-side / 2 for side in SIZE_UM)
    grid = Sampling(columns * _FINE, rows, fine_um, PIXEL_UM, left + fine_um / 2, top)
    passed = np.exp(-specimen.attenuation((0.0, 0.0, 0.0), 0.0, grid)).reshape(rows, columns, _FINE).mean(axis=2)
    passed = ndimage.gaussian_filter(passed, _BLUR_UM / PIXEL_UM)
    image = np.random.default_rng(seed).poisson(passed * _PHOTONS) / _PHOTONS
    return MosaicMap(image.astype(np.float32), PIXEL_UM, left + PIXEL_UM / 2, top + PIXEL_UM / 2)


def other_maker(seed: int) -> Strip:
    """Smooth ellipsoids of closed form with spherical voids, independent draws of a law (`benchmarks.powders`)."""
    random = np.random.default_rng(seed)
    count = round(6.3e-3 * SIZE_UM[0] * SIZE_UM[1])
    drawn = [_ellipsoid(float(d), random) for d in sizes(random, count)]
    bodies = apart(random, SIZE_UM, drawn, resting=True)
    d_um = np.array([body.diameter_um for body in bodies])
    void_um = _voids(d_um, random)
    at_um = np.array([(body.x_um, body.y_um, body.semi_um[2]) for body in bodies])
    room = np.maximum(d_um / 2 - void_um / 2 - 0.6, 0.0) * random.random(len(d_um)) ** (1 / 3)
    aside = random.standard_normal((len(d_um), 3))
    places = at_um + aside / np.linalg.norm(aside, axis=1)[:, None] * room[:, None]
    mosaic = Scene(bodies, SIZE_UM, (_holes(places, void_um),)).mosaic(seed)
    return Strip(at_um, d_um, void_um, fitted(mosaic, MU_PER_UM, at_um, d_um))


def _ellipsoid(d_um: float, random: np.random.Generator) -> Body:
    stretch, flat = np.exp(random.normal(0, 0.03, 2))
    radius = d_um / 2
    return Body(0, 0, (radius * stretch, radius / stretch * flat, radius / flat), random.uniform(0, 180))


def _voids(d_um: Floats, random: np.random.Generator) -> Floats:
    """Diameter of the void of each particle, 0 for none."""
    void_um = np.minimum(random.lognormal(math.log(2.6), 0.3, len(d_um)), 0.5 * d_um)
    return np.where(random.random(len(d_um)) < void_probability(d_um), void_um, 0.0)


def _holes(places_um: Floats, void_um: Floats) -> Layer:
    def layer(x_um: Points, y_um: Points, random: np.random.Generator) -> Points:
        del random
        x, y = np.ravel(x_um), np.ravel(y_um)
        total = np.zeros((len(y), len(x)))
        for (at_x, at_y, _z), d in zip(places_um.tolist(), void_um.tolist(), strict=True):
            if d > 0:
                c, r = (slice(*np.searchsorted(one, (at - d / 2, at + d / 2))) for one, at in ((x, at_x), (y, at_y)))
                square = (d / 2) ** 2 - (x[None, c] - at_x) ** 2 - (y[r, None] - at_y) ** 2
                total[r, c] -= MU_PER_UM * 2 * np.sqrt(np.maximum(square, 0))
        return total

    return layer


def fitted(mosaic: MosaicMap, mu_per_um: float, at_um: Floats, d_um: Floats) -> tuple[Particle2D, ...]:
    """Bodies fitted from their true places, and scored, as `count_particles` does after its search."""
    pixel = mosaic.pixel_size_um
    found = thickness_map(mosaic.image.astype(float), pixel, mu_per_um)
    chords = found.thickness_um / pixel
    spread = 0.05 * ndimage.maximum_filter(ndimage.gaussian_filter(chords, 1.0), size=5)
    weight = 1 / (found.variance_um2 / pixel**2 + 0.25 + spread**2)
    places = (at_um[:, :2] - (mosaic.x0_um, mosaic.y0_um)) / pixel
    shown = (places >= 0).all(axis=1) & (places <= np.array(chords.shape[::-1]) - 1).all(axis=1) & (d_um >= SMALLEST_UM)
    bodies = Bodies.spheres(places[shown, 0], places[shown, 1], d_um[shown] / 2 / pixel)
    left, resting = chords - shadow(bodies, chords.shape, 0.5), Resting(chords.shape)
    for choose in (True, True, False):
        bodies = settle(left, weight, bodies, 0.5, rounds=2, resting=resting, choose=choose)
    left = chords - shadow(bodies, chords.shape, blur_of(chords, weight, bodies))
    above = number_above(bodies, chords.shape)
    scores = void_scores(left, found.variance_um2 / pixel**2, above, bodies, pixel)
    half = (np.array(chords.shape[::-1]) - 1) / 2
    seen: list[Particle2D] = []
    for p, d, chord, radius, score in zip(
        bodies.table, bodies.diameter.tolist(), bodies.chord.tolist(), bodies.radius, scores.tolist(), strict=True
    ):
        cut = bool((np.abs(p[:2] - half) + radius > half).any())
        x, y = mosaic.x0_um + p[0] * pixel, mosaic.y0_um + p[1] * pixel
        judged = None if cut or not math.isfinite(score) else score
        seen.append(Particle2D(float(x), float(y), d * pixel, chord * pixel, cut, judged))
    return tuple(seen)


Make = Callable[[int], Strip]
CASES: dict[str, Make] = {
    "ideal nmc622": lambda seed: simulated(0.0, seed),
    "another maker": other_maker,
    "real-like nmc622": lambda seed: simulated(1.0, seed, searched=True),
}


def population(strip: Strip, strategy: RoiStrategy, predictor: str, seed: int) -> Population:
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
    return pool(measured(strip, rois), None, mosaic=mosaic).population


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


def estimates(done: Sequence[Population], truth: float) -> Estimates:
    """Of what states both."""
    table: list[tuple[float, ...]] = []
    for one in done:
        plain, joined = one.voided_fraction, one.voided_fraction_by_mosaic
        if plain is None or plain.value is None or joined is None or joined.value is None or joined.interval is None:
            continue
        ends = [(low or 0.0, high or 0.0) for low, high in (plain.interval, joined.interval)]
        held = [float(low <= truth <= high) for low, high in ends]
        widths = [high - low for low, high in ends]
        table.append((joined.n, joined.worth or math.nan, plain.value - truth, joined.value - truth, *held, *widths))
    found = np.array(table).reshape(-1, 8)
    return Estimates(found[:, 0], found[:, 1], found[:, 2:4], found[:, 4:6], found[:, 6:8])


def truth_of(case: str, strips: Sequence[Strip]) -> float:
    """Of the powder: by its law where there is one, else of all strips together."""
    if case == "another maker":
        random = np.random.default_rng(0)
        return float((_voids(np.asarray(sizes(random, _LAW), np.float64), random) >= LEAST_VOID_UM).mean())
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
            done = [population(strip, strategy, name, seed) for seed, strip in enumerate(strips)]
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
        left.text(one.x_um, one.y_um, said, color=colour, fontsize=8, ha="center", va="center", clip_on=True)
    left.set(xlim=(-30, 30), ylim=(30, -30), xlabel="x (µm)", ylabel="y (µm)")
    left.set_title("radiograph, score in σ (orange: void of 2 µm and more)")
    every = [pair for strip in strips for pair in _matched(strip)]
    for voided, colour, name in (
        (True, "tab:orange", "void of 2 µm and more"),
        (False, "tab:cyan", "none, or smaller"),
    ):
        scores = [one.void_score for one, known in every if known == voided and one.void_score is not None]
        middle.hist(np.clip(scores, -1, 20), bins=60, range=(-1, 20), alpha=0.6, color=colour, label=name)
    middle.set(xlabel="score (σ of noise and texture)", ylabel="particles")
    middle.set_title(f"scores of {len(every)} particles, area under the ROC curve {separation(strips):.3f}")
    middle.legend()
    for seed, strip in enumerate(strips, start=1):
        told = population(strip, STRATEGIES["most particles, 6"], "radiographs", seed)
        both = (told.voided_fraction, told.voided_fraction_by_mosaic)
        for k, (share, colour) in enumerate(zip(both, ("tab:gray", "tab:green"), strict=True)):
            if share is not None and share.value is not None and share.interval is not None:
                low, high = (100 * (end or 0.0) for end in share.interval)
                right.plot([seed + 0.25 * k] * 2, [low, high], color=colour, lw=3, solid_capstyle="butt")
                right.plot(seed + 0.25 * k, 100 * share.value, "o", color="black", ms=4)
    right.axhline(100 * truth, color="tab:red", lw=1)
    right.set(xlabel="strip", ylabel="voided share (%), 95 % interval", ylim=(0, 70))
    right.set_title("CT of six regions (grey); with all radiographs (green); truth (red)")
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
            told = "  ".join(f"{key} {value}" for key, value in one.figures.items())
            print(f"{one.what:17s} {one.who:32s} {told}  {one.warn}", flush=True)
