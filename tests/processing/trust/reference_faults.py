"""Flats and darks that are not those of the views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.processing.trust.faults import Alter, bed, integrals_of, whole_counts
from xrm_control.reconstruction.scan import ScanData


def saturated_flats(*numbers: int) -> Alter:
    """Some flats are full."""

    def alter(scan: ScanData) -> ScanData:
        flats = np.array(scan.flats)
        flats[list(numbers)] = 65535
        return replace(scan, flats=flats)

    return alter


def flats_in_powder(scan: ScanData) -> ScanData:
    """All flats are taken in another place of the bed."""
    powder = np.exp(-integrals_of(bed(7), np.zeros(1))[0])
    dark = float(np.mean(scan.darks))
    return replace(scan, flats=whole_counts((np.asarray(scan.flats, float) - dark) * powder + dark))


def dim_flats(scan: ScanData) -> ScanData:
    """The flats were exposed for less time than the views."""
    dark = float(np.mean(scan.darks))
    return replace(scan, flats=whole_counts((np.asarray(scan.flats, float) - dark) * 0.9 + dark))


def darks_off(share: float) -> Alter:
    """The darks are another setting's, and lie higher by so much of the beam, lower where negative."""

    def alter(scan: ScanData) -> ScanData:
        darks = np.asarray(scan.darks, float)
        beam = float(np.mean(scan.flats) - darks.mean())
        # Of a camera that states what it has below zero as well.
        return replace(scan, darks=np.rint(darks + share * beam).astype(np.int32))

    return alter
