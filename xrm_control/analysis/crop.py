"""One particle as the metrics see it: its cropped box, its levels, and the primitive quantities most metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.cracks import Cracks
from xrm_control.analysis.greyvolume import BoxLevels, PartialVolume, expected_share, particle_shares
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.rays import RayRadii, measure_radii
from xrm_control.analysis.surfaces import face_area, smooth_area
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.analysis.void_measures import VoidBox, VoidMeasure, grey_blur_voxels, measure_void
from xrm_control.analysis.voids import VoidLabels, void_zones

CROFTON_SCATTER_VOXELS = 0.12
SURFACE_SMOOTHING_VOXELS = 0.8
ROUNDED_BY_CHANCE = 0.005
CUBE_LOSES, CUBE_SHRINKS, CUBE_IS_A_BALL = 0.2, 5.5, 2.65
"""Of the area of a cube whose volume is that of a ball of radius R, after smoothing by s: 0.2 (1 - exp(-5.5 s / R)) is
lost, and of the rest smoothing by 1.6 s takes (1 - 2.65 s / R) / 1.6 of that. Meshes of cubes in 110^3 points, within a
tenth for s / R of 0.1 to 0.35; octahedra, cylinders, plates and random polyhedra lie within a third."""
LEAST_ROUNDED = 0.025
"""Of a cube, below which noise and the grid hide whether a body is rounded."""

EDGES_HELD_BY = 1.3
MOST_PER_UM = 10.0
EDGE_GRADIENT_SHARE, MOST_EDGE_GRADIENT = 0.4, 0.01


@dataclass(frozen=True)
class ParticleCrop:
    """grey, ground, envelope, zone: boxes (z, y, x) with a margin of at least 5 voxels (less at the volume's border).

    grey in 1/um; ground: what it would be without the particle; envelope: the particle at its threshold, voids and
    cracks filled; solid: at its threshold, nothing filled;
    zone: the voxels nearer to it than to any other particle; origin: index of the box's first voxel in the volume;
    centre_voxel: index (z, y, x) of the volume's centre; levels: see `BoxLevels`; blur_voxels: standard deviation of
    the point spread; floor_um and voxel_floor_um: the roughness a perfect sphere of this size would show; touches_rows,
    touches_cylinder: cut by an end or by the side of the reconstructed cylinder, or so near that it may be;
    contact_u_voxels: standard uncertainty of the envelope's volume by where it ends at those it touches (`necks`);
    lidded: whether pits behind walls that the threshold does not see are among its voids (`lids`).
    """

    particle_id: int
    roi: str
    grey: FloatVolume
    ground: FloatVolume
    envelope: BoolVolume
    zone: BoolVolume
    voids: VoidLabels
    cracks: Cracks
    solid: BoolVolume
    origin: tuple[int, int, int]
    centre_voxel: tuple[float, float, float]
    levels: BoxLevels
    voxel_um: float
    voxel_relative_u: float
    blur_voxels: float = 0.8
    floor_um: float = 0.0
    voxel_floor_um: float = 0.0
    touches_rows: bool = False
    touches_cylinder: bool = False
    contact_u_voxels: float = 0.0
    lidded: bool = False

    @cached_property
    def voxels(self) -> int:
        """Voxels of the envelope."""
        return int(np.count_nonzero(self.envelope))

    @cached_property
    def partial_volume(self) -> PartialVolume:
        """How much of each voxel of the box it fills."""
        return particle_shares(
            self.grey,
            self.ground,
            self.envelope,
            self.zone,
            (self.voids.labels > 0) | self.cracks.beside,
            self.reach_voxels,
            self.levels,
        )

    @cached_property
    def centroid_voxel(self) -> NDArray[np.float64]:
        """Grey-weighted centre of mass of the envelope in the box, (z, y, x) in voxels."""
        return self.partial_volume.centroid(self.levels)[0]

    @cached_property
    def centre_um(self) -> tuple[float, float, float]:
        """Centroid x, y, z in um from the volume's centre."""
        z, y, x = (self.centroid_voxel + self.origin - self.centre_voxel) * self.voxel_um
        return float(x), float(y), float(z)

    @cached_property
    def reach_voxels(self) -> float:
        """How far blur carries grey across a surface: two standard deviations and half a voxel."""
        return min(max(2 * self.blur_voxels + 0.5, 1.5), 3.5)

    @cached_property
    def volume_um3(self) -> Measured:
        """Envelope's volume (solid, voids and cracks) by grey-level integration."""
        value, u = self.partial_volume.volume(self.levels)
        # Grey may correct the count of voxels, not replace it.
        value = min(max(value, 0.6 * self.voxels), 1.6 * self.voxels)
        cube = self.voxel_um**3
        edge = self.edge_gradient_u * value * cube
        scale = 3 * self.voxel_relative_u * value * cube
        contact = self.contact_u_voxels * cube
        u = np.sqrt((u * cube) ** 2 + self.cracks.envelope_u_um3**2 + scale**2 + edge**2 + contact**2)
        return Measured(value * cube, float(u))

    @property
    def edge_gradient_u(self) -> float:
        """Relative standard uncertainty of the volume by the exponential edge-gradient effect.

        A detector averages light and not attenuation (Glover & Pelc 1980), so that of a ball of radius R up to
        3 mu sigma^2 (ln(2 R / sigma) - 1/2) / R of what it attenuates is not seen, if all of the blur was before the
        logarithm. How much of it was is not known.
        """
        mu = self.levels.contrast_per_um
        radius = (3 * self.voxels / (4 * np.pi)) ** (1 / 3)
        sigma = grey_blur_voxels(self.blur_voxels)
        if mu > MOST_PER_UM or radius <= 2 * sigma:
            return 0.0  # other grey values, or a radius for which this does not hold
        lost = 3 * mu * self.voxel_um * sigma**2 * (np.log(2 * radius / sigma) - 0.5) / radius
        return float(min(EDGE_GRADIENT_SHARE * lost, MOST_EDGE_GRADIENT))

    @cached_property
    def equivalent_diameter_um(self) -> Measured:
        """Diameter of the sphere of the same volume."""
        volume = self.volume_um3
        value = (6 * volume.value / np.pi) ** (1 / 3)
        return Measured(float(value), float(value * volume.u / (3 * volume.value)))

    @cached_property
    def faces_um2(self) -> float:
        """Area of the envelope's voxel faces."""
        return face_area(self.envelope) * self.voxel_um**2

    @cached_property
    def surface_area_um2(self) -> Measured:
        """Crofton area of the particle's shares, lightly smoothed (noise would roughen the surface by some per cent).

        Scaled from the volume so counted to the grey-level volume, so that area and volume agree. Texture finer than
        the blur is not in it. u: two thirds of the volume's, the scatter of Crofton's count with the place of
        the grid, 0.12 / R[voxels], and what edges and corners may have lost (`area_may_lack`).
        """
        volume = self.volume_um3
        value = self._area_um2(SURFACE_SMOOTHING_VOXELS)
        relative = np.hypot(2 / 3 * volume.u / volume.value, self.area_relative_u)
        return Measured(value, float(value * relative))

    @cached_property
    def area_rounded(self) -> float:
        """Share of the area that twice the smoothing takes away: of a ball nothing, of edges a part that tells what
        blur and smoothing have taken of them already (`area_may_lack`)."""
        value = self._area_um2(SURFACE_SMOOTHING_VOXELS)
        return max(1 - self._area_um2(2 * SURFACE_SMOOTHING_VOXELS) / value, 0.0)

    @cached_property
    def area_may_lack(self) -> float:
        """Share of the area that smoothing may have taken: what it takes of a cube of this volume, as far as twice the
        smoothing takes as much of this body as of such a cube. Of a body so small that a cube is a ball to twice the
        smoothing nothing is known, and it may be a cube.
        """
        radius = (3 * self.voxels / (4 * np.pi)) ** (1 / 3)
        smoothed = np.hypot(grey_blur_voxels(self.blur_voxels), SURFACE_SMOOTHING_VOXELS) / radius
        loses = float(CUBE_LOSES * (1 - np.exp(-CUBE_SHRINKS * smoothed)))
        rounded = loses * (1 - CUBE_IS_A_BALL * smoothed) / 1.6
        if rounded < LEAST_ROUNDED:
            return loses
        return float(loses * max(self.area_rounded - ROUNDED_BY_CHANCE, 0.0) / (rounded - 2 * ROUNDED_BY_CHANCE))

    @property
    def area_relative_u(self) -> float:
        """Relative standard uncertainty of the area of a body of this volume."""
        radius = (3 * self.voxels / (4 * np.pi)) ** (1 / 3)
        return float(np.hypot(CROFTON_SCATTER_VOXELS / radius, self.area_may_lack / EDGES_HELD_BY))

    def _area_um2(self, smoothing_voxels: float) -> float:
        from scipy import ndimage

        smooth = np.asarray(ndimage.gaussian_filter(self.partial_volume.fraction, smoothing_voxels)) > 0.5
        if np.count_nonzero(smooth) < self.voxels / 2:
            smooth = self.envelope
        counted_um3 = np.count_nonzero(smooth) * self.voxel_um**3
        return smooth_area(smooth) * self.voxel_um**2 * float(self.volume_um3.value / counted_um3) ** (2 / 3)

    @cached_property
    def radii(self) -> RayRadii:
        """Radii at 8 azimuths in three planes."""
        return measure_radii(self.grey, self.envelope, self.centroid_voxel, self.levels.middle_per_um)

    @cached_property
    def radii_um(self) -> NDArray[np.float64]:
        """Sub-voxel radii (3 planes, 8 azimuths) in um.

        Blur moves the half-way level of a sphere inwards by blur^2 / R; free rays are given that back.
        """
        radius = (3 * self.voxels / (4 * np.pi)) ** (1 / 3)
        shift = np.where(self.radii.contact, 0.0, self.blur_voxels**2 / radius)
        return (self.radii.voxels + shift) * self.voxel_um

    @cached_property
    def radius_u_um(self) -> float:
        """Noise of one sub-voxel radius: noise over the slope of a blurred edge, contrast / (sqrt(2 pi) blur).

        Linear interpolation averages the noise of two voxels along each axis: (2 + lag1) / 3 of its variance is left.
        """
        slope = self.levels.contrast_per_um / (np.sqrt(2 * np.pi) * max(self.blur_voxels, 0.4))
        left = ((2 + min(self.levels.lag1, 1.0)) / 3) ** 1.5
        return float(self.levels.noise_per_um * left / slope * self.voxel_um)

    @cached_property
    def void_measures(self) -> tuple[VoidMeasure, ...]:
        """Its voids, largest first."""
        if not self.voids.kinds:
            return ()
        zones = void_zones(self.voids.labels, self.envelope, self.reach_voxels)
        expected = expected_share(self.envelope, self.blur_voxels)
        z, y, x = ((o - c) * self.voxel_um for o, c in zip(self.origin, self.centre_voxel, strict=True))
        found = []
        for label, kind in enumerate(self.voids.kinds, start=1):
            mask = self.voids.labels == label
            if not mask.any():
                continue
            box = VoidBox(
                grey=self.grey,
                expected=expected,
                mask=mask,
                zone=zones == label,
                levels=self.levels,
                blur_voxels=self.blur_voxels,
                voxel_um=self.voxel_um,
                voxel_relative_u=self.voxel_relative_u,
                origin_um=(x, y, z),
            )
            found.append(measure_void(box, kind))
        return tuple(sorted(found, key=lambda void: -void.volume_um3.value))
