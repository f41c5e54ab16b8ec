"""A run that has been carried out, or is being carried out by somebody else, as its folder tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from xrm_control import app
from xrm_control.api import given
from xrm_control.api.tables import Row, as_frame, records
from xrm_control.contracts.commands import Abort, Add, Continue, Order, Pause, Skip, Stop
from xrm_control.contracts.lot import LotVerdict
from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.core.states import Verdict
from xrm_control.exports.mesh_exporter import ExportedMesh
from xrm_control.exports.writing import ExportedFile
from xrm_control.processing.measured import read_measured
from xrm_control.processing.soundness import Verification
from xrm_control.storage.records import RunSummary
from xrm_control.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Found:
    """What was measured, in `folder` (absolute). Everything is read from its files when it is asked for."""

    folder: Path

    @property
    def results(self) -> RunResults:
        """What results.json holds. Raises DataError while there is none."""
        return RESULTS.read(self._place().results)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and no region was set aside. Raises DataError while there are no results."""
        return self.results.verdict.status is Verdict.COMPLETE

    @property
    def lot(self) -> LotVerdict | None:
        """The verdict on the lot; None where the recipe specifies nothing. Raises DataError without results."""
        return self.results.lot

    @property
    def particles(self) -> Any:
        """One particle a row, of all regions: a DataFrame of pandas or polars where one of them is installed, else a
        list of rows. Columns and units as in particles.csv.
        """
        return as_frame(self.rows("particles"))

    @property
    def voids(self) -> Any:
        """One void a row; see `particles`."""
        return as_frame(self.rows("voids"))

    def rows(self, table: Literal["particles", "voids"]) -> list[Row]:
        """The rows of a table of all regions that have been measured; empty cells are NaN."""
        given.choice(table, ("particles", "voids"), "table")
        rois = sorted(path.parent.name for path in self.folder.glob("*/particles.csv"))
        measured = read_measured(self._place(), rois)
        return records(measured.particles if table == "particles" else measured.voids)

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self._place().report

    def _place(self) -> RunFolder:
        return RunFolder(self.folder)


@dataclass(frozen=True)
class Reanalysis(Found):
    """A run's volumes measured again; `results.reanalysis` says with which settings, `results.run` of which run."""


@dataclass(frozen=True)
class Run(Found):
    """The run in `folder`."""

    @property
    def status(self) -> RunSummary:
        """How far the run has come, and whether it lives."""
        return app.status(self.folder)

    def pause(self) -> str:
        """Let whoever carries the run out pause it, in the safe state, after the frame in flight; its answer.

        This and the methods below raise CommandRefusal with the reason, CommandUnanswered when nobody answers.
        """
        return app.send(self.folder, Pause())

    def go_on(self) -> str:
        """Let whoever carries the run out go on after a pause; see `resume` for a run that nobody carries out."""
        return app.send(self.folder, Continue())

    def skip(self, roi: str) -> str:
        """Set a region aside."""
        with given.accepted():
            command = Skip(roi=given.text(roi, "roi"))
        return app.send(self.folder, command)

    def order(self, *rois: str) -> str:
        """Scan these regions first of those that wait, in this order; the others follow as they stood."""
        with given.accepted():
            command = Order(rois=rois)
        return app.send(self.folder, command)

    def add(
        self, x_um: float, y_um: float, z_um: float | None = None, *, box_um: tuple[float, float] | None = None
    ) -> str:
        """Scan one more place (stage position, um); box_um: width and height, covered with as many windows as it takes.

        Before regions are chosen it takes the place of the recipe's.
        """
        at = given.number(x_um, "x_um"), given.number(y_um, "y_um")
        width_um, height_um = (None, None) if box_um is None else given.place(box_um, "box_um")
        with given.accepted():
            z = None if z_um is None else given.number(z_um, "z_um")
            command = Add(x_um=at[0], y_um=at[1], z_um=z, width_um=width_um, height_um=height_um)
        return app.send(self.folder, command)

    def stop(self, after: Literal["frame", "scan", "region"] = "frame") -> str:
        """End the run in order; what was scanned is measured, and it can be gone on with."""
        return app.send(self.folder, Stop(after=given.choice(after, ("frame", "scan", "region"), "after")))

    def abort(self) -> str:
        """End the run now."""
        return app.send(self.folder, Abort())

    def verify(self, expect: str | None = None) -> Verification:
        """All of its files held against what was recorded; `exit_code` is 0 where all is sound. See `xrm verify`."""
        return app.verify(self.folder, None if expect is None else given.text(expect, "expect"))

    def export(
        self, to: str, out: str | Path, roi: str | None = None, *, replace: bool = False
    ) -> tuple[ExportedFile, ...]:
        """Frames, angles and scale of a region, or of each that was scanned, for other programs: `to` is
        "data_exchange", "nxtomo", or the kind of another package's exporter; `out` a folder outside of the run.

        Raises DataError for a region that lacks flats or darks, StorageError where it cannot be written.
        """
        return app.export(self.folder, to, given.path(out, "out"), roi, replace=replace)

    def export_meshes(
        self,
        to: str,
        out: str | Path,
        roi: str | None = None,
        particles: Sequence[int] = (),
        *,
        replace: bool = False,
    ) -> tuple[ExportedMesh, ...]:
        """The surface of each particle with the walls of its voids, in um, for other programs: `to` is "stl", "ply",
        "glb", or the kind of another package's mesh exporter; particles: their numbers in a region, none: all.

        Raises DataError for a region or a particle that is not there, StorageError where it cannot be written.
        """
        return app.export_meshes(self.folder, to, Path(out), roi, particles, replace=replace)

    def volume(self, roi: str = "roi-01") -> tuple[NDArray[Any], float | None]:
        """The volume of a region, (z, y, x) in 1/um, and its voxel size in um. Raises DataError where there is none."""
        from xrm_control.storage.formats.registry import read_volume

        return read_volume(RunFolder.open(self.folder).roi(given.text(roi, "roi")).volume)

    def _place(self) -> RunFolder:
        return RunFolder.open(self.folder)
