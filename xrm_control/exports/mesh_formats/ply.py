"""Binary PLY: points, triangles, and of each triangle to which part it belongs; facts as comments at its head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from xrm_control.core.triangles import Triangles
from xrm_control.exports.mesh_exporter import MeshExporter
from xrm_control.exports.particle_mesh import Fact, ParticleMesh

_FACE = np.dtype([("count", "u1"), ("points", "<i4", 3), ("part", "<i4")])
_END = b"end_header\n"


class Ply(MeshExporter):
    """In um. part: 0 the hull, then the voids as the comments name them."""

    kind: Literal["ply"] = "ply"
    suffix: ClassVar[str] = ".ply"

    def encode(self, mesh: ParticleMesh) -> bytes:
        surfaces = [part.surface for part in mesh.parts]
        starts = np.cumsum([0, *(len(one.points_um) for one in surfaces)])
        faces = np.zeros(sum(len(one.faces) for one in surfaces), _FACE)
        faces["count"] = 3
        faces["points"] = np.concatenate([one.faces + start for one, start in zip(surfaces, starts, strict=False)])
        faces["part"] = np.repeat(np.arange(len(surfaces)), [len(one.faces) for one in surfaces])
        lines = [
            "ply",
            "format binary_little_endian 1.0",
            *(f"comment {line}" for line in comments(mesh)),
            f"element vertex {starts[-1]}",
            *(f"property float {axis}" for axis in "xyz"),
            f"element face {len(faces)}",
            "property list uchar int vertex_indices",
            "property int part",
        ]
        head = "".join(f"{line}\n" for line in lines).encode("ascii", "replace")
        points = np.concatenate([one.points_um for one in surfaces]).astype("<f4")
        return head + _END + points.tobytes() + faces.tobytes()

    def decode(self, data: bytes) -> Sequence[Triangles]:
        end = data.index(_END) + len(_END)
        counts = {line.split()[1]: int(line.split()[2]) for line in data[:end].splitlines() if line[:8] == b"element "}
        points = np.frombuffer(data, "<f4", 3 * counts[b"vertex"], end).reshape(-1, 3)
        faces = np.frombuffer(data, _FACE, counts[b"face"], end + points.nbytes)
        return [Triangles(points, faces["points"][faces["part"] == part]) for part in range(faces["part"].max() + 1)]


def comments(mesh: ParticleMesh) -> Iterator[str]:
    """`name: value`, one a line, of the whole and of each part."""
    yield from _told("", mesh.about)
    for number, part in enumerate(mesh.parts):
        yield f"part {number}: {part.name}"
        yield from _told(f"part {number} ", part.facts)


def _told(before: str, facts: Mapping[str, Fact]) -> Iterator[str]:
    for name, value in facts.items():
        shown = f"{value:.9g}" if isinstance(value, float) else " ".join(str(value).split())
        yield f"{before}{name}: {shown}"
