"""The one base for everything that is read from a file: frozen, typed, and deaf to misspelt keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, JsonValue
from pydantic_core import CoreSchema

IN_FILE, RENAMED = "x-in-file", "x-renamed"


class Spec(BaseModel):
    """Base of all specifications: immutable, refuses unknown keys, NaN and infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def renamed(**names: str) -> dict[str, JsonValue]:
    """For `json_schema_extra` of a spec: former names of keys, and what they are called now; told, not taken."""
    return {RENAMED: dict(names)}


@dataclass(frozen=True)
class InFile:
    """Marks a field whose value in a document may be the name of a YAML file that holds it.

    ``map: Annotated[PvMap, InFile()] = Field(default="instruments/site.yaml")``. Whoever loads the document puts the
    file's content in the name's place, before the model is validated; the model itself knows no files. A name is
    looked up beside the document, then in the working directory.
    """

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)], IN_FILE: True}
