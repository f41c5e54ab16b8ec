"""Where one particle lies in each view, against where a volume has it.

What is left of the views, when all that the volume holds was taken off, is explained around one particle by more or
less of it, by its moving right and down (Lucas and Kanade 1981), and by an even slope beneath, as matter beyond the
field makes one. Where the edges of others lie in front or behind, a pixel says less.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.motion_images import shifted
from xrm_control.reconstruction.traces import Trace, slopes

_AROUND = 2  # pixels around a projection that are looked at
_MISPLACED_PX = 0.3  # by so much others' edges may lie elsewhere than they are taken for
_IN_VIEW = 0.98
_ROUNDS, _FAR_PX, _FARTHEST_PX = 3, 0.5, 4.0
_SEARCH_PX, _MISSING, _MUCH_BETTER = 12, 0.2, 0.5
_CLEAR = 1.4  # times the thinnest: a strip seen within 44 degrees of its face
_SHARE = 0.02  # of the thickest: less is nothing
_UNKNOWNS = 6
_USUAL_MISFIT = 1.25  # of a still particle, by how finely it is drawn
_ALIKE_PIXELS = 25  # what is not known of, as a particle beyond the field, is no white noise
_LEAST_PIXELS = 2 * _UNKNOWNS
_LEAST_VARIANCE = 1e-6

Array = NDArray[np.float64]
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Leftover:
    """Of views (n, rows, columns): left: -ln T without what the particles show; edges: squared slopes of what they
    show; variance: of the noise; clear (n,): which of them see little besides a particle that is looked for.
    """

    left: Images
    edges: Images
    variance: Images
    clear: NDArray[np.bool_]

    @classmethod
    def of(cls, integrals: Images, variance: Images, those: Iterable[Trace]) -> Leftover:
        """Of line integrals and their variance, without `those`."""
        left, edges = integrals.copy(), np.zeros_like(integrals)
        for trace in those:
            flat, inside = trace.flat(left.shape)
            # No pixel twice: those beyond the views are left out.
            flat = flat[inside]
            right, down = slopes(trace.image)
            left.reshape(-1)[flat] -= trace.image[inside]
            edges.reshape(-1)[flat] += (right**2 + down**2)[inside]
        thick = integrals.mean(axis=(1, 2))
        return cls(left, edges, variance, thick < _CLEAR * thick.min())


def placed(trace: Trace, seen: Leftover) -> tuple[Array, Array]:
    """(n, 3) more, right and down, and their standard errors, by weighted least squares in each view."""
    flat, inside = trace.flat(seen.left.shape)
    edges, noise, left = (images.reshape(-1).take(flat) for images in (seen.edges, seen.variance, seen.left))
    right, down = slopes(trace.image)
    others = np.maximum(edges - right**2 - down**2, 0)
    variance = noise + _MISPLACED_PX**2 * others + np.float32(_LEAST_VARIANCE)
    precision = np.where(inside, 1 / variance, 0).astype(np.float32)
    own = left + trace.image
    found = _solved(trace.image, own, precision)
    # Steps as long as edges are wide do not arrive at once.
    for _ in range(_ROUNDS):
        far = np.flatnonzero(found.far())
        if not len(far):
            break
        moved = trace.image[far]
        for axis, way in ((2, 1), (1, 2)):
            moved = shifted(moved, found.step[far, way], axis)
        better = _solved(moved, own[far], precision[far])
        better.step[:, 1:] += found.step[far, 1:]
        good = (better.misfit < found.misfit[far]) & (np.abs(better.step[:, 1:]).max(axis=1) < _FARTHEST_PX)
        if not good.any():
            break
        for mine, theirs in ((found.step, better.step), (found.u, better.u), (found.misfit, better.misfit)):
            mine[far[good]] = theirs[good]
    lost = np.flatnonzero(found.lost() & seen.clear & inside.any(axis=(1, 2)))
    if len(lost):
        _search(found, lost, trace, seen)
    whole = trace.image.sum(axis=(1, 2))
    shown = (trace.image * inside).sum(axis=(1, 2)) >= _IN_VIEW * whole
    wrong = np.maximum(found.misfit, 1) + _ALIKE_PIXELS * np.maximum(found.misfit - _USUAL_MISFIT, 0)
    error = found.u * np.sqrt(wrong)[:, None]
    error[~(shown & (found.count >= _LEAST_PIXELS))] = np.inf
    return found.step, error


def _search(found: _Solved, lost: NDArray[np.int64], trace: Trace, views: Leftover) -> None:
    """Look farther around for a particle in the views in which it was lost, by what its edges correlate with."""
    import scipy.fft

    pad = ((0, 0), (_SEARCH_PX, _SEARCH_PX), (_SEARCH_PX, _SEARCH_PX))
    image = np.pad(trace.image[lost], pad)
    wide = Trace(trace.number, image, trace.row - _SEARCH_PX, trace.columns[lost] - _SEARCH_PX)
    (_, row, column), inside = wide.place(views.left.shape)
    place = (np.broadcast_to(lost[:, None, None], row.shape), row, column)
    seen = (views.left[place] + image) * inside
    shape = image.shape[1:]
    alike = np.zeros(image.shape, np.float32)
    for ours, theirs in zip(slopes(image), slopes(seen), strict=True):
        spectrum = np.asarray(scipy.fft.rfft2(theirs)) * np.conj(np.asarray(scipy.fft.rfft2(ours)))
        alike += np.asarray(scipy.fft.irfft2(spectrum, shape), np.float32)
    reach = np.arange(-_SEARCH_PX, _SEARCH_PX + 1)
    alike = alike[:, reach[:, None] % shape[0], reach[None] % shape[1]].reshape(len(lost), -1)
    down, right = np.divmod(alike.argmax(axis=1), len(reach))
    shift = np.stack([reach[right], reach[down]], axis=1).astype(float)
    precision = np.where(inside, 1 / (views.variance[place] + np.float32(_LEAST_VARIANCE)), 0).astype(np.float32)
    best = None
    for _ in range(_ROUNDS):
        moved = shifted(shifted(image, shift[:, 0], 2), shift[:, 1], 1)
        here = _solved(moved, seen, precision)
        here.step[:, 1:] += shift
        shift = np.clip(here.step[:, 1:], -_SEARCH_PX, _SEARCH_PX)
        best = here
    if best is None:
        return
    good = (best.misfit < _MUCH_BETTER * found.misfit[lost]) & (np.abs(best.step[:, 0]) < _MISSING)
    for mine, theirs in ((found.step, best.step), (found.u, best.u), (found.misfit, best.misfit)):
        mine[lost[good]] = theirs[good]


@dataclass(frozen=True)
class _Solved:
    """step, u (n, 3): more, right, down, and their errors by the pixels' noise; misfit (n,): of what is left, over that
    noise; count (n,): of pixels."""

    step: Array
    u: Array
    misfit: Array
    count: NDArray[np.int64]

    def lost(self) -> NDArray[np.bool_]:
        """Views in which it is not there, or is not as it should be."""
        there = (self.step[:, 0] > -_MISSING) & (np.hypot(self.step[:, 1], self.step[:, 2]) < _FAR_PX)
        return (self.misfit > 2 * _USUAL_MISFIT) & ~there

    def far(self) -> NDArray[np.bool_]:
        """Views that may lie farther than a linear step tells."""
        long = np.hypot(self.step[:, 1], self.step[:, 2])
        return (long > _FAR_PX) & (long < 2 * _FARTHEST_PX) & (self.misfit > _USUAL_MISFIT)


def _solved(image: Images, seen: Images, precision: Images) -> _Solved:
    """image, seen (n, rows, columns): what a particle should show, and what there is."""
    from scipy.ndimage import maximum_filter

    views, rows, columns = image.shape
    right, down = slopes(image)
    near = maximum_filter(image > _SHARE * image.max(), (1, _AROUND + 1, _AROUND + 1))
    weight = (precision * near).reshape(views, -1)
    across, along = (np.arange(columns) - columns / 2) / columns, (np.arange(rows) - rows / 2)[:, None] / rows
    design = np.empty((*image.shape, _UNKNOWNS), np.float32)
    for term, values in enumerate((image, -right, -down, 1, across, along)):
        design[..., term] = values
    design = design.reshape(views, -1, _UNKNOWNS)
    off = (seen - image).reshape(views, -1)
    weighted = design * weight[..., None]
    normal = np.matmul(weighted.transpose(0, 2, 1), design).astype(np.float64)
    pull = np.einsum("vpk,vp->vk", weighted, off).astype(np.float64)
    size = np.trace(normal, axis1=1, axis2=2)
    inverse = np.linalg.inv(normal + (1e-6 * size + 1e-12)[:, None, None] * np.eye(_UNKNOWNS))
    step = np.einsum("vjk,vk->vj", inverse, pull)
    count = np.count_nonzero(weight, axis=1)
    misfit = ((weight * off**2).sum(axis=1) - (step * pull).sum(axis=1)) / np.maximum(count - _UNKNOWNS, 1)
    u = np.sqrt(np.maximum(np.diagonal(inverse, axis1=1, axis2=2), 0))
    return _Solved(step[:, :3].copy(), u[:, :3].copy(), misfit, count)
