"""The versions of the installed packages."""

from __future__ import annotations

import importlib.metadata
from functools import lru_cache


@lru_cache(maxsize=64)
def version_of(package: str) -> str | None:
    """As it is installed; None where it is not. Read once: a package's description is a text of some hundred lines."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


# A checkout on the path that nobody has installed has none.
__version__ = version_of("xrm_control") or "0+unknown"
