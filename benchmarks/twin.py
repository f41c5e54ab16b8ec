"""What each effect of a real instrument does to the numbers, and whether the run says so.

`python -m benchmarks.twin [SEEDS [EFFECT ...]]`: whole runs of one region, seed after seed, held against the truth:
whole particles of 6 um and more that were matched, median errors of diameter and volume, mean attenuation, voids of
2 um and more that were found, the rotation axis; what the checks say of it. Silent is a run whose numbers are off by
more than LIMITS and which calls itself complete.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from benchmarks.timing import Row

EFFECTS: dict[str, dict[str, Any] | str] = {
    "none": "ideal",
    "stray light 1 %": {"stray_share": 0.01},
    "stray light 3 %": {"stray_share": 0.03},
    "spread 10 %": {"spread_share": 0.1},
    "stray light 1 %, no blade": {"stray_share": 0.01, "blocker": False},
    "stray light 3 %, no blade": {"stray_share": 0.03, "blocker": False},
    "spread 10 %, no blade": {"spread_share": 0.1, "blocker": False},
    "thick bed, stray light 3 %": {"stray_share": 0.03, "specimen": "nmc811"},
    "thick bed, stray 3 %, no blade": {"stray_share": 0.03, "specimen": "nmc811", "blocker": False},
    "K-beta 1.1 %": {"kbeta_share": 0.011},
    "adhesive 40 um": {"adhesive_um": 40.0},
    "vignetting 60 %, spot": {"vignetting": 0.6, "spot": 0.5},
    "grain 10 %, 1 um/h": {"texture": 0.1, "texture_drift_um": 1.0},
    "grain 10 %, 10 um/h": {"texture": 0.1, "texture_drift_um": 10.0},
    "read noise 5 photons": {"read_noise_photons": 5.0},
    "non-linearity 5 %": {"nonlinearity": 0.05},
    "afterglow 1 %": {"afterglow": 0.01},
    "defocus 100 um": {"defocus_um": 100.0},
    "defocus -100 um": {"defocus_um": -100.0},
    "run-out 0.15 um": {"run_out_um": 0.15},
    "run-out 0.3 um": {"run_out_um": 0.3},
    "drift 2 um/h": {"drift_um_h": 2.0},
    "drift 15 um/h": {"drift_um_h": 15.0},
    "vibration 0.3 um": {"vibration_um": 0.3},
    "movers 2 um": {"movers": 1.0},
    "lab": "lab",
    "lab, thick bed": {"preset": "lab", "specimen": "nmc811"},
    "bad": "bad",
}
_OF_INSTRUMENT = ("specimen", "blocker")  # the rest is realism
LIMITS = {"diameter %": 1.0, "volume %": 3.0, "mu %": 3.0, "axis px": 0.15}
_FROM_UM = 2.0

RECIPE: dict[str, Any] = {
    "name": "twin",
    "mosaic": {"columns": 1, "rows": 1},
    "roi": {"kind": "manual", "positions": [{"x_um": 0, "y_um": 0}]},
    "compute": {"kind": "inline"},
    "output": {"keep_free_gb": 0},
}


@dataclass(frozen=True)
class Found:
    """One run. errors: by the names of LIMITS; pod: of voids; said: checks that doubt; verdict: the run's."""

    errors: dict[str, float]
    matched: float
    pod: float
    said: tuple[str, ...]
    verdict: str

    @property
    def silent(self) -> bool:
        """Whether numbers are off and nothing says so."""
        off = self.matched < 0.95 or any(abs(self.errors[name]) > limit for name, limit in LIMITS.items())
        return off and self.verdict == "complete"


def run(effect: dict[str, Any] | str, seed: int, out: Path, specimen: str = "nmc622") -> Found:
    """A whole run of one region on an instrument with this effect."""
    from xrm_control import app

    instrument: dict[str, Any] = {"backend": "simulated", "specimen": specimen, "seed": seed, "realism": effect}
    if isinstance(effect, dict):
        instrument |= {name: effect[name] for name in _OF_INSTRUMENT if name in effect}
        instrument["realism"] = {name: value for name, value in effect.items() if name not in _OF_INSTRUMENT}
    path = out / "twin.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "instrument": instrument}))
    outcome = app.run(app.load(path, {}), out, None, lambda *_: None, None)
    results = outcome.results
    truth, quality = results.truth, results.quality.get("roi-01")
    made = json.loads((outcome.folder / "truth.json").read_text())
    if truth is None or quality is None:
        nothing = dict.fromkeys(LIMITS, float("nan"))
        return Found(nothing, 0.0, 0.0, ("no result",), str(results.verdict.status.value))
    mu = results.population.quantities["mean_attenuation_per_um"].mean
    voids = [one for one in truth.voids if (one.diameter_um[0] or 0) >= _FROM_UM]
    number = sum(one.n_true for one in voids)
    axis = truth.rotation_axis_error_px or {}
    errors = {
        "diameter %": _number(truth.diameter_error_percent_median),
        "volume %": _number(truth.volume_error_percent_median),
        "mu %": 100 * (_number(mu) / made["material"]["mu_per_um"] - 1),
        "axis px": _number(axis.get("roi-01")),
    }
    return Found(
        errors,
        truth.matched_fraction or 0.0,
        sum(_number(one.detected_fraction) * one.n_true for one in voids) / number if number else float("nan"),
        tuple(check.check for check in quality.checks or () if check.verdict and check.verdict.value != "pass"),
        results.verdict.status.value,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def row(name: str, runs: Sequence[Found]) -> Row:
    """Medians over the seeds, and how often which check spoke."""
    said = Counter(check for one in runs for check in one.said)
    figures = {kind: f"{np.median([one.errors[kind] for one in runs]):+.2f}" for kind in LIMITS}
    figures |= {
        "matched": f"{np.mean([one.matched for one in runs]):.3f}",
        "void POD": f"{np.nanmean([one.pod for one in runs]):.2f}",
        "doubt": f"{sum(one.verdict != 'complete' for one in runs)} of {len(runs)}",
        "silent": str(sum(one.silent for one in runs)),
        "said by": ", ".join(f"{check} {times}" for check, times in said.most_common()),
    }
    return Row(name, "xrm", figures=figures)


def main(arguments: Sequence[str]) -> None:
    """Print a line for each effect as it is done."""
    seeds = int(arguments[0]) if arguments else 1
    print(" | ".join(("effect", *LIMITS, "matched", "void POD", "doubt", "silent", "said by")))
    for name in arguments[1:] or EFFECTS:
        found: list[Found] = []
        for seed in range(1, seeds + 1):
            with TemporaryDirectory() as folder:
                found.append(run(EFFECTS[name], seed, Path(folder)))
        print(" | ".join((name, *row(name, found).figures.values())), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
