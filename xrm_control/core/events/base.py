"""What every event is: a frozen record of one thing that happened, with the words for people made from its fields."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from xrm_control.core.states import Level

# A field that stays in memory: journal and log do not hold it.
IN_MEMORY = {"on_file": False}


@dataclass(frozen=True)
class Event(ABC):
    """One thing that happened at instrument time `t_s`, which the stream puts in when it is emitted.

    kind: its name in journals and logs, which never changes; level: how much it matters.
    """

    kind: ClassVar[str]
    level: ClassVar[Level] = Level.INFO

    t_s: float = field(default=math.nan, kw_only=True)

    @property
    @abstractmethod
    def text(self) -> str:
        """The event in a line for people."""

    @property
    def data(self) -> dict[str, Any]:
        """Its fields for journal and log, by name."""
        return {
            one.name: getattr(self, one.name)
            for one in dataclasses.fields(self)
            if one.name != "t_s" and one.metadata.get("on_file", True)
        }
