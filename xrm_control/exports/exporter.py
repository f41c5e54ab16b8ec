"""The family of exporters: a scan of a run, or a volume, in a format of others. A member is one file in `formats/`."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from xrm_control.core.family import Family
from xrm_control.core.model import Spec

EXPORTERS = Family("xrm_control.exports.formats", group="xrm_control.exporters")


class Exporter(Spec):
    """Base of the family: settings of one format, told apart by `kind`."""

    @abstractmethod
    def export(self, run: Path, target: Path) -> None:
        """Write what the run's folder holds to `target`, a new file or folder. Changes nothing in the run.

        Raises DataError for a run that does not hold what the format needs, StorageError where it cannot be written.
        """
