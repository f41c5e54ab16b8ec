"""The reconstructions that `reconstruction` compares: how each is asked for the same slices.

All are filtered back-projections or their equal in Fourier space, with the cosine window where they have it. Each gets
the rotation axis where it wants it: some have it in the middle of the picture, some on a pixel (`axis_on_pixel`); the
discs are then drawn half a pixel further. Each may use every CPU that this process may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks import peers
from benchmarks.discs import Reconstruct, Scan

# Rows at each size. Two at least for those that give a slice to a thread; mbirjax gains by more where it is fast.
_MANY, _FEW, _SINGLE, _BATCH = (128, 64, 32, 32), (32, 8, 4, 2), (32, 8, 2, 1), (128, 32, 4, 1)


@dataclass(frozen=True)
class Method:
    """One line of the table for each size: its name there, how it is made ready, what it needs, what is special."""

    about: str
    prepare: Callable[[Scan], Reconstruct]
    rows: tuple[int, ...] = _FEW  # of each size
    needs: tuple[str, ...] = ()
    install: str = ""
    axis_on_pixel: bool = False
    warn: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the modules that it needs can be imported."""
        return all(find_spec(name) is not None for name in self.needs)


def _fourier(scan: Scan) -> Reconstruct:
    from xrm_control.reconstruction.methods.fourier import FourierReconstruction

    method = FourierReconstruction(filter="cosine", padding=0)
    return lambda data: method.reconstruct(data, scan.theta_deg, scan.axis_px, scan.pixel_um)


def _fourier_by_default(scan: Scan) -> Reconstruct:
    from xrm_control.reconstruction.methods.fourier import FourierReconstruction

    return lambda data: FourierReconstruction().reconstruct(data, scan.theta_deg, scan.axis_px, scan.pixel_um)


def _fbp(scan: Scan) -> Reconstruct:
    from xrm_control.reconstruction.methods.fbp import FilteredBackProjection

    method = FilteredBackProjection(filter="cosine", padding=0)
    return lambda data: method.reconstruct(data, scan.theta_deg, scan.axis_px, scan.pixel_um)


def _astra(scan: Scan) -> Reconstruct:
    from xrm_control.reconstruction.astra_session import reconstruct_slices

    return lambda data: (
        reconstruct_slices(
            data,
            scan.theta_deg,
            algorithm="FBP",
            size=scan.side,
            axis_px=scan.axis_px,
            options={"FilterType": "cosine"},
            gpu=False,
        )
        / scan.pixel_um
    )


# The first is the one that the others are measured by.
METHODS = {
    "astra": Method("ASTRA FBP", _astra),
    "fourier": Method("fourier", _fourier, _MANY),
    "fourier_by_default": Method("fourier, padding auto", _fourier_by_default, _MANY),
    "fbp": Method("fbp (by ASTRA's BP)", _fbp),
    "iradon": Method("scikit-image iradon", peers.iradon, axis_on_pixel=True),
    "midas": Method(
        "midas-tomo gridrec",
        peers.midas,
        _MANY,
        ("midas_tomo",),
        "midas-tomo",
        axis_on_pixel=True,
        warn="Hamming window",
    ),
    "algotom": Method("algotom FBP", peers.algotom_fbp, needs=("algotom",), install="algotom"),
    "algotom_dfi": Method(
        "algotom Fourier inversion",
        peers.algotom_dfi,
        needs=("algotom",),
        install="algotom",
        axis_on_pixel=True,
        warn="Hann window",
    ),
    "mbirjax": Method(
        "mbirjax FBP", peers.mbirjax, _BATCH, needs=("mbirjax",), install="mbirjax", warn="ramp, no window"
    ),
    "silx": Method(
        "silx FBP (OpenCL)", peers.silx, _SINGLE, needs=("silx", "pyopencl"), install="silx 'pyopencl[pocl]'"
    ),
    "radontea": Method("radontea FBP", peers.radontea, needs=("radontea",), install="radontea"),
    "rtk": Method("RTK FDK", peers.rtk, needs=("itk",), install="itk-rtk"),
    "torchtomo": Method("torchtomo FBP", peers.torchtomo, needs=("torchtomo",), install="torchtomo"),
}
