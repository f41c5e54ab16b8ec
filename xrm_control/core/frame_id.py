"""The name of a frame, which is also its path below `frames/`, without ending: ``roi-01/proj_0007``."""

from __future__ import annotations

import re
from typing import Self

from xrm_control.core.errors import DataError
from xrm_control.core.states import FrameKind

MOSAIC = "mosaic"

_STEMS = {
    FrameKind.PROJECTION: "proj",
    FrameKind.FLAT: "flat",
    FrameKind.DARK: "dark",
    FrameKind.BLOCKER: "blocker",
    FrameKind.REPEAT: "repeat",
}
_KINDS = {"tile": FrameKind.TILE, **{stem: kind for kind, stem in _STEMS.items()}}
_ID = re.compile(
    r"(?P<group>[A-Za-z0-9][A-Za-z0-9_-]*)/"
    r"(?:(?P<tile>tile)_r(?P<row>[0-9]{2,})_c(?P<column>[0-9]{2,})"
    rf"|(?P<stem>{'|'.join(_STEMS.values())})_(?P<number>[0-9]{{4,}}))"
)


class FrameId(str):
    """Text that names a frame of the mosaic or of a region; DataError for any other text.

    It is compared, sorted, and kept on file as that text; `group`, `kind` and `number` are read from it.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take `text` for what it says."""
        if not _ID.fullmatch(text):
            raise DataError(
                "is no frame id",
                where=text,
                limit="GROUP/tile_rNN_cNN, or GROUP/ and proj, repeat, flat, dark or blocker, and _NNNN",
            )
        return super().__new__(cls, text)

    @classmethod
    def tile(cls, row: int, column: int) -> Self:
        """A tile of the mosaic: ``mosaic/tile_r03_c05``."""
        return cls(f"{MOSAIC}/tile_r{row:02d}_c{column:02d}")

    @classmethod
    def projection(cls, roi: str, number: int) -> Self:
        """A projection of a region: ``roi-01/proj_0007``."""
        return cls.numbered(roi, FrameKind.PROJECTION, number)

    @classmethod
    def flat(cls, group: str, number: int) -> Self:
        """A flat of a region or of the mosaic: ``roi-01/flat_0001``."""
        return cls.numbered(group, FrameKind.FLAT, number)

    @classmethod
    def dark(cls, group: str, number: int) -> Self:
        """A dark of a region or of the mosaic: ``mosaic/dark_0001``."""
        return cls.numbered(group, FrameKind.DARK, number)

    @classmethod
    def numbered(cls, group: str, kind: FrameKind, number: int) -> Self:
        """Any frame but a tile, which has a row and a column. KeyError for a tile."""
        return cls(f"{group}/{_STEMS[kind]}_{number:04d}")

    @property
    def group(self) -> str:
        """``mosaic``, or the name of the region."""
        return self.partition("/")[0]

    @property
    def of_mosaic(self) -> bool:
        """Whether it belongs to the mosaic and to no region."""
        return self.group == MOSAIC

    @property
    def kind(self) -> FrameKind:
        """What it shows."""
        return _KINDS[self.partition("/")[2].partition("_")[0]]
