"""What is tried: a command on files of one seed, and what its result may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np


class Expect(Enum):
    """What a mutation leaves of the truth.

    SAME: the sound result, or a refusal, or a remark. REFUSED: nothing else. FREE: another truth, which no program can
    tell from the first; it must only end well.
    """

    SAME = "same"
    REFUSED = "refused"
    FREE = "free"


@dataclass
class Mutant:
    """Arguments of `xrm` for files that were written, and what was done to them."""

    arguments: list[str]
    did: list[str] = field(default_factory=list[str])
    expect: Expect = Expect.SAME
    voxel_um: float | None = None  # by the file's own word, where it was changed

    def must(self, expect: Expect) -> None:
        """A refusal is asked for where one mutation asks for it; else what was made free stays free."""
        order = (Expect.SAME, Expect.FREE, Expect.REFUSED)
        self.expect = max(self.expect, expect, key=order.index)


def damaged(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Bytes with a few of them turned, a block lost, doubled, zeroed, filled or moved, or the end cut off."""
    size = len(data)
    act = str(rng.choice(["flip", "flip", "byte", "zeros", "ones", "cut", "drop", "double", "noise", "move", "append"]))
    start = int(rng.integers(0, size)) if rng.random() < 0.5 else int(rng.integers(0, min(size, 2048)))
    end = min(size, start + int(2 ** rng.uniform(0, 12)))
    out = bytearray(data)
    if act == "flip":
        for place in rng.integers(0, size if rng.random() < 0.5 else min(size, 4096), int(rng.integers(1, 9))):
            out[place] ^= 1 << int(rng.integers(0, 8))
    elif act == "byte":
        out[start] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
    elif act in ("zeros", "ones"):
        out[start:end] = bytes(end - start) if act == "zeros" else b"\xff" * (end - start)
    elif act == "cut":
        del out[start:]
    elif act == "drop":
        del out[start:end]
    elif act == "double":
        out[start:start] = out[start:end]
    elif act == "noise":
        out[start:end] = rng.bytes(end - start)
    elif act == "move":
        block = out[start:end]
        place = int(rng.integers(0, size - len(block) + 1))
        out[place : place + len(block)] = block
    else:
        out += rng.bytes(int(rng.integers(1, 5000)))
    return bytes(out), f"{act} {start}..{end} of {size}"


def damage_file(path: Path, rng: np.random.Generator, mutant: Mutant) -> None:
    """One or two of `damaged`."""
    data = path.read_bytes()
    for _ in range(int(rng.integers(1, 3))):
        if data:
            data, did = damaged(data, rng)
            mutant.did.append(did)
    path.write_bytes(data)
