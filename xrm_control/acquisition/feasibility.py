"""What can be said of mosaic and scan before there is beam: sampling, angles, light, and where the beam is clear."""

from __future__ import annotations

import math
from collections.abc import Iterator

from xrm_control.acquisition.mosaic import MosaicSpec
from xrm_control.acquisition.offset import diagnose_offset
from xrm_control.acquisition.tomography import TomographySpec, projections_for
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Level
from xrm_control.devices.protocols import CameraDescription, InstrumentDescription

# Over a half turn n projections resolve pi/2 x diameter / n (Crowther, DeRosier and Klug 1970): below 2 pi of them not
# even a quarter of the diameter, and whatever is reconstructed is streaks.
_LEAST_VIEWS = math.ceil(2 * math.pi)
_ENOUGH = 0.9  # of the projections that sampling asks for
MOST_PROJECTIONS = 20_000
MOST_FRAMES = 500_000  # a frame a second for six days
# Below this range the missing wedge stretches particles along the beam to more than three times their length.
_LEAST_RANGE_DEG = 60.0
_HALF_TURN_DEG = 178.0  # the last view of a half turn in steps of two degrees
# Of a full pixel: from here on a frame counts as saturated. Poisson's two sigma: one pixel in forty is brighter.
_FULL, _SIGMAS = 0.995, 2.0
_NEAR_FULL = 0.95
_WIDEST_STRIP_UM = 10_000.0
_FEW_PHOTONS = 100.0  # a pixel: 10 % noise in the open beam, more behind the sample


def diagnose_scan(scan: TomographySpec, instrument: InstrumentDescription, regions: int) -> Iterator[Diagnostic]:
    """Of a scan of each of so many regions."""
    camera = instrument.camera
    yield from _diameter(scan, camera)
    angles = (*_angles(scan), *diagnose_offset(scan, camera))
    yield from angles
    # A count that follows from what is wrong already says nothing more.
    if scan.useful_diameter_um <= scan.width_um(camera):
        yield from _sampling(scan, camera, explained=any(one.refuses for one in angles))
        yield from _frames(scan, camera, regions, scan.blockers(instrument))
        yield from scan.references.diagnose(scan.projection_count(camera))
    yield from _light("scan", scan.binning, scan.exposure_s, instrument)
    if scan.blockers(instrument) and instrument.blocker_s is None:
        yield Diagnostic(
            ("scan.blocker",),
            f"{instrument.name} has no opaque blade to take frames behind",
            f"{scan.blocker} frames",
            "0, or auto",
            "say auto or 0, or name the blade in the map of the instrument (blocker); without it stray light is "
            "doubted where it is seen, and not taken off",
        )
    pixel_um = camera.binned_pixel_um(scan.binning)
    if scan.moved_allowed_um < pixel_um:
        yield Diagnostic(
            ("scan.moved_allowed_um",),
            "sound regions would be set aside: no place is known so exactly",
            f"{scan.moved_allowed_um:g} um",
            f"at least a pixel, {pixel_um:g} um",
            "a few um tell a sample that has moved; the default is 5",
        )
    yield from _fraction("scan.missing_allowed_percent", scan.missing_allowed_percent)
    if scan.moved_allowed_um >= camera.field_of_view_um / 2:
        yield Diagnostic(
            ("scan.moved_allowed_um",),
            "a region could lie beside its window and still be measured",
            f"{scan.moved_allowed_um:g} um",
            f"below half the field of view, {camera.field_of_view_um / 2:g} um",
            "a few um tell a sample that has moved; the default is 5",
        )


def diagnose_mosaic(
    mosaic: MosaicSpec, scan: TomographySpec, sample: SampleSpec, instrument: InstrumentDescription
) -> Iterator[Diagnostic]:
    """Of a mosaic of a strip whose middle is at x = 0, and of the flats beside it."""
    yield from _light("mosaic", mosaic.binning, mosaic.exposure_s, instrument)
    yield from _fraction("mosaic.overlap_percent", mosaic.overlap_percent)
    margin_um = min(mosaic.clear_margin_um, scan.clear_margin_um)
    yield from _strip(mosaic, sample, instrument.camera, margin_um)


def elongation(range_deg: float) -> float:
    """How much longer along the beam than across a body appears in a scan over `range_deg`, below 180 (Radermacher
    and Hoppe 1980); 1 from 180 on.
    """
    half = math.radians(min(range_deg, 180.0)) / 2
    if half <= 1e-6:
        return math.inf
    return math.sqrt((half + math.sin(half) * math.cos(half)) / (half - math.sin(half) * math.cos(half)))


def _diameter(scan: TomographySpec, camera: CameraDescription) -> Iterator[Diagnostic]:
    if scan.useful_diameter_um > scan.width_um(camera):
        yield Diagnostic(
            ("scan.useful_diameter_um",),
            "the useful diameter is larger than the field of view",
            f"{scan.useful_diameter_um:g} um",
            f"{scan.width_um(camera):g} um",
            "what is beyond the field is not measured; the paper uses 46 um of 65.5",
        )


def _angles(scan: TomographySpec) -> Iterator[Diagnostic]:
    fields = ("scan.start_deg", "scan.end_deg")
    covered = scan.end_deg - scan.start_deg
    value = f"{scan.start_deg:g} to {scan.end_deg:g} degrees, {covered:g} in all"
    ends = max(abs(scan.start_deg), abs(scan.end_deg))
    if ends <= 2 * math.pi * 1.01 and any(abs(covered / turn - 1) < 0.02 for turn in (math.pi, 2 * math.pi)):
        start, end = (round(math.degrees(angle)) for angle in (scan.start_deg, scan.end_deg))
        yield Diagnostic(
            fields,
            "the angles look like radians",
            value,
            f"degrees, {_LEAST_RANGE_DEG:g} of them or more",
            f"write start_deg: {start} and end_deg: {end}",
        )
    elif covered < _LEAST_RANGE_DEG:
        yield Diagnostic(
            fields,
            "the range of angles is too small for a reconstruction: "
            f"particles would appear {min(elongation(covered), 1000):.2g} times as long as they are along the beam",
            value,
            f"at least {_LEAST_RANGE_DEG:g} degrees, and 180 for true shapes",
            "cover 180 degrees: start_deg: -90, end_deg: 90",
        )
    elif covered < _HALF_TURN_DEG:
        yield Diagnostic(
            fields,
            f"{180 - covered:.3g} degrees are not seen: particles will appear {elongation(covered):.2f} times as"
            " long as they are along the beam, and flat faces there fade",
            value,
            "180 degrees for true shapes",
            "cover 180 degrees if the stage can",
            Level.WARNING,
        )


def _sampling(scan: TomographySpec, camera: CameraDescription, *, explained: bool) -> Iterator[Diagnostic]:
    count, pixel_um = scan.projection_count(camera), camera.binned_pixel_um(scan.binning)
    automatic = scan.projections == "auto"
    fields = ("scan.useful_diameter_um", "scan.projections") if automatic else ("scan.projections",)
    if count > MOST_PROJECTIONS:
        yield Diagnostic(
            fields,
            "more projections than a scan may have",
            f"auto makes {count}" if automatic else str(count),
            str(MOST_PROJECTIONS),
            "lower scan.useful_diameter_um or raise scan.binning, or give a number",
        )
        return
    if explained:
        return
    per_half_turn = count * 180 / (scan.end_deg - scan.start_deg)
    # Particles lie all over the field, whatever diameter is called useful.
    diameter_um = max(scan.useful_diameter_um, scan.width_um(camera) / 2)
    needed = projections_for(diameter_um, pixel_um)
    resolved_um = math.pi / 2 * diameter_um / per_half_turn
    value = f"{count} over {scan.end_deg - scan.start_deg:g} degrees, {per_half_turn:.0f} to a half turn"
    meaning = f"nothing finer than {resolved_um:.2g} um is sampled in a disc of {diameter_um:.3g} um"
    remedy = f"take {math.ceil(needed * (scan.end_deg - scan.start_deg) / 180)}, or projections: auto"
    if automatic:
        remedy = f"useful_diameter_um: 46 is the paper's; a number of {needed} would do, too"
    if per_half_turn < _LEAST_VIEWS:
        yield Diagnostic(
            fields,
            f"far too few projections: {meaning}, and streaks are as strong as particles",
            value,
            f"at least {_LEAST_VIEWS} to a half turn; {needed} for pixels of {pixel_um:.3g} um",
            remedy,
        )
    elif per_half_turn < _ENOUGH * needed:
        yield Diagnostic(
            fields,
            f"few projections: {meaning}; expect streaks, and shapes that are less true",
            value,
            f"{needed} to a half turn for pixels of {pixel_um:.3g} um",
            remedy,
            Level.WARNING,
        )


def _frames(scan: TomographySpec, camera: CameraDescription, regions: int, blockers: int) -> Iterator[Diagnostic]:
    count = scan.projection_count(camera)
    if count > MOST_PROJECTIONS:
        return
    each = scan.darks + blockers + count + scan.references.count * len(scan.references.after(count))
    if each * regions > MOST_FRAMES:
        yield Diagnostic(
            ("scan.projections", "scan.references", "roi"),
            "more frames than a run may have",
            f"{each} frames for each of {regions} regions, {each * regions} in all",
            f"{MOST_FRAMES}, a frame a second for six days",
            "scan fewer regions in a run, or take fewer projections or references",
        )


def _light(stage: str, binning: int, exposure_s: float, instrument: InstrumentDescription) -> Iterator[Diagnostic]:
    camera = instrument.camera
    fields = (f"{stage}.exposure_s", f"{stage}.binning")
    photons_s = instrument.flux_per_um2_s * camera.binned_pixel_um(binning) ** 2
    photons = photons_s * exposure_s
    if photons < _FEW_PHOTONS:
        wanted_s = 1000 / photons_s
        yield Diagnostic(
            fields,
            "less than one photon falls on a pixel of the open beam: no frame could be used"
            if photons < 1
            else f"few photons: {100 / math.sqrt(photons):.0f} % noise in each pixel of the open beam",
            f"{exposure_s:g} s at binning {binning}, {photons:.3g} photons a pixel",
            f"at least 1; {_FEW_PHOTONS:g} for an open beam of 10 % noise",
            f"exposures of {wanted_s:.2g} s bring 1000 photons a pixel",
            Level.ERROR if photons < 1 else Level.WARNING,
        )
    longest_s = longest_exposure_s(binning, instrument)
    if longest_s is None and stage == "scan":
        yield Diagnostic(
            fields,
            "nobody has said what a photon counts in this camera: that flats saturate is seen at the first only",
            f"{exposure_s:g} s at binning {binning}",
            remedy="write the camera's counts_per_photon into the map: the variance of flats over their mean",
            level=Level.WARNING,
        )
    if longest_s is not None and exposure_s > _NEAR_FULL * longest_s:
        full = exposure_s > longest_s
        yield Diagnostic(
            fields,
            "the open beam saturates the camera: flats would be full and the region lost"
            if full
            else "the open beam nearly fills the camera: a rise of the flux saturates the flats",
            f"{exposure_s:g} s at binning {binning}",
            f"{longest_s:.3g} s until pixels are full at {camera.full_scale} counts",
            f"expose for {_rounded_down(0.8 * longest_s):g} s or less",
            Level.ERROR if full else Level.WARNING,
        )


def longest_exposure_s(binning: int, instrument: InstrumentDescription) -> float | None:
    """How long the open beam may be exposed until frames count as saturated, in s; None where the camera's gain is not
    known. Mean and two sigma of the photon noise must stay below a full pixel.
    """
    camera = instrument.camera
    gain, room = camera.counts_per_photon, _FULL * camera.full_scale - camera.offset_counts
    if gain is None or gain <= 0 or room <= 0:
        return None
    # gain n + sigmas gain sqrt(n) = room, solved for sqrt(n)
    root = (-_SIGMAS + math.sqrt(_SIGMAS**2 + 4 * room / gain)) / 2
    return root**2 / (instrument.flux_per_um2_s * camera.binned_pixel_um(binning) ** 2)


def _fraction(field: str, percent: float) -> Iterator[Diagnostic]:
    if 0 < percent < 1:
        yield Diagnostic(
            (field,),
            "less than one per cent: is a fraction meant?",
            f"{percent:g} %",
            "per cent, not a share of 1",
            f"write {100 * percent:g} for {percent:g} of the whole",
            Level.WARNING,
        )


def _strip(mosaic: MosaicSpec, sample: SampleSpec, camera: CameraDescription, margin_um: float) -> Iterator[Diagnostic]:
    """The flats are taken beside the strip: one narrower than the mosaic tells that they would be taken in powder."""
    field_um, half = camera.field_of_view_um, sample.strip_width_um / 2
    reach = (mosaic.columns - 1) / 2 * mosaic.pitch_um(camera)
    left, right = mosaic.centre_x_um - reach, mosaic.centre_x_um + reach
    span = f"mosaic x {left - field_um / 2:.1f} to {right + field_um / 2:.1f} um"
    strip = f"strip x {-half:g} to {half:g} um"
    in_um = sample.strip_width_um * 1000
    in_mm = f", {in_um:g} if mm were meant" if field_um < in_um < _WIDEST_STRIP_UM else ""
    outer = max(-left, right)
    if outer - field_um / 2 >= half:
        yield Diagnostic(
            ("sample.strip_width_um", "mosaic.columns", "mosaic.centre_x_um"),
            "a column of the mosaic lies wholly beside the strip; if there is powder, flats would be taken in it",
            f"{strip}, {span}",
            "each column of tiles shows some of the strip",
            f"give the strip's true width{in_mm}; take fewer columns, or move mosaic.centre_x_um",
        )
    elif sample.strip_width_um < field_um / 10:
        yield Diagnostic(
            ("sample.strip_width_um",),
            "the strip is narrower than a tenth of the field of view; if it is not, flats would be taken in powder",
            f"{sample.strip_width_um:g} um",
            f"at least {field_um / 10:.3g} um",
            f"give the strip's true width in um{in_mm}",
        )
    elif outer + field_um / 2 > half + margin_um:
        beyond = outer + field_um / 2
        yield Diagnostic(
            ("sample.strip_width_um", "mosaic.columns", "mosaic.clear_margin_um", "scan.clear_margin_um"),
            "the mosaic shows places where flats are taken; if there is powder, they are wrong",
            f"{strip}, mosaic to {beyond:.1f} um from the middle",
            f"flats from {half + margin_um:g} um on",
            f"make sure of the strip's width, or raise both clear_margin_um to {math.ceil(beyond - half)}",
            Level.WARNING,
        )


def _rounded_down(value: float) -> float:
    """To two digits."""
    scale = 10 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / scale + 1e-9) * scale
