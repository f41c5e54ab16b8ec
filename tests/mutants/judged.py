"""Survivors that change nothing anybody could observe: (path, the line as it reads with the fault) -> why."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "xrm_control/analysis/hollows.py",
        "at = tuple(slice(part.start - a, part.stop - a) for part, a in zip(own, low, strict=False))",
    ): "what is zipped there has three places each, always",
    (
        "xrm_control/analysis/size_classes.py",
        "spread = np.sqrt(np.bincount(of_mosaic, weights=scaled**2, minlength=k) / np.maximum(counts, 2))",
    ): "a class that holds one body of the mosaic has no spread, over one as over two",
    (
        "xrm_control/analysis/void_detection.py",
        "random = np.random.default_rng([seed, 1824])",
    ): "another seed of the same random places",
    (
        "xrm_control/compute/worker.py",
        "prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 1, 0, 0)",
    ): "prctl looks at no further argument of PR_SET_PDEATHSIG",
    (
        "xrm_control/contracts/rows.py",
        'least = {"positive": values > 1, "weight": values >= 0}.get(column.dtype, ~np.isnan(values))',
    ): "what the quick way of reading does not take is read cell by cell, to the same",
    (
        "xrm_control/devices/epics/axis.py",
        "if lvio and abs(self._map.to_stage(val) - self._map.to_stage(value)) >= about.tolerance / 2:",
    ): "differs where two floats are equal to the last bit alone",
    (
        "xrm_control/mosaic/registration.py",
        "enough = (pixels >= _LEAST_PIXELS) & (spread >= (1e-7 * n) ** 2)",
    ): "differs where two floats are equal to the last bit alone",
    (
        "xrm_control/recipe/document_builder.py",
        "place = self._places.get(path) or self._places.get(path[:-1]) or Place(1, 2)",
    ): "the column of a place of which the line alone is looked at",
    (
        "xrm_control/reconstruction/gram.py",
        "self.padded = int(scipy.fft.next_fast_len(2 * size + 1, real=True) or 0)",
    ): "more room around a slice than it needs",
    (
        "xrm_control/reporting/figures/slices.py",
        'return PathCollection(paths, facecolors="none", edgecolors=colour, linewidths=1.35)',
    ): "the width of an outline, a matter of taste",
    (
        "xrm_control/reporting/morning_pictures.py",
        'image.convert("RGB").save(file, "JPEG", quality=81, optimize=True)',
    ): "a JPEG's quality, a matter of taste",
    (
        "xrm_control/roi/thickness.py",
        "noise = _noise(path, seen) / (2 * np.sqrt(np.pi) / _SMOOTH_PX)",
    ): "the mean reaches over one pixel: what is multiplied with it is divided by it, too",
    (
        "xrm_control/devices/epics/axis.py",
        "_REST_S, _AGAIN_S, _STILL_S, _OWED_S = 5.0, 0.375, 0.3, 1.0",
    ): "a STOP that was not heard is said again a little later, well within the time that an axis has to come to rest",
    (
        "xrm_control/processing/trust/residual.py",
        "edge = _EDGE_PX if rows >= 4 * _EDGE_PX else 0",
    ): "of views of eight rows alone, with the rows at their edges or without",
    (
        "xrm_control/devices/epics/frames_file.py",
        "self._shape = (0, 1)",
    ): "a shape that nobody looks at before it is set",
    (
        "xrm_control/processing/trust/comparing.py",
        "found = [_registered(one, other, inner) for one, other in zip(recorded, projected, strict=False)]",
    ): "what is zipped there is as long, always",
    (
        "xrm_control/processing/trust/particle_shifts.py",
        "self.all_kept = False",
    ): "traces that were not kept are made again, to the same",
    (
        "xrm_control/processing/trust/half_volumes.py",
        "of_flats = float(noise_variance(part, np.ones((2, *seen.shape[1:]), np.float32)).mean()) / len(scan.flats)",
    ): "the mean over one field of ones, or over two of them",
    (
        "xrm_control/processing/trust/neighbouring_views.py",
        "first = max((rows - _MOST_ROWS) // 3, 0)",
    ): "where the band of rows lies of which noise is told, above the middle or in it",
    (
        "xrm_control/session/regions.py",
        "return apart <= roi.width_um * (1 - 1e-9)",
    ): "differs where two floats are equal to the last bit alone",
}
