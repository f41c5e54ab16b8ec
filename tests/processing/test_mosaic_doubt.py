"""A run whose mosaic is not to be relied on says so in its verdict, with every reason."""

from __future__ import annotations

import pytest

from xrm_control.contracts.rois import MosaicRecord, RegistrationRecord, RoisDocument
from xrm_control.processing.achieved import _mosaic_doubt

STRAIGHT = ((1.0, 0.0), (0.0, 1.0))


def document(refused: str, count: str) -> RoisDocument:
    placed = RegistrationRecord(
        picture_to_stage=STRAIGHT, picture_to_stage_u=((0.0, 0.0), (0.0, 0.0)), rotation_deg=0.0, scale=1.0,
        pairs=4, rejected=0, clipped=0, gain_percent=0.0, refused=refused,
    )  # fmt: skip
    about = MosaicRecord(
        pixel_size_um=0.5, x0_um=0.0, y0_um=0.0, shape=(4, 5), particles=7, registration=placed, count_doubt=count
    )
    return RoisDocument(mosaic=about, rois=())


@pytest.mark.parametrize(
    ("refused", "count", "said"),
    [
        ("", "", ""),
        ("tiles clipped", "", "mosaic: tiles clipped"),
        ("", "too deep", "mosaic: too deep"),
        ("tiles clipped", "too deep", "mosaic: tiles clipped; too deep"),
    ],
)
def test_each_reason_is_said(refused: str, count: str, said: str) -> None:
    assert _mosaic_doubt(document(refused, count)) == said


def test_before_the_choice_of_regions_nothing_is_said() -> None:
    assert _mosaic_doubt(None) == ""
