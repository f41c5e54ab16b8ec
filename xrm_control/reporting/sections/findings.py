"""What the reader came for: size, voids, shape and roughness, each with its interval and whether to trust it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from xrm_control.contracts.column import Column
from xrm_control.contracts.document import Interval
from xrm_control.contracts.population import Distribution, Population, VolumeWeighted
from xrm_control.contracts.table1 import Table1Convention
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.reporting.formatting import figure, interval
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.population import detection_limit_um


class Trust(StrEnum):
    """The mark beside a number: nothing speaks against it; it is no estimate for the powder; or it may be wrong."""

    TRUSTED = "trusted"
    NOT_VOUCHED = "not vouched for"
    DOUBTED = "doubted"


_STATUS = {Trust.TRUSTED: "good", Trust.NOT_VOUCHED: "open", Trust.DOUBTED: "bad"}
_SIGNS = {Trust.TRUSTED: "✓", Trust.NOT_VOUCHED: "?", Trust.DOUBTED: "!"}


@dataclass(frozen=True)
class Finding:
    """One number in large type with its unit, its 95 % interval, and its mark; notes: numbers of the reasons below."""

    name: str
    value: str
    ends: str
    trust: Trust
    notes: tuple[int, ...] = ()

    @property
    def status(self) -> str:
        """The class of style that shows the mark."""
        return _STATUS[self.trust]

    @property
    def sign(self) -> str:
        """The mark for those who do not see colours."""
        return _SIGNS[self.trust]


@dataclass(frozen=True)
class Findings:
    """The numbers in the order of reading, and the reasons that their marks point to, from 1 on."""

    numbers: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def across(self) -> int:
        """How many stand side by side: two rows, and none alone in a third."""
        return max(6, -(-len(self.numbers) // 2))


@dataclass(frozen=True)
class _Stated:
    """A number before it has its mark; by_volume: whether it hangs on the few largest particles."""

    name: str
    value: float | None
    ends: Interval | None
    unit: str = ""
    scale: float = 1.0
    digits: int = 3
    by_volume: bool = False


def findings(run: RunData) -> Findings | None:
    """None where there are no statistics of whole particles."""
    results = run.results
    if results is None or not results.population.n_whole:
        return None
    population = results.population
    stated = (
        *_by_number(population),
        *_by_volume(population.volume_weighted_diameter_um),
        *_voids(population, results.table1.unbiased, detection_limit_um(run)),
        *_shape(population),
    )
    notes = _Notes(population, tuple(_doubted(run)))
    numbers = tuple(notes.marked(one) for one in stated if one.value is not None)
    return Findings(numbers, tuple(notes.told))


class _Notes:
    """Reasons, told once each and in the order in which the numbers ask for them."""

    def __init__(self, population: Population, doubted: tuple[str, ...]) -> None:
        self._population, self._doubted = population, doubted
        self.told: list[str] = []

    def marked(self, one: _Stated) -> Finding:
        """A number with its mark and what explains it."""
        against = tuple(self._unvouched(one))
        trust = Trust.DOUBTED if self._doubted else Trust.NOT_VOUCHED if against else Trust.TRUSTED
        value = figure(None if one.value is None else one.scale * one.value, one.digits)
        reasons = (*self._doubted, *against)
        return Finding(
            one.name,
            f"{value} {one.unit}".strip(),
            "" if one.ends is None else interval(one.ends, one.scale, one.digits),
            trust,
            tuple(self._number(reason) for reason in reasons),
        )

    def _number(self, reason: str) -> int:
        if reason not in self.told:
            self.told.append(reason)
        return 1 + self.told.index(reason)

    def _unvouched(self, one: _Stated) -> Iterator[str]:
        weighting = self._population.weighting
        if weighting is None:
            yield "it is not known by what the particles count: results of an earlier version"
        elif weighting.reason:
            yield f"the choice of regions may show: {weighting.reason}"
        elif one.by_volume and weighting.volume_reason:
            yield weighting.volume_reason
        if one.ends is None:
            yield "no interval is stated"


def _doubted(run: RunData) -> Iterator[str]:
    """Files that are not as the run left them, and regions whose numbers their checks doubt, or nobody checked."""
    if run.problems:
        yield "files of the run are missing, or not what they were (above)"
    for region in run.regions:
        quality = region.quality
        if region.particles is None or quality.verdict is TrustVerdict.PASS:
            continue
        if quality.verdict is None:
            yield f"{region.name}: nobody checked whether its numbers are to be believed"
            continue
        checks = [one.check.replace("_", " ") for one in quality.checks if one.verdict is quality.verdict]
        yield f"{region.name}: {quality.verdict} by {', '.join(checks)}"


def _by_number(population: Population) -> Iterator[_Stated]:
    spread = _of(population, Particle.equivalent_diameter_um)
    for name, value, ends in (
        ("D10", spread.d10, spread.d10_interval),
        ("D50", spread.d50, spread.median_interval),
        ("D90", spread.d90, spread.d90_interval),
    ):
        yield _Stated(f"{name}, diameter by number", value, ends, "µm")


def _by_volume(weighted: VolumeWeighted | None) -> Iterator[_Stated]:
    if weighted is None:
        return
    for name, value, ends in (
        ("Dv10", weighted.d10, weighted.d10_interval),
        ("Dv50", weighted.d50, weighted.d50_interval),
        ("Dv90", weighted.d90, weighted.d90_interval),
    ):
        yield _Stated(f"{name}, diameter by volume", value, ends, "µm", by_volume=True)


def _voids(population: Population, table1: Table1Convention, limit_um: float | None) -> Iterator[_Stated]:
    seen = "" if limit_um is None else f" of {figure(limit_um, 2)} µm and more"
    if (share := population.voided_fraction) is not None:
        yield _Stated(f"of the particles hold voids{seen}", share.value, share.interval, "%", 100.0)
    doubled = population.voided_fraction_by_mosaic
    if doubled is not None and doubled.value is not None:
        yield _Stated("hold voids, with the mosaic’s radiographs", doubled.value, doubled.interval, "%", 100.0)
    # Where none is voided there is nothing to be empty.
    if table1.voided_particles_percent != 0:
        dead, ends = table1.dead_volume_percent, table1.dead_volume_percent_interval
        yield _Stated("of the voided particles’ volume is empty", dead, ends, "%")


def _shape(population: Population) -> Iterator[_Stated]:
    sphericity = _of(population, Particle.sphericity)
    yield _Stated("sphericity, mean", sphericity.mean, sphericity.mean_interval, digits=4)
    for plane, column in Particle.roughness_um.items():
        spread = _of(population, column)
        yield _Stated(f"roughness in {plane}, mean", spread.mean, spread.mean_interval, "µm")


def _of(population: Population, column: Column) -> Distribution:
    return population.of(column) or Distribution(n=0)
