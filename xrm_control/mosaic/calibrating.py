"""The camera against the stage from pictures of one place, taken after known moves: an affine by least squares.

As SerialEM and others calibrate a stage: what moves by d on the stage moves in the picture by N d; N and the backlash
are fitted to all moves together, and the picture-to-stage matrix is N's inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.mosaic.registration import pair_shift
from xrm_control.mosaic.tiles import Picture

Floats = NDArray[np.floating]

# Of a picture's side: within that the same place is looked for, whichever way the camera stands.
_REACH = 0.7
_LEAST_LOOKS = 6
_MOST_UNCERTAIN = 0.02
_LESS = "go where there is more to be seen, expose longer, or take more moves"


@dataclass(frozen=True)
class Look:
    """A picture (transmission) at a stage position that was read back. down_x, down_y: the axis last moved down."""

    image: Picture
    x_um: float
    y_um: float
    down_x: bool = False
    down_y: bool = False


@dataclass(frozen=True)
class Measured:
    """picture_to_stage and its standard uncertainty (2, 2), see `Registration`; backlash_um: of x and y; residual_um:
    root mean square of what the moves disagree by; looks: those that were recognised. tilt_deg, tilt_u_deg: of the
    rotation axis in the picture, and its standard uncertainty, None where no opposite views told.
    """

    picture_to_stage: Floats
    picture_to_stage_u: Floats
    backlash_um: tuple[float, float]
    residual_um: float
    looks: int
    tilt_deg: float | None = None
    tilt_u_deg: float | None = None


def measure(looks: Sequence[Look], pixel_size_um: float) -> Measured:
    """The affine from the looks, the first of which the others are held against.

    Raises DataError where too few of them are recognised, or it cannot be known well enough.
    """
    shifts, moves, downs, weights = [], [], [], []
    first = looks[0]
    for look in looks[1:]:
        shift = shift_px(first, look)
        if shift is None:
            continue
        shifts.append(shift[0])
        weights.append(shift[1])
        moves.append((look.x_um - first.x_um, look.y_um - first.y_um))
        downs.append((float(look.down_x) - float(first.down_x), float(look.down_y) - float(first.down_y)))
    if len(shifts) + 1 < min(_LEAST_LOOKS, len(looks)):
        raise DataError(
            "the same place is not recognised after moves of the stage",
            where="alignment",
            value=f"{len(shifts)} of {len(looks) - 1} pictures",
            limit=f"{_LEAST_LOOKS - 1}",
            remedy=_LESS,
        )
    design = np.column_stack((np.array(moves) / pixel_size_um, np.array(downs) / pixel_size_um))
    with_backlash = bool(np.linalg.matrix_rank(design) == 4)
    design = design if with_backlash else design[:, :2]
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise DataError("the moves do not span x and y", where="alignment", remedy=_LESS)
    found, covariance, residual_px = _fitted(design, np.array(shifts), np.array(weights))
    to_picture = found[:2].T
    picture_to_stage = np.linalg.inv(to_picture)
    u = _uncertainty(picture_to_stage, covariance[:2, :2])
    backlash = np.diag(picture_to_stage @ found[2:].T) if with_backlash else np.zeros(2)
    if u.max() > _MOST_UNCERTAIN:
        raise DataError(
            "the camera's place against the stage is not known well enough from these moves",
            where="alignment",
            value=f"+- {u.max():.3f}, the moves disagree by {residual_px * pixel_size_um:.2f} um",
            limit=f"+- {_MOST_UNCERTAIN:g}",
            remedy=_LESS,
        )
    return Measured(
        picture_to_stage, u, (float(backlash[0]), float(backlash[1])), residual_px * pixel_size_um, len(shifts) + 1
    )


def shift_px(first: Look, other: Look) -> tuple[Floats, float] | None:
    """By how much the other's picture lies (right, down) of the first's over the same place, and the weight of that in
    1 / px2; None where it is not recognised.
    """
    images = (first.image.astype(np.float64), other.image.astype(np.float64))
    found = pair_shift(0, 1, images, np.zeros(2), _REACH * min(first.image.shape))
    if found is None:
        return None
    return found.shift_px, 1.0 / (float(np.trace(np.linalg.inv(found.information))) / 2 + 0.02**2)


def _fitted(design: Floats, shifts: Floats, weights: Floats) -> tuple[Floats, Floats, float]:
    """Weighted least squares, right and down alike: answer (unknowns, 2), its covariance, and the residual in px.

    The covariance is the moves' own scatter: what the stage does wrong is in it.
    """
    # The stage errs more than the pictures: beyond a tenth of a pixel all looks count alike.
    root = np.sqrt(np.minimum(weights, 100.0))[:, None]
    answer, *_ = np.linalg.lstsq(design * root, shifts * root, rcond=None)
    off = design @ answer - shifts
    freedom = max(1, off.size - answer.size)
    weighted = float(((off * root) ** 2).sum()) / freedom
    normal = (design * root).T @ (design * root)
    covariance = np.linalg.inv(normal) * max(weighted, 0.02**2 * float(np.mean(root**2)))
    return answer, covariance, float(np.sqrt((off**2).sum(axis=1).mean()))


def _uncertainty(inverse: Floats, covariance: Floats) -> Floats:
    """Of a matrix's inverse: M dN M, to first order, with N's rows independent and alike."""
    # dM = -M dN M; var(dN[a, b]) = covariance[b, b'] for each row a.
    right = np.einsum("bi,bc,cj->ij", inverse, covariance, inverse)
    return np.sqrt(np.outer((inverse**2).sum(axis=1), np.diag(right)))
