"""A preview while the scan runs: one frame of counts added to three slices, and the picture of them."""

from __future__ import annotations

from itertools import count

import numpy as np

from benchmarks.timing import Row, median_s
from xrm_control.reconstruction.incremental_fbp import IncrementalFBP
from xrm_control.reconstruction.preview_picture import preview_png
from xrm_control.reconstruction.running_flat_field import RunningFlatField

VIEWS, BEAM_COUNTS, DARK_COUNTS = 141, 4000, 100
TARGETS_S = {128: 0.010, 1024: 0.100}
PICTURE_TARGET_S = {128: 0.030, 1024: 0.100}


def rows() -> list[Row]:
    """One thread, whatever is in the frames."""
    found = []
    for side, target_s in TARGETS_S.items():
        random = np.random.default_rng(1)
        darks = random.poisson(DARK_COUNTS, (3, side, side)).astype(np.uint16)
        flats = random.poisson(DARK_COUNTS + BEAM_COUNTS, (3, side, side)).astype(np.uint16)
        frame = random.poisson(DARK_COUNTS + BEAM_COUNTS / 2, (side, side)).astype(np.uint16)
        references = RunningFlatField(flats, darks)
        growing = IncrementalFBP(np.linspace(-90, 90, VIEWS), side, side, (side - 1) / 2, 0.512)
        view = count()
        add_s = median_s(lambda: growing.add(next(view), references.line_integrals_of(frame)), 20)  # noqa: B023
        png_s = median_s(lambda: preview_png(growing.slices()), 10)  # noqa: B023
        picture_s = PICTURE_TARGET_S[side]
        found += [
            Row(
                f"view of {side} x {side} counts into three growing slices",
                "growing",
                add_s,
                target_s / add_s,
                f"its target of {1e3 * target_s:.0f} ms",
            ),
            Row(
                f"picture of three slices of {side}",
                "preview_png",
                png_s,
                picture_s / png_s,
                f"its target of {1e3 * picture_s:.0f} ms",
            ),
        ]
    return found
