"""Families: interchangeable kinds, each one file in a package, found by looking, listed nowhere.

A kind is a `Spec` with a `kind: Literal["..."]` field and the family's one method. A field that takes any member is
written ``roi: Annotated[RoiStrategy, Family("xrm_control.roi.strategies")]``. Another package adds members by entry
points in the family's group, each named as its kind. One of them that cannot be used is named by `broken` and by the
recipe that asks for it, and spoils nothing else.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from xrm_control.core.model import Spec

Member = TypeVar("Member", bound=Spec)

_GROUPS = "[xrm_control."


@dataclass(frozen=True)
class Family:
    """The members of a base class, told apart by a tag field: those in the modules of a package, and those that other
    packages offer in the entry-point group.
    """

    package: str
    tag: str = "kind"
    group: str = ""

    def members(self, base: type[Member]) -> dict[str, type[Member]]:
        """Tag value -> class, sorted by tag, for every member that can be used."""
        own = self._own(base)
        return dict(sorted({**own, **self._others(base, own)[0]}.items()))

    def broken(self, base: type[Member]) -> dict[str, str]:
        """Name -> why it cannot be used, of members that other packages offer."""
        return self._others(base, self._own(base))[1]

    def is_own(self, member: type[Spec]) -> bool:
        """Whether a member is one of the modules of the family's package."""
        return member.__module__.startswith(f"{self.package}.")

    def _own(self, base: type[Member]) -> dict[str, type[Member]]:
        found: dict[str, type[Member]] = {}
        for item in _classes(self.package):
            if issubclass(item, base):
                found |= dict.fromkeys(self._tags(item), item)
        return found

    def _others(
        self, base: type[Member], own: Mapping[str, type[Member]]
    ) -> tuple[dict[str, type[Member]], dict[str, str]]:
        points = _offered(self.group) if self.group else ()
        often = Counter(point.name for point in points)
        found: dict[str, type[Member]] = {}
        broken: dict[str, str] = {}
        for point in points:
            if point.name in own:
                reason = f"{self.tag} '{point.name}' is xrm_control's own; {_origin(point)} must choose another name"
            elif often[point.name] > 1:
                packages = ", ".join(sorted(_origin(one) for one in points if one.name == point.name))
                reason = f"several packages offer {self.tag} '{point.name}': {packages}"
            else:
                loaded = self._loaded(point, base)
                if not isinstance(loaded, str):
                    found[point.name] = loaded
                    continue
                reason = f"{loaded} (offered by {_origin(point)} as {point.value})"
            broken[point.name] = reason
        return found, broken

    def _loaded(self, point: importlib.metadata.EntryPoint, base: type[Member]) -> type[Member] | str:
        """The member, or what is wrong with it."""
        try:
            item = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever another package raises when it is imported
            return f"cannot be imported: {type(error).__name__}: {error}"
        if not (isinstance(item, type) and issubclass(item, base)):
            return f"is no {base.__module__}.{base.__name__}"
        if inspect.isabstract(item):
            return f"lacks {', '.join(sorted(item.__abstractmethods__))}"
        try:
            item.model_rebuild(raise_errors=True)
        except Exception as error:  # noqa: BLE001  pydantic's own, and what hooks of the member raise
            return f"has a field whose type is not known: {str(error).splitlines()[0]}"
        if point.name not in self._tags(item):
            return f'needs a field {self.tag}: Literal["{point.name}"], as its entry point is named'
        return item

    def _tags(self, member: type[Spec]) -> tuple[Any, ...]:
        field = member.model_fields.get(self.tag)
        return get_args(field.annotation) if field else ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices: dict[Any, CoreSchema] = {
            tag: handler.generate_schema(member) for tag, member in self.members(source).items()
        }
        choices |= {name: _refused(name, reason) for name, reason in self.broken(source).items() if name not in choices}
        return core_schema.tagged_union_schema(choices, discriminator=self.tag)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What cannot be used is no choice."""
        if schema["type"] != "tagged-union":
            return handler(schema)
        usable = {tag: choice for tag, choice in schema["choices"].items() if choice["type"] != "function-plain"}
        return handler(core_schema.tagged_union_schema(usable, discriminator=self.tag))


@lru_cache(maxsize=64)
def _classes(package: str) -> tuple[type, ...]:
    """What the modules of a package define; looked for once."""
    found: list[type] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        found += [
            item for item in vars(module).values() if isinstance(item, type) and item.__module__ == module.__name__
        ]
    return tuple(found)


def _refused(name: str, reason: str) -> CoreSchema:
    """The schema of a member that cannot be used: a recipe that asks for it is told why."""

    def refuse(_: Any) -> Any:
        raise ValueError(f"'{name}' cannot be used: {reason}")

    return core_schema.no_info_plain_validator_function(refuse)


@lru_cache(maxsize=1)
def _installed() -> tuple[importlib.metadata.EntryPoint, ...]:
    """Entry points of all packages in our groups, of each package once; looked for once, as it takes its time."""
    found: dict[str, tuple[importlib.metadata.EntryPoint, ...]] = {}
    for package in importlib.metadata.distributions():
        if _GROUPS in (package.read_text("entry_points.txt") or ""):
            # The first on the path is the one that is imported.
            found.setdefault(package.name, tuple(package.entry_points))
    return tuple(point for points in found.values() for point in points)


def _offered(group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    """What is offered in a group, sorted."""
    return tuple(sorted((point for point in _installed() if point.group == group), key=lambda p: (p.name, p.value)))


def _origin(point: importlib.metadata.EntryPoint) -> str:
    """The distribution that an entry point comes from, for messages."""
    return point.dist.name if point.dist is not None else "an unknown package"
