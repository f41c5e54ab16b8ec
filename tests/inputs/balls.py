"""What every file of the ball must give, and flats of another exposure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xrm_control as xrm
from tests.inputs.files import MU, RADIUS_UM, changed, measured
from xrm_control.storage.formats.scan_file import ScanOptions


def check_ball(source: Path, says: str = "", options: ScanOptions | None = None, **more: Any) -> None:
    """Right attenuation and radius; and the notes say what was done."""
    found = xrm.reconstruct(source, options=options, **more)
    mu, radius_um = measured(found.volume)
    assert mu == pytest.approx(MU, rel=0.015)
    assert radius_um == pytest.approx(RADIUS_UM, rel=0.02)
    assert says in "; ".join(found.origins.notes)


def longer(scan: Any, flats: float) -> Any:
    """Flats exposed so many times as long as the projections."""
    return changed(scan, flats=lambda f: (100 + (f.astype(float) - 100) * flats).round().astype(np.uint16))
