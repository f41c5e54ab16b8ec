"""Parts of a recipe in files of their own: found, laid under options, complained about by their own lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationInfo, model_validator

from xrm_control.core.errors import RecipeError
from xrm_control.core.model import InFile, Spec
from xrm_control.recipe.loading import json_schema, load_document, load_text
from xrm_control.recipe.schema_view import SchemaView


class Wheel(Spec):
    record: str = Field(min_length=3)
    teeth: int = 12


class Chart(Spec):
    prefix: str
    wheels: dict[str, Wheel] = Field(default_factory=dict)
    speed: float = Field(default=1.0, gt=0)


class Toy(Spec):
    kind: Literal["toy"] = "toy"
    seed: int = 1
    colour: str = "red"


class Machine(Spec):
    kind: Literal["machine"] = "machine"
    chart: Annotated[Chart, InFile()] = Field(
        default="charts/usual.yaml", validate_default=True, description="which wheel is which"
    )
    spare: Annotated[Chart, InFile()] | None = None
    seed: int = 7


class Workshop(Spec):
    name: str = "w"
    engine: Annotated[Toy | Machine, Field(discriminator="kind")]


USUAL = """# the usual chart
prefix: "XRM:"
wheels:
  front:
    record: Front
  rear: {record: Rear, teeth: 20}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recipes beside the working directory, with one chart in each."""
    (tmp_path / "recipes/charts").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "recipes/charts/usual.yaml").write_text(USUAL)
    (tmp_path / "elsewhere/own.yaml").write_text("prefix: 'OWN:'\n")
    return tmp_path / "recipes"


def load(place: Path, text: str, **options: str) -> tuple[Workshop, Any]:
    path = place / "toy.yaml"
    path.write_text(text)
    return load_document(path, Workshop, {key.replace("__", "."): value for key, value in options.items()})


def refusal(place: Path, text: str, **options: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load(place, text, **options)
    return str(caught.value)


def chart_of(workshop: Workshop) -> Chart:
    assert isinstance(workshop.engine, Machine)
    return workshop.engine.chart


FOUND = [
    ("engine: {kind: machine}", "XRM:"),  # the default, beside the recipe
    ("engine: {kind: machine, chart: charts/usual.yaml}", "XRM:"),
    ("engine: {kind: machine, chart: own.yaml}", "OWN:"),  # in the working directory
    ("engine: {kind: machine, chart: {prefix: 'IN:'}}", "IN:"),  # in the recipe itself
]


@pytest.mark.parametrize(("text", "prefix"), FOUND)
def test_a_part_is_found(place: Path, text: str, prefix: str) -> None:
    workshop, _ = load(place, text)
    assert chart_of(workshop).prefix == prefix


def test_a_part_beside_the_recipe_comes_before_one_in_the_working_directory(place: Path) -> None:
    (place / "own.yaml").write_text("prefix: 'NEAR:'\n")
    assert chart_of(load(place, "engine: {kind: machine, chart: own.yaml}")[0]).prefix == "NEAR:"


def test_a_text_looks_in_the_working_directory(place: Path) -> None:
    workshop, _ = load_text("engine: {kind: machine, chart: own.yaml}", Workshop)
    assert chart_of(workshop).prefix == "OWN:"


def test_options_reach_into_a_file_in_any_order(place: Path) -> None:
    options = {"engine__chart__wheels__front__teeth": "33", "engine__kind": "machine", "engine__chart__prefix": "P:"}
    workshop, source = load(place, "engine: {kind: toy, colour: blue}", **options)
    chart = chart_of(workshop)
    assert (chart.prefix, chart.wheels["front"]) == ("P:", Wheel(record="Front", teeth=33))
    assert chart.wheels["rear"].teeth == 20
    assert source.where("engine.chart.wheels.rear.teeth") == f"{place}/charts/usual.yaml:6"
    assert source.where("engine.chart.prefix") == "--set engine.chart.prefix=P:"


def test_an_option_names_another_file_and_one_reaches_into_that(place: Path) -> None:
    options = {"engine__chart__speed": "3", "engine__chart": "own.yaml", "engine__spare": "charts/usual.yaml"}
    workshop, _ = load(place, "engine: {kind: machine}", **options)
    assert chart_of(workshop) == Chart(prefix="OWN:", speed=3)
    assert isinstance(workshop.engine, Machine)
    assert workshop.engine.spare is not None
    assert workshop.engine.spare.prefix == "XRM:"


@pytest.mark.parametrize("options", [{}, {"engine__chart__prefix": "Q:R:"}, {"engine__chart": "own.yaml"}])
def test_what_was_read_stands_alone(place: Path, tmp_path: Path, options: dict[str, str]) -> None:
    """The effective text gives the same model where there are no files, which is what a run folder keeps."""
    workshop, source = load(place, "name: a\nengine: {kind: machine}\n", **options)
    alone = tmp_path / "run/recipe.yaml"
    alone.parent.mkdir()
    alone.write_text(source.effective_text)
    for file in (place / "charts/usual.yaml", tmp_path / "elsewhere/own.yaml"):
        file.unlink()
    again, _ = load_document(alone, Workshop)
    assert again == workshop
    assert Workshop.model_validate(workshop.model_dump(mode="json")) == workshop


def test_a_recipe_without_files_and_options_keeps_its_text(place: Path) -> None:
    text = "# mine\nengine: {kind: toy}\n"
    assert load(place, text)[1].effective_text == text


MISTAKES = [
    ("prefix: 1\n", "{file}:1: prefix: expected text, got the number 1; write '1' in quotes"),
    ("prefix: p\n\nspeed: 0\n", "{file}:3: speed: must be more than 0, got 0"),
    ("prefix: p\nwheels:\n  a: {record: x}\n", "{file}:3: wheels.a.record: "),
    ("prefix: p\nwheels:\n  a: {teeth: 3}\n", "{file}:3: wheels.a.record: is missing"),
    ("prefix: p\nsped: 2\n", "{file}:2: sped: unknown key; did you mean 'speed'? (known: prefix, wheels, speed)"),
    ("prefix: p\nprefix: p\n", "{file}:2: prefix: is given twice; first in line 1"),
    ("prefix: p\nspeed: 1_0\n", "{file}:2: speed: write 1_0 without underscores"),
    ("speed: 2\n", "{file}: prefix: is missing"),
    ("prefix: [\n", "{file}:2: cannot be read as YAML"),
    ("- a\n", "{recipe}:1: engine.chart: expected a group of keys"),
]


@pytest.mark.parametrize(("content", "said"), MISTAKES)
def test_a_mistake_in_a_file_is_told_by_its_own_line(place: Path, content: str, said: str) -> None:
    file = place / "charts/usual.yaml"
    file.write_text(content)
    message = refusal(place, "engine: {kind: machine}", engine__chart="charts/usual.yaml")
    if content.startswith("-"):
        assert message.startswith("--set engine.chart=charts/usual.yaml: expected a group of keys")
    assert "\n" not in message
    message = refusal(place, "engine: {kind: machine}")
    assert message.startswith(said.format(file=file, recipe=place / "toy.yaml"))
    assert "\n" not in message


def test_mistakes_of_recipe_file_and_option_are_told_together_in_that_order(place: Path) -> None:
    (place / "charts/usual.yaml").write_text("prefix: p\nspeed: -1\n")
    text = "\n\n\nengine: {kind: machine, seed: many}\n"
    lines = refusal(place, text, engine__chart__wheels__a__record="12").splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        f"{place}/toy.yaml:4",
        f"{place}/charts/usual.yaml:2",
        "--set engine.chart.wheels.a.record=12",
    ]


def test_a_file_that_is_not_there_says_where_and_what_there_is(place: Path) -> None:
    message = refusal(place, "\nengine: {kind: machine, chart: charts/usal.yaml}\n", engine__chart__prefix="x")
    assert message.startswith(f"{place}/toy.yaml:2: engine.chart: no such file: 'charts/usal.yaml'")
    assert str(place / "charts/usual.yaml") in message
    assert "\n" not in message


def test_a_default_file_that_is_not_there(place: Path) -> None:
    (place / "charts/usual.yaml").unlink()
    message = refusal(place, "\nengine: {kind: machine}\n")
    assert message.startswith(f"{place}/toy.yaml:2: engine.chart: no such file: 'charts/usual.yaml'")
    assert "\n" not in message


@pytest.mark.parametrize("name", ["''", "x" * 5000, "'a\\0b'", "/", "."])
def test_names_that_are_no_files(place: Path, name: str) -> None:
    assert "engine.chart" in refusal(place, f"engine:\n  kind: machine\n  chart: {name}\n")


def test_a_file_that_is_not_utf8_is_told(place: Path) -> None:
    (place / "charts/usual.yaml").write_bytes(b"prefix: \xb5\n")
    assert f"{place}/charts/usual.yaml:1: is not UTF-8 text" in refusal(place, "engine: {kind: machine}")


def test_the_schema_accepts_a_name_and_the_content() -> None:
    field = json_schema(Machine)["properties"]["chart"]
    assert field["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/Chart"}]
    assert field["default"] == "charts/usual.yaml"


class Note(Spec):
    """Knows where its document lies."""

    file: str

    @model_validator(mode="before")
    @classmethod
    def _resolved(cls, data: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        return {"file": str((info.context or {})["folder"] / data["file"])}


def test_validators_know_the_folder_of_the_document(place: Path) -> None:
    (place / "note.yaml").write_text("file: a.txt\n")
    assert load_document(place / "note.yaml", Note)[0].file == str(place / "a.txt")
    assert load_document("file: a.txt", Note)[0].file == str(Path.cwd() / "a.txt")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"engine": {"kind": "toy"}}, False),
        ({"engine": {}}, False),
        ({"engine": {"kind": "machine"}}, True),
        ({"engine": {"kind": "machine", "chart": {"prefix": "P:"}}}, False),
        ({"engine": {"kind": "machine", "chart": {"prefix": "P:"}, "spare": None}}, False),
        ({"engine": {"kind": "machine", "chart": {"prefix": "P:"}, "spare": "own.yaml"}}, True),
    ],
    ids=["no-such-field", "no-member", "by-default", "in-place", "none", "named"],
)
def test_the_schema_is_made_where_a_file_is_named(data: dict[str, Any], told: bool) -> None:
    assert bool(SchemaView(Workshop).in_files(data)) is told
