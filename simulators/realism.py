"""What a real microscope adds to the drawn one: one number for each effect, and three instruments made of them.

Magnitudes. Full-field X-ray microscopes underestimate absorption by 10 to 20 % (McNally and others, Beilstein J.
Nanotechnol. 16, 82, 2025), of which light that is spread in the scintillator (Crystals 15, 605, 2025) and stray light
take their shares; chromium's K-beta line is 1.1 % behind 10 um of vanadium; the silicone of a tape is about 40 um of
88 per cm; a series of a real instrument at 9.2 keV shows corners at 20 to 40 %, a spot of the direct beam 3.5 times as
bright as its surroundings, a fixed texture of 9 %, read noise of several photons and shifts of 0.2 um from view to
view; the best stages run out by 15 nm (Gursoy and others, Sci. Rep. 7, 11818, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hop:
    """A particle (its number in the truth, from 1) that is elsewhere from at_s on, by so many um."""

    particle: int
    at_s: float
    x_um: float
    y_um: float
    z_um: float = 0.0


@dataclass(frozen=True)
class Realism:
    """All effects; zero is none.

    stray_share: light that lies evenly over the frame, of the open beam. spread_share, spread_um: light that the
    scintillator carries away, and the length on which it falls off. kbeta_share: of the open beam, in a line that
    matter stops less. adhesive_um: thickness of the glue between tape and powder. vignetting: what the corners lack.
    spot: of the direct beam in the middle, over the light around it. texture, texture_drift_um: root mean square of
    the condenser's grain, and by how much it wanders within an hour. read_noise_photons: None, the camera's own.
    column_gain: relative, root mean square, of the columns' amplifiers. nonlinearity: what full scale lacks.
    afterglow: share of the frame before that is seen again. defocus_um: along the beam. run_out_um: root mean square,
    anew at each move of the rotation, beside the harmonics. drift_um_h: of the sample, across the beam. vibration_um:
    root mean square within an exposure. movers, mover_um, movers_within_s: share of the particles that hop once within
    that time, and how far; hops: those that are named.
    """

    stray_share: float = 0.0
    spread_share: float = 0.0
    spread_um: float = 10.0
    kbeta_share: float = 0.0
    adhesive_um: float = 0.0
    vignetting: float = 0.0
    spot: float = 0.0
    texture: float = 0.0
    texture_drift_um: float = 0.0
    read_noise_photons: float | None = None
    column_gain: float = 0.0
    nonlinearity: float = 0.0
    afterglow: float = 0.0
    defocus_um: float = 0.0
    run_out_um: float = 0.0
    drift_um_h: float = 0.0
    vibration_um: float = 0.0
    movers: float = 0.0
    mover_um: float = 2.0
    movers_within_s: float = 4 * 3600.0
    hops: tuple[Hop, ...] = ()


IDEAL = Realism()
LAB = Realism(
    stray_share=0.005,
    spread_share=0.02,
    kbeta_share=0.011,
    adhesive_um=40.0,
    vignetting=0.3,
    texture=0.09,
    texture_drift_um=0.1,
    read_noise_photons=3.0,
    column_gain=0.005,
    nonlinearity=0.01,
    afterglow=0.001,
    run_out_um=0.03,
    drift_um_h=0.2,
    vibration_um=0.02,
)
BAD = Realism(
    stray_share=0.03,
    spread_share=0.1,
    kbeta_share=0.011,
    adhesive_um=40.0,
    vignetting=0.6,
    spot=0.5,
    texture=0.1,
    texture_drift_um=1.0,
    read_noise_photons=5.0,
    column_gain=0.02,
    nonlinearity=0.05,
    afterglow=0.01,
    defocus_um=100.0,
    run_out_um=0.2,
    drift_um_h=2.0,
    vibration_um=0.1,
    movers=0.1,
)
PRESETS = {"ideal": IDEAL, "lab": LAB, "bad": BAD}
