"""Binary glTF 2.0: a node for the hull, which is half transparent, and one for each void, so that they are seen.

glTF's unit is the metre. Points are stored in um, and the node above them is scaled by 1e-6: a program that heeds the
unit finds the particle's true size, one that reads the points alone finds um. `extras` say so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.triangles import Triangles
from xrm_control.core.version import __version__
from xrm_control.exports.mesh_exporter import MeshExporter
from xrm_control.exports.particle_mesh import MeshPart, ParticleMesh

_M_PER_UM = 1e-6
_FLOAT, _UINT = 5126, 5125
_POINTS, _INDICES = 34962, 34963
_JSON, _BIN = b"JSON", b"BIN\x00"
_MATERIALS = [
    {
        "name": "particle",
        "alphaMode": "BLEND",
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorFactor": [0.34, 0.71, 0.91, 0.35],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.6,
        },
    },
    {
        "name": "void",
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorFactor": [0.84, 0.37, 0.0, 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.5,
        },
    },
]


class Glb(MeshExporter):
    """Facts are in `asset.extras`, those of a part in its node's."""

    kind: Literal["glb"] = "glb"
    suffix: ClassVar[str] = ".glb"
    media_type: ClassVar[str] = "model/gltf-binary"

    def encode(self, mesh: ParticleMesh) -> bytes:
        views: list[dict[str, Any]] = []
        accessors: list[dict[str, Any]] = []
        meshes: list[dict[str, Any]] = []
        nodes: list[dict[str, Any]] = [
            {
                "name": f"{mesh.roi} particle {mesh.particle_id}",
                "scale": [_M_PER_UM] * 3,
                "children": list(range(1, 1 + len(mesh.parts))),
            }
        ]
        blob = bytearray()
        for number, part in enumerate(mesh.parts):
            places = [_add(blob, views, accessors, array, target) for array, target in _arrays(part)]
            primitive = {
                "attributes": {"POSITION": places[0], "NORMAL": places[1]},
                "indices": places[2],
                "material": min(number, 1),
            }
            meshes.append({"name": part.name, "primitives": [primitive]})
            nodes.append({"name": part.name, "mesh": number, "extras": _plain(part.facts)})
        unit = {**_plain(mesh.about), "unit": "points are in um; the root node scales them to glTF's metre"}
        document = {
            "asset": {"version": "2.0", "generator": f"xrm_control {__version__}", "extras": unit},
            "scene": 0,
            "scenes": [{"name": mesh.title, "nodes": [0]}],
            "nodes": nodes,
            "meshes": meshes,
            "materials": _MATERIALS[: 2 if mesh.voids else 1],
            "accessors": accessors,
            "bufferViews": views,
            "buffers": [{"byteLength": len(blob)}],
        }
        text = json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
        body = _chunk(_JSON, text, b" ") + _chunk(_BIN, bytes(blob), b"\x00")
        return b"glTF" + np.array([2, 12 + len(body)], "<u4").tobytes() + body

    def decode(self, data: bytes) -> Sequence[Triangles]:
        size = int(np.frombuffer(data, "<u4", 1, 12)[0])
        document = json.loads(data[20 : 20 + size])
        blob = data[28 + size :]

        def array(index: int, kind: str) -> NDArray[Any]:
            accessor = document["accessors"][index]
            start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
            count = accessor["count"] * (3 if accessor["type"] == "VEC3" else 1)
            return np.frombuffer(blob, kind, count, start).reshape(-1, 3)

        found: list[Triangles] = []
        for node in document["nodes"][1:]:
            (primitive,) = document["meshes"][node["mesh"]]["primitives"]
            points = array(primitive["attributes"]["POSITION"], "<f4")
            found.append(Triangles(points, array(primitive["indices"], "<u4").astype(np.int32)))
        return found


def _arrays(part: MeshPart) -> list[tuple[NDArray[Any], int]]:
    surface = part.surface
    normals = np.zeros((len(surface.points_um), 3))
    a, b, c = surface.corners_um.transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    for corner in range(3):
        np.add.at(normals, surface.faces[:, corner], across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    # Where triangles meet back to back no direction is better than another.
    unit = np.where(length > 0, normals / np.where(length > 0, length, 1), [0, 0, 1])
    return [
        (surface.points_um.astype("<f4"), _POINTS),
        (unit.astype("<f4"), _POINTS),
        (surface.faces.astype("<u4"), _INDICES),
    ]


def _add(
    blob: bytearray,
    views: list[dict[str, Any]],
    accessors: list[dict[str, Any]],
    array: NDArray[Any],
    target: int,
) -> int:
    views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": array.nbytes, "target": target})
    blob += array.tobytes()
    points = target == _POINTS
    accessors.append(
        {
            "bufferView": len(views) - 1,
            "componentType": _FLOAT if points else _UINT,
            "count": len(array) if points else array.size,
            "type": "VEC3" if points else "SCALAR",
            **({"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()} if points else {}),
        }
    )
    return len(accessors) - 1


def _plain(facts: Mapping[str, str | float]) -> dict[str, str | float | None]:
    """JSON has no NaN."""
    return {name: None if isinstance(fact, float) and not np.isfinite(fact) else fact for name, fact in facts.items()}


def _chunk(kind: bytes, data: bytes, filling: bytes) -> bytes:
    padded = data + filling * (-len(data) % 4)
    return np.array([len(padded)], "<u4").tobytes() + kind + padded
