"""What the mosaic promised of each region, and what was found."""

from __future__ import annotations

from xrm_control.contracts.document import Figure, Record


class ExpectedParticles(Record):
    """Whole particles of one region in its window less its margin.

    expected: by the mosaic alone; corrected: by what the regions before it held for what they promised, None for the
    first that was measured; found: None where it was not measured, or could not be compared.
    """

    roi: str
    expected: int
    corrected: Figure = None
    found: int | None = None
