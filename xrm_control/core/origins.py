"""Where the numbers that decide a scale come from, and what was done to the data, in words that results repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Origins:
    """scale: "0.5 um, from sample/x_pixel_size"; angles: "61 views from -90 to 90 degrees, from exchange/theta".

    notes: what was left out, corrected or assumed, one sentence each. Empty where nobody has said it.
    """

    scale: str = ""
    angles: str = ""
    notes: tuple[str, ...] = ()

    def noting(self, *more: str) -> Origins:
        """The same with more notes; none twice."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *more))))


NOT_SAID = Origins()
