"""Options of the command line into the stages' own specifications, with the same clear errors as a recipe's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from xrm_control.core.errors import RecipeError
from xrm_control.core.numbers import whole_number

if TYPE_CHECKING:
    from pydantic import BaseModel

    from xrm_control.analysis.spec import AnalysisSpec
    from xrm_control.reconstruction.pipeline import ReconstructionSpec

    Model = TypeVar("Model", bound=BaseModel)


def overrides(pairs: list[str] | None) -> dict[str, str]:
    """`--set`. Raises RecipeError for what is no key=value."""
    found = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise RecipeError("write --set key=value", where="--set", value=pair, remedy="e.g. --set scan.exposure_s=2")
        if key.strip() in found:
            raise RecipeError(
                "is given twice",
                where=f"--set {key.strip()}",
                value=value,
                limit=found[key.strip()],
                remedy="leave one out",
            )
        found[key.strip()] = value
    return found


def binnings(text: str) -> tuple[int, ...]:
    """`--compare`. Raises RecipeError for what is no list of binnings."""
    key, _, values = text.partition("=")
    read = [whole_number(value) for value in values.split(",")]
    found = tuple(value for value in read if value is not None)
    if key != "binning" or len(found) < len(read):
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
    half_acquisition: bool | None = None,
) -> ReconstructionSpec:
    """Options of `xrm reconstruct`. Raises RecipeError naming the option."""
    from xrm_control.reconstruction.pipeline import ReconstructionSpec

    given: dict[str, tuple[str, object]] = {
        "method.kind": ("--method", method),
        "method.filter": ("--filter", filter_),
        "method.iterations": ("--iterations", iterations),
        "rotation_axis": ("--axis", axis),
        "rows": ("--rows", None if rows is None else list(_rows(rows))),
        "preprocess.ring_window_px": ("--rings", ring_window_px or None),
        "memory_gb": ("--memory-gb", memory_gb),
        "half_acquisition": ("--half-acquisition", half_acquisition),
    }
    return _loaded(ReconstructionSpec, {key: option for key, option in given.items() if option[1] is not None})


def analysis(threshold: str | None, overrides: Mapping[str, str]) -> AnalysisSpec:
    """`--threshold` and `--set` of `xrm analyze`."""
    from xrm_control.analysis.spec import AnalysisSpec

    chosen = {} if threshold is None else {"threshold.kind": ("--threshold", threshold)}
    return _loaded(AnalysisSpec, chosen, overrides)


def length_um(option: str, value: float | None) -> float | None:
    """`--pixel-size-um` and `--voxel-size-um`. Raises RecipeError for what is no length."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise RecipeError("must be a length above 0", where=option, value=f"{value:g}", limit="above 0 um")
    return value


def only_of_meshes(option: str, to: str, kinds: Sequence[str]) -> RecipeError:
    """What to say of an option that this format has no use for."""
    return RecipeError(
        "only meshes are of single particles",
        where=option,
        value=f"--to {to}",
        limit=f"--to {', '.join(kinds)}",
        remedy="choose one of these, or leave it out",
    )


def _loaded(
    model: type[Model], given: Mapping[str, tuple[str, object]], overrides: Mapping[str, str] | None = None
) -> Model:
    """A specification from options, by the key that each gives; errors are told by the options' own names."""
    from xrm_control.recipe.loading import load_text

    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, (_, value) in given.items()}
    try:
        return load_text("{}", model, {**texts, **(overrides or {})}, name="options")[0]
    except RecipeError as error:
        said = str(error)
        for key, (option, _) in given.items():
            said = said.replace(f"--set {key}={texts[key]}", f"{option} {texts[key]}")
        said = re.sub(r"(?m)^(--(?!set)\S+ .*): unknown key .*$", r"\1: this method has no such setting", said)
        raise RecipeError(said) from error


def _rows(text: str) -> tuple[int, int]:
    ends = [whole_number(end) for end in text.split(":")]
    match ends:
        case [int(first), int(end)]:
            return first, end
        case _:
            pass
    raise RecipeError("not a slab of rows", where="--rows", value=text, remedy="write FIRST:END, e.g. --rows 500:508")
