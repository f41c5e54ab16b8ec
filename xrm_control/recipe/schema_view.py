"""What a model would accept at a place, read off its JSON schema: known keys, kinds, types."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xrm_control.core.family import Family
from xrm_control.core.model import IN_FILE, RENAMED, InFile, Spec
from xrm_control.recipe.yaml_source import Data, KeyPath


class SchemaView:
    """Looks into one model's JSON schema along key paths, choosing members of a family by the data's `kind`."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return _schema_of(self._model)

    @cached_property
    def _definitions(self) -> dict[str, Any]:
        return self._schema.get("$defs", {})

    def known_keys(self, path: KeyPath, data: Data) -> list[str]:
        """Keys that the group at `path` may hold, in their order of definition."""
        keys: dict[str, None] = {}
        for node in self.at(path, data):
            keys |= dict.fromkeys(node.get("properties", {}))
        return list(keys)

    def renamed(self, path: KeyPath, data: Data, key: str) -> str | None:
        """What the key `key` of the group at `path` is called now, where it once had that name."""
        names = (node.get(RENAMED, {}).get(key) for node in self.at(path, data))
        return next((name for name in names if name), None)

    def family(self, path: KeyPath, data: Data) -> tuple[str, list[str]]:
        """The tag key and the kinds among which the group at `path` may choose; ("", []) when it is no family."""
        for node in map(self._resolve, self._reach(path, data)):
            if kinds := list(_mapping(node)):
                return node["discriminator"]["propertyName"], kinds
        return "", []

    def in_file(self, path: KeyPath, data: Data) -> tuple[bool, str | None]:
        """Whether the value at `path` may stand in a file of its own, and the file's name when nobody gives one."""
        nodes = [node for node in self._reach(path, data) if _in_file(node)]
        return bool(nodes), next((name for node in nodes if isinstance(name := node.get("default"), str)), None)

    def in_files(self, data: Data) -> list[KeyPath]:
        """Every path below `data` at which a file may be named; none where neither data nor a default names one."""
        if not _may_name_files(self._model, data):
            return []
        return list(dict.fromkeys(self._in_files([self._schema], data, ())))

    def length(self, path: KeyPath, data: Data) -> int:
        """How many values the list at `path` has; 0 where that is not fixed, or is no list."""
        return next((len(node["prefixItems"]) for node in self.at(path, data) if "prefixItems" in node), 0)

    def description(self, path: KeyPath, data: Data) -> str:
        """The first line of what the field at `path` is for; "" when nobody wrote it down."""
        texts = [node.get("description", "") for node in self._reach(path, data)]
        return next((text.splitlines()[0].rstrip(".") for text in texts if text), "")

    def allows(self, path: KeyPath, data: Data, *types: str) -> bool | None:
        """Whether the value at `path` may be of one of the JSON `types`; None when the schema does not say."""
        nodes = list(self.at(path, data))
        if not nodes or any(not node.keys() & {"type", "const", "enum"} for node in nodes):
            return None
        return any(_type_of(node) & set(types) for node in nodes)

    def at(self, path: KeyPath, data: Data) -> Iterator[dict[str, Any]]:
        """Every schema that may apply at `path` (unions give several)."""
        value = value_at(path, data)
        for node in self._reach(path, data):
            yield from self._expand(node, value)

    def _in_files(self, nodes: list[dict[str, Any]], value: Data, path: KeyPath) -> Iterator[KeyPath]:
        # Of a family nobody has chosen a member of, none asks for a file.
        nodes = [node for node in nodes if self._is_chosen(self._resolve(node), value)]
        for node in (inner for outer in nodes for inner in self._expand(outer, value)):
            if isinstance(value, dict):
                yield from ((*path, key) for key, inner in node.get("properties", {}).items() if _in_file(inner))
            parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
            for step, item in parts:
                yield from self._in_files(_step(node, step), item, (*path, step))

    def _is_chosen(self, node: dict[str, Any], value: Data) -> bool:
        mapping = _mapping(node)
        return not mapping or (
            isinstance(value, dict) and value.get(node["discriminator"]["propertyName"]) in list(mapping)
        )

    def _reach(self, path: KeyPath, data: Data) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = [self._schema]
        for depth, step in enumerate(path):
            value = value_at(path[:depth], data)
            inner = [found for node in nodes for item in self._expand(node, value) for found in _step(item, step)]
            nodes = inner
        return nodes

    def _expand(self, node: dict[str, Any], value: Data) -> Iterator[dict[str, Any]]:
        node = self._resolve(node)
        mapping = _mapping(node)
        kind = value.get(node["discriminator"]["propertyName"]) if mapping and isinstance(value, dict) else None
        if isinstance(kind, str) and kind in mapping:
            yield from self._expand({"$ref": mapping[kind]}, value)
            return
        choices = [choice for word in ("anyOf", "oneOf", "allOf") for choice in node.get(word, ())]
        if not choices:
            yield node
        for choice in choices:
            yield from self._expand(choice, value)

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = self._definitions.get(node["$ref"].rpartition("/")[2], {})
        return node


@lru_cache(maxsize=8)
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Takes a tenth of a second for a recipe, and is only read."""
    return model.model_json_schema()


def _may_name_files(kind: Any, data: Data) -> bool:
    """Whether files are named, by the data or by a field's default: told without a schema, and for members of a family
    by the data's tag.
    """
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if not _ever(kind):
            return False
        group = data if isinstance(data, dict) else {}
        return any(_names_file(field, group.get(name, field.default)) for name, field in kind.model_fields.items())
    if isinstance(kind, InFile):
        return isinstance(data, str)
    return any(_may_name_files(one, data) for one in get_args(kind))


@lru_cache(maxsize=512)
def _ever(model: type[BaseModel]) -> bool:
    """Whether anything in a group may stand in a file, whatever the data; a family may, as others add members to it."""
    return any(
        any(isinstance(mark, InFile | Family) for mark in field.metadata) or _ever_in(field.annotation)
        for field in model.model_fields.values()
    )


def _ever_in(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _ever(kind)
    return isinstance(kind, InFile | Family) or any(map(_ever_in, get_args(kind)))


def _names_file(field: FieldInfo, value: Any) -> bool:
    marked = any(isinstance(mark, InFile) for mark in field.metadata)
    return (marked and isinstance(value, str)) or any(_may_name_files(one, value) for one in _members(field, value))


def _members(field: FieldInfo, data: Data) -> tuple[Any, ...]:
    """What a field may hold: its type, or the members of its family; by the data's tag where it has one."""
    families = [mark for mark in field.metadata if isinstance(mark, Family)]
    if not families or not isinstance(field.annotation, type):
        return (field.annotation,)
    base: type[Spec] = field.annotation
    members: dict[str, type[Spec]] = families[0].members(base)
    tag = data.get(families[0].tag) if isinstance(data, dict) else None
    return (members[tag],) if isinstance(tag, str) and tag in members else tuple(members.values())


def _mapping(node: dict[str, Any]) -> dict[str, str]:
    return node.get("discriminator", {}).get("mapping", {})


def _in_file(node: dict[str, Any]) -> bool:
    return bool(node.get(IN_FILE)) or any(_in_file(choice) for choice in node.get("anyOf", ()))


def _step(node: dict[str, Any], step: str | int) -> list[dict[str, Any]]:
    if isinstance(step, int):
        prefix = node.get("prefixItems", [])
        found = prefix[step] if step < len(prefix) else node.get("items")
    else:
        found = node.get("properties", {}).get(step, node.get("additionalProperties"))
    return [found] if isinstance(found, dict) else []


def value_at(path: KeyPath, data: Data) -> Data:
    """What `data` holds at a path; None when it holds nothing there."""
    for step in path:
        if isinstance(data, dict) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _type_of(node: dict[str, Any]) -> set[str]:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    found = node.get("type", [])
    types = {found} if isinstance(found, str) else set(found)
    values = [*node.get("enum", []), *([node["const"]] if "const" in node else [])]
    return types | {names[type(item)] for item in values if type(item) in names}
