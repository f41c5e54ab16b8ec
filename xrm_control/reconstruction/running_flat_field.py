"""Counts become line integrals while the scan runs, with the references there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.preprocess import PreprocessSpec, line_integrals, transmission_of
from xrm_control.reconstruction.references import References, make_references, robust_mean
from xrm_control.reconstruction.scan import refuse_bad_frames

_BEAM_QUANTILE = 0.99


class RunningFlatField:
    """Counts become line integrals with the references there are while the scan runs.

    flats (f, rows, columns): the latest set, of this scan or of one before with the same camera settings. darks
    (d, rows, columns). Either may be empty. Without flats the brightest hundredth of the brightest frame so far stands
    in for the beam, uniform: the beam's profile stays in the picture, and the sample's level is that much off.

    Zingers, dead pixels and pixels of few quanta are treated as `spec` says; rings and shifts need the whole scan.
    Raises DataError where flats hold no beam or flats and darks do not fit each other.
    """

    def __init__(self, flats: NDArray[Any], darks: NDArray[Any], spec: PreprocessSpec | None = None) -> None:
        self._spec = (spec or PreprocessSpec()).model_copy(update={"ring_window_px": 0})
        for name, frames in (("flats", flats), ("darks", darks)):
            if np.ndim(frames) != 3 or np.shape(frames)[1:] != np.shape(darks)[1:]:
                raise DataError("references must be (any, rows, columns)", where=name, value=np.shape(frames))
            refuse_bad_frames(np.asarray(frames), name)
        self._shape = np.shape(darks)[1:]
        self._darks = np.asarray(darks)
        self._references = _references(np.asarray(flats), self._darks) if len(flats) else None
        self._stands_in = not len(flats)

    def line_integrals_of(self, frame: NDArray[Any], view: int = 0) -> NDArray[np.float32]:
        """(rows, columns) of one frame in counts; `view` names it in errors.

        Raises DataError for another shape, for NaN and infinity, and for a first frame without beam.
        """
        counts = np.asarray(frame)
        if counts.shape != self._shape:
            raise DataError(
                "the frame has not the references' shape",
                where=f"projections, view {view}",
                value=counts.shape,
                limit=self._shape,
            )
        references = self._with_beam_of(counts, view)
        found = transmission_of(counts[None], references, np.zeros(1), self._spec, numbers=np.array([view]))
        return line_integrals(found, self._spec).sinograms[:, 0]

    def _with_beam_of(self, counts: NDArray[Any], view: int) -> References:
        """The references; where no flat was taken, with the beam of the brightest frame so far."""
        known = self._references
        if known is not None and not self._stands_in:
            return known
        refuse_bad_frames(counts[None], "projections", np.array([view]))
        dark = known.dark if known else _mean(self._darks, self._shape)
        level = np.quantile(counts - dark, _BEAM_QUANTILE).astype(np.float32)
        if known is None:
            known = _references((dark + level)[None], self._darks)
        elif level > known.beams[0, 0, 0]:
            known = replace(known, beams=np.full_like(known.beams, level))
        self._references = known
        return known


def _mean(darks: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return robust_mean(darks.astype(np.float32)) if len(darks) else np.zeros(shape, np.float32)


def _references(flats: NDArray[Any], darks: NDArray[Any]) -> References:
    return make_references(flats, np.zeros(len(flats)), darks, np.zeros(0))
