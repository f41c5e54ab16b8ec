"""What two bodies have in common, slab by slab: depth of one in the other, and outlines of what is cut away.

Bodies whose centres lie a whole number of slabs apart in y are layers of the same stack: whatever is made of them by
taking together and taking away is exact in y, and a matter of outlines in each slab. A region is told by fields that
are positive inside, of which the least counts; its outline is traced through a mesh by marching squares (Lorensen and
Cline, SIGGRAPH 1987, in two dimensions) as directed edges with the region on their left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.shapes import SLAB_UM
from simulators.texture import gradient_noise

THROUGH, EDGE, INNER, CHANNEL = 0, 1, 2, 3
SHEET_WIDTH = 20


@dataclass(frozen=True)
class Placed:
    """A table about a centre (x, y, z) in um; `inside`: of it, or of what is around it."""

    table: NDArray[np.float32]
    centre_um: tuple[float, float, float]
    inside: bool = True


@dataclass(frozen=True)
class Sheet:
    """A crack or a channel about a particle's centre, in um.

    kind: THROUGH, EDGE (from u = 0 on, widening to `opening_um` at u = size_um), INNER (an ellipse of radius size_um)
    or CHANNEL (a cylinder of diameter opening_um from `centre` along `normal`). Cracks lie about the plane of u and v,
    from which they stray by wave_um; `inside`: of it, or of what is around it.
    """

    kind: int
    centre: tuple[float, float, float]
    normal: tuple[float, float, float]
    u: tuple[float, float, float]
    opening_um: float
    size_um: float = 0.0
    wave_um: float = 0.0
    wave_length_um: float = 3.0
    shift: float = 0.0
    inside: bool = True

    def row(self) -> NDArray[np.float64]:
        """For compiled code."""
        v = np.cross(self.normal, self.u)
        values = (self.opening_um, self.size_um, self.wave_um, self.wave_length_um, self.shift)
        row = np.zeros(SHEET_WIDTH)
        row[:19] = (self.kind, 1.0 if self.inside else -1.0, *self.centre, *self.normal, *self.u, *v, *values)
        return row


def penetration_um(
    one: NDArray[np.float32], other: NDArray[np.float32], dx_um: float, d_slabs: int, dz_um: float
) -> float:
    """How deep (in the plane of a slab) vertices of one body lie in the other; negative: by how much they miss.

    The other's centre lies at (dx_um, d_slabs slabs, dz_um) from the first's. -inf: no slab in common.
    """
    return float(_penetration(one, other, dx_um, d_slabs, dz_um))


def clearance_um(
    host: NDArray[np.float32], inner: NDArray[np.float32], dx_um: float, d_slabs: int, dz_um: float
) -> float:
    """Least wall (in the plane of a slab or along y) about a body inside another, its centre there; 0 or less: none."""
    return float(_clearance(host, inner, dx_um, d_slabs, dz_um))


def holds(body: Placed, point_um: tuple[float, float, float]) -> bool:
    """Whether a point lies in a body's table, voids and all."""
    x, y, z = np.subtract(point_um, body.centre_um).tolist()
    slabs, m = body.table.shape
    slab = int(np.floor(y / SLAB_UM + 0.5 * slabs))
    return bool(outline_depth(body.table.ravel(), 0, slabs, m, slab, x, z) > 0.0)


def trace(
    host: Placed,
    others: list[Placed],
    sheets: list[Sheet],
    box_um: tuple[float, float, float, float, float, float],
    mesh_um: float,
) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """Outline of the region inside the host and all that is `inside`, outside the rest.

    box_um: (x, x, y, y, z, z) about the host's centre within which it lies. Returns edges (n, 4) as x, z, x, z from the
    host's centre, where each slab's begin (slabs + 1), and the host's slab that is the first.
    """
    placed = [host, *others]
    slabs = host.table.shape[0]
    relative = [np.subtract(one.centre_um, host.centre_um) for one in placed]
    offset = np.cumsum([0, *(one.table.size for one in placed)])[:-1]
    shift = [d[1] / SLAB_UM + 0.5 * (slabs - one.table.shape[0]) for d, one in zip(relative, placed, strict=True)]
    middle = 0.5 * (slabs - 1)
    first = max(0, int(np.floor(box_um[2] / SLAB_UM + middle)))
    last = min(slabs, int(np.ceil(box_um[3] / SLAB_UM + middle)) + 1)
    edges, starts = _trace(
        np.concatenate([one.table.ravel() for one in placed]),
        offset.astype(np.int64),
        np.array([one.table.shape for one in placed], np.int64),
        np.array([d[0] for d in relative]),
        np.rint(shift).astype(np.int64),
        np.array([d[2] for d in relative]),
        np.array([1.0 if one.inside else -1.0 for one in placed]),
        np.array([sheet.row() for sheet in sheets], np.float64).reshape(-1, SHEET_WIDTH),
        np.array((box_um[0], box_um[1], box_um[4], box_um[5])),
        first,
        max(first, last),
        middle,
        mesh_um,
    )
    return edges, starts, first


@numba.njit(cache=True, nogil=True, error_model="numpy")
def outline_depth(tables, offset, slabs, m, j, x, z):  # type: ignore[no-untyped-def]
    """Radial distance to the outline of slab j of a body, positive inside; -1 above and below it."""
    if j < 0 or j >= slabs:
        return -1.0
    r = np.sqrt(x * x + z * z)
    turn = np.arctan2(z, x) * (m / (2.0 * np.pi))
    if turn < 0.0:
        turn += m
    k = int(turn)
    part = (turn - k) * (2.0 * np.pi / m)
    k %= m
    start = offset + j * m
    p, q = np.float64(tables[start + k]), np.float64(tables[start + (k + 1) % m])
    step = 2.0 * np.pi / m
    below = p * np.sin(part) + q * np.sin(step - part)
    if below <= 0.0:
        return -r
    return p * q * np.sin(step) / below - r


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _penetration(one, other, dx, d_slabs, dz):  # type: ignore[no-untyped-def]
    n1, m1 = one.shape
    n2, m2 = other.shape
    shift = d_slabs + (n1 - n2) // 2
    flat1, flat2 = one.ravel(), other.ravel()
    c1, s1 = np.cos(2.0 * np.pi * np.arange(m1) / m1), np.sin(2.0 * np.pi * np.arange(m1) / m1)
    c2, s2 = np.cos(2.0 * np.pi * np.arange(m2) / m2), np.sin(2.0 * np.pi * np.arange(m2) / m2)
    apart = np.sqrt(dx * dx + dz * dz)
    deepest = -np.inf
    for j in range(max(0, shift), min(n1, n2 + shift)):
        widest1, widest2 = one[j].max(), other[j - shift].max()
        if apart - widest1 - widest2 <= -deepest:
            for k in range(m2):
                x, z = dx + other[j - shift, k] * c2[k], dz + other[j - shift, k] * s2[k]
                # No deeper than to the widest outline.
                if max(widest1 - deepest, 0.0) ** 2 > x * x + z * z:
                    deepest = max(deepest, outline_depth(flat1, 0, n1, m1, j, x, z))
            for k in range(m1):
                x, z = one[j, k] * c1[k] - dx, one[j, k] * s1[k] - dz
                if max(widest2 - deepest, 0.0) ** 2 > x * x + z * z:
                    deepest = max(deepest, outline_depth(flat2, 0, n2, m2, j - shift, x, z))
    return deepest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _clearance(host, inner, dx, d_slabs, dz):  # type: ignore[no-untyped-def]
    n1, m1 = host.shape
    n2, m2 = inner.shape
    shift = d_slabs + (n1 - n2) // 2
    flat = host.ravel()
    cosines, sines = np.cos(2.0 * np.pi * np.arange(m2) / m2), np.sin(2.0 * np.pi * np.arange(m2) / m2)
    least = np.inf
    for j in range(n2):
        for k in range(m2):
            x, z = dx + inner[j, k] * cosines[k], dz + inner[j, k] * sines[k]
            here = outline_depth(flat, 0, n1, m1, j + shift, x, z)
            least = min(least, here)
            # In the slabs above and below it must be inside as well.
            for beside in (-1, 1):
                if outline_depth(flat, 0, n1, m1, j + shift + beside, x, z) <= 0.0:
                    least = min(least, 0.0)
    return least


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sheet(row, x, y, z):  # type: ignore[no-untyped-def]
    """The field of a sheet, positive in it."""
    x, y, z = x - row[2], y - row[3], z - row[4]
    along = x * row[5] + y * row[6] + z * row[7]
    half = 0.5 * row[14]
    if row[0] == CHANNEL:
        aside = np.sqrt(max(x * x + y * y + z * z - along * along, 0.0))
        return min(half - aside, along)
    if abs(along) > half + row[16] + 0.5:
        return half + row[16] - abs(along)
    u, v = x * row[8] + y * row[9] + z * row[10], x * row[11] + y * row[12] + z * row[13]
    if row[0] == EDGE:
        half *= np.sqrt(min(max(u / row[15], 0.0), 1.0))
    elif row[0] == INNER:
        half *= np.sqrt(max(1.0 - (u * u + v * v) / (row[15] * row[15]), 0.0))
    wave = row[16] * gradient_noise(u / row[17] + row[18], v / row[17] - row[18], 0.37)
    if half == 0.0:
        return -max(abs(along - wave), 1e-3)
    return half - abs(along - wave)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _band(sheets, x, y, z0, mesh, nz):  # type: ignore[no-untyped-def]
    """Range of a line's points that may lie in all sheets, with some to spare."""
    low, high = 0, nz
    for n in range(len(sheets)):
        row = sheets[n]
        if row[1] < 0.0:
            continue
        half = 0.5 * row[14] + 3.0 * mesh
        if row[0] == CHANNEL:
            # From where the line comes nearest to the channel's axis: |p - (p.n) n|^2 is quadratic in z.
            px, py, nz_ = x - row[2], y - row[3], row[7]
            flat = px * row[5] + py * row[6]
            a, b = 1.0 - nz_ * nz_, -flat * nz_
            c = px * px + py * py - flat * flat - half * half
            if a < 1e-9:
                if c > 0.0:
                    return 0, 0
                continue
            root = b * b - a * c
            if root < 0.0:
                return 0, 0
            root = np.sqrt(root)
            first, last = (-b - root) / a + row[4], (-b + root) / a + row[4]
        else:
            half += row[16]
            flat = (x - row[2]) * row[5] + (y - row[3]) * row[6]
            if abs(row[7]) < 1e-6:
                if abs(flat) > half:
                    return 0, 0
                continue
            one, other = (half - flat) / row[7], (-half - flat) / row[7]
            first, last = min(one, other) + row[4], max(one, other) + row[4]
        low = max(low, int(np.floor((first - z0) / mesh)))
        high = min(high, int(np.ceil((last - z0) / mesh)) + 1)
    return low, max(low, high)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _trace(  # type: ignore[no-untyped-def]
    tables, offset, shapes, dx, shift, dz, sign, sheets, box, first, last, middle, mesh
):
    nx, nz = int(np.ceil((box[1] - box[0]) / mesh)) + 3, int(np.ceil((box[3] - box[2]) / mesh)) + 3
    x0, z0 = box[0] - mesh, box[2] - mesh
    before, now = np.empty(nz), np.empty(nz)
    edges = np.empty((1024, 4), np.float32)
    starts = np.zeros(last - first + 1, np.int64)
    widest = np.empty(len(offset))
    count = 0
    far = -2.5 * mesh
    for j in range(first, last):
        y = (j - middle) * SLAB_UM
        some_before, low_before, high_before = False, 0, nz
        for n in range(len(offset)):
            slab, m = j - shift[n], shapes[n, 1]
            start = offset[n] + slab * m
            widest[n] = tables[start : start + m].max() if 0 <= slab < shapes[n, 0] else -1.0
        for i in range(nx):
            x = x0 + i * mesh
            some = False
            low, high = _band(sheets, x, y, z0, mesh, nz)
            now[:] = far
            for k in range(low, high):
                z = z0 + k * mesh
                f = np.inf
                for n in range(len(sheets)):
                    f = min(f, sheets[n, 1] * _sheet(sheets[n], x, y, z))
                    if f < far:
                        break
                for n in range(len(offset)):
                    if sign[n] > 0.0:
                        f = min(f, widest[n] - np.sqrt((x - dx[n]) ** 2 + (z - dz[n]) ** 2))
                for n in range(len(offset)):
                    if f < far:
                        break
                    inner = outline_depth(
                        tables, offset[n], shapes[n, 0], shapes[n, 1], j - shift[n], x - dx[n], z - dz[n]
                    )
                    f = min(f, sign[n] * inner)
                if i == 0 or k == 0 or i == nx - 1 or k == nz - 1:
                    f = min(f, -1e-3)  # closed at the box
                now[k] = f
                some = some or f > 0.0
            if i > 0 and (some or some_before):
                for k in range(max(0, min(low, low_before) - 1), min(nz - 1, max(high, high_before) + 1)):
                    if count + 4 > len(edges):
                        larger = np.empty((2 * len(edges), 4), np.float32)
                        larger[:count] = edges[:count]
                        edges = larger
                    count = _cell(
                        before[k], now[k], now[k + 1], before[k + 1], x - mesh, z0 + k * mesh, mesh, edges, count
                    )
            before, now = now, before
            some_before, low_before, high_before = some, low, high
        starts[j - first + 1] = count
    return edges[:count].copy(), starts


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _cell(a, b, c, d, x, z, mesh, edges, count):  # type: ignore[no-untyped-def]
    """Edges of one cell whose corners, counter-clockwise from (x, z), have the values a, b, c, d."""
    ins = (a > 0.0) + (b > 0.0) + (c > 0.0) + (d > 0.0)
    if ins in (0, 4):
        return count
    xs, zs, leaves = np.empty(4), np.empty(4), np.empty(4, np.bool_)
    n = 0
    for side in range(4):
        # Of both cells at a side it is the same point: from its lower corner on, whichever way round.
        if side == 0:
            p, q, gone = a, b, a > 0.0
        elif side == 1:
            p, q, gone = b, c, b > 0.0
        elif side == 2:
            p, q, gone = d, c, c > 0.0
        else:
            p, q, gone = a, d, d > 0.0
        if (p > 0.0) == (q > 0.0):
            continue
        t = min(max(p / (p - q), 0.0), 1.0)
        if side == 0:
            xs[n], zs[n] = x + t * mesh, z
        elif side == 1:
            xs[n], zs[n] = x + mesh, z + t * mesh
        elif side == 2:
            xs[n], zs[n] = x + t * mesh, z + mesh
        else:
            xs[n], zs[n] = x, z + t * mesh
        leaves[n] = gone
        n += 1
    joined = a + b + c + d > 0.0
    for s in range(n):
        if leaves[s]:
            e = (s + 1) % n if n == 2 or joined else (s + n - 1) % n
            edges[count, 0], edges[count, 1] = xs[s], zs[s]
            edges[count, 2], edges[count, 3] = xs[e], zs[e]
            count += 1
    return count
