"""Every whole particle on a card of its own: what it looks like, its numbers, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xrm_control.contracts.column import Column, uncertainty
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle
from xrm_control.reporting.figures.cards import Layers, cuts_picture
from xrm_control.reporting.figures.slices import Window
from xrm_control.reporting.figures.style import Picture
from xrm_control.reporting.formatting import MISSING, figure, with_uncertainty
from xrm_control.reporting.radii import whole
from xrm_control.reporting.run_data import RegionData, RunData
from xrm_control.reporting.sections.components import Cell, Section, table
from xrm_control.reporting.sections.regions import run_window, voxel_size_um

MOST = 400
_MOST_PICTURES = 250
_OPENING = (Particle.crack_opening_um, uncertainty(Particle.crack_opening_um))
_CRACKS = {
    "inner": "inner crack",
    "edge": "crack from the edge",
    "through": "cracked through, its pieces measured as one",
}
_FIELD = 1.35  # of its diameter: the particle and some of what is beside it
_SHOWN = (Particle.equivalent_diameter_um, Particle.sphericity, *Particle.roughness_um.values())


def particles_section(run: RunData) -> Section | None:
    """The largest first, at most 400; None without a table of particles."""
    regions = [region for region in run.regions if region.particles is not None and whole(region.particles).any()]
    if not regions:
        return None
    window = run_window(run)
    shown = tuple(column for column in _SHOWN if run.particles.has(column))
    cards = [card for region in regions for card in _cards(region, shown)]
    cards.sort(key=lambda card: -card.diameter_um if np.isfinite(card.diameter_um) else np.inf)
    rows: list[tuple[str | Cell, ...]] = [
        (Cell("", picture=card.picture(window) if at < _MOST_PICTURES else None), *card.cells)
        for at, card in enumerate(cards[:MOST])
    ]
    head = ("xy, xz, yz", "region", "no.", "voids", *(column.heading for column in shown), "to be known")
    said = [
        "Every whole particle, cut through its middle; outlines of particles orange, of voids blue, each picture "
        "1.35 diameters wide. ± is the standard uncertainty. A heading sorts by its column."
    ]
    said.append("As a mesh for other programs: xrm export RUN --to glb --roi REGION --particle NO --out FOLDER.")
    if len(cards) > MOST:
        said.append(f"The {MOST} largest of {len(cards)}; particles.csv has all.")
    return Section("particles", "Every particle", tuple(said), (table(head, rows, sortable=True),))


class _Card:
    """One row of one region's table."""

    def __init__(self, region: RegionData, rows: Rows, at: int, shown: tuple[Column, ...]) -> None:
        self._region, self._rows, self._at = region, rows, at
        self.diameter_um = self._number(Particle.equivalent_diameter_um)
        self.number = int(self._number(Particle.particle_id))
        self._shown = shown

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row, but for the picture."""
        stated = (self._stated(column) for column in self._shown)
        return (self._region.name, str(self.number), self._voids(), *stated, "; ".join(self._notes()))

    def picture(self, window: Window) -> Picture | None:
        """Its three cuts; None without a volume, or where its place is not known."""
        voxel_um, volume = voxel_size_um(self._region), self._region.volume
        centre = [self._number(column) for column in (Particle.z_um, Particle.y_um, Particle.x_um)]
        if volume is None or voxel_um is None or not np.isfinite([*centre, self.diameter_um]).all():
            return None
        shape = volume.data.shape
        beside = (self._region.labels, self._region.phases)
        labels, phases = (one.data if one is not None and one.data.shape == shape else None for one in beside)
        z, y, x = (place / voxel_um + (size - 1) / 2 for place, size in zip(centre, shape, strict=True))
        side = _FIELD * self.diameter_um / voxel_um
        alt = f"{self._region.name}, particle {self.number}: cuts xy, xz, yz"
        return cuts_picture(Layers(volume.data, labels, phases), (z, y, x), side, window, alt)

    def _number(self, column: Column) -> float:
        return float(self._rows.numbers(column)[self._at])

    def _stated(self, column: Column) -> str:
        return with_uncertainty(self._number(column), self._number(uncertainty(column)))

    def _voids(self) -> str:
        """How many, and what they take of its volume."""
        count, dead = self._number(Particle.void_count), self._number(Particle.dead_volume_percent)
        if not np.isfinite(count):
            return MISSING
        return f"{count:.0f}" if not count or not np.isfinite(dead) else f"{count:.0f}, {figure(dead, 2)} %"

    def _crack(self) -> Iterator[str]:
        kind = self._rows.texts(Particle.crack_kind)[self._at]
        if kind in _CRACKS:
            opening = with_uncertainty(*(self._number(one) for one in _OPENING))
            depth = figure(self._number(Particle.crack_depth_um), 2)
            yield f"{_CRACKS[kind]}: {opening} µm open, {depth} µm deep"

    def _notes(self) -> Iterator[str]:
        """Why its numbers may be less than they seem."""
        yield from self._crack()
        touching = self._number(Particle.rays_in_contact)
        if touching > 0:
            yield f"touches a neighbour: {touching:.0f} of 24 radii end there"
        if (count := self._number(Particle.void_count_ambiguous)) > 0:
            yield f"{count:.0f} of its voids closed by one voxel only"
        if (count := self._number(Particle.void_count_open)) > 0:
            yield f"{count:.0f} open to the outside, not counted as voids"


def _cards(region: RegionData, shown: tuple[Column, ...]) -> Iterator[_Card]:
    if region.particles is None:
        return
    rows = region.particles.where(whole(region.particles))
    yield from (_Card(region, rows, at, shown) for at in range(len(rows)))
