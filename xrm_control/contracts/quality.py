"""quality.json: figures of quality of one region, of its reconstruction and of its analysis."""

from __future__ import annotations

from typing import Any, cast

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer, model_validator

from xrm_control.contracts.document import Document, Figure, JsonFile, Record
from xrm_control.contracts.trust import CheckResult, TrustVerdict


def _figure(meaning: str, label: str = "") -> Any:
    return Field(default=None, description=meaning, title=label or None)


def _said(value: object) -> bool:
    return value is not None and value not in ({}, (), [])


class FrameCounts(Record):
    """What became of the planned frames of a region."""

    kept: int
    retaken: int
    missing: int


class VoidDetection(Record):
    """Of so many voids of this diameter (um) that were put into the volume, so many were found.

    low, high: 95 % interval of the probability.
    """

    diameter_um: float
    tried: int
    found: int
    low: float
    high: float


class QualityMetrics(Record):
    """Of the reconstruction, then of the analysis; None where a figure was not measured.

    frames: known to the run alone; view_shifts_px: by how much each view, in the order of angles, was moved to the
    right and down, none where nothing was; further: what another analysis core states besides, under its own names;
    verdict: whether all this is to be believed, as `checks` found; None where nobody looked. void_detection: which
    voids would have been found, smallest first.
    """

    views: Figure = _figure("projections that were used")
    rotation_axis_px: Figure = _figure("detector column of the rotation axis")
    rotation_axis_offset_px: Figure = _figure("distance of the rotation axis from the middle of the detector")
    rotation_axis_uncertainty_px: Figure = _figure("standard uncertainty of the rotation axis; 0: given in the recipe")
    rotation_axis_pairs: Figure = _figure("pairs of views half a turn apart from which the axis was found; 0: given")
    detector_tilt_deg: Figure = _figure("tilt of the detector against the rotation axis, put right; without: none")
    stray_share: Figure = _figure("even light that is no beam, of the open beam: measured behind a blade, taken off")
    stray_share_u: Figure = _figure("standard uncertainty of the even light's share")
    spread_share: Figure = _figure("light spread by the scintillator: measured behind a blade, put back; 0: none seen")
    spread_share_u: Figure = _figure("standard uncertainty of the spread light's share")
    spread_um: Figure = _figure("length on which spread light falls off")
    spread_um_u: Figure = _figure("standard uncertainty of that length")
    view_motion_px: Figure = _figure("how far views lie from where they should, root mean square, as found")
    view_motion_u_px: Figure = _figure("standard uncertainty of a view's place, root mean square")
    view_motion_left_px: Figure = _figure("what of that is left in the views that were reconstructed")
    transmission_mean: Figure = _figure("mean transmission over all views and pixels")
    transmission_darkest_view: Figure = _figure("mean transmission of the darkest view")
    air_level: Figure = _figure("transmission beside the sample; 1 where references fit")
    opaque_count: Figure = _figure("pixels with next to no light")
    opaque_fraction: Figure = _figure("share of pixels with next to no light")
    opaque_fraction_worst_view: Figure = _figure("share of such pixels in the worst view")
    averaged_fraction: Figure = _figure(
        "share of rays that so few photons passed that they were averaged with their neighbours; without: none"
    )
    averaged_fraction_worst_view: Figure = _figure("share of such rays in the worst view")
    averaged_width_px: Figure = _figure("mean full width at half maximum of the windows of that average")
    zinger_count: Figure = _figure("pixels hit by stray radiation, replaced")
    bad_pixel_count: Figure = _figure("pixels of the camera that are dead or hot, replaced")
    saturated_count: Figure = _figure("pixels that were full")
    camera_gain_counts: Figure = _figure("counts per detected quantum, from the references")
    camera_noise_counts: Figure = _figure("read noise in counts, from the darks")
    snr: Figure = _figure(
        "mean inside particles minus mean of the background, over the background's standard deviation", "SNR"
    )
    threshold_per_um: Figure = _figure("attenuation that parts particles from background")
    particle_mode_per_um: Figure = _figure("most frequent attenuation of particles")
    background_mode_per_um: Figure = _figure("most frequent attenuation of the background")
    noise_background_per_um: Figure = _figure("standard deviation of the background")
    noise_particle_per_um: Figure = _figure("standard deviation inside particles")
    noise_correlation_voxels: Figure = _figure("voxels over which noise hangs together")
    edge_blur_fwhm_um: Figure = _figure("full width at half maximum of the edges' blur", "edge blur, FWHM")
    void_detection_limit_um: Figure = _figure(
        "diameter below which more voids are lost than found: blur, noise, least size"
    )
    void_pod_90_um: Figure = _figure(
        "diameter from which on 90 % of the voids put into this volume were found", "90 % POD"
    )
    roughness_floor_um: Figure = _figure("median over the particles of what perfect spheres would show")
    roughness_voxel_floor_um: Figure = _figure("median of what they would show to rays that step whole voxels")
    particles: int | None = _figure("particles that were measured, cut ones too")
    whole_particles: int | None = _figure("particles that the volume does not cut")
    moved_particles: int | None = _figure(
        "whole particles that moved during the scan: left out of the statistics; without: nobody could look"
    )
    voids: int | None = _figure("voids of all kinds")
    bodies_too_small: int | None = _figure(
        "bodies above the volume's threshold that at their own are smaller than min_particle_um: none counted"
    )
    faint_particles: int | None = _figure(
        "whole particles of less than 500 voxels that are too faint for their size: noise, or lighter matter"
    )
    faint_up_to_um: Figure = _figure("diameter of the largest of them")
    lidded_particles: int | None = _figure(
        "whole particles with a pit that is closed at a quarter of the contrast: a void behind a wall thinner than blur"
    )
    fused_particles: int | None = _figure("whole particles made of bodies that are grown together")
    light_bodies: int | None = _figure(
        "bodies lighter than particles, whole in the field: binder, carbon, another powder; 3 in phases.ome.tif"
    )
    light_volume_um3: Figure = _figure("their volume in all", "volume of the light phase")
    light_volume_um3_u: Figure = _figure("standard uncertainty of that volume")
    light_per_um: Figure = _figure("what they attenuate more than the ground, by volume", "light phase")
    light_seen_from: Figure = _figure("share of the particles' contrast at which a light body is found")
    light_seen_from_large: Figure = _figure("the same of large ones, over four voxels")
    unsure_necks: int | None = _figure("whole particles that may be one with one they touch, or two")
    voids_in_noise: int | None = _figure(
        "what looked like voids and does not stand out of the solid's noise: none counted"
    )
    frames: FrameCounts | None = None
    verdict: TrustVerdict | None = None
    checks: tuple[CheckResult, ...] = ()
    view_shifts_px: tuple[tuple[float, float], ...] = ()
    void_detection: tuple[VoidDetection, ...] = ()
    further: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def voids_seen_from_um(self) -> float | None:
        """From which diameter on a void is hardly missed: where nine of ten of no size were found, beyond the largest
        that was tried; the limit of detection where none was."""
        tried = [one.diameter_um for one in self.void_detection]
        if self.void_pod_90_um is None and tried:
            return max(*tried, self.void_detection_limit_um or 0.0)
        return self.void_detection_limit_um if self.void_pod_90_um is None else self.void_pod_90_um

    @model_serializer(mode="wrap")
    def _what_is_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if _said(value)}

    def joined(self, other: QualityMetrics) -> QualityMetrics:
        """These figures, with those that `other` states in their place or besides."""
        further = {**self.further, **other.further}
        return QualityMetrics.model_validate({**self.stated(), **other.stated(), "further": further})

    def stated(self) -> dict[str, Any]:
        """The figures that are not None, by name."""
        return {name: value for name, value in self if _said(value)}


class QualityDocument(QualityMetrics, Document):
    """quality.json."""

    @property
    def metrics(self) -> QualityMetrics:
        """The figures without the file's version."""
        return QualityMetrics.model_validate({name: value for name, value in self if name != "version"})


def _judged(content: dict[str, Any]) -> bool:
    """Whether verdict and checks are those of this program, and not words of the core's own."""
    checks = content.get("checks", [])
    return content.get("verdict", "pass") in tuple(TrustVerdict) and (
        isinstance(checks, list | tuple)
        and all(isinstance(one, CheckResult | dict) for one in cast("list[object]", checks))
    )


class ForeignQuality(QualityDocument):
    """quality.json of another analysis core, which may state figures of its own."""

    @model_validator(mode="before")
    @classmethod
    def _keep_unknown(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        content = cast("dict[str, Any]", content)
        known_names = set(cls.model_fields) - set(() if _judged(content) else ("verdict", "checks"))
        own = {name: value for name, value in content.items() if name not in known_names}
        if not own:
            return content
        known = {name: value for name, value in content.items() if name in known_names}
        return {**known, "further": {**own, **known.get("further", {})}}


NOT_FIGURES = ("frames", "verdict", "checks", "view_shifts_px", "void_detection", "further")
"""Fields of `QualityMetrics` that are no single number."""

QUALITY = JsonFile("quality.json", QualityDocument)
FOREIGN_QUALITY = JsonFile("quality.json", ForeignQuality)
