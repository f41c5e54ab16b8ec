"""Who this process works for."""

from __future__ import annotations

import getpass
import os
import socket


def user_name() -> str:
    """The user's name; their number where the system knows no name for it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user-{os.getuid()}"


def user_at_host() -> str:
    """The user and this machine, as ``alice@lab1``."""
    return f"{user_name()}@{socket.gethostname()}"
