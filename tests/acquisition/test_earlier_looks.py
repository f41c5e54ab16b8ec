"""Which tiles of an earlier mosaic are looked at again: spread over it, the same each time."""

from __future__ import annotations

import pytest

from xrm_control.acquisition.mosaic import EarlierMosaic, MosaicSpec


def taken(columns: int, rows: int, looks: int) -> list[tuple[int, int]]:
    spec = MosaicSpec(columns=columns, rows=rows, earlier=EarlierMosaic(run="before", looks=looks))
    return [spec.tile_of(number) for number in spec.taken()]


@pytest.mark.parametrize(
    ("columns", "rows", "looks", "expected"),
    [
        (5, 5, 5, [(0, 0), (0, 4), (2, 2), (4, 0), (4, 4)]),
        (3, 1, 3, [(0, 0), (0, 1), (0, 2)]),
        (2, 2, 6, [(0, 0), (0, 1), (1, 1), (1, 0)]),
        (9, 1, 3, [(0, 0), (0, 4), (0, 8)]),
    ],
)
def test_the_looks_reach_the_corners(columns: int, rows: int, looks: int, expected: list[tuple[int, int]]) -> None:
    assert taken(columns, rows, looks) == expected


def test_no_tile_is_far_from_a_look() -> None:
    """Of 5 x 8 tiles and 6 looks, each lies within three tiles of one."""
    looks = taken(5, 8, 6)
    assert len(set(looks)) == 6
    far = max(
        min(abs(row - r) + abs(column - c) for r, c in looks) for row in range(8) for column in range(5)
    )  # fmt: skip
    assert far <= 4


def test_a_recipe_that_names_none_is_the_recipe_that_it_was() -> None:
    assert "earlier" not in MosaicSpec().model_dump()
    assert MosaicSpec().taken() == tuple(range(40))
