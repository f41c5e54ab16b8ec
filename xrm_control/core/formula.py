"""Chemical formulas as numbers of atoms, read within bounds: ``LiNi0.8Mn0.1Co0.1O2``, ``Mn(SO4)2(H2O)7``."""

from __future__ import annotations

import math
import re

from xrm_control.core.numbers import PLAIN

MAX_LENGTH, MAX_DEPTH, MAX_NUMBER = 200, 10, 10_000.0

_TOKEN = re.compile(rf"(?P<symbol>[A-Z][a-z]?)|(?P<number>{PLAIN}(?:[eE][-+]?[0-9]+)?)|(?P<bracket>[()])|(?P<space> +)")


def atoms(formula: str) -> dict[str, float]:
    """Atoms by element symbol. Raises ValueError, saying what and where, for what is no formula.

    At most 200 characters, ten brackets deep, each number above 0 and at most 10 000. Symbols are not looked up.
    """
    if not formula.strip():
        raise ValueError("it is empty")
    if len(formula) > MAX_LENGTH:
        raise ValueError(f"it is {len(formula)} characters long, at most {MAX_LENGTH} are read")
    levels: list[dict[str, float]] = [{}]
    # What a number that follows would multiply; None where none may stand.
    last: dict[str, float] | None = None
    for kind, text, at in _tokens(formula):
        if kind == "number":
            if last is None:
                raise ValueError(f"the number {text} at character {at} follows no element or group")
            _add(levels[-1], last, _number(text, at) - 1.0)
            last = None
        elif kind == "symbol":
            last = {text: 1.0}
            _add(levels[-1], last, 1.0)
        elif text == "(":
            if len(levels) > MAX_DEPTH:
                raise ValueError(f"brackets are nested deeper than {MAX_DEPTH} at character {at}")
            levels.append({})
            last = None
        elif len(levels) == 1 or not levels[-1]:
            raise ValueError(f"the bracket ) at character {at} closes nothing")
        else:
            last = levels.pop()
            _add(levels[-1], last, 1.0)
    if len(levels) > 1:
        raise ValueError("a bracket ( is not closed")
    return levels[0]


def _tokens(formula: str) -> list[tuple[str, str, int]]:
    """Kind, text and place (from 1) of every part."""
    found: list[tuple[str, str, int]] = []
    place = 0
    while place < len(formula):
        match = _TOKEN.match(formula, place)
        if match is None:
            raise ValueError(f"'{formula[place]}' at character {place + 1} is no element, number or bracket")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group(), place + 1))
        place = match.end()
    return found


def _number(text: str, at: int) -> float:
    number = float(text)
    if not (math.isfinite(number) and 0 < number <= MAX_NUMBER):
        raise ValueError(f"the number {text} at character {at} is not above 0 and at most {MAX_NUMBER:g}")
    return number


def _add(to: dict[str, float], what: dict[str, float], times: float) -> None:
    for symbol, number in what.items():
        to[symbol] = to.get(symbol, 0.0) + times * number
