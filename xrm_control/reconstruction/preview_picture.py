"""Three growing slices as a picture for people: beside each other, in one grey scale, with a caption."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from xrm_control.reconstruction.incremental_fbp import OrthogonalSlices

_PANEL_PX = 384  # small slices are enlarged to about this
_LARGEST_PX = 512  # larger ones are averaged down to this
_GAP_PX = 6
_LINE_PX = 20
_FONT_PX = 13
_QUANTILES = (0.01, 0.998)  # a few streaks and hot voxels do not set the grey scale
_BACKGROUND, _INK = 32, 220


def preview_png(slices: OrthogonalSlices, note: str = "") -> bytes:
    """A grey PNG of the three slices, each named above; below, what they rest on, their grey scale in 1/um, a note."""
    z, y, x = slices.at
    panels = {
        f"z = {z}: x right, y down": slices.yx,
        f"y = {y}: x right, z down": slices.zx,
        f"x = {x}: y right, z down": slices.zy,
    }
    pictures, (black, white) = _pictures(panels)
    width = sum(picture.width + _GAP_PX for picture in pictures.values()) + _GAP_PX
    height = max(picture.height for picture in pictures.values()) + 2 * _LINE_PX
    whole = Image.new("L", (width, height), _BACKGROUND)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(_FONT_PX)
    left = _GAP_PX
    for name, picture in pictures.items():
        whole.paste(picture, (left, _LINE_PX))
        draw.text((left, 2), name, fill=_INK, font=font)
        left += picture.width + _GAP_PX
    caption = f"{slices.views} of {slices.planned} views     black {black:.4f}, white {white:.4f} 1/um     {note}"
    draw.text((_GAP_PX, height - _LINE_PX + 2), caption, fill=_INK, font=font)
    file = io.BytesIO()
    whole.save(file, "png", compress_level=1)
    return file.getvalue()


def _pictures(panels: dict[str, NDArray[np.float32]]) -> tuple[dict[str, Image.Image], tuple[float, float]]:
    """Panels at one magnification and in one grey scale, and what is black and white."""
    largest = max(max(values.shape) for values in panels.values())
    fewer = math.ceil(largest / _LARGEST_PX)
    times = max(1, round(_PANEL_PX / largest))
    reduced = {name: np.asarray(Image.fromarray(values).reduce(fewer)) for name, values in panels.items()}
    every = np.concatenate([values.ravel() for values in reduced.values()])
    black, white = (float(value) for value in np.quantile(every, _QUANTILES))
    white = white if white > black else black + 1.0
    pictures = {}
    for name, values in reduced.items():
        grey = np.rint(np.clip((values - black) * (255 / (white - black)), 0, 255)).astype(np.uint8)
        size = (times * grey.shape[1], times * grey.shape[0])
        pictures[name] = Image.fromarray(grey).resize(size, Image.Resampling.NEAREST)
    return pictures, (black, white)
