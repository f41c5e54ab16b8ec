"""LiFePO4 as grown hydrothermally: platelets, rods and dumbbells of some um, in loose agglomerates."""

from simulators.populations import LogNormal
from simulators.powders.base import Defects, Powder

POWDER = Powder(
    "lfp",
    LogNormal(4.5, 0.4, 1.5, 15.0),
    100.0,
    habits=(("plate", 0.5), ("rod", 0.3), ("dumbbell", 0.2)),
    roughness_um=0.1,
    defects=Defects(
        grouped=0.6,
        per_group=4.0,
        satellites=0.0,
        cracked=0.05,
        shells=0.0,
        lumps_um=0.25,
        coarse=0.005,
        coarse_um=30.0,
    ),
)
