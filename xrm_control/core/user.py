"""Who this process works for."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """The user's name; their number where the system knows no name for it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user-{os.getuid()}"
