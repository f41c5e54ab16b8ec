"""Where the run looked: the mosaic with its regions, and each region's volume in slices."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL.PngImagePlugin import PngImageFile

from xrm_control.contracts.headings import heading
from xrm_control.contracts.quality import NOT_FIGURES, QualityMetrics
from xrm_control.contracts.rois import EarlierRecord
from xrm_control.reporting.figures.axes import axes_figure, axes_words
from xrm_control.reporting.figures.slices import Window, fullest_cuts, grey_window, slice_figure, slice_strip
from xrm_control.reporting.figures.style import Picture
from xrm_control.reporting.formatting import MISSING, figure, text
from xrm_control.reporting.radii import whole
from xrm_control.reporting.run_data import RegionData, RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, Table, table

SLICES_OF_ALL_STRIPS = 512
MOST_MOSAIC_BYTES = 1_200_000
MOST_MOSAIC_PX = 2000
REGIONS_WITH_STRIPS = 12
_CAPTION = (
    "The stitched radiographs with the regions; dark is powder. Dashed: the next best windows with the particles "
    "expected in each; hatched: areas to avoid; crossed: places where particles cannot be counted."
)


@dataclass(frozen=True)
class RegionView:
    """One region as shown: name, reason, slices, what is missing, and its quality figures."""

    name: str
    lead: str
    pictures: tuple[Shown, ...]
    strip: Shown | None
    missing: str
    quality: tuple[tuple[str, str], ...]


def mosaic_section(run: RunData) -> Section:
    """The stitched mosaic with the regions outlined, and why each was chosen."""
    rows: list[tuple[str | Cell, ...]] = []
    sizes: set[str] = set()
    for roi in () if run.rois is None else run.rois.rois:
        sizes.add(f"{figure(roi.width_um)} × {figure(roi.height_um)} µm")
        place = ", ".join(_place(value) for value in (roi.x_um, roi.y_um, roi.z_um))
        side = "" if roi.edge_on is None or roi.edge_on.too_thick else f"; edge-on {roi.edge_on.text}"
        expected = f"{text(roi.expected_particles)} particles expected{_found(run, roi.name)}"
        why = f"{text(roi.reason)}; {expected}{side}; at {place} µm"
        rows.append((text(roi.name), why))
    picture = _mosaic_picture(run.folder / "mosaic.png")
    missing = () if picture else ("There is no mosaic to show: mosaic.png is missing or cannot be read.",)
    empty = "" if run.rois is None else run.rois.nothing
    nothing = (f"There is nothing to scan: {empty}.",) if empty else ()
    lead = (*missing, *nothing, *_counting(run), *_placing(run))
    head = ("region", "chosen because; centre at stage x, y, z")
    return Section(
        "mosaic",
        "Mosaic and regions",
        lead,
        ((table(head, rows, f"Regions of {' and '.join(sorted(sizes))}."),) if rows else ()) + _not_scanned(run),
        (Shown(picture, _CAPTION),) if picture else (),
    )


def axes_section() -> Section:
    """What x, y, z and theta mean in the mosaic, the motors, the slices and the tables."""
    lead = (
        "The stage’s frame is the operator’s at θ = 0, the volume’s has its origin in the middle of the region. "
        f"Of the stage’s axes the volume’s are {axes_words()}: a rotation, nothing is mirrored. "
        "x_um, y_um and z_um of particles and voids are the volume’s; stage_x_um, stage_y_um, stage_z_um the stage’s."
    )
    return Section("axes", "What x, y, z and θ are", (lead,), (), (Shown(axes_figure()),))


def _not_scanned(run: RunData) -> tuple[Table, ...]:
    """The next best windows with what speaks against each, and the places to avoid."""
    if run.rois is None:
        return ()
    found: list[Table] = []
    if run.rois.rejected:
        rows: list[tuple[str | Cell, ...]] = [
            (
                f"{_place(one.x_um)}, {_place(one.y_um)}",
                text(one.expected_particles),
                f"{100 * one.worth:.0f} %",
                text(one.reason),
            )
            for one in run.rois.rejected
        ]
        head = ("centre at stage x, y (µm)", "particles expected", "of the best window's", "not scanned because")
        found.append(table(head, rows, "The next best windows, beside the regions and beside each other."))
    if run.rois.avoided:
        rows = [
            (
                text(area.name),
                f"{_place(area.x_um)}, {_place(area.y_um)}",
                f"{'disc of ' if area.disc else ''}{figure(area.width_um)}"
                + ("" if area.disc else f" × {figure(area.height_um)}"),
                text(area.reason),
            )
            for area in run.rois.avoided
        ]
        found.append(table(("area", "middle at stage x, y (µm)", "size (µm)", "why"), rows, "Areas to avoid."))
    return tuple(found)


def _found(run: RunData, roi: str) -> str:
    """What became of the expectation of a region."""
    told = () if run.results is None else run.results.expectations
    one = next((one for one in told if one.roi == roi), None)
    if one is None:
        return ""
    corrected = "" if one.corrected is None else f" ({one.corrected:.0f} after what those before it held)"
    return corrected if one.found is None else f"{corrected}, {one.found} found"


def _counting(run: RunData) -> tuple[str, ...]:
    """How many particles the mosaic holds, or why they cannot be counted."""
    if run.rois is None:
        return ()
    mosaic = run.rois.mosaic
    ends = mosaic.particles_between
    stated = "" if ends is None else f"between {ends[0]} and {ends[1]} particles (95 %), {mosaic.particles} found"
    if mosaic.count_doubt:
        how = f"can only be counted to {stated}" if stated else "cannot be counted"
        return (f"The particles of the mosaic {how}: {mosaic.count_doubt}.",)
    return (f"The mosaic holds {stated}.",) if stated else ()


def _placing(run: RunData) -> tuple[str, ...]:
    """Where the mosaic is from, and how well its tiles lie."""
    mosaic = None if run.rois is None else run.rois.mosaic
    if mosaic is None:
        return ()
    again = () if mosaic.earlier is None else (_again(mosaic.earlier),)
    found = mosaic.registration
    if found is None:
        return again
    if found.refused:
        return (*again, f"The mosaic is not to be relied on: {found.refused}.")
    note = (f"{found.note[:1].upper()}{found.note[1:]}.",) if found.note else ()
    if mosaic.residual_um is None:
        return (*again, *note)
    return (
        *again,
        f"Tiles lie within {figure(mosaic.residual_um)} µm of their places (root mean square, from {found.pairs} "
        f"overlaps, {found.rejected} of no use); the camera is turned by {found.rotation_deg:.2f}° and its pixel is "
        f"{found.scale:.4f} of the stated one, against the stage.",
        *note,
    )


def _again(earlier: EarlierRecord) -> str:
    """Where the mosaic is from, and how it was found again."""
    if earlier.scatter_um is None:
        return f"The mosaic is that of the run {earlier.run}; whether the sample has moved since was not looked at."
    changed = ", ".join(f"row {row + 1} column {column + 1}" for row, column in earlier.unlike)
    return (
        f"The mosaic is that of the run {earlier.run}: {earlier.recognised} of {earlier.looks} tiles looked at again "
        f"were recognised, the sample has moved by {earlier.x_um:+.2f}, {earlier.y_um:+.2f} µm in x, y, and places lie "
        f"within {figure(earlier.scatter_um)} µm of that (root mean square)."
        + (f" Tile {changed} shows something else now." if changed else "")
    )


def region_views(run: RunData) -> tuple[RegionView, ...]:
    """Every region that the run knows of, whether or not anything came of it; one grey window for all volumes."""
    window, volumes = run_window(run), sum(region.volume is not None for region in run.regions)
    most = max(8, min(128, SLICES_OF_ALL_STRIPS // max(1, volumes)))
    return tuple(_region_view(region, at, window, most) for at, region in enumerate(run.regions))


def run_window(run: RunData) -> Window:
    """One grey window for all volumes of a run."""
    windows = [grey_window(region.volume.data) for region in run.regions if region.volume is not None]
    return Window(min((w.low for w in windows), default=0.0), max((w.high for w in windows), default=1.0))


def _region_view(region: RegionData, at: int, window: Window, most_slices: int) -> RegionView:
    pictures: list[Shown] = []
    strip = None
    voxel_um = voxel_size_um(region)
    volume, labels = region.volume, region.labels.data if region.labels else None
    phases = region.phases.data if region.phases else None
    if volume is not None and voxel_um is not None:
        for cut in fullest_cuts(labels, volume.data.shape):
            pictures.append(Shown(slice_figure(volume.data, labels, voxel_um, cut, window, phases)))
        if at < REGIONS_WITH_STRIPS:
            sheet = slice_strip(volume.data, voxel_um, window, most_slices=most_slices)
            strip = Shown(sheet.picture, "", sheet)
    return RegionView(
        name=region.name,
        lead=_lead(region, voxel_um),
        pictures=tuple(pictures),
        strip=strip,
        missing=_missing(region, voxel_um),
        quality=_quality(region.quality),
    )


def _quality(metrics: QualityMetrics) -> tuple[tuple[str, str], ...]:
    """Every figure that is stated: name with unit, and value; a foreign core's own under its own names."""
    shown = [(heading(name), text(value)) for name, value in metrics if name not in NOT_FIGURES]
    if metrics.frames is not None:
        shown += [(f"frames {name}", text(value)) for name, value in metrics.frames]
    shown += [(heading(name), text(value)) for name, value in metrics.further.items()]
    return tuple((name, value) for name, value in shown if value != MISSING)


def voxel_size_um(region: RegionData) -> float | None:
    """The region's voxel size: from the hand-off, otherwise from the volume's own metadata."""
    if region.handoff is not None:
        return region.handoff.voxel_size_um
    return region.volume.voxel_size_um if region.volume else None


def _place(value: float) -> str:
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def _lead(region: RegionData, voxel_um: float | None) -> str:
    parts = []
    if region.volume is not None and voxel_um is not None:
        depth, rows, columns = region.volume.data.shape
        edges = " × ".join(f"{size * voxel_um:.1f}" for size in (columns, rows, depth))
        parts.append(f"{columns} × {rows} × {depth} voxels of {figure(1000 * voxel_um)} nm: {edges} µm.")
    if region.particles is not None:
        complete = int(whole(region.particles).sum())
        parts.append(f"{len(region.particles)} particles, {complete} of them whole.")
    if region.voids is not None:
        parts.append(f"{len(region.voids) or 'No'} voids.")
    return " ".join(parts)


def _missing(region: RegionData, voxel_um: float | None) -> str:
    absent = [
        name
        for name, part in (
            ("volume", region.volume),
            ("labels", region.labels),
            ("table of particles", region.particles),
            ("table of voids", region.voids),
        )
        if part is None
    ]
    if region.volume is not None and voxel_um is None:
        absent.append("voxel size")
    return f"Missing or unreadable: {', '.join(absent)}." if absent else ""


def _mosaic_picture(path: Path) -> Picture | None:
    """The run's own picture of the mosaic; as JPEG, and smaller, where it would make the page heavy."""
    if not path.is_file():
        return None
    try:
        data = path.read_bytes()
        # Not `Image.open`, which warns of a large mosaic as of an attack.
        image = PngImageFile(io.BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError):  # Pillow calls a broken PNG a syntax error
        return None
    alt = "Mosaic of radiographs with the regions outlined"
    if len(data) <= MOST_MOSAIC_BYTES:
        return Picture(data, "image/png", image.width, image.height, alt)
    step = -(-max(image.size) // MOST_MOSAIC_PX)
    whole = (0, 0, image.width // step * step, image.height // step * step)
    return Picture.jpeg(image.convert("RGB").reduce(step, whole), 82, alt)
