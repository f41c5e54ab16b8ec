"""What became of a run, stage by stage, from its own journal: the same of a rehearsal and of a real night."""

from __future__ import annotations

from xrm_control.contracts.document import Record
from xrm_control.contracts.morning import Hold
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.core.states import RoiState, RunState, Verdict


class StageAccount(Record):
    """Mosaic, or one region. Times in s of instrument time.

    begin_s, end_s: of its first intent and its last exposure, what stood still between them included; standing_s: of
    that, held or paused; frames: outcomes by kind; exposures: attempts; retaken: attempts that do not count;
    bytes: of all frames on the disk; beam_s: exposed with the shutter open; dose_gy: surface dose of its projections;
    flux: counts per s of exposure in its flats, None without any; state, reason: where a region stands.
    """

    name: str
    begin_s: float
    end_s: float
    standing_s: float
    frames: dict[str, FrameOutcomes]
    exposures: int
    retaken: int
    bytes: int
    beam_s: float
    dose_gy: float
    flux: float | None = None
    state: RoiState | None = None
    reason: str = ""

    @property
    def seconds(self) -> float:
        """From begin to end."""
        return self.end_s - self.begin_s

    @property
    def outcomes(self) -> FrameOutcomes:
        """Of all its frames."""
        return sum(self.frames.values(), FrameOutcomes())


class Account(Record):
    """A run as a whole. ahead: frames of stages that were planned and never begun; disk_bytes: of all recorded files;
    extremes: lowest and highest position of each axis at an exposure, in um and degrees; particles: None where nobody
    looked for them.
    """

    run: str
    recipe_name: str
    recipe_sha256: str
    rehearsal: bool
    state: RunState | None
    verdict: Verdict | None
    reasons: tuple[str, ...]
    total_s: float
    standing_s: float
    resumed: int
    disk_bytes: int
    particles: int | None
    whole_particles: int | None
    ahead: int
    stages: tuple[StageAccount, ...]
    holds: tuple[Hold, ...]
    extremes: dict[str, tuple[float, float]]

    @property
    def outcomes(self) -> FrameOutcomes:
        """Of all planned frames."""
        return sum((stage.outcomes for stage in self.stages), FrameOutcomes(not_reached=self.ahead))

    @property
    def retaken(self) -> int:
        """Attempts that do not count."""
        return sum(stage.retaken for stage in self.stages)

    @property
    def beam_s(self) -> float:
        """Exposed with the shutter open."""
        return sum(stage.beam_s for stage in self.stages)

    @property
    def dose_gy(self) -> float:
        """Surface dose, summed over the scans."""
        return sum(stage.dose_gy for stage in self.stages)

    def stage(self, name: str) -> StageAccount | None:
        """The stage of that name; None where it was not begun."""
        return next((stage for stage in self.stages if stage.name == name), None)
