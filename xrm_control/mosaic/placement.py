"""Where each tile lies on the stage, and how the camera stands against it; what is not known is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.mosaic.registration import PairShift, pair_shift
from xrm_control.mosaic.seams import seam_gains
from xrm_control.mosaic.settling import Settled, settle
from xrm_control.mosaic.standing import Standing, standing
from xrm_control.mosaic.tiles import Registration, Tile

Floats = NDArray[np.floating]

LEAST_OVERLAP = 0.04
"""Overlap (share of a tile's width) from which `register="auto"` registers: 5 %, less what read-backs differ by."""

UNKNOWN = 0.03
"""Standard uncertainty of a camera's pixel and angle that nobody has measured: 2 % and 2 degrees are usual."""

LEAST_KNOWN = 1e-3
"""No calibration is believed to better than that: the camera may have been touched since."""

_MOST_RESIDUAL_UM = 0.15
_REACH_SIGMAS = 2.0
_MOST_REJECTED = 0.5
_SURE_SIGMAS = 4.0
"""A turn of the camera that seams show is believed from here on."""


@dataclass(frozen=True)
class Placed:
    """centres_um (tiles, 2): where the middle of each tile lies; gains (tiles,): by what its transmission is divided.

    offsets_um, residual_um, registration: see `Mosaic`.
    """

    centres_um: Floats
    offsets_um: Floats
    gains: Floats
    residual_um: float | None
    registration: Registration


def place(
    tiles: Sequence[Tile],
    pixel_size_um: float,
    *,
    register: bool | Literal["auto"],
    stage_accuracy_um: float,
    picture_to_stage: Floats | None,
    known_to: float,
    told: Callable[[], None],
) -> Placed:
    """Find the tiles' places; arguments as those of `stitch`."""
    stated = np.eye(2) if picture_to_stage is None else np.asarray(picture_to_stage, np.float64)
    stage_um = np.array([(tile.x_um, tile.y_um) for tile in tiles], float)
    # In pixels of the picture, right and down.
    centres_px = stage_um @ np.linalg.inv(stated).T / pixel_size_um
    rows, columns = tiles[0].image.shape
    pairs = neighbours(centres_px, (columns, rows)) if register else []
    as_stated = Registration(stated, np.full((2, 2), known_to), len(pairs))
    unmoved = Placed(stage_um, np.zeros_like(stage_um), np.ones(len(tiles)), None, as_stated)
    if len(tiles) == 1:
        return unmoved
    if not pairs or not (register is True or _shared(centres_px, pairs, (columns, rows)) >= LEAST_OVERLAP):
        stands = standing(tiles, centres_px, stage_accuracy_um / pixel_size_um) if register else Standing()
        corner_um = 0.5 * float(np.hypot(rows, columns)) * pixel_size_um
        refused = _misstated(stands, corner_um, stage_accuracy_um)
        note = "" if refused else _not_registered(stands, corner_um, stage_accuracy_um, known_to)
        gains = seam_gains(tiles, centres_px) if register else np.ones(len(tiles))
        lit = replace(as_stated, gain_percent=100.0 * float(np.std(np.log(gains))))
        return _with(replace(unmoved, gains=gains), lit, refused=refused, note=note)
    accuracy_px = stage_accuracy_um / pixel_size_um
    found = _compared(tiles, centres_px, pairs, accuracy_px, known_to, told)
    if not found:
        why = f"of {len(pairs)} overlaps none shows anything by which the tiles could be placed"
        return _with(unmoved, as_stated, rejected=len(pairs), refused=why)
    settled = settle(found, centres_px, accuracy_px, known_to, max(rows, columns) / 2)
    return _placed(settled, as_stated, stage_um, (len(pairs), len(found)), stage_accuracy_um, pixel_size_um)


def _compared(
    tiles: Sequence[Tile],
    centres_px: Floats,
    pairs: list[tuple[int, int]],
    accuracy_px: float,
    known_to: float,
    told: Callable[[], None],
) -> list[PairShift]:
    images = [tile.image.astype(np.float64) for tile in tiles]
    found: list[PairShift] = []
    for i, j in pairs:
        apart = centres_px[j] - centres_px[i]
        # Both ends may be off by the stage's accuracy, in opposite directions.
        reach_px = 2 * accuracy_px + _REACH_SIGMAS * known_to * float(np.hypot(*apart))
        shift = pair_shift(i, j, (images[i], images[j]), apart, reach_px)
        if shift is not None:
            found.append(shift)
        told()
    return found


def _placed(
    settled: Settled,
    stated: Registration,
    stage_um: Floats,
    counts: tuple[int, int],
    stage_accuracy_um: float,
    pixel_size_um: float,
) -> Placed:
    """From pixels of the picture to the stage, and what is to be thought of it."""
    picture_to_stage = stated.picture_to_stage @ np.linalg.inv(np.eye(2) + settled.affine)
    offsets_um = settled.offsets_px @ picture_to_stage.T * pixel_size_um
    length = np.hypot(offsets_um[:, 0], offsets_um[:, 1])
    clipped = int((length > stage_accuracy_um).sum())
    offsets_um = offsets_um * np.minimum(1.0, stage_accuracy_um / np.maximum(length, 1e-12))[:, None]
    residual_um = settled.residual_px * pixel_size_um * stated.scale
    overlaps, compared = counts
    rejected = overlaps - compared + len(settled.rejected)
    registration = Registration(
        picture_to_stage, settled.affine_u, overlaps, rejected, clipped, 100.0 * float(np.std(settled.log_gains)),
        _doubt(residual_um, clipped, len(stage_um), rejected, overlaps, stage_accuracy_um),
    )  # fmt: skip
    if settled.unborne and not registration.refused:
        why = (
            f"{settled.unborne} overlaps hold tiles that no other overlap bears out, with a stage that may be "
            f"{stage_accuracy_um:g} um off: overlap more"
        )
        registration = replace(registration, refused=why)
    known = None if registration.refused else residual_um
    return Placed(stage_um + offsets_um, offsets_um, np.exp(settled.log_gains), known, registration)


def _doubt(residual_um: float, clipped: int, tiles: int, rejected: int, overlaps: int, stage_accuracy_um: float) -> str:
    """Why the tiles must not be relied on; "" where they may."""
    if clipped:
        return (
            f"{clipped} of {tiles} tiles lie farther from their read-back than mosaic.stage_accuracy_um, "
            f"{stage_accuracy_um:g} um: state what the stage really does, or look for what moved"
        )
    if rejected > _MOST_REJECTED * overlaps:
        return (
            f"{rejected} of {overlaps} overlaps say nothing, or something else than the others: overlap more, "
            "expose longer, or calibrate the camera"
        )
    if residual_um > _MOST_RESIDUAL_UM:
        return (
            f"tiles are expected {residual_um:.2f} um from their places, more than {_MOST_RESIDUAL_UM:g} um "
            f"({rejected} of {overlaps} overlaps were of no use): overlap more, or expose longer"
        )
    return ""


def _misstated(stands: Standing, corner_um: float, stage_accuracy_um: float) -> str:
    """Why seams say that the camera does not stand as stated; "" where they do not."""
    remedy = "calibrate the camera (`xrm calibrate`)"
    if stands.otherwise:
        return f"beyond the seams the sample goes on as if the pictures were {stands.otherwise}: {remedy}"
    if stands.turn_rad is None:
        return ""
    off_um = abs(stands.turn_rad) * corner_um
    if abs(stands.turn_rad) < _SURE_SIGMAS * stands.turn_u_rad or off_um < stage_accuracy_um:
        return ""
    return (
        f"the seams show a camera turned by {np.degrees(stands.turn_rad):.1f} +- {np.degrees(stands.turn_u_rad):.1f} "
        f"degrees, by which a tile's corner lies {off_um:.1f} um from its place: {remedy}, or let tiles overlap"
    )


def _not_registered(stands: Standing, corner_um: float, stage_accuracy_um: float, known_to: float) -> str:
    """What is to be known of tiles that overlap too little."""
    note = (
        "tiles were not registered, they overlap too little: how far they lie from their places is not known, it is"
        f" no worse than the stage, stated as {stage_accuracy_um:g} um"
    )
    if known_to < UNKNOWN:
        return note
    if stands.turn_rad is None or not stands.goes_on:
        return f"{note}; nobody has measured how the camera stands, and no seam shows it"
    most = abs(stands.turn_rad) + 2 * stands.turn_u_rad
    return (
        f"{note}; nobody has measured how the camera stands: by the seams it is turned by less than "
        f"{np.degrees(most):.1f} degrees, {most * corner_um:.1f} um in a tile's corner; its pixel is taken as stated, "
        f"of which 1 % is {corner_um / 100:.1f} um there"
    )


def _with(placed: Placed, as_stated: Registration, *, rejected: int = 0, refused: str = "", note: str = "") -> Placed:
    told = replace(as_stated, rejected=rejected, refused=refused, note=note)
    return replace(placed, registration=told)


def neighbours(centres_px: NDArray[np.floating], tile_px: tuple[int, int]) -> list[tuple[int, int]]:
    """Pairs of tiles (indices, first < second) that share an edge: at least half of it, and any depth.

    centres_px: (tiles, 2) x, y; tile_px: columns, rows of a tile.
    """
    shared = np.array(tile_px)[None, None, :] - np.abs(centres_px[:, None] - centres_px[None, :])
    share = shared / np.array(tile_px)
    touching = (share.min(axis=2) > 0) & (share.max(axis=2) >= 0.5)
    first, second = np.nonzero(np.triu(touching, 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _shared(centres: NDArray[np.floating], pairs: list[tuple[int, int]], tile_px: tuple[int, int]) -> float:
    """Median depth of the overlaps as a share of the tile."""
    shares = [np.min(1 - np.abs(centres[i] - centres[j]) / np.array(tile_px)) for i, j in pairs]
    return float(np.median(shares))
