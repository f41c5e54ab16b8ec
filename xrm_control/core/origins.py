"""Where the numbers that decide a scale come from, and what was done to the data, in words that results repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Origins:
    """scale: "0.5 um, from sample/x_pixel_size"; angles: "61 views from -90 to 90 degrees, from exchange/theta".

    notes: what was left out, corrected or assumed, one sentence each. light: by what flats and darks are of the light
    and of the setting of the projections, from which attenuation comes. Empty where nobody has said it.
    """

    scale: str = ""
    angles: str = ""
    notes: tuple[str, ...] = ()
    light: str = ""

    def noting(self, *more: str) -> Origins:
        """The same with more notes; none twice."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *more))))

    def taken_as_one_setting(self) -> Origins:
        """With the assumption that attenuation stands on, where nothing is stated about it."""
        return self if self.light else replace(self, light=ONE_SETTING)


ONE_SETTING = "flats, darks and projections taken to be of one exposure, gain and binning: nothing states it"
NOT_SAID = Origins()
