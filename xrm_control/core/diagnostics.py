"""What a specification asks for that cannot be done, or may go wrong: told before anything moves, as a typed record."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from xrm_control.core.errors import DataError, RecipeError, SafetyRefusal, XrmError
from xrm_control.core.states import Level


@dataclass(frozen=True)
class Diagnostic:
    """An error refuses the recipe; a warning is told, and goes with the plan.

    fields: dotted paths in the recipe, the one most to blame first; what: one sentence; value, limit: the numbers that
    met; remedy: what to do; safety: the envelope or a limit of the stage is concerned.
    """

    fields: tuple[str, ...]
    what: str
    value: str | None = None
    limit: str | None = None
    remedy: str | None = None
    level: Level = Level.ERROR
    safety: bool = False

    @property
    def refuses(self) -> bool:
        """Whether nothing may begin with it."""
        return self.level is Level.ERROR

    @classmethod
    def of(cls, error: XrmError) -> Diagnostic:
        """An error of ours that refuses a recipe; its `where` names fields, separated by commas."""
        return cls(
            tuple(part.strip() for part in (error.where or "").split(",") if part.strip()),
            error.what,
            None if error.value is None else str(error.value),
            None if error.limit is None else str(error.limit),
            error.remedy,
            safety=isinstance(error, SafetyRefusal),
        )

    def error(self, where: str | None = None) -> RecipeError | SafetyRefusal:
        """What refuses a recipe for this reason; `where` in place of its fields."""
        kind = SafetyRefusal if self.safety else RecipeError
        return kind(
            self.what,
            where=where or ", ".join(self.fields),
            value=self.value,
            limit=self.limit,
            remedy=self.remedy,
        )


@contextmanager
def collected(found: list[Diagnostic]) -> Generator[None, None, None]:
    """What the block refuses is one diagnostic more, and no exception."""
    try:
        yield
    except (RecipeError, DataError, SafetyRefusal) as error:
        found.append(Diagnostic.of(error))
