"""Families find their members by looking; every member of the product answers to its kind."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from xrm_control.acquisition.order import ProjectionOrder
from xrm_control.acquisition.references import ReferenceScheme
from xrm_control.compute.executor import Compute
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.devices.backend import Backend
from xrm_control.reconstruction.reconstructor import Reconstructor
from xrm_control.roi.strategy import RoiStrategy

FAMILIES: list[tuple[Family, type[Spec], set[str]]] = [
    (Family("xrm_control.acquisition.schemes"), ReferenceScheme, {"before", "after", "both", "every"}),
    (Family("xrm_control.acquisition.orders"), ProjectionOrder, {"sequential", "interlaced"}),
    (Family("xrm_control.compute"), Compute, {"inline", "processes"}),
    (Family("xrm_control.devices", tag="backend"), Backend, {"simulated"}),
    (Family("xrm_control.roi.strategies"), RoiStrategy, {"varied_sizes", "most_particles", "manual", "grid"}),
    (Family("xrm_control.reconstruction.methods"), Reconstructor, {"fbp", "sirt", "cgls"}),
]


@pytest.mark.parametrize(("family", "base", "kinds"), FAMILIES, ids=lambda item: getattr(item, "package", ""))
def test_members_are_found(family: Family, base: type[Spec], kinds: set[str]) -> None:
    members = family.members(base)
    assert set(members) >= kinds
    assert all(issubclass(member, base) and member is not base for member in members.values())


class Holder(Spec):
    scheme: Annotated[ReferenceScheme, Family("xrm_control.acquisition.schemes")]


def test_a_member_is_chosen_by_its_tag() -> None:
    holder = Holder.model_validate({"scheme": {"kind": "every", "interval": 7}})
    assert holder.scheme.after(20) == (0, 7, 14, 20)


@pytest.mark.parametrize("scheme", [{"kind": "never"}, {}, {"kind": "both", "interval": 3}, "both"])
def test_what_is_no_member_is_refused(scheme: Any) -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate({"scheme": scheme})


def test_a_member_survives_json() -> None:
    holder = Holder.model_validate({"scheme": {"kind": "every", "interval": 7}})
    assert Holder.model_validate_json(holder.model_dump_json()) == holder
