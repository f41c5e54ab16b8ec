"""Options of the command line into the stages' own specifications, with the same clear errors as a recipe's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xrm_control.core.errors import RecipeError

if TYPE_CHECKING:
    from xrm_control.analysis.core import AnalysisSpec
    from xrm_control.reconstruction.pipeline import ReconstructionSpec


def overrides(pairs: list[str] | None) -> dict[str, str]:
    """`--set`. Raises RecipeError for what is no key=value."""
    found = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise RecipeError("write --set key=value", where="--set", value=pair, remedy="e.g. --set scan.exposure_s=2")
        found[key.strip()] = value
    return found


def binnings(text: str) -> tuple[int, ...]:
    """`--compare`. Raises RecipeError for what is no list of binnings."""
    key, _, values = text.partition("=")
    try:
        found = tuple(int(value) for value in values.split(","))
    except ValueError:
        found = ()
    if key != "binning" or not found:
        raise RecipeError("cannot compare that", where="--compare", value=text, remedy="write binning=1,2,4,8")
    return found


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
    from pydantic import ValidationError

    from xrm_control.reconstruction.pipeline import ReconstructionSpec

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
        if first["type"] == "union_tag_invalid":
            raise _no_such_kind("method", method) from error
        option = "--" + str(first["loc"][-1]).replace("_", "-")
        raise RecipeError(first["msg"], where=option, value=first.get("input")) from error


def analysis(threshold: str | None, overrides: Mapping[str, str]) -> AnalysisSpec:
    """`--threshold` and `--set` of `xrm analyze`."""
    from xrm_control.analysis.core import AnalysisSpec
    from xrm_control.recipe.loading import load_document

    chosen = {} if threshold is None else {"threshold.kind": threshold}
    return load_document("{}", AnalysisSpec, {**chosen, **overrides}, name="analysis")[0]


def _rows(text: str) -> tuple[int, int]:
    first, colon, end = text.partition(":")
    try:
        if colon:
            return int(first), int(end)
    except ValueError:
        pass
    raise RecipeError("not a slab of rows", where="--rows", value=text, remedy="write FIRST:END, e.g. --rows 500:508")


def _no_such_kind(option: str, value: str) -> RecipeError:
    from xrm_control.cli.kinds import kinds_of

    return RecipeError(
        "there is none of that name", where=f"--{option}", value=value, limit=", ".join(kinds_of(option))
    )
