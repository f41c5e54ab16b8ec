"""Counterparts of the paper's Figures 1 and 2: single particles by their radii."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.column import Column
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import PLANES, Particle
from xrm_control.reporting import paper
from xrm_control.reporting.figures.roses import (
    local_roughness_figure,
    plane_diameters_figure,
    rose_figure,
    roughness_figure,
)
from xrm_control.reporting.figures.style import SERIES
from xrm_control.reporting.formatting import figure
from xrm_control.reporting.radii import (
    RULE,
    Sample,
    roughness_um,
    varied_sizes,
    voxel_roughness_um,
    whole,
)
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, Table, table
from xrm_control.reporting.sections.regions import voxel_size_um

COUNT = 4


def sample_of(run: RunData) -> Sample:
    """The particles that both figures show."""
    sizes = [size for region in run.regions if (size := voxel_size_um(region)) is not None]
    return varied_sizes(run.particles, max(sizes, default=None), COUNT)


def radii_section(run: RunData, sample: Sample) -> Section | None:
    """Figure 1's counterpart: roses of four particles in three planes, and their table."""
    if _lacks(run, (column for radii in Particle.radius_single_um.values() for column in radii)):
        return None
    title = "Radii of single particles"
    if not len(sample):
        why = "no particle was measured" if not len(run.particles) else "no particle fits the rule"
        return Section("radii", title, (f"Nothing to show: {why}. {_rule()}",))
    most = float(sample.radii_um.max())
    lead = (
        "Counterpart of the paper’s Figure 1: radii at eight azimuths in three planes, for particles of various sizes. "
        f"{_rule()} Error bars: standard uncertainty of one radius, or half a voxel where the analysis states none.",
    )
    pictures = tuple(Shown(rose_figure(sample, plane, most)) for plane in PLANES)
    return Section("radii", title, lead, (_sample_table(sample),), pictures)


def roughness_section(run: RunData, sample: Sample) -> Section | None:
    """Figure 2's counterpart: mean diameters by plane, roughness proxy and its local form against size."""
    if _lacks(run, Particle.roughness_um.values()):
        return None
    particles = run.particles.where(whole(run.particles))
    floor, source = _floor(particles)
    pictures = (
        Shown(plane_diameters_figure(sample)),
        Shown(
            roughness_figure(
                particles.numbers(Particle.equivalent_diameter_um),
                roughness_um(particles).mean(1),
                sample.particles.numbers(Particle.equivalent_diameter_um),
                np.ptp(sample.radii_um, axis=-1).mean(1),
                floor,
                paper.ROUGHNESS_UM,
            )
        ),
        Shown(local_roughness_figure(sample)),
    )
    lead = (
        "Counterpart of the paper’s Figure 2; colours as above. The roughness proxy is the largest minus the smallest "
        "of eight radii of a plane, here the mean of the three planes.",
        *_medians(particles),
        source,
    )
    return Section("roughness", "Diameter by plane and roughness proxy", lead, (), pictures)


def _lacks(run: RunData, columns: Iterable[Column]) -> bool:
    """Whether particles were measured, and none of these of them: the page names what was not measured."""
    return bool(len(run.particles)) and not any(run.particles.has(column) for column in columns)


def _rule() -> str:
    return f"Chosen by rule: {RULE.format(count=COUNT)}."


def _floor(particles: Rows) -> tuple[NDArray[np.float64], str]:
    """By particle, the proxy that a perfect sphere of its size would show (n,); and where that is from."""
    stated = particles.numbers(Particle.roughness_floor_um)
    if np.isfinite(stated).any():
        return stated, (
            "The shaded floor is what perfect spheres would show in these volumes, at their blur and noise; a particle "
            "near it is as smooth as this measurement can tell."
        )
    low, high = paper.ROUGHNESS_FLOOR_UM
    return np.full(len(particles), low), (
        f"The shaded floor, {low} µm, is what a perfect sphere shows at SNR 10 with sub-voxel radii ({high} µm with "
        "voxel radii); this run states none of its own."
    )


def _medians(particles: Rows) -> tuple[str, ...]:
    """The proxy's median over all whole particles: sub-voxel, and as the paper measured it."""
    said = []
    for name, values, floor in (
        ("sub-voxel radii", roughness_um(particles), Particle.roughness_floor_um),
        ("radii in whole voxels, the paper’s way", voxel_roughness_um(particles), Particle.roughness_voxel_floor_um),
    ):
        finite, floors = values[np.isfinite(values)], particles.numbers(floor)
        if finite.size:
            beneath = floors[np.isfinite(floors)]
            of_a_sphere = f" (a sphere: {figure(float(np.median(beneath)))} µm)" if beneath.size else ""
            said.append(f"{figure(float(np.median(finite)))} µm with {name}{of_a_sphere}")
    if not said:
        return ()
    return (f"Median: {'; '.join(said)}. The paper: about {paper.ROUGHNESS_UM:g} µm, whatever the size.",)


def _sample_table(sample: Sample) -> Table:
    rows: list[tuple[str | Cell, ...]] = []
    diameters = sample.particles.numbers(Particle.equivalent_diameter_um)
    sphericity = sample.particles.numbers(Particle.sphericity)
    keys = list(zip(sample.particles.texts(Particle.roi), sample.particles.ids(Particle.particle_id), strict=True))
    for row in range(len(sample)):
        radii = sample.radii_um[row]
        name = "{} no. {}".format(*keys[row])
        rows.append(
            (
                Cell(name, colour=SERIES[row % len(SERIES)]),
                figure(float(diameters[row])),
                *(figure(float(value)) for value in radii.mean(-1)),
                figure(float(radii.mean())),
                *(figure(float(value)) for value in np.ptp(radii, axis=-1)),
                figure(float(sphericity[row])),
            )
        )
    head = (
        "particle",
        "eq. diameter (µm)",
        *(f"r {plane} (µm)" for plane in PLANES),
        "r mean (µm)",
        *(f"max − min {plane} (µm)" for plane in PLANES),
        "sphericity (unbiased)",
    )
    return table(head, rows, "The paper’s first particle: r 10.9, 10.6, 11.0, mean 10.8 µm; max − min about 1 µm.")
