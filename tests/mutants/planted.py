"""Faults planted by hand: realistic, of the kinds that once went through unseen, over all rooms.

Kinds: what the instrument does on the way; numbers shown and never computed a second way; the second branch of what is
symmetric; from recipe to effect; tolerances too wide; units and headings; crash windows; exit codes.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.mutants.mutant import Mutant


def planted() -> tuple[Mutant, ...]:
    """Those of planted.yaml, in its order."""
    content = yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text(encoding="utf-8"))
    return tuple(Mutant(path, **fault) for path, faults in content.items() for fault in faults)
