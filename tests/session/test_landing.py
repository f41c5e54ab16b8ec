"""Where a mosaic of a camera that stands askew has a place, there it is on the stage: a twin that is as drawn looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from simulators.config import MicroscopeConfig, standing_still
from simulators.microscope import Microscope
from xrm_control import app
from xrm_control.contracts.rois import ROIS
from xrm_control.mosaic.displacement import displacement
from xrm_control.mosaic.tiles import Mosaic

SEED = 5
ASKEW: dict[str, dict[str, Any]] = {
    "turned by 2 degrees": {"camera": {"rotation_deg": 2.0}},
    "turned by -3 degrees, pixel 2 % off": {"camera": {"rotation_deg": -3.0, "scale_x": 1.02, "scale_y": 1.02}},
}


def twin_sees(x_um: float, y_um: float) -> np.ndarray:
    """Transmission at a stage position, by the same specimen in an instrument that is as drawn."""
    config = MicroscopeConfig(seed=SEED, rendering=False, noise=False, illumination_unevenness=0.0)
    twin = Microscope(standing_still(config))
    t_s = max(twin.move(axis, at, 0.0).ends_s for axis, at in (("x", x_um), ("y", y_um)))
    t_s = twin.set_shutter(True, t_s)
    exposure = twin.expose(t_s)
    frame = twin.read(exposure.number, exposure.ready_s)
    assert frame is not None
    image = frame.image - twin.dark_counts
    return (image / np.percentile(image, 99)).astype(np.float32)


@pytest.mark.parametrize("name", ASKEW)
def test_places_of_the_mosaic_are_where_it_has_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recipe.yaml"
    instrument = {"backend": "simulated", "rendering": False, "seed": SEED, "geometry": ASKEW[name]}
    path.write_text(
        yaml.safe_dump(
            {
                "name": "askew",
                "instrument": instrument,
                "mosaic": {"rows": 3, "columns": 3, "overlap_percent": 15},
                "roi": {"kind": "most_particles", "count": 1},
            }
        )
    )
    outcome = app.run(app.load(path), tmp_path / "runs", None, until="rois")
    about = ROIS.read(outcome.folder / "rois.json").mosaic
    image = tifffile.imread(outcome.folder / "mosaic.ome.tif")
    mosaic = Mosaic(image, about.x0_um, about.y0_um, about.pixel_size_um, np.zeros((1, 2)), about.residual_um)
    for x_um, y_um in ((0.0, 0.0), (45.0, 45.0), (-45.0, 45.0), (45.0, -45.0)):
        off = displacement(twin_sees(x_um, y_um), about.pixel_size_um, (x_um, y_um), mosaic, 8.0)
        assert off is not None
        assert off.recognised
        # Nobody calibrated: 45 um to each side a degree would be 1.1 um.
        assert off.distance_um < 0.3, (x_um, y_um, off)
