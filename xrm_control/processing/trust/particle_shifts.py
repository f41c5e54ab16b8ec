"""Where each particle lies in each view, against where the volume has it.

What all particles together should show is taken off the views; what is left around one of them is explained by more or
less of it, by its moving right and down (Lucas and Kanade 1981), and by an even slope beneath, as matter beyond the
field makes one. The particles are taken as solid as they were segmented: the volume itself agrees with each view
wherever things have moved. Where the edges of others lie in front or behind, a pixel says less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.repeating import repeated_integrals
from xrm_control.reconstruction.blocks import smaller
from xrm_control.reconstruction.motion_images import shifted

_MOST_VIEWS = 160
_SLOPE = 0.5  # of the way between the levels: what is taken for neither the one nor the other
_AROUND, _ROOM = 2, 4  # voxels around a label, and pixels around its projection
_MISPLACED_PX = 0.3  # by so much others' edges may lie elsewhere than they are taken for
_IN_VIEW = 0.98
_ROUNDS, _FAR_PX, _FARTHEST_PX = 3, 0.5, 4.0
_SEARCH_PX, _MISSING, _MUCH_BETTER = 12, 0.2, 0.5
_OPEN = 3.5  # times the thinnest: within 17 degrees of a strip's edge, nothing is told from the rest
_CLEAR = 1.4  # times the thinnest: a strip seen within 44 degrees of its face
_SHARE = 0.02  # of the thickest: less is nothing
_UNKNOWNS = 6
_USUAL_MISFIT = 1.25  # of a still particle, by how finely it is drawn
_ALIKE_PIXELS = 25  # what is not known of, as a particle beyond the field, is no white noise
_LEAST_PIXELS = 2 * _UNKNOWNS
_LEAST_VARIANCE = 1e-6

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ParticleShifts:
    """Of p particles in n views, in the order in which they were taken.

    ids (p,); views (n,): their numbers, -1: one that was repeated at the end; theta_deg (n,). right, down (p, n): how
    far each lies off, in pixels of the detector; more (p, n): how much more of it there is than the volume has, as a
    share; u (p, n, 3): one sigma of these three by the pixels that they are from, without an end where the view does
    not show it whole.
    """

    ids: NDArray[np.int64]
    views: NDArray[np.int64]
    theta_deg: Array
    right: Array
    down: Array
    more: Array
    u: Array


@dataclass(frozen=True)
class _Images:
    """integrals, variance (n, rows, columns): -ln T; theta_deg (n,)."""

    integrals: NDArray[np.float32]
    variance: NDArray[np.float32]
    theta_deg: Array
    views: NDArray[np.int64]

    @cached_property
    def clear(self) -> NDArray[np.bool_]:
        """Views (n,) that see little matter beside what a particle may be looked for among."""
        thick = self.integrals.mean(axis=(1, 2))
        return thick < _CLEAR * thick.min()


@dataclass(frozen=True)
class _Trace:
    """A particle alone in all views: image (n, rows, w), its first row and (n,) first columns in the views."""

    number: int
    image: NDArray[np.float32]
    row: int
    columns: NDArray[np.int64]

    def place(self, shape: tuple[int, ...]) -> tuple[tuple[NDArray[np.int64], ...], NDArray[np.bool_]]:
        """Indices of its pixels in views (n, rows, columns), and which of them there are."""
        n, rows, columns = self.image.shape
        row = self.row + np.arange(rows)[None, :, None]
        column = self.columns[:, None, None] + np.arange(columns)[None, None]
        inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2])
        view = np.broadcast_to(np.arange(n)[:, None, None], inside.shape)
        row, column = np.clip(row, 0, shape[1] - 1), np.clip(column, 0, shape[2] - 1)
        return (view, *np.broadcast_arrays(row, column)), inside


def particle_shifts(evidence: RegionEvidence, numbers: NDArray[np.int64]) -> ParticleShifts | str:
    """Of the particles of these `numbers` in the labels; why there are none, in their place."""
    quality = evidence.quality
    if evidence.small_volume is None or evidence.labels is None:
        return "no volume with labels over all rows of the detector"
    if None in (quality.particle_mode_per_um, quality.background_mode_per_um, quality.threshold_per_um):
        return "the core that measured does not state the levels of grey"
    images = _images(evidence)
    left = images.integrals.copy()
    edges = np.zeros_like(left)
    for trace in _traces(evidence, images.theta_deg):
        place, inside = trace.place(left.shape)
        # No pixel twice: those beyond the views are left out.
        flat = np.ravel_multi_index(tuple(one[inside] for one in place), left.shape)
        left.reshape(-1)[flat] -= trace.image[inside]
        edges.reshape(-1)[flat] += _steepness(trace)[inside]
    wanted = set(numbers.tolist())
    found = [
        (trace.number, *_placed(trace, images, left, edges))
        for trace in _traces(evidence, images.theta_deg)
        if trace.number in wanted
    ]
    if not found:
        return "no particle that the field does not cut"
    values, u = np.stack([one for _, one, _ in found]), np.stack([one for _, _, one in found])
    scale = np.array([1, evidence.looks.bin, evidence.looks.bin])
    values, u = values * scale, u * scale
    ids = np.array([number for number, _, _ in found], np.int64)
    return ParticleShifts(ids, images.views, images.theta_deg, values[..., 1], values[..., 2], values[..., 0], u)


def _images(evidence: RegionEvidence) -> _Images:
    """In the order in which they were taken, the repeated view last."""
    looks, variance = evidence.looks, evidence.noise_variance
    time_s = np.asarray(evidence.scan.time_s, float)[looks.views]
    order = np.argsort(time_s, kind="stable")[:: -(-len(time_s) // _MOST_VIEWS)]
    thick = evidence.integrals.mean(axis=(1, 2))[order]
    order = order[thick < _OPEN * thick.min()]
    integrals, views = evidence.integrals[order], looks.views[order]
    noise = np.full_like(integrals, integrals.var() * 1e-2) if variance is None else variance[order]
    theta = evidence.theta_deg[views]
    again = repeated_integrals(evidence)
    if again is None:
        return _Images(integrals, noise, theta, views)
    small = smaller(again.integrals[None], looks.bin, looks.bin)
    alike = int(np.argmin(np.abs(theta - again.theta_deg)))
    return _Images(
        np.concatenate([integrals, small]),
        np.concatenate([noise, noise[alike : alike + 1]]),
        np.append(theta, again.theta_deg),
        np.append(views, -1),
    )


def _traces(evidence: RegionEvidence, theta_deg: Array) -> Iterator[_Trace]:
    """Of all particles, one after the other: together they would be too large."""
    from scipy import ndimage

    volume, size, quality = evidence.small_volume, evidence.looks.bin, evidence.quality
    if volume is None or evidence.labels is None:
        return
    low, high, level = (
        float(value or 0.0)
        for value in (quality.background_mode_per_um, quality.particle_mode_per_um, quality.threshold_per_um)
    )
    labels = np.asarray(evidence.labels[size // 2 :: size, size // 2 :: size, size // 2 :: size])
    labels = labels[: volume.shape[0], : volume.shape[1], : volume.shape[2]].astype(np.int32)
    contrast = np.float32((high - low) * evidence.scan.pixel_size_um * size)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(
            slice(max(side.start - _AROUND, 0), min(side.stop + _AROUND, end))
            for side, end in zip(box, labels.shape, strict=True)
        )
        own = labels[wide] == number
        near = ndimage.binary_dilation(own) & (own | (labels[wide] == 0))
        solid = np.clip((volume[wide] - level) / (_SLOPE * (high - low)) + 0.5, 0, 1) * near * contrast
        if solid.any():
            yield _projected(
                evidence, number, solid.astype(np.float32), (wide[0].start, wide[1].start, wide[2].start), theta_deg
            )


def _projected(
    evidence: RegionEvidence, number: int, solid: NDArray[np.float32], corner: tuple[int, int, int], theta_deg: Array
) -> _Trace:
    """solid (z, y, x) -> its image in each view, along the rays of the evidence's projector."""
    from scipy.sparse import coo_array

    projector, theta = evidence.projector, np.radians(theta_deg)[:, None]
    height, _, width = solid.shape
    foot = np.flatnonzero(solid.any(axis=0).ravel())
    y, x = np.divmod(foot, width)
    y, x = y + corner[1] - projector.middle_px, x + corner[2] - projector.middle_px
    u = projector.axis_px + x * np.cos(theta) - y * np.sin(theta)
    first = np.floor(u).astype(np.int64)
    share = (u - first).astype(np.float32)
    columns = first.min(axis=1) - _ROOM
    wide = int((first.max(axis=1) - columns).max()) + 2 + _ROOM
    at = np.arange(len(theta))[:, None] * wide + first - columns[:, None]
    voxel = np.broadcast_to(np.arange(len(foot)), at.shape)
    entries = np.concatenate([1 - share, share]).ravel()
    rows, of = np.concatenate([at, at + 1]).ravel(), np.concatenate([voxel, voxel]).ravel()
    matrix = coo_array((entries, (rows, of)), shape=(len(theta) * wide, len(foot))).tocsr()
    image = np.asarray(matrix @ np.ascontiguousarray(solid.reshape(height, -1)[:, foot].T), np.float32)
    image = image.reshape(len(theta), wide, height).transpose(0, 2, 1)
    return _Trace(number, np.pad(image, ((0, 0), (_ROOM, _ROOM), (0, 0))), corner[0] - _ROOM, columns)


def _slopes(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    right, down = np.zeros_like(image), np.zeros_like(image)
    half = np.float32(0.5)
    right[:, :, 1:-1] = half * (image[:, :, 2:] - image[:, :, :-2])
    down[:, 1:-1] = half * (image[:, 2:] - image[:, :-2])
    return right, down


def _steepness(trace: _Trace) -> NDArray[np.float32]:
    right, down = _slopes(trace.image)
    return right**2 + down**2


def _placed(
    trace: _Trace, images: _Images, left: NDArray[np.float32], edges: NDArray[np.float32]
) -> tuple[Array, Array]:
    """(n, 3) more, right and down, and their standard errors, by weighted least squares in each view."""
    place, inside = trace.place(left.shape)
    right, down = _slopes(trace.image)
    others = np.maximum(edges[place] - right**2 - down**2, 0)
    variance = images.variance[place] + _MISPLACED_PX**2 * others + np.float32(_LEAST_VARIANCE)
    precision = np.where(inside, 1 / variance, 0).astype(np.float32)
    own = left[place] + trace.image
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
    lost = np.flatnonzero(found.lost() & images.clear & inside.any(axis=(1, 2)))
    if len(lost):
        _search(found, lost, trace, images, left)
    whole = trace.image.sum(axis=(1, 2))
    shown = (trace.image * inside).sum(axis=(1, 2)) >= _IN_VIEW * whole
    wrong = np.maximum(found.misfit, 1) + _ALIKE_PIXELS * np.maximum(found.misfit - _USUAL_MISFIT, 0)
    error = found.u * np.sqrt(wrong)[:, None]
    error[~(shown & (found.count >= _LEAST_PIXELS))] = np.inf
    return found.step, error


def _search(found: _Solved, lost: NDArray[np.int64], trace: _Trace, images: _Images, left: NDArray[np.float32]) -> None:
    """Look farther around for a particle in the views in which it was lost, by what its edges correlate with."""
    import scipy.fft

    pad = ((0, 0), (_SEARCH_PX, _SEARCH_PX), (_SEARCH_PX, _SEARCH_PX))
    image = np.pad(trace.image[lost], pad)
    wide = _Trace(trace.number, image, trace.row - _SEARCH_PX, trace.columns[lost] - _SEARCH_PX)
    (_, row, column), inside = wide.place(left.shape)
    place = (np.broadcast_to(lost[:, None, None], row.shape), row, column)
    seen = (left[place] + image) * inside
    shape = image.shape[1:]
    alike = np.zeros(image.shape, np.float32)
    for ours, theirs in zip(_slopes(image), _slopes(seen), strict=True):
        spectrum = scipy.fft.rfft2(theirs) * np.conj(scipy.fft.rfft2(ours))
        alike += np.asarray(scipy.fft.irfft2(spectrum, shape), np.float32)
    reach = np.arange(-_SEARCH_PX, _SEARCH_PX + 1)
    alike = alike[:, reach[:, None] % shape[0], reach[None] % shape[1]].reshape(len(lost), -1)
    down, right = np.divmod(alike.argmax(axis=1), len(reach))
    shift = np.stack([reach[right], reach[down]], axis=1).astype(float)
    precision = np.where(inside, 1 / (images.variance[place] + np.float32(_LEAST_VARIANCE)), 0).astype(np.float32)
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


def _solved(image: NDArray[np.float32], seen: NDArray[np.float32], precision: NDArray[np.float32]) -> _Solved:
    """image, seen (n, rows, columns): what a particle should show, and what there is."""
    from scipy.ndimage import maximum_filter

    views, rows, columns = image.shape
    right, down = _slopes(image)
    near = maximum_filter(image > _SHARE * image.max(), (1, _AROUND + 1, _AROUND + 1))
    weight = (precision * near).reshape(views, -1)
    across = np.broadcast_to((np.arange(columns) - columns / 2) / columns, image.shape)
    along = np.broadcast_to((np.arange(rows) - rows / 2)[:, None] / rows, image.shape)
    terms = (image, -right, -down, np.ones_like(image), across, along)
    design = np.stack(terms, axis=-1).reshape(views, -1, _UNKNOWNS).astype(np.float32)
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
