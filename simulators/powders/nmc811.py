"""LiNi0.8Mn0.1Co0.1O2: solid secondary particles of 5 to 30 um about 9 um; real ones hold pores and crack."""

from simulators.populations import LogNormal, VoidPopulation
from simulators.powders.base import Defects, Powder

POWDER = Powder(
    "nmc811",
    LogNormal(8.7, 0.38, 5.0, 30.0),
    143.0,
    defects=Defects(cracked=0.1, voids=VoidPopulation(voided_fraction=0.25, mean_um=2.0, open_fraction=0.0)),
    ideal=True,
)
