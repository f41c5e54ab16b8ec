"""What passes between rooms is a typed model: mappings of anything stand only at borders to files and libraries."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2] / "xrm_control"
UNTYPED = re.compile(r"\b(dict|Mapping|MutableMapping)\[str, (Any|object)\]")

# How many signatures and fields of a module, and which border they stand at.
BORDERS: dict[str, tuple[int, str]] = {
    "acquisition/tomography.py": (1, "the recipe's file"),
    "api/given.py": (1, "settings by name, as a script gives them"),
    "api/recipes.py": (1, "settings by name, as a script gives them"),
    "analysis/particle_rows.py": (1, "the cells of a row, until they are a table"),
    "analysis/splitting.py": (1, "the recipe's file"),
    "analysis/handoff.py": (1, "settings of the built-in core, as handoff.json holds them"),
    "app/__init__.py": (1, "the JSON schema"),
    "app/volumes.py": (1, "what is printed, and the JSON of --json"),
    "cli/files.py": (1, "what is printed"),
    "cli/queue_table.py": (1, "the JSON of --json"),
    "contracts/alignment.py": (1, "the JSON of the alignment"),
    "contracts/document.py": (5, "the JSON of a file"),
    "contracts/handoff.py": (1, "settings of the built-in core in handoff.json"),
    "contracts/plan.py": (1, "plan.json"),
    "contracts/population.py": (1, "quantities by name in results.json"),
    "contracts/quality.py": (3, "figures by name in quality.json"),
    "acquisition/mosaic.py": (1, "the recipe's file"),
    "core/events/base.py": (1, "an event's row in the journal"),
    "core/family.py": (1, "the JSON schema"),
    "devices/epics/camera_map.py": (1, "the map's file"),
    "core/model.py": (1, "the JSON schema"),
    "devices/epics/exposure.py": (1, "values of PVs by name"),
    "devices/epics/pv_map.py": (1, "the map's file"),
    "devices/protocols.py": (1, "truth.json"),
    "devices/scripted_faults.py": (1, "the recipe's file"),
    "devices/simulated.py": (2, "truth.json and the recipe's file"),
    "exports/mesh_formats/glb.py": (1, "the JSON of glTF"),
    "processing/command.py": (2, "the JSON line of the guard"),
    "processing/soundness.py": (1, "the JSON of --json"),
    "processing/volumes.py": (1, "the file beside a volume's parts"),
    "recipe/document.py": (1, "the recipe's file"),
    "recipe/loading.py": (1, "the JSON schema"),
    "recipe/schema_view.py": (13, "the JSON schema"),
    "recipe/source.py": (1, "a YAML file"),
    "reconstruction/astra_session.py": (4, "astra's dictionaries"),
    "reconstruction/spec.py": (1, "the recipe's file"),
    "reconstruction/quality.py": (2, "the file beside a volume's parts"),
    "reporting/sections/components.py": (1, "the template's names"),
    "roi/strategy.py": (1, "the recipe's file"),
    "session/states.py": (1, "settings of transitions"),
    "storage/formats/ome_tiff.py": (1, "metadata of TIFF"),
    "storage/formats/tiff_volume.py": (6, "metadata of TIFF"),
    "storage/journal.py": (1, "an event's row in the journal"),
    "storage/records.py": (2, "an event's row in the journal, and the JSON of --json"),
    "storage/run_folder.py": (1, "a line of the log"),
}


def found_in(path: Path) -> int:
    """Functions with such a parameter or result, fields of classes of such a type, and names for such a type."""
    count = 0
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            said = [one.annotation for one in arguments] + [node.returns]
            count += any(one is not None and UNTYPED.search(ast.unparse(one)) for one in said)
        elif isinstance(node, ast.ClassDef):
            fields = [one.annotation for one in node.body if isinstance(one, ast.AnnAssign)]
            count += sum(UNTYPED.search(ast.unparse(one)) is not None for one in fields)
        elif isinstance(node, ast.Module):
            named = [one.value for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign) and one.value]
            count += sum(UNTYPED.fullmatch(ast.unparse(one)) is not None for one in named)
    return count


def test_mappings_of_anything_stand_at_the_borders_alone() -> None:
    found = Counter({str(path.relative_to(ROOT)): found_in(path) for path in sorted(ROOT.rglob("*.py"))})
    assert +found == {path: count for path, (count, _) in BORDERS.items()}


def test_one_more_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(
        "Named = Mapping[str, object]\n\nclass Held:\n    facts: Mapping[str, Any]\n\n"
        "async def tell(held: dict[str, Any], *, more: dict[str, object]) -> None:\n    inner: dict[str, Any] = {}\n\n"
        "def typed(held: Mapping[str, float]) -> dict[str, str]: ...\n"
    )
    assert found_in(path) == 3
