"""Frames that are given up, and frames that arrive cut."""

import numpy as np
import pytest

from simulators.errors import SimulationError
from simulators.faults import Fault
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig


def microscope(*faults: Fault) -> Microscope:
    made = Microscope(MicroscopeConfig(specimen=SpecimenConfig("empty"), faults=faults))
    made.configure_camera(8, 1.0, 0.0)
    return made


def test_a_frame_of_the_wrong_shape_lacks_its_last_rows() -> None:
    cut, whole = microscope(Fault("wrong_shape_frame", frames=(1,))), microscope()
    images = []
    for one in (cut, whole):
        frame = one.read(one.expose(0.0).number, 2.0)
        assert frame is not None
        images.append(frame.image)
    assert images[0].shape == (112, 128)
    assert np.array_equal(images[0], images[1][:112])


@pytest.mark.parametrize("at_s", [0.3, 1.05])
def test_an_aborted_exposure_frees_the_camera_and_gives_no_frame(at_s: float) -> None:
    """In the exposure or in the read-out; the frames after it are those that they would have been."""
    one, other = microscope(), microscope()
    first = one.expose(0.0)
    with pytest.raises(SimulationError, match="busy"):
        one.expose(at_s)
    one.abort_exposure(at_s)
    with pytest.raises(SimulationError, match="aborted"):
        one.read(first.number, 10.0)
    other.expose(0.0)
    frames = [m.read(m.expose(begin_s).number, 10.0) for m, begin_s in ((one, at_s), (other, 3.0))]
    assert frames[0] is not None
    assert frames[1] is not None
    assert np.array_equal(frames[0].image, frames[1].image)


def test_aborting_nothing_changes_nothing() -> None:
    one = microscope()
    one.abort_exposure(0.0)
    exposure = one.expose(0.0)
    one.abort_exposure(exposure.ready_s)
    assert one.read(exposure.number, exposure.ready_s) is not None
