"""Results of a region made by hand."""

from __future__ import annotations

from xrm_control.contracts.handoff import RecipeReference
from xrm_control.contracts.population import Population
from xrm_control.contracts.results import RegionCounts, RegionResults
from xrm_control.contracts.table1 import Table1
from xrm_control.core.sample import SampleSpec


def region_results(table1: Table1, sample: str) -> RegionResults:
    return RegionResults(
        roi="roi-01",
        counts=RegionCounts(particles=30, whole_particles=30, voids=20),
        table1=table1,
        population=Population(n_particles=30, n_whole=30, n_voids=20),
        quality={},
        inputs={},
        recipe=RecipeReference(),
        sample=SampleSpec().model_copy(update={"name": sample}),
    )
