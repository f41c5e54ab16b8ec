"""How far the particles found in a mosaic account for what it shows: whether they can be counted at all.

One view from above cannot tell many layers apart, nor a bubble from a particle. Two figures tell most of what goes
wrong, on the mosaics of another generator (`python -m benchmarks.finding`) as on the simulator's: what is left over
smoothly, and how much the particles lie over each other. Wrinkles, bubbles and hairs among particles, and tiles of
unlike brightness, show in neither: these are looked for by what they are. What is left over in units of the noise tells
less: it grows with the light.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.countable import Places

# Mosaics whose particles are found reach 0.035 and 1.09, single tiles and 84 % of cover among them; two layers are
# beyond 1.2, more are beyond 0.08, an empty strip with bubbles or wrinkles beyond 0.09.
_MOST_UNEVEN, _MOST_OVERLAP = 0.06, 1.15
# Without wrinkles, bubbles and drift these are 0, 0 and below 0.025; wrinkles of 0.15 optical depth hide 0.05 and
# more, bubbles among particles leave 0.03 brighter, tiles that differ by 10 % vary by 0.07 and more.
_MOST_HIDDEN, _MOST_BRIGHT, _MOST_DRIFT = 0.02, 0.015, 0.065
_USUAL_PER_UM2, _NEXT_TO_NOTHING = 6e-3, 0.01
"""Particles of a prepared strip, and the share of them that is as good as none."""

_MOST_STATED = 1.8
"""Particles above each other on average beyond which those found are no measure of those that are there."""

_MISTAKEN, _PHANTOM, NEAR_SMALLEST = 0.25, 0.5, 1.4
"""Shares of crowded bodies, and of the smallest, that are wrong at most on mosaics of known truth."""

_LONG = 1.5
"""Long over short axis from which the end of a particle passes for another one."""

_MOST_UNLIKE, _LEAST_UNLIKE = 0.1, 4
"""Share, and number, of bodies not like the others from which other matter lies among them. Spheres and flakes reach
0.02; powders with fragments and dumbbells of their own 0.05, as do crumbs that are few: for these the ends allow.
"""

_UNREMARKED = 2.0
"""Crumbs for each that is told by its form: half of them pass for particles."""

_HIDDEN_BY_RIMS = 0.3
"""Shells that are missed for each that is found and touches others: 0.27 at most on mosaics of known truth."""

_MOST_UNCOUNTABLE, _MOST_DEEP = 0.1, 0.15
"""Shares of the places that hold powder: beyond the one the number is doubted, beyond the other none is stated."""

_SMOOTH_PX = 3.0
_MATTER_PX = 4.0
# A cap of a particle whose centre lies beyond the border is nobody's fault.
_RIM_UM, _RIM_SHARE = 12.0, 0.2


@dataclass(frozen=True)
class Count:
    """uneven: mean size of what is left over when it is smoothed, over the mean thickness where there is matter, away
    from the border; overlap: mean number of particles above each other where there is one, there too.

    hidden: share of the view in which wrinkles and hairs are so thick that the smallest particles are not told from
    them; bright: share that is brighter than the tape; drift: how far the tape's level varies, as optical depth;
    flaws: thin spots that were taken for flaws of the tape, where there was next to nothing else; unlike: bodies that
    are not like the others (`unlike_others`), of so many `plain` ones; between: two ends of a 95 % interval of the
    number of particles, None where none can be stated; places: where they can be counted.
    """

    uneven: float = 0.0
    overlap: float = 1.0
    hidden: float = 0.0
    bright: float = 0.0
    drift: float = 0.0
    flaws: int = 0
    unlike: int = 0
    plain: int = 0
    between: tuple[int, int] | None = None
    places: Places = field(default_factory=Places)

    @property
    def flawed(self) -> bool:
        """Whether the tape itself shows, by what cannot be particles."""
        return self.uneven > _MOST_UNEVEN or self.bright > _MOST_BRIGHT or self.drift > _MOST_DRIFT

    @property
    def doubt(self) -> str:
        """Why the particles cannot be counted; "" where nothing speaks against it."""
        if self.uneven > _MOST_UNEVEN:
            share, limit = (f"{100 * value:.0f} %" for value in (self.uneven, _MOST_UNEVEN))
            causes = "many layers, wrinkles, bubbles, uneven tiles?"
            return f"{share} of the thickness goes with no particle, limit {limit}: {causes}"
        if self.overlap > _MOST_OVERLAP:
            return f"{self.overlap:.2f} particles lie above each other on average, limit {_MOST_OVERLAP:g}"
        if self.places.uncountable_share > _MOST_UNCOUNTABLE:
            share, limit = (f"{100 * value:.0f} %" for value in (self.places.uncountable_share, _MOST_UNCOUNTABLE))
            return f"particles cannot be counted in {share} of the places that hold powder, limit {limit}: many layers?"
        # Rims of bubbles and of tiles look like ridges as well.
        if self.bright > _MOST_BRIGHT:
            share, limit = (f"{100 * value:.1f} %" for value in (self.bright, _MOST_BRIGHT))
            return f"{share} of the view is brighter than the tape, limit {limit}: air bubbles, uneven tiles?"
        if self.drift > _MOST_DRIFT:
            return f"the tape's level varies by {self.drift:.3f} in optical depth, limit {_MOST_DRIFT:g}: uneven tiles?"
        if self.hidden > _MOST_HIDDEN:
            share, limit = (f"{100 * value:.0f} %" for value in (self.hidden, _MOST_HIDDEN))
            return f"wrinkles or hairs hide small particles over {share} of the view, limit {limit}"
        if self.unlike >= _LEAST_UNLIKE and self.unlike > _MOST_UNLIKE * self.plain:
            share, limit = (f"{100 * value:.1f} %" for value in (self.unlike / self.plain, _MOST_UNLIKE))
            return f"{share} of the particles are flatter or of another outline than most, limit {limit}: dust?"
        return ""


def between(
    count: Count,
    crowding: NDArray[np.float64],
    diameters_um: NDArray[np.float64],
    cut: int,
    smallest_um: float,
    deep: int = 0,
    tips: int = 0,
    shells: int = 0,
) -> tuple[int, int] | None:
    """Two ends of a 95 % interval of the number of particles with their middle in the view, of at least the smallest
    diameter; None where what is found is no measure of it.

    crowding: (n,) of the bodies found, how many others lie over each; cut: how many the border cuts. A body that
    shares its shadow with others may be two, or none; deep: of those found, how many lie where most are hidden: there
    may be twice as many, or half. What goes with no body may be others; of the smallest some are
    missed; on which side of the border a middle lies is a coin's throw; tips: of those that the border cuts, how many
    may be the ends of long ones whose middle lies beyond it. Of bodies unlike the others none may be a particle, nor
    as many again that do not show it; shells: thin ones that touch others, beside whose bright rims small ones hide.
    """
    if count.flawed or count.overlap > _MOST_STATED or count.places.deep_share > _MOST_DEEP:
        return None
    found = len(crowding)
    shared = _MISTAKEN * float(np.minimum(crowding, 1.0).sum())
    chance = 1.0 + 0.5 * np.sqrt(found * _MISTAKEN * _MISTAKEN + cut)
    small = float((diameters_um < NEAR_SMALLEST * smallest_um).sum())
    off = shared + count.uneven * found + chance
    crumbs = _UNREMARKED * count.unlike * found / max(count.plain, 1)
    low = found - off - _PHANTOM * small - deep / 2 - tips - crumbs
    high = found + off + small + deep + count.hidden * found + count.unlike + _HIDDEN_BY_RIMS * shells
    return max(0, int(np.floor(low))), int(np.ceil(high))


def tips_of(long_um: NDArray[np.float64], elongation: NDArray[np.float64], cut: NDArray[np.bool_]) -> int:
    """Of bodies (n,) with these long axes, how many that the border cuts are shorter than most of the whole ones, in a
    powder of long particles: an end that reaches in looks like a particle of its own.
    """
    whole = ~cut
    if not whole.any() or float(np.median(elongation[whole])) < _LONG:
        return 0
    return int((long_um[cut] < float(np.percentile(long_um[whole], 25))).sum())


def next_to_nothing(particles: int, area_um2: float) -> bool:
    """Whether so few are below a hundredth of what a strip usually holds."""
    return particles < _NEXT_TO_NOTHING * _USUAL_PER_UM2 * area_um2


def judged(
    chords: NDArray[np.float64],
    seen: NDArray[np.bool_],
    shadow: NDArray[np.float64],
    above: NDArray[np.float64],
    pixel_um: float,
) -> Count:
    """chords, shadow (rows, columns): thickness as mapped, and as the particles make it, in pixels; seen: where it was;
    above: how many particles lie over each pixel.
    """
    from scipy import ndimage

    inside_px = np.asarray(ndimage.distance_transform_edt(np.pad(seen, 1)), np.float64)[1:-1, 1:-1]
    inner = inside_px > min(_RIM_UM / pixel_um, _RIM_SHARE * min(seen.shape))
    covered = inner & (above > 0)
    overlap = float(above[covered].mean()) if covered.any() else 1.0
    matter = inner & ((shadow > 1.0) | (chords > _MATTER_PX))
    if not matter.any():
        return Count(overlap=overlap)
    thickness = float(chords[matter].mean())
    residual = np.where(seen, chords - shadow, 0.0)
    smooth = float(np.abs(ndimage.gaussian_filter(residual, _SMOOTH_PX)[matter]).mean())
    return Count(uneven=smooth / thickness if thickness > 0 else float("inf"), overlap=overlap)
