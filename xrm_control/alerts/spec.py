"""When somebody is told, which a recipe may say; and where, which is secret, in a file of user or site."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from xrm_control.core.model import Spec

Occasion = Literal["finished", "failed", "held", "disk", "condition", "policy"]
OCCASIONS: tuple[Occasion, ...] = ("finished", "failed", "held", "disk", "condition", "policy")


class AlertsSpec(Spec):
    """When somebody is told: the recipe's `alerts` part. Where to is no part of a recipe: addresses are secrets."""

    on: tuple[Occasion, ...] = Field(default=OCCASIONS, description="which occasions; an empty list: none")
    held_min: float = Field(default=15.0, gt=0, le=44_640, description="tell of a hold that lasts longer")
    disk_free_gb: float = Field(default=5.0, ge=0, le=1_000_000, description="tell when less is free")
    picture: bool = Field(default=True, description="attach the newest picture of the run")


class ChannelsSpec(Spec):
    """The file ``alerts.yaml``: where alerts go. Each channel is an address as apprise takes it."""

    channels: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=10)] = Field(
        description="the first that delivers is enough; the next is tried when it fails"
    )
    timeout_s: float = Field(default=20.0, gt=0, le=600, description="a channel that takes longer has failed")
