"""The first screen's numbers: what the files say, and a mark of trust that falls with every reason against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting.page import Page
from xrm_control.contracts.population import Distribution, DoubleSampling, Population, VolumeWeighted, Weighting
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.reporting.report import build_report
from xrm_control.reporting.run_data import RunData, read_run
from xrm_control.reporting.sections.findings import Finding, Trust, findings

VOUCHED = Weighting(kind="mosaic", classes=8)
GIANTS = Weighting(kind="mosaic", classes=8, volume_reason="one giant")
CHOSEN = Weighting(kind="mosaic", classes=3, reason="too few large")
BORDER = Weighting(kind="border", reason="there is no mosaic")
SHAPE = Distribution(n=10, mean=0.98, mean_interval=(0.97, 0.99))
BY_VOLUME = VolumeWeighted(n=10, d10=5.0, d50=8.0, d90=11.0, d50_interval=(7.0, 9.0))


def check(name: str, verdict: TrustVerdict) -> CheckResult:
    return CheckResult(check=name, verdict=verdict, reason=f"{name} was found")


@pytest.fixture(scope="module")
def read(finished_run: Path) -> RunData:
    return read_run(finished_run)


def told(read: RunData, weighting: Weighting | None, *judged: tuple[str, TrustVerdict | None]) -> dict[str, Finding]:
    """The numbers of that run by name, had its regions been judged so."""
    assert read.results is not None
    stated = read.results.population
    quantities = {"sphericity": SHAPE, **stated.quantities}
    update = {"weighting": weighting, "volume_weighted_diameter_um": BY_VOLUME, "quantities": quantities}
    population = stated.model_copy(update=update)
    verdicts = dict(judged) or {region.name: TrustVerdict.PASS for region in read.regions}
    regions = tuple(
        replace(
            region,
            quality=region.quality.model_copy(
                update={
                    "verdict": (found := verdicts.get(region.name, TrustVerdict.PASS)),
                    "checks": ()
                    if found is None
                    else (check("angles", TrustVerdict.PASS), check("stray_light", found)),
                }
            ),
        )
        for region in read.regions
    )
    run = replace(read, results=read.results.model_copy(update={"population": population}), regions=regions)
    shown = findings(run)
    assert shown is not None
    return {one.name.split(",")[0]: one for one in shown.numbers}


def test_numbers_are_the_files(read: RunData, finished_run: Path) -> None:
    shown = told(read, VOUCHED)
    assert (shown["D10"].value, shown["D50"].value, shown["D90"].value) == ("5.11 µm", "6.13 µm", "9.87 µm")
    assert shown["D50"].ends == "5.20 to 8.10"
    voided = next(one for name, one in shown.items() if name.startswith("of the particles hold voids"))
    assert (voided.value, voided.ends) == ("53.2 %", "28.1 to 76.6")
    text = Page(build_report(finished_run)).parts["findings"].text
    for name in ("D10", "D50", "D90"):
        assert shown[name].value in text
        assert shown[name].ends in text


@pytest.mark.parametrize(
    ("weighting", "judged", "by_number", "by_volume"),
    [
        (VOUCHED, (), Trust.TRUSTED, Trust.TRUSTED),
        (GIANTS, (), Trust.TRUSTED, Trust.NOT_VOUCHED),
        (CHOSEN, (), Trust.NOT_VOUCHED, Trust.NOT_VOUCHED),
        (BORDER, (), Trust.NOT_VOUCHED, Trust.NOT_VOUCHED),
        (None, (), Trust.NOT_VOUCHED, Trust.NOT_VOUCHED),
        (VOUCHED, (("roi-02", TrustVerdict.DOUBT),), Trust.DOUBTED, Trust.DOUBTED),
        (VOUCHED, (("roi-01", TrustVerdict.REDO),), Trust.DOUBTED, Trust.DOUBTED),
        (VOUCHED, (("roi-01", None),), Trust.DOUBTED, Trust.DOUBTED),
        (CHOSEN, (("roi-01", TrustVerdict.DOUBT),), Trust.DOUBTED, Trust.DOUBTED),
    ],
)
def test_mark(
    read: RunData,
    weighting: Weighting | None,
    judged: tuple[tuple[str, TrustVerdict | None], ...],
    by_number: Trust,
    by_volume: Trust,
) -> None:
    shown = told(read, weighting, *judged)
    assert (shown["D50"].trust, shown["Dv50"].trust) == (by_number, by_volume)
    for one in (shown["D50"], shown["Dv50"]):
        assert bool(one.notes) == (one.trust is not Trust.TRUSTED)


@pytest.mark.parametrize(
    ("shape", "trust"),
    [
        (SHAPE, Trust.TRUSTED),
        (SHAPE.model_copy(update={"mean_interval": None}), Trust.NOT_VOUCHED),
        (Distribution(n=0), None),
    ],
)
def test_a_number_without_its_interval_is_not_trusted(read: RunData, shape: Distribution, trust: Trust | None) -> None:
    assert read.results is not None
    population = read.results.population
    update = {"quantities": {**population.quantities, "sphericity": shape}}
    results = read.results.model_copy(update={"population": population.model_copy(update=update)})
    shown = told(replace(read, results=results), VOUCHED).get("sphericity")
    assert (None if shown is None else shown.trust) is trust


def test_files_that_are_not_as_they_were_leave_nothing_trusted(read: RunData) -> None:
    altered = told(replace(read, problems=("roi-01/volume.ome.tif: is not what was recorded",)), VOUCHED)
    assert {one.trust for one in altered.values()} == {Trust.DOUBTED}


def test_where_nothing_is_voided_no_volume_is_called_empty(read: RunData) -> None:
    assert read.results is not None
    told_of = "of the voided particles’ volume is empty"
    assert told_of in told(read, VOUCHED)
    table1 = read.results.table1
    sound = table1.unbiased.model_copy(update={"voided_particles_percent": 0.0, "dead_volume_percent": 0.0})
    results = read.results.model_copy(update={"table1": table1.model_copy(update={"unbiased": sound})})
    assert told_of not in told(replace(read, results=results), VOUCHED)


def test_reasons_are_told_once_and_name_region_and_check(read: RunData) -> None:
    assert read.results is not None
    doubted = read.regions[0].quality.model_copy(
        update={"verdict": TrustVerdict.DOUBT, "checks": (check("stray_light", TrustVerdict.DOUBT),)}
    )
    regions = (replace(read.regions[0], quality=doubted), *read.regions[1:])
    shown = findings(replace(read, regions=regions))
    assert shown is not None
    assert shown.notes[0] == "roi-01: doubt by stray light"
    assert len(set(shown.notes)) == len(shown.notes)
    assert all(1 <= number <= len(shown.notes) for one in shown.numbers for number in one.notes)


def test_nothing_whole_nothing_found(read: RunData) -> None:
    assert read.results is not None
    population = Population(n_particles=3, n_whole=0, n_voids=0)
    assert findings(replace(read, results=read.results.model_copy(update={"population": population}))) is None
    assert findings(replace(read, results=None)) is None


def test_the_share_with_the_radiographs_stands_beside_the_plain_one(read: RunData) -> None:
    assert read.results is not None
    for doubled, value in (
        (DoubleSampling(n=10, value=0.5, interval=(0.4, 0.6), worth=20.0), "50.0 %"),
        (DoubleSampling(n=10, reason="one region alone"), None),
    ):
        population = read.results.population.model_copy(update={"voided_fraction_by_mosaic": doubled})
        shown = findings(replace(read, results=read.results.model_copy(update={"population": population})))
        assert shown is not None
        names = [one.name for one in shown.numbers]
        assert sum("hold voids" in name for name in names) == (1 if value is None else 2)
        assert [one.value for one in shown.numbers if "radiographs" in one.name] == ([] if value is None else [value])
