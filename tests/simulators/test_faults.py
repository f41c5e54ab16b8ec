from typing import Any

import pytest

from simulators.faults import KINDS, Fault


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "gremlin"}, "gremlin.*stall"),
        ({"kind": "stall", "move": 1}, "axis must be one of x, y, z, theta"),
        ({"kind": "stall", "axis": "w", "move": 1}, "'w'"),
        ({"kind": "stall", "axis": "x"}, "move .*or at_s"),
        ({"kind": "limit", "axis": "x", "move": 1, "at_s": 2.0}, "either"),
        ({"kind": "beam_loss"}, "at_s"),
        ({"kind": "beam_loss", "at_s": 1.0, "duration_s": 0.0}, "duration_s"),
        ({"kind": "dropped_frame"}, "frames"),
        ({"kind": "dropped_frame", "frames": (1,), "at_s": 3.0}, "either"),
        ({"kind": "nan_frame", "frames": (1,), "times": 0}, "times"),
        ({"kind": "offset", "at_s": 1.0, "amount": 2.0}, "axis must be one of"),
        ({"kind": "offset", "at_s": 1.0, "axis": "x"}, "amount"),
        ({"kind": "nudge_frame", "frames": (1,), "axis": "x", "amount": 0.0}, "amount"),
        ({"kind": "flux", "at_s": 1.0}, "factor"),
        ({"kind": "exposure_frame", "frames": (1,), "factor": -1.0}, "factor"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**fields)


def test_every_kind_can_be_written() -> None:
    made = {
        *(Fault(kind, axis="x", move=1).kind for kind in ("stall", "limit")),
        *(Fault(kind, at_s=1.0).kind for kind in ("beam_loss", "interlock", "stuck_shutter", "disconnect")),
        *(Fault(kind, at_s=1.0, factor=0.5, axis="x", amount=1.0).kind for kind in ("flux", "offset")),
        Fault("value", at_s=1.0, value="flux", amount=1.0).kind,
        Fault("no_value", at_s=1.0, value="flux").kind,
        *(Fault(k, frames=(2,), factor=0.5, axis="x", amount=1.0).kind for k in KINDS if k.endswith("frame")),
    }
    assert made == set(KINDS)
