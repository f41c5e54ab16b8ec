"""`python -m tests.hunt.planted`: is the hunter any good? Faults planted one at a time, each hunted by the same nights.

Each in a process of its own, forked before the program is imported, on a copy of the tree; it ends at the first night
that breaks a promise. What no night finds is left to the tests beside the module (`python -m tests.mutants`).
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import traceback
from pathlib import Path

import yaml

from tests.mutants.hunt import copy_of
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
_LIMIT_CPU_S = 240
_FOUND, _SURVIVED = 10, 11
_NO_FAULT = Mutant("xrm_control/storage/durable.py", 'PART_SUFFIX = ".part"', 'PART_SUFFIX = ".part"', "none")


def planted() -> tuple[Mutant, ...]:
    """Those of planted.yaml, in its order."""
    content = yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text(encoding="utf-8"))
    return tuple(Mutant(path, **fault) for path, faults in content.items() for fault in faults)


def main() -> int:
    """Plant, hunt, sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.hunt.planted", description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--nights", type=int, default=30, help="at most, for each fault")
    parser.add_argument("--projections", type=int, default=8)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of faults, from 0")
    asked = parser.parse_args()
    faults, caught = planted(), 0
    numbers = asked.only or range(len(faults))
    # All that is large and not the program's own is imported once.
    for name in ("numpy", "scipy.ndimage", "pydantic", "tifffile", "yaml", "pytest", "transitions"):
        importlib.import_module(name)
    seeds = range(asked.first, asked.first + asked.nights)
    with copy_of(ROOT) as copy:
        if (by := hunted(_NO_FAULT, copy, seeds, asked.projections)) is not None:
            print(f"without a fault a promise is broken: {by}")
            return 2
        for number in numbers:
            by = hunted(faults[number], copy, seeds, asked.projections)
            caught += by is not None
            print(f"{number}: {faults[number].path}: {faults[number].what}: {by or 'SURVIVED'}", flush=True)
    print(f"{caught} of {len(numbers)} found")
    return int(caught < len(numbers))


def hunted(fault: Mutant, copy: Path, seeds: range, projections: int) -> str | None:
    """Which night finds the fault, and how; None where none does."""
    file, before = copy / fault.path, fault.plant(copy)
    told = copy / "found.txt"
    told.unlink(missing_ok=True)
    try:
        child = os.fork()
        if child == 0:
            os._exit(_hunt(copy, told, seeds, projections))
        _, status = os.waitpid(child, 0)
    finally:
        file.write_text(before, encoding="utf-8")
    if os.waitstatus_to_exitcode(status) == _SURVIVED:
        return None
    return told.read_text(encoding="utf-8") if told.exists() else f"time, or {os.waitstatus_to_exitcode(status)}"


def _hunt(copy: Path, told: Path, seeds: range, projections: int) -> int:
    """In a process of its own: the program from the copy, and nights until one breaks a promise."""
    signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT_CPU_S)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "xrm_control", "simulators")]:
        del sys.modules[name]
    logging.disable(logging.CRITICAL)
    try:
        case, night = (importlib.import_module(f"tests.hunt.{name}") for name in ("case", "night"))
        for seed in seeds:
            played = night.play(case.draw(seed, projections))
            if played.findings:
                told.write_text(f"seed {seed}: {played.findings[0][:160]}", encoding="utf-8")
                return _FOUND
        return _SURVIVED
    except BaseException as error:  # noqa: BLE001  a fault that breaks the hunter is found, too
        frame = traceback.extract_tb(error.__traceback__)[-1]
        told.write_text(f"{type(error).__name__} in {frame.name}: {error}"[:160], encoding="utf-8")
        return _FOUND


if __name__ == "__main__":
    sys.exit(main())
