"""Families: interchangeable kinds, each one file in a package, found by looking, listed nowhere.

A kind is a `Spec` with a `kind: Literal["..."]` field and the family's one method. A field that takes any member is
written ``roi: Annotated[RoiStrategy, Family("xrm_control.roi.strategies")]``.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from xrm_control.core.model import Spec

Member = TypeVar("Member", bound=Spec)


@dataclass(frozen=True)
class Family:
    """The members of a base class that live in the modules of one package, told apart by a tag field."""

    package: str
    tag: str = "kind"

    def members(self, base: type[Member]) -> dict[str, type[Member]]:
        """Tag value -> class, sorted by tag, for every concrete subclass of `base` defined in the package."""
        package = importlib.import_module(self.package)
        found: dict[str, type[Member]] = {}
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{self.package}.{info.name}")
            for item in vars(module).values():
                if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__:
                    field = item.model_fields.get(self.tag)
                    values = get_args(field.annotation) if field else ()
                    found |= dict.fromkeys(values, item)
        return dict(sorted(found.items()))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {tag: handler.generate_schema(member) for tag, member in self.members(source).items()}
        return core_schema.tagged_union_schema(choices, discriminator=self.tag)
