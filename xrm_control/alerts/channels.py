"""The channels by apprise, which knows how to reach a hundred kinds of messengers. The only user of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xrm_control.alerts.delivery import Channel
from xrm_control.alerts.messages import Message
from xrm_control.core.errors import RecipeError


def channels(addresses: Sequence[str]) -> tuple[Channel, ...]:
    """One channel for each address. Raises RecipeError where apprise is not installed, or does not know an address.

    No message of this module holds an address.
    """
    try:
        import apprise
    except ImportError as error:
        raise RecipeError(
            "alerts are configured, and apprise is not installed",
            where="alerts",
            remedy="pip install 'xrm_control[alerts]'",
        ) from error
    # Its own log names addresses.
    log = logging.getLogger("apprise")
    log.propagate, log.handlers = False, [logging.NullHandler()]
    return tuple(_channel(apprise, number, address) for number, address in enumerate(addresses, start=1))


def _channel(apprise: Any, number: int, address: str) -> Channel:
    kind = address.partition("://")[0] if "://" in address else "?"
    name = f"channel {number} ({kind[:20]})"
    messenger = apprise.Apprise()
    if not messenger.add(address):
        raise RecipeError(
            "apprise does not know such an address",
            where=name,
            remedy="see the kinds of addresses at https://appriseit.com; e.g. mailto://user:password@host",
        )

    def send(message: Message, picture: Path | None) -> bool:
        kind_of = apprise.NotifyType.FAILURE if message.grave else apprise.NotifyType.INFO
        there = picture is not None and picture.is_file()
        attach = str(picture) if there else None
        return bool(messenger.notify(title=message.title, body=message.body, notify_type=kind_of, attach=attach))

    return Channel(name, send)
