"""A frame's id says what it is and is a path that stays below `frames/`."""

from __future__ import annotations

import contextlib
import json
import pickle
import sqlite3

import pytest

from xrm_control.core.errors import DataError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind

NAMES = [
    (FrameId.tile(3, 5), "mosaic/tile_r03_c05", "mosaic", FrameKind.TILE),
    (FrameId.tile(123, 0), "mosaic/tile_r123_c00", "mosaic", FrameKind.TILE),
    (FrameId.projection("roi-01", 7), "roi-01/proj_0007", "roi-01", FrameKind.PROJECTION),
    (FrameId.projection("roi-12", 12345), "roi-12/proj_12345", "roi-12", FrameKind.PROJECTION),
    (FrameId.flat("mosaic", 1), "mosaic/flat_0001", "mosaic", FrameKind.FLAT),
    (FrameId.numbered("roi-01", FrameKind.REPEAT, 0), "roi-01/repeat_0000", "roi-01", FrameKind.REPEAT),
    (FrameId.dark("roi-02", 12), "roi-02/dark_0012", "roi-02", FrameKind.DARK),
]


@pytest.mark.parametrize(("name", "text", "group", "kind"), NAMES, ids=[text for _, text, *_ in NAMES])
def test_what_it_is_made_of_is_read_from_it(name: FrameId, text: str, group: str, kind: FrameKind) -> None:
    assert name == text
    assert FrameId(text) == name
    assert (name.group, name.kind, name.of_mosaic) == (group, kind, group == "mosaic")


@pytest.mark.parametrize(
    "text",
    ["", "roi-01", "../../etc/x", "roi-01/../x", "/roi-01/proj_0001", "proj_0001", "roi-01/proj 1", "a/b/proj_0001",
     "roi-01/proj_1", "roi-01/tile_0001", "roi-01/proj_0001.tif", "roi-01/proj_0001\n", "-/proj_0001"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is no frame id"):
        FrameId(text)


def test_files_and_processes_take_it_for_text() -> None:
    name = FrameId.projection("roi-01", 7)
    assert json.dumps({name: name}) == '{"roi-01/proj_0007": "roi-01/proj_0007"}'
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:
        assert memory.execute("SELECT ?", (name,)).fetchone() == ("roi-01/proj_0007",)
    assert pickle.loads(pickle.dumps(name)).kind is FrameKind.PROJECTION
