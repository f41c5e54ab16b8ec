"""Surface area, sphericity (Wadell) and surface to volume of a particle's outer envelope."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.metric import Metric, columns_with_u, with_u
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import Particle


class Shape(Metric):
    """Crofton's area, 13 directions. Sphericity is not clipped: a perfect sphere of two voxels radius may read 1.04."""

    kind: Literal["shape"] = "shape"
    columns: ClassVar[tuple[Column, ...]] = (
        *columns_with_u(Particle.surface_area_um2, Particle.sphericity, Particle.surface_to_volume_per_um),
        Particle.surface_faces_um2,
    )

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        area, volume = particle.surface_area_um2, particle.volume_um3
        sphericity = float(np.pi ** (1 / 3) * (6 * volume.value) ** (2 / 3) / area.value)
        # Area grows as V^(2/3), so the ratio keeps a third of the volume's error; sphericity keeps none of it.
        scatter = particle.area_relative_u
        ratio = area.value / volume.value
        relative = float(np.hypot(volume.u / volume.value / 3, scatter))
        return {
            **with_u(Particle.surface_area_um2, area),
            Particle.surface_faces_um2.name: particle.faces_um2,
            **with_u(Particle.sphericity, Measured(sphericity, sphericity * scatter)),
            **with_u(Particle.surface_to_volume_per_um, Measured(ratio, ratio * relative)),
        }
