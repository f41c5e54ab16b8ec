"""The numbers of the paper that a run is held against.

Heenan et al., Advanced Science 2020, doi 10.1002/advs.202000362: text, Table 1 (NMC622) and experimental section.
"""

from __future__ import annotations

from xrm_control.contracts.table1 import PAPER

CITATION = "Heenan et al., Advanced Science (2020), doi 10.1002/advs.202000362"

MOSAIC_LIMIT_S = 60.0
SCAN_LIMIT_S = 300.0
TILES = 40
PROJECTIONS = 141
PARTICLES_IN_MOSAIC = 1000
PARTICLES_PER_TILE = 30
SNR = 10.4
TRANSMISSION = 0.085
ROUGHNESS_UM = 1.0
ROUGHNESS_FLOOR_UM = (0.21, 0.69)
"""Max - min radius of a perfect sphere at SNR 10 and a point spread of 2 voxels: sub-voxel radii, voxel radii."""
RANGE_MILES = 300.0

TEXT_PARTICLE_DIAMETER_UM = 8.0
TEXT_VOID_DIAMETER_UM = 2.0
TEXT_VOID_SPHERICITY = 0.65

TABLE1 = PAPER
