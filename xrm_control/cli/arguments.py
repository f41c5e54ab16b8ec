"""Options of the command line into the stages' own specifications, with the same clear errors as a recipe's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from xrm_control.analysis.core import AnalysisSpec
from xrm_control.core.errors import RecipeError
from xrm_control.recipe.loading import load_document
from xrm_control.reconstruction.pipeline import ReconstructionSpec


def reconstruction(
    method: str,
    filter_: str | None,
    iterations: int | None,
    axis: float | None,
    rows: str | None,
    ring_window_px: int,
    memory_gb: float | None = None,
) -> ReconstructionSpec:
    """Options of `xrm reconstruct`. Raises RecipeError naming the option."""
    chosen: dict[str, Any] = {"kind": method}
    if filter_ is not None:
        chosen["filter"] = filter_
    if iterations is not None:
        chosen["iterations"] = iterations
    content: dict[str, Any] = {"method": chosen}
    if axis is not None:
        content["rotation_axis"] = axis
    if rows is not None:
        content["rows"] = _rows(rows)
    if memory_gb is not None:
        content["memory_gb"] = memory_gb
    if ring_window_px:
        content["preprocess"] = {"ring_window_px": ring_window_px}
    try:
        return ReconstructionSpec.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "--" + str(first["loc"][-1]).replace("_", "-")
        raise RecipeError(first["msg"], where=option, value=first.get("input")) from error


def analysis(overrides: Mapping[str, str]) -> AnalysisSpec:
    """`--set` of `xrm analyze`."""
    return load_document("{}", AnalysisSpec, overrides, name="analysis")[0]


def _rows(text: str) -> tuple[int, int]:
    first, colon, end = text.partition(":")
    try:
        if colon:
            return int(first), int(end)
    except ValueError:
        pass
    raise RecipeError("not a slab of rows", where="--rows", value=text, remedy="write FIRST:END, e.g. --rows 500:508")
