"""Gridding of the default path: against analytic discs, powder beyond the field, finufft and scikit-image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import iradon

from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.methods.sirt import Sirt
from xrm_control.reconstruction.spec import ReconstructionSpec, parts_of, slab_rows

EXACT = 1e-5  # by finufft, rows extended in memory
FINE = 4


@dataclass(frozen=True)
class Powder:
    """Discs of attenuation 1 per pixel in a strip that goes on beyond the field of view, or all around it."""

    side: int = 64
    views: int = 101
    strip: bool = True
    axis_off_px: float = 0.0
    wander_px: float = 0.0
    turn_deg: float = 180.0
    shuffled: bool = False
    discs: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(5)
        high = 0.15 if self.strip else 1.2
        places = random.uniform((-1.5, -high, 0.03), (1.5, high, 0.08), (180, 3))
        object.__setattr__(self, "discs", places * self.side)

    @property
    def theta_deg(self) -> NDArray[np.float64]:
        theta = np.linspace(-90, self.turn_deg - 90, self.views)
        return np.random.default_rng(6).permutation(theta) if self.shuffled else theta

    @property
    def axis_px(self) -> NDArray[np.float64]:
        wander = np.random.default_rng(7).normal(0, 1, self.views) * self.wander_px
        return (self.side - 1) / 2 + self.axis_off_px + wander

    def sinogram(self) -> NDArray[np.float32]:
        """(1, views, side): chords, the mean of four lines a pixel."""
        theta = np.radians(self.theta_deg)[:, None]
        at = (np.arange(self.side * FINE) + 0.5) / FINE - 0.5 - self.axis_px[:, None]
        total = np.zeros((self.views, self.side * FINE))
        for x, y, radius in self.discs:
            total += 2 * np.sqrt(np.clip(radius**2 - (at - x * np.cos(theta) + y * np.sin(theta)) ** 2, 0, None))
        return total.reshape(1, self.views, self.side, FINE).mean(axis=3).astype(np.float32)

    def truth(self) -> NDArray[np.float64]:
        at = (np.arange(self.side * FINE) + 0.5) / FINE - self.side / 2
        picture = np.zeros((self.side * FINE,) * 2)
        for x, y, radius in self.discs:
            picture[np.hypot(at - x, at[:, None] - y) <= radius] += 1
        return picture.reshape(self.side, FINE, self.side, FINE).mean(axis=(1, 3))

    def inside(self) -> NDArray[np.bool_]:
        place = np.arange(self.side) - (self.side - 1) / 2
        return np.hypot(place, place[:, None]) < 0.48 * self.side - abs(self.axis_off_px)

    def error(self, slice_: NDArray[np.floating]) -> float:
        """Root mean square, scale and offset fitted."""
        found, true = slice_[self.inside()], self.truth()[self.inside()]
        line = np.polynomial.polynomial.polyfit(found, true, 1)
        return float(np.sqrt(np.mean((np.polynomial.polynomial.polyval(found, line) - true) ** 2)))


CASES = {
    "strip": Powder(),
    "all around": Powder(strip=False),
    "odd": Powder(side=63),
    "axis off the middle": Powder(axis_off_px=2.7),
    "axis far off": Powder(axis_off_px=-18.2),
    "views that wander": Powder(wander_px=1.5),
    "full turn": Powder(views=200, turn_deg=358.2),
    "in any order": Powder(shuffled=True),
    "few pixels": Powder(side=24, views=41),
    "larger": Powder(side=120, views=190),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("padding", ["auto", 0, 2.0])
def test_it_is_the_slice_of_extended_rows(name: str, padding) -> None:
    powder = CASES[name]
    data, theta, axis = powder.sinogram(), powder.theta_deg, powder.axis_px
    found, exact = (
        FourierReconstruction(padding=padding, accuracy=accuracy).reconstruct(data, theta, axis, 1.0)[0]
        for accuracy in (1e-3, EXACT)
    )
    inside = powder.inside()
    assert np.sqrt(np.mean((found - exact)[inside] ** 2)) < 1e-3
    assert np.abs(found - exact)[inside].max() < 6e-3
    assert powder.error(found) < 1.002 * powder.error(exact)


@pytest.mark.parametrize("kind", ["ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen"])
def test_it_is_as_true_with_noise(kind) -> None:
    powder = Powder(side=96, views=150)
    data = powder.sinogram()
    data += np.random.default_rng(8).normal(0, 0.3, data.shape).astype(np.float32)
    errors = [
        powder.error(method.reconstruct(data, powder.theta_deg, powder.axis_px, 1.0)[0])
        for method in (FourierReconstruction(filter=kind), FourierReconstruction(filter=kind, accuracy=EXACT))
    ]
    assert errors[0] < 1.002 * errors[1]


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_it_is_truer_than_back_projection_by_scikit_image(noise: float) -> None:
    """Which wants all of the sample in sight; of odd sizes the middle is a pixel for both. Noise: as sharp, no more."""
    powder = Powder(side=129, views=201)
    object.__setattr__(powder, "discs", np.array([[-18.0, 8, 16], [24, -20, 10], [12, 28, 6]]))
    data = powder.sinogram()
    data += np.random.default_rng(10).normal(0, noise, data.shape).astype(np.float32)
    theirs = np.asarray(iradon(data[0].T, powder.theta_deg, filter_name="cosine"))
    ours = FourierReconstruction(padding=0, softening=2).reconstruct(data, powder.theta_deg, 64.0, 1.0)[0]
    assert powder.error(ours) < 1.01 * powder.error(theirs)
    core = np.hypot(np.arange(129) - 64 + 18, (np.arange(129) - 64)[:, None] - 8) < 13
    assert ours[core].mean() == pytest.approx(1.0, rel=0.005)
    assert ours[core].mean() == pytest.approx(theirs[core].mean(), rel=0.005)


def test_the_same_bytes_again_whatever_the_threads_and_the_order_in_memory() -> None:
    powder = Powder()
    random = np.random.default_rng(9)
    data = np.repeat(powder.sinogram(), 40, axis=0) * random.uniform(0.5, 2, (40, 1, 1)).astype(np.float32)

    def volume(sinograms: NDArray[np.float32], threads: int, padding=0.5) -> bytes:
        method = FourierReconstruction(threads=threads, padding=padding)
        return method.reconstruct(sinograms, powder.theta_deg, powder.axis_px, 0.5).tobytes()

    first = volume(data, 1)
    assert first == volume(data, 1)
    assert first == volume(data, 2)
    assert first == volume(data, 3)
    assert volume(data, 1, 0) == volume(np.asfortranarray(data), 1, 0)


def test_the_order_of_views_does_not_matter() -> None:
    powder, shuffled = Powder(), Powder(shuffled=True)
    slices = [
        FourierReconstruction().reconstruct(one.sinogram(), one.theta_deg, 31.5, 1.0)[0] for one in (powder, shuffled)
    ]
    assert np.abs(slices[0] - slices[1]).max() < 2e-5


def test_every_row_has_its_own_continuation() -> None:
    """Rows of more and less matter beyond the field: each as if it were alone, but for the length they share."""
    powder = Powder()
    factors = np.linspace(0.2, 3, 19, dtype=np.float32)
    data = powder.sinogram() * factors[:, None, None]
    alone = FourierReconstruction().reconstruct(powder.sinogram(), powder.theta_deg, 31.5, 1.0)[0]
    volume = FourierReconstruction().reconstruct(data, powder.theta_deg, 31.5, 1.0)
    assert np.abs(volume / factors[:, None, None] - alone)[:, powder.inside()].max() < 2e-4


def test_parts_are_the_same_by_whatever_method_and_slabs_are_what_fits() -> None:
    shape = (1571, 1024, 1024)
    fast, slow = ReconstructionSpec(), ReconstructionSpec(method=Sirt())
    assert parts_of(fast, shape) == parts_of(slow, shape)
    assert slab_rows(fast, shape) >= 2 * slab_rows(slow, shape)
    assert slab_rows(ReconstructionSpec(method=FourierReconstruction(accuracy=1e-4)), shape) == slab_rows(slow, shape)
