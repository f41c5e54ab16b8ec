"""The powders: one file a preset, found by its name; nothing else is to be edited for one more."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from simulators.powders.base import Powder

__all__ = ["Powder", "known", "powder"]


@lru_cache(maxsize=1)
def known() -> tuple[str, ...]:
    """Names of all presets, sorted."""
    return tuple(sorted(found.name for found in iter_modules(__path__) if found.name != "base"))


def powder(name: str) -> Powder:
    """The preset of that name; ValueError for an unknown one."""
    if name not in known():
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(known())}")
    return import_module(f"simulators.powders.{name}").POWDER
