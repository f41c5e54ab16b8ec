"""The version of the installed package."""

from __future__ import annotations

import importlib.metadata


def _installed() -> str:
    try:
        return importlib.metadata.version("xrm_control")
    except importlib.metadata.PackageNotFoundError:
        # A checkout on the path that nobody has installed.
        return "0+unknown"


__version__ = _installed()
