"""What a recipe will ask of an instrument: where it goes, and how it exposes."""

from __future__ import annotations

from xrm_control.acquisition.conditions import DISK_FREE
from xrm_control.acquisition.steps import axis_targets
from xrm_control.devices.backend import Needs
from xrm_control.devices.protocols import InstrumentDescription
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.planning import ORIGIN, likely_centres


def needs_of(recipe: Recipe, instrument: InstrumentDescription) -> Needs:
    """Limits, travel and exposures; regions that are not known before the mosaic as they are planned."""
    safety, camera = recipe.safety, instrument.camera
    acquisitions = [recipe.mosaic.acquisition(recipe.sample, camera)]
    for number, centre in enumerate(likely_centres(recipe, camera), start=1):
        acquisitions.append(
            recipe.scan.acquisition(
                f"roi-{number:02d}", centre, recipe.sample, camera, blockers=recipe.scan.blockers(instrument)
            )
        )
    poses = [ORIGIN, *(step.pose for acquisition in acquisitions for step in acquisition.steps)]
    targets = [axis_targets(pose) for pose in poses]
    return Needs(
        limits={"x": safety.x_um, "y": safety.y_um, "z": safety.z_um, "theta": safety.theta_deg},
        travel={name: (min(t[name] for t in targets), max(t[name] for t in targets)) for name in targets[0]},
        exposures=tuple(dict.fromkeys((one.binning, one.exposure_s) for one in acquisitions)),
        watched=tuple(dict.fromkeys(one.value for one in recipe.conditions if one.value != DISK_FREE)),
    )
