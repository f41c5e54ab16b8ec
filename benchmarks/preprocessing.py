"""Counts to line integrals, in processor time a detector row: as they are, and with scipy's filters in passes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from benchmarks.timing import Row
from xrm_control.reconstruction.preprocess import PreprocessSpec, line_integrals, references_of, transmission
from xrm_control.reconstruction.references import References
from xrm_control.reconstruction.scan import ScanData

VIEWS, ROWS, COLUMNS = 1571, 20, 1024
BEAM_COUNTS, DARK_COUNTS, GAIN = 20_000.0, 100.0, 7.0
_RING = np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]], bool)
_BLOCK = 64
_ROUNDS = 3


def rows() -> list[Row]:
    """The least of three; results agree to 1e-5."""
    scan = _scan()
    references = references_of(scan)
    if references is None:
        raise RuntimeError("the scan has no flats")
    spec = PreprocessSpec()
    ours_s, ours = _least_s(lambda: line_integrals(transmission(scan, spec, references=references), spec).sinograms)
    peer_s, peer = _least_s(lambda: _in_passes(scan, references, spec))
    if not np.allclose(ours, peer, atol=1e-5):
        raise RuntimeError(f"the two differ by {np.abs(ours - peer).max():g}")
    what = f"{VIEWS} views of a row of {COLUMNS} counts into line integrals, of the processor"
    return [
        Row(what, "fused loops", ours_s / ROWS, peer_s / ours_s, "scipy's filters"),
        Row(what, "scipy's filters, one after the other", peer_s / ROWS),
    ]


def _least_s(act: Callable[[], NDArray[np.float32]]) -> tuple[float, NDArray[np.float32]]:
    result, found = act(), list[float]()
    for _ in range(_ROUNDS):
        start = time.process_time()
        result = act()
        found.append(time.process_time() - start)
    return min(found), result


def _scan() -> ScanData:
    random = np.random.default_rng(1)
    across = np.abs(np.arange(COLUMNS) - COLUMNS / 2) / (COLUMNS / 2)
    seen = np.exp(-3 * np.sqrt(np.clip(0.6 - across**2, 0, None)))

    def counts(share: NDArray[np.float64] | float, number: int) -> NDArray[np.uint16]:
        mean = BEAM_COUNTS * share * np.ones((ROWS, COLUMNS))
        noise = random.standard_normal((number, ROWS, COLUMNS), np.float32) * np.sqrt(GAIN * mean)
        return (mean + noise + DARK_COUNTS).clip(0, 65535).astype(np.uint16)

    return ScanData(
        projections=counts(seen, VIEWS),
        theta_deg=np.linspace(-90, 90, VIEWS),
        time_s=np.arange(VIEWS, dtype=float),
        flats=counts(1.0, 10),
        flat_time_s=np.full(10, -1.0),
        darks=random.normal(DARK_COUNTS, 3, (5, ROWS, COLUMNS)).astype(np.uint16),
        pixel_size_um=0.064,
    )


def _in_passes(scan: ScanData, references: References, spec: PreprocessSpec) -> NDArray[np.float32]:
    """The same formulas, each over all pixels of a block of views."""
    beam = references.beams[0]
    floor = (0.5 * max(references.read_counts, references.gain_counts) / beam).astype(np.float32)
    values = np.empty((VIEWS, ROWS, COLUMNS), np.float32)
    for start in range(0, VIEWS, _BLOCK):
        block = (np.asarray(scan.projections[start : start + _BLOCK], np.float32) - references.dark) / beam
        brightest = maximum_filter(block, footprint=_RING, mode="mirror")
        sigma = np.sqrt(references.gain_counts * np.maximum(brightest, 0) * beam + references.read_counts**2) / beam
        if np.any(block > brightest + np.maximum(np.float32(spec.zinger_sigmas or 0.0) * sigma, 0.1)):
            raise RuntimeError("a zinger: the scan should have none")
        values[start : start + _BLOCK] = block
    # Of every pixel photons suffice.
    return np.ascontiguousarray(-np.log(np.maximum(values, floor)).transpose(1, 0, 2), np.float32)
