"""Whether frames can be what they are said to be: each judged against the others, before any is used.

A frame that cannot be right alone is left out by name; where the whole cannot be right, the scan is refused. Frames are
compared as small pictures of block means, so that noise hardly counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.states import FrameKind
from xrm_control.reconstruction.angle_order import diagnose_order
from xrm_control.reconstruction.blocks import by_blocks, native
from xrm_control.reconstruction.references import flat_sets
from xrm_control.reconstruction.scan import ScanData, refuse_bad_frames
from xrm_control.reconstruction.transmission_level import dim_notes, level_notes, refuse_no_transmissions

Blocks = NDArray[np.float64]
_BLOCKS = 16  # a side
_AT_A_TIME = 16
_MOST_COUNTS = 2.0**32
_SATURATED_SHARE = 0.02
_BLACK, _LIT = 0.01, 0.2  # transmission of a block
_CLOSE_DEG = 5.0  # between views that show much the same
_MOST_LEFT_OUT = 0.25
_FAR_SIGMAS = 5.5


@dataclass(frozen=True)
class LeftOut:
    """Numbers of the frames that are not used, and in words why."""

    views: tuple[int, ...] = ()
    flats: tuple[int, ...] = ()
    darks: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()  # what may well be right, and is said of files of unknown make

    def of(self, scan: ScanData) -> ScanData:
        """The scan without them."""
        return scan.without(self.views, self.flats, self.darks, (*self.notes, *self.remarks))


NOTHING_LEFT_OUT = LeftOut()


@dataclass(frozen=True)
class _Looks:
    """Of n frames. blocks (n, y, x): means; even (n, y, x): all pixels of the block are equal; least, most (n,)."""

    blocks: Blocks
    even: NDArray[np.bool_]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    full: NDArray[np.float64]  # share of pixels at `most`


def judge(scan: ScanData) -> LeftOut:
    """What of a scan is not to be used. Raises DataError for what cannot be right as a whole, or holds NaN."""
    views = _look(scan.projections, "projections")
    if scan.normalised:
        refuse_no_transmissions(views.blocks)
        out, notes = _bad_views(views, views.blocks, np.zeros(1), np.asarray(scan.theta_deg, float))
        good = np.delete(views.blocks, out, axis=0)
        order = diagnose_order(good, np.delete(np.asarray(scan.theta_deg, float), out))
        return LeftOut(views=out, notes=(*notes, *level_notes(good, normalised=True), *order), remarks=dim_notes(good))
    flats, darks = _look(scan.flats, "flats"), _look(scan.darks, "darks")
    bad_darks, dark, dark_notes = _bad_darks(darks, flats)
    bad_flats, net, flat_notes = _bad_flats(flats, dark)
    beam = _beam_at(scan, net, bad_flats)
    light = np.ones(len(views.blocks))
    if scan.light is not None and scan.flat_light is not None:
        light = np.asarray(scan.light, float) / np.mean(scan.flat_light)
    seen = (views.blocks - dark) / beam / light[:, None, None]
    bad_views, view_notes = _bad_views(views, seen, dark, np.asarray(scan.theta_deg, float))
    good = np.delete(seen, bad_views, axis=0)
    if flats.least.min() == flats.most.max():
        refuse_no_transmissions(good)  # flats of one value are made up: no beam and no camera is so even
    level = level_notes(good, normalised=False, flats=net)
    order = diagnose_order(good, np.delete(np.asarray(scan.theta_deg, float), bad_views))
    notes = (*dark_notes, *flat_notes, *view_notes, *level, *order)
    return LeftOut(bad_views, bad_flats, bad_darks, notes, dim_notes(good))


def _beam_at(scan: ScanData, net: Blocks, bad: tuple[int, ...]) -> Blocks:
    """The beam (n, y, x) at the time of each view, as references are used: between sets of flats, linear in time."""
    good = np.delete(np.arange(len(net)), bad)
    times, views_s = np.asarray(scan.flat_time_s, float)[good], np.asarray(scan.time_s, float)
    if scan.light is not None and scan.flat_light is not None:
        relative = np.asarray(scan.flat_light, float)[good] / np.mean(scan.flat_light)
    else:
        relative = np.ones(len(good))
    sets = flat_sets(times, views_s)
    beams = np.stack([(net[good][one] / relative[one][:, None, None]).mean(axis=0) for one in sets])
    moments = np.array([times[one].mean() for one in sets])
    after = np.clip(np.searchsorted(moments, views_s), 0, len(sets) - 1)
    before = np.clip(np.searchsorted(moments, views_s) - 1, 0, len(sets) - 1)
    span = np.where(after > before, moments[after] - moments[before], 1.0)
    share = np.where(after > before, (views_s - moments[before]) / span, 0.0)[:, None, None]
    return beams[before] * (1 - share) + beams[after] * share


def _look(frames: Any, what: str) -> _Looks:
    reading = Lock()

    def of_some(place: slice) -> _Looks:
        # Files are read by one thread at a time.
        with reading:
            some = np.asarray(frames[place])
        return _look_at(some, what, place.start)

    found = by_blocks(len(frames), _AT_A_TIME, of_some)
    if not found:
        none = np.empty((0, 1, 1))
        return _Looks(none, none.astype(bool), np.empty(0), np.empty(0), np.empty(0))
    return _Looks(*(np.concatenate([getattr(one, name) for one in found]) for name in _Looks.__dataclass_fields__))


def _look_at(frames: NDArray[Any], what: str, start: int) -> _Looks:
    from xrm_control.reconstruction.block_kernels import looked_at

    refuse_bad_frames(frames, what, np.arange(start, start + len(frames)))
    rows, columns = (
        np.unique(np.linspace(0, size, min(size, _BLOCKS) + 1).astype(np.int64)) for size in frames.shape[1:]
    )
    count, shape = len(frames), (len(frames), len(rows) - 1, len(columns) - 1)
    sums, low, high = (np.empty(shape) for _ in range(3))
    full = np.empty(count, np.int64)
    looked_at(native(frames), rows, columns, sums, low, high, full)
    least, most = low.min(axis=(1, 2)), high.max(axis=(1, 2))
    worst = int(np.argmax(np.abs(most)))
    if abs(most[worst]) > _MOST_COUNTS:
        raise DataError(
            "no camera counts so far",
            where=f"{what}, frame {start + worst}",
            value=f"{most[worst]:.3g}",
            limit=f"{_MOST_COUNTS:.3g}",
            remedy="the type or the byte order of the file is wrong",
        )
    return _Looks(sums / np.outer(np.diff(rows), np.diff(columns)), low == high, least, most, full / frames[0].size)


def _saturated(looks: _Looks) -> NDArray[np.bool_]:
    """Frames with many pixels at the end of a camera's scale: 255, 1023, 4095, 16383 or 65535."""
    end = np.log2(np.maximum(looks.most, 0) + 1)
    return (looks.most >= 255) & (end == np.rint(end)) & (looks.full > _SATURATED_SHARE)


def _bad_darks(darks: _Looks, flats: _Looks) -> tuple[tuple[int, ...], Blocks, list[str]]:
    if not len(darks.blocks):
        return (), np.zeros(flats.blocks.shape[1:]), []
    levels, bright = darks.blocks.mean(axis=(1, 2)), _upper(flats.blocks.mean(axis=(1, 2)))
    usual = float(np.quantile(levels, 0.25, method="lower"))
    out = levels > usual + max(0.05 * (bright - usual), 1e-6)
    dark = np.median(darks.blocks[~out], axis=0)
    share = float(dark.mean()) / max(bright, 1e-9)
    if share > 0.5 or (share > 0.1 and _same_pattern(dark, flats.blocks)):
        raise DataError(
            "the darks were taken in light, or the flats in darkness: they hold no beam to speak of between them",
            where="darks",
            value=f"mean {dark.mean():.4g} counts, flats {bright:.4g}",
            remedy="check the shutter and the order of flats and darks; leave the darks out if there are none",
        )
    notes = _named(FrameKind.DARK, np.flatnonzero(out), "brighter than the others, so not taken in the dark")
    if share > 0.1:
        notes.append(f"the darks have {100 * share:.0f} % of the flats' counts")
    return tuple(np.flatnonzero(out).tolist()), dark, notes


def _upper(levels: NDArray[np.float64]) -> float:
    return float(np.quantile(levels, 0.75, method="higher")) if len(levels) else 0.0


def _same_pattern(dark: Blocks, flats: Blocks) -> bool:
    """Whether darks show the beam's own profile."""
    flat = np.median(flats, axis=0).ravel()
    one, other = dark.ravel() / dark.mean() - 1, flat / flat.mean() - 1
    if len(flat) < 4 or other.std() < 0.01 or one.std() < 0.3 * other.std():
        return False
    return bool(np.corrcoef(one, other)[0, 1] > 0.9)


def _bad_flats(flats: _Looks, dark: Blocks) -> tuple[tuple[int, ...], Blocks, list[str]]:
    """Also all flats less dark (f, y, x)."""
    net = flats.blocks - dark
    levels, full = net.mean(axis=(1, 2)), _saturated(flats)
    usual = _upper(levels)
    if usual <= 0:
        raise DataError(
            "the flats hold no beam: they are not brighter than the darks",
            where="flats",
            value=f"{usual:.4g} counts above the dark",
            remedy="check the shutter and the order of flats and darks",
        )
    dim = (levels < 0.5 * usual) | (flats.least == flats.most) & (flats.most <= dark.mean())
    odd = np.zeros(len(net), bool)
    fine = np.flatnonzero(~dim & ~full)
    if len(fine) > 1:
        # Against the brightest in each block; a beam that fades as a whole is no fault.
        shares = net[fine] / np.maximum(np.quantile(net[fine], 0.75, axis=0, method="higher"), 1e-6)
        shares /= np.maximum(np.quantile(shares, 0.9, axis=(1, 2), keepdims=True), 1e-6)
        # Of few photons, means of blocks differ by as much.
        noise = _noise_of(shares)
        odd[fine] = np.count_nonzero(shares < 1 - max(0.1, _FAR_SIGMAS * noise), axis=(1, 2)) >= max(
            2, 0.01 * dark.size
        )
    out = dim | full | odd
    if out.all():
        raise DataError(
            "no flat can be used: all are saturated" if full.all() else "no flat can be used",
            where="flats",
            value=f"{full.sum()} saturated, {dim.sum()} dark, {odd.sum()} with something in the beam, of {len(out)}",
            remedy="take flats anew, or give others: --references",
        )
    notes = [
        *_named(FrameKind.FLAT, np.flatnonzero(dim), "dark beside the others"),
        *_named(FrameKind.FLAT, np.flatnonzero(full & ~dim), "saturated"),
        *_named(FrameKind.FLAT, np.flatnonzero(odd & ~dim & ~full), "not of the empty beam: something is in it"),
    ]
    return tuple(np.flatnonzero(out).tolist()), np.maximum(net, 1e-3 * usual), notes


def _bad_views(
    views: _Looks, seen: Blocks, dark: Blocks, theta_deg: NDArray[np.float64]
) -> tuple[tuple[int, ...], list[str]]:
    equal, full = views.least == views.most, _saturated(views)
    if full.mean() > _MOST_LEFT_OUT:
        raise DataError(
            "the projections are saturated",
            where="projections",
            value=f"{int(full.sum())} of {len(full)} views",
            limit=f"{views.most.max():g} counts",
            remedy="expose for a shorter time",
        )
    sound = np.flatnonzero(~equal & ~full)
    black, unlike = np.zeros(len(seen), bool), np.zeros(len(seen), bool)
    order = sound[np.argsort(theta_deg[sound], kind="stable")]
    lit_below, lit_above = _nearest_lit(seen[order])
    steps = np.diff(theta_deg[order])
    step_deg = float(np.median(steps)) if len(steps) else 0.0
    # Two neighbours that are black alike stand between views three steps apart.
    close_deg = max(_CLOSE_DEG, 3.5 * step_deg) if step_deg <= _CLOSE_DEG else _CLOSE_DEG
    for place, view in enumerate(order):
        beside = order[[max(place - 1, 0), min(place + 1, len(order) - 1)]]
        beside = beside[beside != view]
        if len(beside) < 2:
            beside = order[place + 1 : place + 3] if place == 0 else order[max(place - 2, 0) : place]
        if not len(beside):
            continue
        near = bool(np.abs(theta_deg[beside] - theta_deg[view]).max() <= _CLOSE_DEG)
        around = np.sort(seen[beside], axis=0)
        # Its neighbours may be black as well: in each block the nearest views on both sides that are not count.
        dark_blocks = (seen[view] < _BLACK) & _lit_beside(
            seen,
            np.abs(theta_deg - theta_deg[view]) <= close_deg,
            order,
            lit_below[place],
            lit_above[place],
            views.even[view],
        )
        black[view] = dark_blocks.mean() >= 1 / 16
        clear = around[0] > 0.5
        if near and clear.mean() >= 0.25:
            ratio = float(np.median(seen[view][clear] / around.mean(axis=0)[clear]))
            unlike[view] = not 0.7 <= ratio <= 1.4
    # Beside one view of another light its neighbours look odd as well: the one that deviates from the whole counts.
    unlike &= ~black
    if unlike.any():
        bright = np.quantile(seen, 0.9, axis=(1, 2))
        usual = float(np.median(bright[sound]))
        unlike &= np.abs(bright / usual - 1) > 0.2
    out = equal | full | black | unlike
    if out.mean() > _MOST_LEFT_OUT:
        raise DataError(
            "too many projections cannot be right",
            where="projections",
            value=f"{equal.sum()} of one value, {full.sum()} saturated, {black.sum()} partly black, {unlike.sum()} of "
            f"another light, of {len(out)}",
            limit=f"{_MOST_LEFT_OUT:.0%} may be left out",
            remedy="take the scan anew, or look for missing parts of the file",
        )
    notes = [
        *_named("view", np.flatnonzero(equal), "all its pixels are equal", theta_deg),
        *_named("view", np.flatnonzero(full & ~equal), "saturated", theta_deg),
        *_named("view", np.flatnonzero(black), "a part of it is black", theta_deg),
        *_named("view", np.flatnonzero(unlike), "in other light than its neighbours", theta_deg),
    ]
    return tuple(np.flatnonzero(out).tolist()), notes


def _nearest_lit(seen: Blocks) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each view and block the place of the nearest view before it, and after it, that is not black there; -1 and n
    where there is none.
    """
    count = len(seen)
    number = np.arange(count)[:, None, None]
    lit = seen >= _BLACK
    below = np.maximum.accumulate(np.where(lit, number, -1), axis=0)
    above = np.minimum.accumulate(np.where(lit, number, count)[::-1], axis=0)[::-1]
    return below, above


def _lit_beside(
    seen: Blocks,
    close: NDArray[np.bool_],
    order: NDArray[np.int64],
    below: NDArray[np.int64],
    above: NDArray[np.int64],
    even: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Blocks of a view where the lit views beside it have light, on both sides where there are any.

    Far from them a view may be dark by right, but not without any noise at the level of the dark.
    """
    rows, columns = np.indices(below.shape)
    sides = np.zeros(below.shape, int)
    lit = np.zeros(below.shape, int)
    for beside in (below, above):
        there = (beside >= 0) & (beside < len(order))
        view = order[np.clip(beside, 0, len(order) - 1)]
        sides += there
        lit += there & (close[view] | even) & (seen[view, rows, columns] > _LIT)
    return (lit > 0) & (lit == sides)


def _named(what: str, numbers: NDArray[np.intp], why: str, theta_deg: NDArray[np.float64] | None = None) -> list[str]:
    if not len(numbers):
        return []
    shown = [f"{n}" + ("" if theta_deg is None else f" ({theta_deg[n]:.4g} degrees)") for n in numbers[:10]]
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return [f"{what}{'s' if len(numbers) > 1 else ''} {', '.join(shown)}{more} left out: {why}"]


def _noise_of(shares: Blocks) -> float:
    """Of flats, from one to the next and from block to block: what is in the beam of some is in one of them at most."""
    steps = [np.abs(np.diff(shares, axis=axis)).ravel() for axis in (0, 2)]
    return 1.4826 * min(float(np.median(one)) if one.size else 0.0 for one in steps) / 2**0.5
