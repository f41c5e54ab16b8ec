"""A mosaic of before, found again on the stage: some of its tiles are taken anew, and tell how the sample has moved.

Only a move along the stage is put right. A sample that was turned, or has changed, is refused: places between those
looked at would be wrong by what nobody has seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import UnusableData
from xrm_control.mosaic.blending import straightened
from xrm_control.mosaic.displacement import displacement
from xrm_control.mosaic.tiles import FoundAgain, Mosaic, Tile

_LEAST = 3
# Of the looks that show something, those that may show something else: a fragment has fallen off, or on.
_MOST_UNLIKE = 1 / 3
_AGAIN = "leave out mosaic.earlier: this sample, as it lies now, needs a mosaic of its own"


def find_again(
    earlier: Mosaic,
    looks: Sequence[Tile],
    pixel_um: float,
    *,
    reach_um: float,
    allowed_um: float,
    told: Callable[[], None] = lambda: None,
) -> Mosaic:
    """The mosaic as the sample lies now, with how it was found.

    looks: some of its tiles, taken again; reach_um: how far the sample may have moved; allowed_um: how far a place may
    lie from the common move. Raises UnusableData where the looks do not tell, tell of another sample or of a turn.
    """
    places: list[tuple[float, float]] = []
    moves: list[tuple[float, float]] = []
    unlike: list[tuple[int, int]] = []
    for tile in looks:
        image = tile.image
        if earlier.registration is not None:
            image = straightened(image, earlier.registration.picture_to_stage)
        off = displacement(image, pixel_um, (tile.x_um, tile.y_um), earlier, reach_um)
        told()
        if off is None:
            continue
        if not off.recognised:
            unlike.append((tile.row, tile.column))
            continue
        if not off.exact:
            continue
        places.append((tile.x_um, tile.y_um))
        # What is seen here was there: it has moved from there to here.
        moves.append((-off.x_um, -off.y_um))
    _require_known(len(looks), len(places), len(unlike), reach_um)
    move, turned_deg = _common(np.array(places), np.array(moves))
    apart = np.hypot(*(np.array(moves) - move).T)
    worst = int(np.argmax(apart))
    if apart[worst] > allowed_um:
        x_um, y_um = places[worst]
        raise UnusableData(
            "the sample does not lie as in the earlier mosaic, moved as a whole",
            where="mosaic",
            value=f"{apart[worst]:.2f} um beside it at x {x_um:.0f}, y {y_um:.0f} um; as a turn {turned_deg:+.2f} deg",
            limit=f"{allowed_um:g} um (mosaic.stage_accuracy_um and the mosaic's own residual)",
            remedy=_AGAIN,
        )
    scatter_um = float(np.sqrt(np.mean(apart**2)))
    found = FoundAgain(len(looks), len(places), tuple(unlike), float(move[0]), float(move[1]), scatter_um, turned_deg)
    residual_um = None if earlier.residual_um is None else math.hypot(earlier.residual_um, scatter_um)
    return replace(
        earlier,
        x0_um=earlier.x0_um + found.x_um,
        y0_um=earlier.y0_um + found.y_um,
        residual_um=residual_um,
        earlier=found,
    )


def _require_known(looks: int, recognised: int, unlike: int, reach_um: float) -> None:
    """Raise UnusableData unless enough of the sample was seen again, and nearly all of that as it was."""
    if unlike > _MOST_UNLIKE * (recognised + unlike):
        raise UnusableData(
            "the sample does not look like the earlier mosaic: it is another one, or lies elsewhere",
            where="mosaic",
            value=f"{recognised} of {recognised + unlike} places recognised",
            limit=f"within {reach_um:.0f} um of where they were",
            remedy=_AGAIN,
        )
    if recognised < _LEAST:
        raise UnusableData(
            "too little of the earlier mosaic can be recognised",
            where="mosaic",
            value=f"{recognised} of {looks} places",
            limit=f"at least {_LEAST} that show something",
            remedy=f"raise mosaic.earlier.looks, or {_AGAIN}",
        )


def _common(places: NDArray[np.floating], moves: NDArray[np.floating]) -> tuple[NDArray[np.floating], float]:
    """The move that most agree on, as a median (x, y), and the turn that explains the rest best, in degrees."""
    move = np.median(moves, axis=0)
    arms, rest = places - places.mean(axis=0), moves - moves.mean(axis=0)
    turn = float((arms[:, 0] * rest[:, 1] - arms[:, 1] * rest[:, 0]).sum() / max((arms**2).sum(), 1e-9))
    return move, math.degrees(turn)
