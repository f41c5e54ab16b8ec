"""One particle's meshes as a mesh exporter receives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xrm_control.core.triangles import Triangles

FRAME = (
    "the region's volume frame: origin at the volume's centre, z along the rotation axis (downwards), x to the right"
)
"""As of x_um, y_um, z_um in particles.csv; see `core.geometry`."""

Fact = str | float


@dataclass(frozen=True)
class MeshPart:
    """One closed surface. name: "hull", "void 3"; facts: what is known of it, by name."""

    name: str
    surface: Triangles
    facts: Mapping[str, Fact]


@dataclass(frozen=True)
class ParticleMesh:
    """hull: normals outwards; voids: inner walls, normals into the void: together they bound the solid. facts: run,
    region, sample, recipe, hashes, and the particle's row of particles.csv; notes: what a reader must know.
    """

    run: str
    roi: str
    particle_id: int
    hull: MeshPart
    voids: tuple[MeshPart, ...]
    facts: Mapping[str, Fact]
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[MeshPart, ...]:
        """Hull, then voids."""
        return (self.hull, *self.voids)

    @property
    def solid_um3(self) -> float:
        """What all surfaces together enclose."""
        return sum(part.surface.volume_um3 for part in self.parts)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.run}, {self.roi}, particle {self.particle_id}"

    @property
    def about(self) -> dict[str, Fact]:
        """All facts that concern it as a whole, for the file."""
        told = {f"note_{number}": note for number, note in enumerate(self.notes, start=1)}
        return {"unit": "um", "frame": FRAME, **self.facts, "solid_volume_um3": self.solid_um3, **told}
