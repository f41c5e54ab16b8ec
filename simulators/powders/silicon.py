"""Milled silicon for anodes: shards with flat faces, cracked by milling, few of them round."""

from simulators.populations import LogNormal
from simulators.powders.base import Defects, Powder

POWDER = Powder(
    "silicon",
    LogNormal(6.0, 0.45, 1.5, 25.0),
    120.0,
    habits=(("fragment", 0.9), ("plate", 0.1)),
    roughness_um=0.1,
    defects=Defects(
        satellites=0.1, cracked=0.15, fragments=0.0, shells=0.0, mu_spread=0.01, lumps_um=0.2, coarse_um=35.0
    ),
)
