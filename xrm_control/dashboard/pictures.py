"""Pictures of a run as PNG, small enough for a page: made when asked for, from frames and volumes on the disk."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from xrm_control.core.errors import DataError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind
from xrm_control.dashboard.files import inside
from xrm_control.reporting.volumes import DAMAGE
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

_WIDEST = 2048
_CONTRAST_PERCENT = (0.5, 99.5)


def frame_png(folder: RunFolder, frame_id: str, width: int) -> bytes:
    """A kept frame in grey, at most `width` pixels wide: a tile as transmission where its references are there, so that
    tiles beside each other go together; anything else between its own darkest and brightest.

    Raises DataError for a frame that is not kept, or cannot be read.
    """
    name = FrameId(frame_id)
    with JournalReader.open(folder.journal) as journal:
        frame = journal.kept_frame(name)
        flats = [one.path for plan, one in journal.stored_frames("") if plan.kind is FrameKind.FLAT]
        darks = [one.path for plan, one in journal.stored_frames("") if plan.kind is FrameKind.DARK]
    if frame is None:
        raise DataError("this frame is not kept", where=folder.name, value=frame_id)
    if not inside(folder.path / frame.path, folder.path):
        raise DataError("this frame lies elsewhere", where=folder.name, value=frame_id)
    image = _read(folder.path / frame.path)
    if name.kind is FrameKind.TILE and flats and darks:
        flat, dark = (_mean(tuple(str(folder.path / path) for path in paths)) for paths in (flats, darks))
        with np.errstate(divide="ignore", invalid="ignore"):
            image = (image - dark) / (flat - dark)
        return png(image, (0.0, 1.0), width)
    return png(image, window_of(image), width)


def mosaic_png(folder: RunFolder, width: int) -> bytes:
    """The stitched mosaic as transmission, black is 0 and white is 1; nothing is drawn on it. Raises DataError."""
    if not folder.mosaic_tiff.is_file():
        raise DataError("the mosaic is not stitched yet", where=folder.name)
    return png(_read(folder.mosaic_tiff), (0.0, 1.0), width)


def png(image: NDArray[np.generic], window: tuple[float, float], width: int) -> bytes:
    """Grey between two values; NaN is black."""
    shown = Image.fromarray(grey(image, window))
    width = max(16, min(width, _WIDEST))
    if shown.width > width:
        shown = shown.resize((width, max(1, round(shown.height * width / shown.width))), Image.Resampling.BOX)
    out = io.BytesIO()
    shown.save(out, "PNG", compress_level=1)
    return out.getvalue()


def grey(image: NDArray[np.generic], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Values as 0 to 255 between the two ends of a window."""
    low, high = window
    scaled = np.subtract(image, np.float32(low), dtype=np.float32)
    scaled *= np.float32(255.0 / max(high - low, 1e-12))
    # Of a number and NaN these take the number.
    np.fmax(scaled, 0, out=scaled)
    np.fmin(scaled, 255, out=scaled)
    return scaled.astype(np.uint8)


def window_of(image: NDArray[np.generic]) -> tuple[float, float]:
    """Nearly the darkest and the brightest value."""
    values = np.asarray(image, np.float32)[:: max(1, image.shape[0] // 256)]
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, _CONTRAST_PERCENT)
    return float(low), float(max(high, low + 1e-6))


def _read(path: Path) -> NDArray[np.float32]:
    try:
        image = tifffile.imread(path)
    except DAMAGE as error:
        raise DataError(f"cannot be read ({error})", where=path.name) from error
    if image.ndim != 2:
        raise DataError("is no picture", where=path.name, value=image.shape)
    return np.asarray(image, np.float32)


@lru_cache(maxsize=8)
def _mean(paths: tuple[str, ...]) -> NDArray[np.float32]:
    return np.stack([_read(Path(path)) for path in paths]).mean(axis=0, dtype=np.float32)
