"""Binary STL: triangles and nothing else, which every program reads. 80 bytes at its head tell unit and origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.tables import Particle
from xrm_control.core.triangles import Triangles
from xrm_control.exports.mesh_exporter import MeshExporter
from xrm_control.exports.particle_mesh import ParticleMesh

_HEAD = 80
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])


class Stl(MeshExporter):
    """Hull and inner walls one after the other, in um."""

    kind: Literal["stl"] = "stl"
    suffix: ClassVar[str] = ".stl"
    media_type: ClassVar[str] = "model/stl"

    def encode(self, mesh: ParticleMesh) -> bytes:
        corners = np.concatenate([part.surface.points_um[part.surface.faces] for part in mesh.parts])
        triangles = np.zeros(len(corners), _TRIANGLE)
        triangles["corners"] = corners
        wide = corners.astype(np.float64)
        across = np.cross(wide[:, 1] - wide[:, 0], wide[:, 2] - wide[:, 0])
        triangles["normal"] = across / np.linalg.norm(across, axis=1, keepdims=True)
        return head(mesh) + np.uint32(len(corners)).astype("<u4").tobytes() + triangles.tobytes()

    def decode(self, data: bytes) -> Sequence[Triangles]:
        (count,) = np.frombuffer(data, "<u4", 1, _HEAD)
        corners = np.frombuffer(data, _TRIANGLE, int(count), _HEAD + 4)["corners"]
        return [Triangles(corners.reshape(-1, 3), np.arange(3 * int(count), dtype=np.int32).reshape(-1, 3))]


def head(mesh: ParticleMesh) -> bytes:
    """What 80 bytes hold of it, the dearest first: unit, frame, particle, what is doubtful, then the run's name."""
    cut = " CUT" if mesh.facts.get(Particle.touches_boundary.name) == 1 else ""
    told = f"xrm_control um, origin volume centre; {mesh.roi} particle {mesh.particle_id}{cut}; {mesh.run}"
    return told.encode("ascii", "replace")[:_HEAD].ljust(_HEAD)
