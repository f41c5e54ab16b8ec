"""A core's tables beside the volume that it was given: true ones, and ones that fit themselves and not the volume."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.foreign_core import CORES, Core, table
from tests.analysis.phantoms import MU, VOXEL_UM, ball, render
from xrm_control.analysis.handoff_bodies import Body
from xrm_control.analysis.handoff_sizes import Room
from xrm_control.analysis.handoff_volume import left_without_row, odd_in_volume

SHAPE = (56, 72, 80)
ROOM = Room(VOXEL_UM, (SHAPE[2] * VOXEL_UM, SHAPE[1] * VOXEL_UM, SHAPE[0] * VOXEL_UM))
POWERS = {"volume_um3": 3, "equivalent_diameter_um": 1, "radius_mean_um": 1}
Rows = list[Body]


@lru_cache(maxsize=2)
def bed(dense: bool = False) -> tuple[np.ndarray, Rows]:
    """Balls apart from each other, or many that touch; one with a void, which is a part of it."""
    random = np.random.default_rng(5)
    placed: list[tuple[np.ndarray, float]] = []
    room_um = np.array(ROOM.xyz_um) / 2 if ROOM.xyz_um else np.zeros(3)
    for _ in range(4000):
        radius = float(random.uniform(2, 4))
        at = random.uniform(-1, 1, 3) * (room_um - radius - 0.6)
        if all(math.dist(at, other) > radius + size + (0 if dense else 1.5) for other, size in placed):
            placed.append((at, radius))
        if len(placed) == (60 if dense else 10):
            break
    parts = [ball(at[0], at[1], at[2], radius) for at, radius in placed]
    x, y, z = placed[0][0]
    parts.append(ball(x, y, z, 0.5 * placed[0][1], -1))
    rows = [
        Body(
            n + 2,
            {"x_um": at[0], "y_um": at[1], "z_um": at[2], "volume_um3": 4 / 3 * math.pi * r**3, "sphericity": 1.0,
             "equivalent_diameter_um": 2 * r, "radius_mean_um": r, "touches_boundary": 0.0,
             "mean_attenuation_per_um": MU},
        )
        for n, (at, r) in enumerate(placed)
    ]  # fmt: skip
    return render(parts, SHAPE, snr=12), rows


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_what_a_core_of_others_makes_of_the_volume_is_in_order(core: Core, dense: bool) -> None:
    """Their thresholds, edges and ways to part what touches are not ours."""
    rows = table(core, bed(dense)[0], VOXEL_UM)
    assert told(rows, dense) == []
    if core.split:
        smaller = with_cells(lambda cells: {"volume_um3": cells["volume_um3"] / 8})(rows)
        assert told(smaller, dense) != []
        assert told(mirrored("z")(rows), dense) != []


def told(rows: Rows, dense: bool = False) -> list[tuple[int | None, str]]:
    return [(one.row, one.odd.what) for one in odd_in_volume(rows, ROOM, bed(dense)[0])]


def with_cells(act: Callable[[dict[str, float]], dict[str, float]], *numbers: int) -> Callable[[Rows], Rows]:
    """Changes the cells of rows of these numbers, or of all."""

    def change(rows: Rows) -> Rows:
        return [
            Body(one.row, {**one.cells, **act(dict(one.cells))}) if not numbers or n in numbers else one
            for n, one in enumerate(rows)
        ]

    return change


def mirrored(*axes: str) -> Callable[[Rows], Rows]:
    return with_cells(lambda cells: {f"{axis}_um": -cells[f"{axis}_um"] for axis in axes})


def in_order(order: str) -> Callable[[Rows], Rows]:
    return with_cells(
        lambda cells: {f"{axis}_um": cells[f"{other}_um"] for axis, other in zip("xyz", order, strict=True)}
    )


def sized(factor: float, *numbers: int) -> Callable[[Rows], Rows]:
    return with_cells(lambda cells: {name: cells[name] * factor**power for name, power in POWERS.items()}, *numbers)


def moved(**by: float) -> Callable[[Rows], Rows]:
    return with_cells(lambda cells: {f"{axis}_um": cells[f"{axis}_um"] + step for axis, step in by.items()})


def shuffled(*names: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        others = [rows[n].cells for n in np.random.default_rng(1).permutation(len(rows))]
        return [
            Body(one.row, {**one.cells, **{name: other[name] for name in names}})
            for one, other in zip(rows, others, strict=True)
        ]

    return change


CHANGES = [
    *((f"{axes} mirrored", mirrored(*axes), "mirrored") for axes in ("x", "y", "z", "xy", "xz", "yz", "xyz")),
    *((f"as {order}", in_order(order), "exchanged|in another order") for order in ("xzy", "yxz", "zyx", "yzx", "zxy")),
    ("radii for diameters", sized(0.5), "radii for diameters"),
    ("diameters for radii", sized(2.0), "diameters for radii"),
    ("sizes in voxels", sized(1 / VOXEL_UM), "in voxels|diameters for radii"),
    ("sizes multiplied twice", sized(VOXEL_UM), "with the voxel twice|radii for diameters"),
    ("places halved", with_cells(lambda c: {f"{one}_um": c[f"{one}_um"] / 2 for one in "xyz"}), "halved|voxel twice"),
    ("z from the first slice", moved(z=14.3), "z seems to be counted from the volume's edge"),
    ("another origin", moved(x=5, z=-3.5), "elsewhere, by x -[45].* z [+]3"),
    ("x in another order", shuffled("x_um"), "nothing to do with the volume"),
    ("twice the attenuation", with_cells(lambda c: {"mean_attenuation_per_um": 2 * MU}), "attenuations are 2"),
    ("half the attenuation", with_cells(lambda c: {"mean_attenuation_per_um": MU / 2}), "attenuations are 0.5"),
]  # fmt: skip


@pytest.mark.parametrize("dense", [False, True])
def test_true_tables_stand(dense: bool) -> None:
    volume, rows = bed(dense)
    assert told(rows, dense) == []
    assert left_without_row(rows, VOXEL_UM, volume) == ()
    # Of which a core has left out the half, and thresholds that draw edges half a voxel elsewhere.
    assert told(rows[::2], dense) == []
    assert told(with_cells(lambda c: {"volume_um3": c["volume_um3"] * 1.3})(rows), dense) == []
    assert told(moved(x=0.3, y=-0.3, z=0.3)(rows), dense) == []


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("change", "says"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_tables_of_another_volume_are_told(change: Callable[[Rows], Rows], says: str, dense: bool) -> None:
    found = told(change(bed(dense)[1]), dense)
    assert [what for row, what in found if row is None and re.search(says, what)], found


@pytest.mark.parametrize(
    "change", [sized(2.0, 4), sized(0.5, 4), with_cells(lambda c: {"x_um": c["y_um"], "z_um": -c["x_um"]}, 4)]
)
def test_a_single_row_is_told(change: Callable[[Rows], Rows]) -> None:
    assert {row for row, _ in told(change(bed()[1]))} == {6}


def test_sizes_of_other_rows_are_told() -> None:
    found = told(shuffled(*POWERS)(bed()[1]))
    assert found


def test_a_body_that_the_end_cuts_is_not_whole() -> None:
    volume, rows = bed()
    # The middle of the lowest one is the first slice.
    lowest = min(rows, key=lambda one: one.cells["z_um"])
    cut = round(lowest.cells["z_um"] / VOXEL_UM + (SHAPE[0] - 1) / 2)
    part = volume[cut:]
    room = Room(VOXEL_UM, (SHAPE[2] * VOXEL_UM, SHAPE[1] * VOXEL_UM, len(part) * VOXEL_UM))
    left = [one for one in moved(z=-cut * VOXEL_UM / 2)(rows) if one.row != lowest.row]
    radius = lowest.radius_um
    half = with_cells(lambda c: {"z_um": -len(part) * VOXEL_UM / 2 + 3 / 8 * radius, "volume_um3": c["volume_um3"] / 2})
    (one,) = half([lowest])
    found = [(odd.row, odd.odd.column) for odd in odd_in_volume([one, *left], room, part)]
    assert (lowest.row, "touches_boundary") in found


def test_matter_without_a_row_is_noted() -> None:
    volume, rows = bed()
    largest = max(rows, key=lambda one: one.radius_um)
    (note,) = left_without_row([one for one in rows if one is not largest], VOXEL_UM, volume)
    assert note.startswith("1 bodies of matter in the volume have no row")
    (note,) = left_without_row([], VOXEL_UM, volume)
    assert note.startswith(f"{len(rows)} bodies of matter")
