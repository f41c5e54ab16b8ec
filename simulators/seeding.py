"""Random numbers that depend on what they are for, never on the order of the calls."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A fresh generator for one purpose, e.g. ``generator(seed, "photons", frame)``; numbers are not negative."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *numbers]))
