"""Names of a package that are imported when somebody asks for them (PEP 562); the package itself costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package: `names` says in which module each of its names lives."""

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(names[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return get
