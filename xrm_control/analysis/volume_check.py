"""Volumes that are none, found before they are measured: lost slices, slices of another scale, inverted contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.field import VolumeField
from xrm_control.analysis.levels import otsu_level
from xrm_control.core.errors import DataError
from xrm_control.core.memory import require_memory

_BYTES_PER_VOXEL = 64
_MOST_OBLONG = 5.0
_ENOUGH = 30  # voxels for a mean
_CLEAR_SIGMAS = 3.5
_BRIGHTER, _DARKER, _GLARING = 1.4, 0.65, 4.0
_LEAST_SLICES = 3
_ALL_ALIKE, _FEW_VOXELS = 0.9, 3
_MOST_PER_UM = 10.0  # uranium at 1 keV, about
_EVEN, _EQUAL_NEIGHBOURS = 0.03, 0.5
_LARGEST = 1e15  # of counts summed over a detector, far above any grey value


def refuse_broken(volume: NDArray[np.number], field: VolumeField) -> None:
    """Raise DataError for a volume (z, y, x) that cannot be one of particles on a darker ground."""
    if len(volume) < _LEAST_SLICES:
        raise DataError("so few slices are no volume", value=len(volume), limit=f"at least {_LEAST_SLICES}")
    _refuse_absurd(volume)
    inside = volume[:, field.inside]
    least, most = inside.min(axis=1), inside.max(axis=1)
    if least.min() == most.max():
        raise DataError("all voxels have one value", value=f"{most[0]:g}")
    _refuse_labels(volume)
    _refuse_equalised(inside)
    _refuse_stretched_slices(inside, least, most)
    _refuse_glaring_slices(inside)
    level = otsu_level(inside[:: max(1, len(inside) // 64)].ravel().astype(np.float32))
    bright = inside > level
    _refuse_inverted(volume, field, level)
    _refuse_empty_slices(inside, least == most, bright)
    _refuse_odd_slices(inside, bright)
    _refuse_repeated_slices(inside)
    if field.box:
        _refuse_empty_planes(volume)
    _refuse_mirrored(volume)


def _refuse_absurd(volume: NDArray[np.number]) -> None:
    """Numbers that no reconstruction gives, whatever its unit; beside them all others would be one value."""
    largest = float(max(abs(float(volume.min())), abs(float(volume.max()))))
    if largest > _LARGEST:
        raise DataError(
            "a value is no grey value of any unit: the file is damaged, or of another type",
            value=f"{largest:.3g}",
            limit=f"{_LARGEST:g}",
            remedy="copy the volume anew, or write it in 1/um",
        )


def _refuse_labels(volume: NDArray[np.number]) -> None:
    """Numbers of bodies, or of phases, in the place of grey values: whole ones, without anything between them."""
    part = volume[:: max(1, len(volume) // 16)]
    if part.dtype.kind == "f" and not np.array_equal(part, np.rint(part)):
        return
    values, counts = np.unique(part, return_counts=True)
    if len(values) < 3:
        return
    ground = values[int(np.argmax(counts))]
    inner = part[:, 1:-1, 1:-1]
    edge, alone = np.zeros(inner.shape, bool), np.ones(inner.shape, bool)
    for beside in (part[:, :-2, 1:-1], part[:, 2:, 1:-1], part[:, 1:-1, :-2], part[:, 1:-1, 2:]):
        edge |= beside == ground
        alone &= (beside == inner) | (beside == ground)
    # At the surface alone: within, a body without noise is of one grey value too.
    edge &= inner != ground
    if np.count_nonzero(edge) >= _ENOUGH and float(alone[edge].mean()) > _ALL_ALIKE:
        raise DataError(
            "these are labels and no grey values: bodies of one number each, and nothing between them",
            value=f"{len(values)} numbers, up to {values[-1]:g}",
            remedy="give the volume from which they were made",
        )


def _refuse_equalised(inside: NDArray[np.number]) -> None:
    """All greys as often as one another, which is what makes pictures easy to look at, and no volume."""
    sample = np.sort(
        inside[:: max(1, len(inside) // 64)].ravel()[:: max(1, inside.size // 2_000_000)].astype(np.float64)
    )
    even = np.linspace(sample[0], sample[-1], len(sample))
    off = float(np.abs(sample - even).max()) / max(float(sample[-1] - sample[0]), 1e-300)
    if off < _EVEN:
        raise DataError(
            "every grey value is as frequent as any other: the histogram was equalised, so no level is left",
            value=f"within {off:.1%} of even",
            limit=f"{_EVEN:.0%}",
            remedy="give the volume as it was reconstructed",
        )


def _refuse_mirrored(volume: NDArray[np.number]) -> None:
    """Rows or columns with noise that are there again elsewhere, as `_refuse_copies` finds slices: a few
    slices tell.
    """
    middle = len(volume) // 2
    part = np.ascontiguousarray(volume[max(middle - 2, 0) : middle + 3])
    for axis, what in ((1, "rows"), (2, "columns")):
        seen: dict[bytes, int] = {}
        for number, plane in enumerate(np.moveaxis(part, axis, 0)):
            first = seen.setdefault(plane.tobytes(), number)
            # Without noise, bodies may well be their own mirror images.
            noisy = _noisy(plane) and float(np.mean(plane[:, 1:] == plane[:, :-1])) < _EQUAL_NEIGHBOURS
            if first < number - 1 and noisy:
                raise DataError(
                    f"{what} are there twice to the last digit: a part of the volume was written again, or mirrored",
                    where=f"{what} {first} and {number}",
                    remedy="bring the right ones, or crop these away",
                )


def _refuse_stretched_slices(inside: NDArray[np.number], least: NDArray[np.number], most: NDArray[np.number]) -> None:
    """Every slice from the same darkest to the same brightest value, which hardly a voxel has: each in a scale of its
    own.
    """
    for ends in (least, most):
        if float(np.mean(ends == np.median(ends))) < _ALL_ALIKE:
            return
    at_ends = [np.median(np.count_nonzero(inside == ends[:, None], axis=1)) for ends in (least, most)]
    if max(at_ends) <= _FEW_VOXELS:
        raise DataError(
            "each slice was stretched from the same darkest to the same brightest value: their scales differ",
            value=f"{least[0]:g} to {most[0]:g} in nearly all of {len(inside)} slices",
            remedy="write all slices in one scale",
        )


def _noisy(plane: NDArray[np.number]) -> bool:
    """Whether no value is that of half of the plane: two such planes are never the same by chance."""
    return bool(np.unique(plane, return_counts=True)[1].max() < 0.5 * plane.size)


def _refuse_copies(inside: NDArray[np.number]) -> None:
    """A slice with noise that is there again elsewhere, to the last digit: a part was written twice."""
    seen: dict[tuple[float, float], int] = {}
    for z, plane in enumerate(inside):
        name = float(plane.sum(dtype=np.float64)), float(plane[:: max(1, len(plane) // 97)].sum(dtype=np.float64))
        first = seen.setdefault(name, z)
        if first < z - 1 and np.array_equal(inside[first], plane) and _noisy(plane):
            raise DataError(
                "a slice is there twice to the last digit: a part of the volume was written again",
                where=f"slices {first} and {z}",
                remedy="bring the right slices, or crop these away",
            )


def _refuse_repeated_slices(inside: NDArray[np.number]) -> None:
    """Slices with noise that are the same to the last digit: one was written for another."""
    same = [z for z in range(1, len(inside)) if np.array_equal(inside[z], inside[z - 1])]
    if 4 * len(same) > len(inside):
        return  # enlarged along z
    _refuse_copies(inside)
    for z in same:
        ends = all(n in same for n in range(1, z)) or all(n in same for n in range(z, len(inside)))
        # At the ends resampling repeats what it has.
        if not ends and _noisy(inside[z]):
            raise DataError(
                "two slices are the same to the last digit: one was written in the place of another",
                where=f"slices {z - 1} and {z}",
                remedy="bring the right slices, or crop these away",
            )


def _refuse_empty_planes(volume: NDArray[np.number]) -> None:
    """Rows or columns of one value through all slices, where others have noise."""
    for axis, what in ((1, "row"), (2, "column")):
        over = tuple(n for n in range(3) if n != axis)
        empty = np.flatnonzero(volume.min(axis=over) == volume.max(axis=over))
        if empty.size and _noisy(np.take(volume, int(np.argmax(volume.max(axis=over))), axis=axis)):
            raise DataError(
                f"a {what} holds one value alone in all slices: it is missing",
                where=f"{what} {empty[0]}" + (f" and {len(empty) - 1} more" if len(empty) > 1 else ""),
                value=f"{np.take(volume, int(empty[0]), axis=axis).flat[0]:g}",
                remedy="bring the missing data, or crop it away",
            )


def _refuse_glaring_slices(inside: NDArray[np.number]) -> None:
    """A slice so much brighter than its neighbours that no threshold for all could be right."""
    step = max(1, inside.shape[1] // 20_000)
    sample = np.asarray(inside[:, ::step], np.float64)
    low = np.median(sample)
    reach = np.quantile(sample, 0.995, axis=1) - low
    for z in range(len(reach)):
        beside = max(reach[n] for n in (z - 1, z + 1) if 0 <= n < len(reach))
        if beside > 0 and reach[z] > _GLARING * beside and reach[z] > _GLARING * np.median(reach):
            raise _odd(z, float(reach[z]), float(beside))


def _odd(z: int, own: float, around: float) -> DataError:
    return DataError(
        "a slice is in another scale than its neighbours, or not of this volume",
        where=f"slice {z}",
        value=f"{own:.4g} above the ground where its neighbours have {around:.4g}",
        remedy="write the slices anew in one type and scale",
    )


def _refuse_empty_slices(inside: NDArray[np.number], empty: NDArray[np.bool_], bright: NDArray[np.bool_]) -> None:
    """Slices of one value where others have noise, or between slices that show the same particle."""
    numbers = np.flatnonzero(empty)
    if not numbers.size:
        return
    typical = inside[int(np.flatnonzero(~empty)[(~empty).sum() // 2])]
    noisy = _noisy(typical)
    area = np.count_nonzero(bright, axis=1)
    for first, last in _runs(numbers):
        before, after = first - 1, last + 1
        if before >= 0 and after < len(inside):
            both = np.count_nonzero(bright[before] & bright[after])
            cut = both >= _ENOUGH and both > 0.3 * min(area[before], area[after])
        else:
            beside = area[after if before < 0 else before]
            cut = beside > 50 and beside > 0.5 * area.max()
        if noisy or cut:
            raise DataError(
                "slices hold one value alone: they are missing",
                where=f"slices {first} to {last}",
                value=f"{inside[first, 0]:g}",
                remedy="bring the missing slices, or crop these away",
            )


def _runs(numbers: NDArray[np.intp]) -> list[tuple[int, int]]:
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


def _refuse_odd_slices(inside: NDArray[np.number], bright: NDArray[np.bool_]) -> None:
    """A slice in which what both its neighbours show is far brighter, or darker, than in either of them."""
    dark = inside[~bright]
    if not dark.size or float(inside[bright].mean()) - float(dark.mean()) < _CLEAR_SIGMAS * float(dark.std()):
        return  # noise alone, about which nothing can be said
    ground = float(np.median(dark))
    for z in range(1, len(inside) - 1):
        both = bright[z - 1] & bright[z + 1]
        if np.count_nonzero(both) < _ENOUGH:
            continue
        before, own, after = (float(inside[n, both].mean()) - ground for n in (z - 1, z, z + 1))
        if own > _BRIGHTER * max(before, after) or own < _DARKER * min(before, after):
            raise _odd(z, own, (before + after) / 2)


def _refuse_inverted(volume: NDArray[np.number], field: VolumeField, level: float) -> None:
    """Bright all around and dark within: nothing whole could be found in that."""
    rim = field.inside & (field.border < 2)
    around = np.concatenate([volume[:, rim].ravel(), volume[0][field.inside], volume[-1][field.inside]])
    share = float(np.mean(around > level))
    if share > 0.85 and float(np.mean(volume[:, field.inside] > level)) > 0.5:
        raise DataError(
            "bright all around and dark within: the contrast is inverted, or this was cut out of one particle",
            value=f"{share:.0%} of its border above {level:.4g}",
            remedy="let particles be brighter than what surrounds them, e.g. with Fiji's Edit > Invert",
        )


def resampled(
    volume: NDArray[np.number], voxel_zyx_um: tuple[float, float, float]
) -> tuple[NDArray[np.number], float, str]:
    """The volume in cubes of its smallest edge, linear between voxels; the edge in um, and in words what was done.

    Raises DataError for voxels that are too oblong to say anything of a shape.
    """
    from scipy.ndimage import affine_transform

    edge = min(voxel_zyx_um)
    ratios = np.array(voxel_zyx_um) / edge
    if ratios.max() > _MOST_OBLONG:
        raise DataError(
            "the voxels are too oblong for shapes to be measured",
            value=" x ".join(f"{size:.4g}" for size in voxel_zyx_um) + " um (z, y, x)",
            limit=f"a ratio of {_MOST_OBLONG:g}",
        )
    shape = tuple(int(np.floor(n * ratio + 1e-6)) for n, ratio in zip(volume.shape, ratios, strict=True))
    require_memory(int(np.prod(shape, dtype=float)) * _BYTES_PER_VOXEL, "the volume in cubes")
    offset: Any = 0.5 / ratios - 0.5  # centres on centres; the stubs know of one number alone
    cubes = affine_transform(volume.astype(np.float32), 1 / ratios, offset, output_shape=shape, order=1, mode="nearest")
    sizes = " x ".join(f"{size:.4g}" for size in voxel_zyx_um)
    return np.asarray(cubes), edge, f"voxels of {sizes} um (z, y, x) were resampled to cubes of {edge:.4g} um"


def grey_of_array(volume: NDArray[np.number]) -> tuple[str, str]:
    """As `grey_of`: arrays are taken to be in 1/um, unless nothing attenuates so much."""
    if (
        volume.size
        and volume.ndim == 3
        and volume.dtype.kind in "fiu"
        and float(np.quantile(np.abs(volume[::4]), 0.999)) > _MOST_PER_UM
    ):
        return "grey values", f"grey values: no matter attenuates by more than {_MOST_PER_UM:g}/um"
    return "1/um", "1/um, as arrays are"


def grey_of(volume: NDArray[np.number], stated: str) -> tuple[str, str]:
    """The unit of the values, "1/um" or what else they are, and where that is from."""
    if stated == "1/um":
        return stated, "1/um, as the file says"
    if stated:
        return stated, f"{stated}, as the file says"
    if volume.dtype.kind == "f" and (float(volume.min()), float(volume.max())) == (0.0, 1.0):
        return "grey values", "grey values: the file states no unit, and they were scaled to 0 to 1"
    if volume.dtype.kind == "f" and float(np.abs(volume).max()) <= _MOST_PER_UM:
        return "1/um", "1/um, assumed: the file states no unit"
    return "grey values", "grey values: the file states no unit, and they are no attenuation"
