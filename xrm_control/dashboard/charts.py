"""Control charts: a number of the results over the runs that were found, in order of time.

Individuals with moving ranges of two (I-MR): centre the mean of the runs, limits 3 sigma around it, with sigma the mean
moving range over d2 = 1.128, that is 2.66 mean ranges; upper limit of the ranges D4 = 3.267 of their mean. Source:
NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2; ISO 7870-2.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from xrm_control.contracts.columns import STANDARD
from xrm_control.contracts.population import Population
from xrm_control.contracts.results import RunResults
from xrm_control.core.errors import DataError
from xrm_control.core.states import Verdict
from xrm_control.dashboard.models_charts import ChartNumber, ChartPoint, ControlChart
from xrm_control.dashboard.models_run import RunCard
from xrm_control.dashboard.runs import RunsFolder, results_of
from xrm_control.storage.run_folder import RunFolder

FEWEST = 8
"""Of fewer runs no limits are drawn: they would be chance."""
LIMIT_RANGES, RANGE_LIMIT = 2.66, 3.267
VOIDED = "voided_percent"
_MOST = 500
_RULE = (
    "Individuals and moving ranges (I-MR): centre = mean, limits = mean ± 2.66 × mean moving range of two successive"
    " runs (3 sigma, d2 = 1.128); upper limit of the range = 3.267 × its mean. NIST/SEMATECH e-Handbook 6.3.2.2,"
    " ISO 7870-2."
)
_Found = tuple[float, float | None, float | None, int]


def numbers() -> tuple[ChartNumber, ...]:
    """The numbers that results may state of a whole run."""
    means = [
        ChartNumber(name=one.name, heading=f"mean {one.label}", unit=one.unit, meaning=one.meaning)
        for one in STANDARD.particles
        if one.statistics != "none"
    ]
    share = ChartNumber(
        name=VOIDED, heading="particles with voids", unit="%", meaning="weighted share of whole particles with voids"
    )
    return (*means[:1], share, *means[1:])


def control_chart(
    runs: RunsFolder,
    name: str,
    search: str = "",
    verdict: Verdict | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> ControlChart:
    """Of the newest runs that are found. Raises DataError for a number that no results state."""
    number = next((one for one in numbers() if one.name == name), None)
    if number is None:
        raise DataError("results state no such number", where="number", value=name[:80])
    cards = runs.list(search, verdict, limit=_MOST, since=since, until=until).runs
    found = [(card, results) for card in cards if (results := _results(runs.open(card.name))) is not None]
    stated = [(card, results, value) for card, results in found if (value := value_of(results, name)) is not None]
    stated.sort(key=lambda one: one[0].started_utc)
    return chart_of(number, stated, len(cards) - len(stated))


def chart_of(
    number: ChartNumber, stated: Sequence[tuple[RunCard, RunResults, _Found]], left_out: int = 0
) -> ControlChart:
    """The chart of runs in order of time; only complete ones count for the limits."""
    counting = [value[0] for _, results, value in stated if results.verdict.status is Verdict.COMPLETE]
    ranges = [abs(after - before) for before, after in pairwise(counting)]
    enough = len(counting) >= FEWEST
    centre = sum(counting) / len(counting) if enough else None
    mean = sum(ranges) / len(ranges) if enough else None
    reach = None if mean is None else LIMIT_RANGES * mean
    range_upper = None if mean is None else RANGE_LIMIT * mean
    points: list[ChartPoint] = []
    before: float | None = None
    for card, results, (value, low, high, n) in stated:
        counts = results.verdict.status is Verdict.COMPLETE
        moved = None if before is None or not counts else abs(value - before)
        before = value if counts else before
        points.append(
            ChartPoint(
                run=card.name, recipe_name=card.recipe_name, recipe_sha256=results.recipe_sha256, sample=card.sample,
                started_utc=card.started_utc, verdict=results.verdict.status, value=value, low=low, high=high, n=n,
                counts=counts, moving_range=moved,
                outside=centre is not None and reach is not None and abs(value - centre) > reach,
                jumped=moved is not None and range_upper is not None and moved > range_upper,
            )
        )  # fmt: skip
    return ControlChart(
        number=number,
        points=tuple(points),
        centre=centre,
        lower=None if centre is None or reach is None else centre - reach,
        upper=None if centre is None or reach is None else centre + reach,
        range_mean=mean,
        range_upper=range_upper,
        rule=_RULE,
        said=tuple(_said(points, len(counting))),
        left_out=left_out,
    )


def value_of(results: RunResults, name: str) -> _Found | None:
    """Value, 95 % interval and how many particles it is of; None where the results do not state it."""
    population: Population = results.population
    if name == VOIDED:
        share = population.voided_fraction
        if share is None or share.value is None:
            return None
        low, high = (None if end is None else 100 * end for end in share.interval)
        return 100 * share.value, low, high, share.n
    found = population.quantities.get(name)
    if found is None or found.mean is None:
        return None
    low, high = found.mean_interval or (None, None)
    return found.mean, low, high, found.n


def _said(points: Sequence[ChartPoint], counting: int) -> list[str]:
    said = []
    if counting < FEWEST:
        runs = f"{counting} complete run{'' if counting == 1 else 's'}"
        said.append(f"no limits: {runs}, and fewer than {FEWEST} would give limits by chance")
    if counting < len(points):
        others = len(points) - counting
        words = (
            "run that is not complete is shown, and does"
            if others == 1
            else "runs that are not complete are shown, and do"
        )
        said.append(f"{others} {words} not count for the limits")
    if (different := len({one.recipe_sha256 for one in points})) > 1:
        said.append(f"{different} different recipes: a step may be that of a setting")
    if (samples := len({one.sample for one in points})) > 1:
        said.append(f"{samples} different samples: choose one by its name to see whether it has changed")
    return said


def _results(folder: RunFolder) -> RunResults | None:
    try:
        stamp = folder.results.stat().st_mtime_ns
    except OSError:
        return None
    return _read(folder.path, stamp)


@lru_cache(maxsize=_MOST)
def _read(path: Path, stamp: int) -> RunResults | None:
    return results_of(RunFolder(path))
