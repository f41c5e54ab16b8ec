"""Recipes damaged at random, by seed: values, keys, lines and bytes of the shipped ones."""

from __future__ import annotations

import math
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from xrm_control import app
from xrm_control.core.errors import DataError, RecipeError, SafetyRefusal

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
HANG_S = 2.0

VALUES: list[Any] = [
    *(0, 1, 2, -1, 7, 8, 63, 127, 128, 1024, 20_000, 10**9, 2**63, -(10**15), 10**30),
    *(0.0, -0.0, 0.3, 1.5, 3.14159, 1e-300, 1e300, -1e300, 5e-324, float("nan"), float("inf"), -float("inf")),
    *(
        True,
        False,
        None,
        "",
        " ",
        "auto",
        "1",
        "1s",
        "0.3 mm",
        "-90°",
        "1,5",
        "kind",
        "yes",
        "~",
        "µ",
        "\u202e",
        "x" * 500,
    ),
    *(
        [],
        [1],
        [1, 2],
        [2, 1],
        [0, 0],
        [-1e300, 1e300],
        [[[[]]]],
        {},
        {"kind": "fixed"},
        {"kind": "grid"},
        {"a": {"b": 1}},
    ),
    *("/dev/zero", "/", "\0", "((((Li", "Li1e300", "NaCl", "kapton", "../../etc/passwd", "<<", "&a", "*a", "!!int 3"),
]
KEYS = ["kind", "", "scan", "x_um", "exposure_ms", "rows", "µ", "0", "null", "a.b", "[0]", "x" * 300]
PATHS = [
    *(
        "scan.exposure_s",
        "scan.projections",
        "scan.start_deg",
        "scan.end_deg",
        "scan.useful_diameter_um",
        "scan.binning",
    ),
    *(
        "scan.references.kind",
        "scan.references.interval",
        "scan.references.count",
        "scan.clear_margin_um",
        "scan.darks",
    ),
    *("mosaic.columns", "mosaic.rows", "mosaic.centre_x_um", "mosaic.overlap_percent", "mosaic.z_um", "mosaic.binning"),
    *("sample.formula", "sample.strip_width_um", "sample.strip_thickness_um", "sample.density_g_cm3", "roi.kind"),
    *(
        "roi.count",
        "roi.rows",
        "roi.columns",
        "roi.pitch_um",
        "roi.z_um",
        "roi.margin_um",
        "roi.positions",
        "roi.centre",
    ),
    *("reconstruction.rows", "reconstruction.rotation_axis", "reconstruction.method.kind", "reconstruction.memory_gb"),
    *(
        "analysis.min_particle_um",
        "analysis.threshold",
        "analysis.threshold.kind",
        "analysis.metrics",
        "handoff.command",
    ),
    *("safety.clearance_um", "safety.x_um", "safety.theta_deg", "retry.beam_wait_s", "output.keep_free_gb", "compute"),
    *("instrument.backend", "instrument.map", "instrument.faults", "instrument.seed", "scan.moved_allowed_um", "name"),
]
# Numbers by field, a range that reaches from what is usual to what is not: these get as far as a plan.
NUMBERS: dict[str, tuple[float, float] | tuple[int, int]] = {
    "scan.exposure_s": (0.0001, 100.0),
    "scan.projections": (2, 20_000),
    "scan.start_deg": (-200.0, 0.0),
    "scan.end_deg": (0.0, 200.0),
    "scan.useful_diameter_um": (0.01, 100.0),
    "scan.darks": (1, 1000),
    "scan.clear_margin_um": (0.0, 3000.0),
    "scan.moved_allowed_um": (0.01, 100.0),
    "mosaic.columns": (1, 100),
    "mosaic.rows": (1, 100),
    "mosaic.exposure_s": (0.0001, 100.0),
    "mosaic.overlap_percent": (0.0, 50.0),
    "mosaic.centre_x_um": (-3000.0, 3000.0),
    "mosaic.centre_y_um": (-3000.0, 3000.0),
    "mosaic.z_um": (-900.0, 900.0),
    "sample.strip_width_um": (0.1, 20_000.0),
    "sample.strip_thickness_um": (0.01, 2000.0),
    "sample.density_g_cm3": (0.001, 25.0),
    "roi.margin_um": (0.0, 50.0),
    "roi.z_um": (-600.0, 600.0),
    "reconstruction.rotation_axis": (-10.0, 1100.0),
    "reconstruction.memory_gb": (0.0001, 1000.0),
    "analysis.min_particle_um": (0.01, 200.0),
    "safety.clearance_um": (1.0, 30_000.0),
    "output.keep_free_gb": (0.0, 100.0),
}
Change = Callable[[random.Random, str], str]


def mutated(seed: int) -> tuple[bytes, dict[str, str]]:
    """A recipe's bytes and the options over it."""
    rng = random.Random(seed)
    text = rng.choice(RECIPES).read_text(encoding="utf-8")
    if seed % 2:
        return text.encode("utf-8"), _numbers(rng)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        text = rng.choice((_value, _value, _key, _lines, _characters))(rng, text)
    options = {rng.choice(PATHS): _flow(rng.choice(VALUES)) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))}
    raw = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        raw = bytes(rng.randrange(256) if rng.random() < 0.02 else byte for byte in raw)
    return raw[: rng.randrange(len(raw) + 1)] if rng.random() < 0.05 else raw, options


def _numbers(rng: random.Random) -> dict[str, str]:
    """One to three fields with numbers, small ones as often as large ones."""
    found: dict[str, str] = {}
    for key in rng.sample(sorted(NUMBERS), rng.choice((1, 1, 2, 3))):
        low, high = NUMBERS[key]
        value = math.exp(rng.uniform(math.log(1e-3), math.log(high - low + 1e-3))) + low - 1e-3
        found[key] = f"{min(max(round(value), low), high):d}" if isinstance(low, int) else f"{value:.6g}"
    return found


def outcome(seed: int, folder: Path) -> str:
    """`sound`, `doubted` or the error's name. Raises whatever is no refusal, TimeoutError after two seconds of CPU."""
    raw, options = mutated(seed)
    path = folder / "mutated.yaml"
    path.write_bytes(raw)
    with _no_hang():
        try:
            plan = app.check(app.load(path, options))
        except (RecipeError, SafetyRefusal, DataError) as error:
            if not str(error).strip() or len(str(error)) > 100_000:
                raise ValueError(f"seed {seed}: a message of {len(str(error))} characters") from error
            return type(error).__name__
    if not 0 < plan.total_s < 1e9 or plan.disk_bytes <= 0 or plan.projections < 7:
        raise ValueError(f"seed {seed}: accepted, with a plan that makes no sense: {plan}")
    return "doubted" if plan.warnings else "sound"


@contextmanager
def _no_hang() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {HANG_S:g} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True).removesuffix("...\n").strip()


def _value(rng: random.Random, text: str) -> str:
    """Another value for one of the keys."""
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if ": " in line and not line.lstrip().startswith("#")]
    if places:
        at = rng.choice(places)
        lines[at] = f"{lines[at].partition(':')[0]}: {_flow(rng.choice(VALUES))}"
    return "\n".join(lines) + "\n"


def _key(rng: random.Random, text: str) -> str:
    """Another key, or one more."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
    lines.insert(at, f"{indent}{rng.choice(KEYS)}: {_flow(rng.choice(VALUES))}")
    return "\n".join(lines) + "\n"


def _lines(rng: random.Random, text: str) -> str:
    """Lines left out, given twice, moved or indented."""
    lines = text.splitlines()
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.randrange(4)
    line = lines[at]
    if change == 0:
        del lines[at]
    elif change == 1:
        lines.insert(to, line)
    elif change == 2:
        lines.insert(to, lines.pop(at))
    else:
        lines[at] = rng.choice((" ", "  ", "\t", "- ", "? ", "&a ", "!x ")) + line
    return "\n".join(lines) + "\n"


def _characters(rng: random.Random, text: str) -> str:
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice((*":{}[],&*#|>!%@`'\"\\\t\n-?0e.", "\x00", "\ud800", "é", "")) + text[at + 1 :]
    return text
