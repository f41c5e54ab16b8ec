"""Chord lengths of stacked polygons along the columns of a detector: the compiled heart of the renderer.

For every slab of a body the outline is turned by theta; each edge that crosses the centre of a column adds its signed
depth there, and the sum over the outline is the chord. Rows take the slab by exact fractional coverage. Slabs are
worked on LANES at a time, vertex by vertex, so that all but the adding up runs in vector units.
"""

from __future__ import annotations

import numba
import numpy as np

from simulators.shapes import SLAB_UM

LANES = 16


@numba.njit(cache=True, nogil=True, error_model="numpy")
def accumulate(  # type: ignore[no-untyped-def]
    out, chosen, tables, offset, slabs, vertices, lateral, row, sign, theta, column_um, row_um
):
    """Add sign * chord length of the chosen bodies to out (rows, columns); lateral and row place their centres."""
    rows, columns = out.shape
    stride = columns + 16  # an odd multiple of a cache line keeps the lanes apart in the cache
    lines = np.zeros(LANES * stride, np.float32)
    widest = 8
    for body in chosen:
        widest = max(widest, vertices[body])
    edges = widest * LANES
    across, along = np.empty(edges, np.float32), np.empty(edges, np.float32)
    position, depth = np.empty(edges + LANES, np.float32), np.empty(edges + LANES, np.float32)
    column = np.empty(edges + LANES, np.int32)
    low, crossed = np.empty(edges, np.int32), np.empty(edges, np.int32)
    value, step = np.empty(edges, np.float32), np.empty(edges, np.float32)
    some, more = np.empty(edges + 1, np.int32), np.empty(edges + 1, np.int32)
    thickness = SLAB_UM / row_um
    for body in chosen:
        m = vertices[body]
        for k in range(m):
            angle = 2.0 * np.pi * k / m - theta
            across[k * LANES : (k + 1) * LANES] = np.cos(angle) / column_um
            along[k * LANES : (k + 1) * LANES] = np.sin(angle)
        for start in range(0, slabs[body], LANES):
            lanes = min(LANES, slabs[body] - start)
            block_top = row[body] + (start - 0.5 * slabs[body]) * thickness
            if block_top + lanes * thickness <= 0.0 or block_top >= rows:
                continue
            begin = offset[body] + start * m
            outlines = tables[begin : begin + m * LANES]
            _turn(outlines, across, along, np.float32(lateral[body]), columns, position, depth, column)
            first, last = _edges(m * LANES, position, depth, column, low, crossed, value, step)
            _add(m * LANES, low, crossed, value, step, some, more, lines, stride)
            for lane in range(lanes):
                top = block_top + lane * thickness
                bottom = top + thickness
                line = lines[lane * stride : (lane + 1) * stride]
                for r in range(max(0, int(top)), min(rows, int(np.ceil(bottom)))):
                    weight = np.float32(sign[body] * (min(bottom, r + 1.0) - max(top, float(r))))
                    target = out[r]
                    for i in range(first, last):
                        target[i] += weight * line[i]
                line[first:last] = np.float32(0.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _turn(outlines, across, along, middle, columns, position, depth, column):  # type: ignore[no-untyped-def]
    """Vertices to columns and depths; column is the first one at or right of a vertex, kept in [0, columns]."""
    n = len(outlines)
    zero, end = np.float32(0.0), np.float32(columns)
    for e in range(n):
        at = middle + outlines[e] * across[e]
        position[e] = at
        depth[e] = outlines[e] * along[e]
        right = np.ceil(at)
        right = right if right > zero else zero
        column[e] = np.int32(right if right < end else end)
    for e in range(LANES):  # each outline ends where it began
        position[n + e], depth[n + e], column[n + e] = position[e], depth[e], column[e]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _edges(n, position, depth, column, low, crossed, value, step):  # type: ignore[no-untyped-def]
    """Per edge: the first column whose centre it crosses, how many it crosses, its signed depth there and its growth
    from column to column. Returns the range of columns touched.

    An outline runs from right to left along the far side, where depth counts positive, and back along the near side.
    """
    one, tiny = np.float32(1.0), np.float32(1e-7)
    for e in range(n):
        run = position[e + LANES] - position[e]
        slope = (depth[e + LANES] - depth[e]) / (run if abs(run) > tiny else tiny)
        a, b = column[e], column[e + LANES]
        way = one if a > b else -one
        low[e] = min(a, b)
        crossed[e] = abs(b - a)
        step[e] = way * slope
        value[e] = way * (depth[e] + slope * (np.float32(min(a, b)) - position[e]))
    first, last = column[0], column[0]
    for e in range(n):
        first, last = min(first, column[e]), max(last, column[e])
    return first, last


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add(n, low, crossed, value, step, some, more, lines, stride):  # type: ignore[no-untyped-def]
    """Add every edge to the columns that it crosses: mostly none, one or two.

    Which it is cannot be foreseen, and a branch that is guessed wrong costs more than all the rest: the edges are
    first listed without branches, `some` with one column at least and `more` with two.
    """
    p = q = 0
    for e in range(n):
        some[p] = more[q] = e
        p += np.int64(crossed[e] > 0)
        q += np.int64(crossed[e] > 1)
    for s in range(p):
        e = np.uint32(some[s])
        lines[np.uint32(low[e] + (some[s] & (LANES - 1)) * stride)] += value[e]
    for s in range(q):
        e = np.uint32(more[s])
        first = low[e] + (more[s] & (LANES - 1)) * stride
        for i in range(1, crossed[e]):
            lines[np.uint32(first + i)] += value[e] + step[e] * np.float32(i)
