"""Gas-atomised AlSi10Mg, the fine cut: smooth spheres with satellites, gas pores, a few fused pairs and rods."""

from simulators.populations import LogNormal, VoidPopulation
from simulators.powders.base import Defects, Powder

POWDER = Powder(
    "metal",
    LogNormal(11.0, 0.35, 4.0, 30.0),
    220.0,
    habits=(("sphere", 0.9), ("dumbbell", 0.06), ("rod", 0.04)),
    roughness_um=0.15,
    defects=Defects(
        grouped=0.25,
        per_group=2.3,
        satellites=0.3,
        cracked=0.02,
        fragments=0.02,
        shells=0.03,
        mu_spread=0.01,
        lumps_um=0.25,
        elongation=0.08,
        voids=VoidPopulation(voided_fraction=0.08, mean_um=3.0, open_fraction=0.0),
    ),
)
