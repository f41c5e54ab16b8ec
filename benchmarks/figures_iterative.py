"""`python -m benchmarks.figures_iterative`: docs/figures/iterative.png, noise at equal resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.iterative import (
    MU_PER_UM,
    NOISE,
    PIXEL_UM,
    SIDE,
    THETA_DEG,
    edge_px,
    flat_noise,
    sinogram,
    truth,
)
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.methods.tv import TotalVariation
from xrm_control.reconstruction.ramp import RampWindow

TARGET = Path(__file__).parents[1] / "docs" / "figures" / "iterative.png"
SLICES, DPI = 32, 110
FILTERS: tuple[RampWindow, ...] = ("ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen")


def main() -> None:
    """Draw the phantom, filtered back-projection with the filter nearest in sharpness, and total variation."""
    stack = np.repeat(sinogram()[None], SLICES, axis=0)
    stack = (stack + np.random.default_rng(1).normal(0, NOISE, stack.shape)).astype(np.float32)
    centre = (SIDE - 1) / 2
    ours = TotalVariation().reconstruct(stack, THETA_DEG, centre, PIXEL_UM)
    peers = {
        kind: FourierReconstruction(filter=kind).reconstruct(stack, THETA_DEG, centre, PIXEL_UM) for kind in FILTERS
    }
    equal = min(peers, key=lambda kind: abs(edge_px(peers[kind]) - edge_px(ours)))
    panels = [
        (truth(), "phantom"),
        (peers[equal][0], f"filtered back-projection, {equal}\n{_words(peers[equal])}"),
        (peers["cosine"][0], f"filtered back-projection, cosine\n{_words(peers['cosine'])}"),
        (ours[0], f"tv, 30 rounds\n{_words(ours)}"),
    ]
    figure = Figure(figsize=(14, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, len(panels), height_ratios=(3, 1), sharey="row")
    row = round((SIDE - 1) / 2 + 4 / PIXEL_UM)
    for axes, line, (picture, title) in zip(above, below, panels, strict=True):
        axes.imshow(picture / MU_PER_UM, cmap="gray", vmin=-0.3, vmax=1.3)
        axes.axhline(row, color="#E69F00", linewidth=0.6)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
        line.plot(truth()[row] / MU_PER_UM, color="#6b7379", linewidth=0.8)
        line.plot(picture[row] / MU_PER_UM, color="#0072B2", linewidth=1.0)
        line.set_ylim(-0.6, 1.6)
        line.set_xlim(0, SIDE - 1)
        line.set_xlabel("column (px)")
    below[0].set_ylabel("attenuation / truth")
    figure.suptitle(
        f"{SIDE} columns, {len(THETA_DEG)} views, noise {NOISE} of each line integral: "
        f"{flat_noise(peers[equal]) / flat_noise(ours):.0f} times less noise than the filter of nearest sharpness"
    )
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=DPI)


def _words(volume: NDArray[np.floating]) -> str:
    return f"noise {flat_noise(volume):.1%}, edge 10-90 % {edge_px(volume):.2f} px"


if __name__ == "__main__":
    main()
