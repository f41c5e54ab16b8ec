"""Where alerts go: found in the environment or in a file of user or site; never in a recipe or a run's folder."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from xrm_control.alerts.spec import AlertsSpec, ChannelsSpec
from xrm_control.core.errors import RecipeError, XrmError
from xrm_control.core.events import AlertUndelivered, EventStream
from xrm_control.core.findings import Finding
from xrm_control.recipe.loading import load_document
from xrm_control.storage.durable import free_bytes
from xrm_control.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from xrm_control.alerts.delivery import Channel

ADDRESSES, FILE = "XRM_ALERT_URLS", "XRM_ALERTS"
HOW_TO_NAME_ONE = f"write `channels:` into ~/.config/xrm_control/alerts.yaml, or addresses into ${ADDRESSES}"
_SITE = Path("/etc/xrm_control/alerts.yaml")


@dataclass(frozen=True)
class Found:
    """The channels, where they were found, and what is doubtful about that place ("" for nothing)."""

    channels: ChannelsSpec
    source: str
    doubt: str = ""


def find() -> Found | None:
    """The channels in force; None where nobody has named any. Raises RecipeError for a file that cannot be used."""
    addresses = os.environ.get(ADDRESSES, "").split()
    if addresses:
        return Found(ChannelsSpec(channels=tuple(map(SecretStr, addresses))), f"${ADDRESSES}")
    named = os.environ.get(FILE)
    for path in (Path(named),) if named else (*_of_the_user(), _SITE):
        if named or _is_there(path):
            return Found(_read(path), str(path), _doubt(path))
    return None


def _of_the_user() -> tuple[Path, ...]:
    """The file of whoever runs this; none where nobody has said where their home is."""
    try:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    except RuntimeError:
        return ()
    return (home / "xrm_control" / "alerts.yaml",)


def _is_there(path: Path) -> bool:
    """As for this user: another one's home, into which one may not look, holds nothing."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read(path: Path) -> ChannelsSpec:
    try:
        channels, _ = load_document(path, ChannelsSpec, {})
    except RecipeError as error:
        # Its words may quote an address.
        raise RecipeError(
            "the file of the alerts' channels cannot be used",
            where=str(path),
            remedy="it holds `channels:`, a list of addresses in quotes, and perhaps `timeout_s:`",
        ) from (error if not _quotes(error) else None)
    return channels


def _quotes(error: RecipeError) -> bool:
    return "://" in str(error)


def _doubt(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return f"{path}: others may read its addresses (mode {mode:o}); `chmod 600 {path}`"
    return ""


def examine() -> Finding:
    """Whether somebody would be told. Nothing is sent."""
    what = "alerts"
    try:
        found = find()
        made = () if found is None else _made(found)
    except RecipeError as error:
        return Finding(what, False, f"{error.where}: {error.what}", error.remedy or HOW_TO_NAME_ONE)
    if found is None:
        return Finding(what, True, "no channel is named: nobody is told")
    return Finding(
        what, True, f"{len(made)} channel(s), from {found.source}; `xrm alert --test` tries them", found.doubt
    )


def test() -> list[tuple[str, str | None]]:
    """A message through every channel: its name, and what is wrong with it. Raises RecipeError where there is none."""
    from xrm_control.alerts.channels import channels
    from xrm_control.alerts.delivery import Delivery
    from xrm_control.alerts.messages import Message

    found = find()
    if found is None:
        raise RecipeError(
            "no channel is named",
            where="alerts",
            remedy=HOW_TO_NAME_ONE,
        )
    message = Message(None, "xrm: a test", "This is a test of the alerts of xrm_control. Nothing has happened.")
    delivery = Delivery(channels(_addresses(found)), found.channels.timeout_s, lambda _: None)
    try:
        return delivery.each(message)
    finally:
        delivery.close(0.0)


@asynccontextmanager
async def alerting(folder: RunFolder, spec: AlertsSpec, events: EventStream) -> AsyncGenerator[None, None]:
    """While the block runs, people are told of what `events` brings. What is wrong with alerts never ends a run."""
    try:
        found = find() if spec.on else None
        made = None if found is None else _made(found)
    except XrmError as error:
        events.emit(AlertUndelivered("all alerts", error.message()))
        found = made = None
    if found is None or made is None:
        yield
        return
    from xrm_control.alerts.delivery import Delivery
    from xrm_control.alerts.watcher import AlertWatcher, newest

    if found.doubt:
        events.emit(AlertUndelivered("no alert yet", found.doubt))
    path = folder.path
    watcher = AlertWatcher(
        folder.name,
        spec,
        lambda told: Delivery(made, found.channels.timeout_s, told),
        events.emit,
        lambda: newest([*path.glob("roi-*/preview.png"), path / "mosaic.png"]),
        lambda: free_bytes(path) / 1e9,
    )
    events.subscribe(watcher.hear, "the alerts")
    try:
        yield
    finally:
        await watcher.close()


def _made(found: Found) -> tuple[Channel, ...]:
    from xrm_control.alerts.channels import channels

    return channels(_addresses(found))


def _addresses(found: Found) -> list[str]:
    return [secret.get_secret_value() for secret in found.channels.channels]
