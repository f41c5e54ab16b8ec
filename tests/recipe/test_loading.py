"""Every mistake an operator may make, and the sentence that answers it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.recipe.models import Electric, Garage, Grid, Manual, Point, Recipe, Required
from xrm_control.core.errors import RecipeError
from xrm_control.core.model import Spec
from xrm_control.recipe.loading import json_schema, load_document


def message(text: str | Path, overrides: dict[str, str] | None = None, model: type[Spec] = Recipe) -> str:
    with pytest.raises(RecipeError) as caught:
        load_document(text, model, overrides)
    return str(caught.value)


# One mistake -> the whole message. The text starts in line 1; "name: n" is added in front.
MISTAKES: list[tuple[str, str]] = [
    # keys
    (
        "scan:\n  projektions: 141",
        "recipe:3: scan.projektions: unknown key; did you mean 'projections'?"
        " (known: projections, exposure_s, binning, method, angles_deg, fast, rows)",
    ),
    ("colour: red", "recipe:2: colour: unknown key (known: name, seed, scan, roi, tags, notes)"),
    ("Seed: 3", "recipe:2: Seed: unknown key; did you mean 'seed'? (known: name, seed, scan, roi, tags, notes)"),
    (
        "scan: {exposure_ms: 500}",
        "recipe:2: scan.exposure_ms: unknown key; did you mean 'exposure_s' (in s)? 500 ms is 0.5 s"
        " (known: projections, exposure_s, binning, method, angles_deg, fast, rows)",
    ),
    (
        "scan: {exposure: 1}",
        "recipe:2: scan.exposure: unknown key; did you mean 'exposure_s' (in s)?"
        " (known: projections, exposure_s, binning, method, angles_deg, fast, rows)",
    ),
    ("seed: 1\nseed: 2", "recipe:3: seed: is given twice; first in line 2"),
    ("scan:\n  fast: true\n  fast: true", "recipe:4: scan.fast: is given twice; first in line 3"),
    ("notes: {1: a}", "recipe:2: notes.1: the key 1 must be a word, not a number or true, false, null"),
    ("notes: {true: a}", "recipe:2: notes.true: the key true must be a word, not a number or true, false, null"),
    (
        "? [a, b]\n: 1",
        "recipe:2: a key must be a word, not a list, group or alias (an unquoted bracket?)",
    ),
    ("<<: {a: 1}", "recipe:2: <<: merge keys (<<) are not accepted: write the keys out"),
    # types and units
    (
        "scan:\n  exposure_s: 1 s",
        "recipe:3: scan.exposure_s: expected a number, got the text '1 s'; write 1 (exposure_s is in s)",
    ),
    (
        "scan: {exposure_s: 500 ms}",
        "recipe:2: scan.exposure_s: expected a number, got the text '500 ms'; write 0.5 (exposure_s is in s)",
    ),
    (
        "scan: {exposure_s: 500ms}",
        "recipe:2: scan.exposure_s: expected a number, got the text '500ms'; write 0.5 (exposure_s is in s)",
    ),
    (
        "scan: {exposure_s: 3 um}",
        "recipe:2: scan.exposure_s: expected a number, got the text '3 um';"
        " exposure_s is in s, which um cannot be turned into",
    ),
    (
        "scan: {exposure_s: '1,5'}",
        "recipe:2: scan.exposure_s: expected a number, got the text '1,5'; write 1.5 with a point, not a comma",
    ),
    (
        "scan: {angles_deg: [-90°, 90]}",
        "recipe:2: scan.angles_deg[0]: expected a number, got the text '-90°'; write -90 (angles_deg is in degrees)",
    ),
    ("seed: 3 pieces", "recipe:2: seed: expected a whole number, got the text '3 pieces'; write 3 without a unit"),
    ("seed: 2.5", "recipe:2: seed: expected a whole number, got the number 2.5; write 2"),
    ("seed: true", "recipe:2: seed: expected a number, got true"),
    ("scan: {exposure_s: true}", "recipe:2: scan.exposure_s: expected a number, got true"),
    ("scan: {exposure_s: }", "recipe:2: scan.exposure_s: expected a number, got nothing"),
    ("scan: {fast: 3}", "recipe:2: scan.fast: expected true or false, got the number 3"),
    ("tags: [811]", "recipe:2: tags[0]: expected text, got the number 811; write '811' in quotes"),
    ("tags: nmc", "recipe:2: tags: expected a list, got the text 'nmc'; write [nmc]"),
    (
        "scan: fast",
        "recipe:2: scan: expected a group of keys, got the text 'fast'"
        " (known: projections, exposure_s, binning, method, angles_deg, fast, rows)",
    ),
    ("roi: manual", "recipe:2: roi: expected a group of keys, got the text 'manual'; write {kind: manual}"),
    ("roi: middle", "recipe:2: roi: expected a group of keys, got the text 'middle' (kinds: grid, manual)"),
    # values and limits
    ("scan: {exposure_s: 0}", "recipe:2: scan.exposure_s: must be more than 0 s, got 0"),
    ("scan: {exposure_s: 90}", "recipe:2: scan.exposure_s: must be at most 60 s, got 90"),
    ("scan: {exposure_s: .inf}", "recipe:2: scan.exposure_s: must be a finite number, got inf"),
    ("scan: {exposure_s: .nan}", "recipe:2: scan.exposure_s: must be a finite number, got nan"),
    ("scan: {projections: 1}", "recipe:2: scan.projections: must be at least 2, got 1"),
    (
        "scan: {projections: many}",
        "recipe:2: scan.projections: expected 'auto' or a whole number, got the text 'many'",
    ),
    (
        "scan: {projections: atuo}",
        "recipe:2: scan.projections: expected 'auto' or a whole number, got the text 'atuo'; did you mean 'auto'?",
    ),
    ("scan: {binning: 3}", "recipe:2: scan.binning: expected 1, 2, 4 or 8, got the number 3"),
    (
        "scan: {method: sirtt}",
        "recipe:2: scan.method: expected 'fbp' or 'sirt', got the text 'sirtt'; did you mean 'sirt'?",
    ),
    (
        "scan: {angles_deg: [90, -90]}",
        "recipe:2: scan: the first angle must lie below the last (value (90.0, -90.0))",
    ),
    ("scan: {angles_deg: [1]}", "recipe:2: scan.angles_deg[1]: is missing: 2 values are wanted"),
    ("scan: {angles_deg: [1, 2, 3]}", "recipe:2: scan.angles_deg: must have at most 2 items, got 3"),
    ("scan: {rows: [1, a]}", "recipe:2: scan.rows[1]: expected a whole number, got the text 'a'"),
    # families
    ("roi: {kind: gird}", "recipe:2: roi.kind: unknown kind 'gird'; did you mean 'grid'? (kinds: grid, manual)"),
    ("roi: {rows: 2}", "recipe:2: roi: needs a 'kind' (kinds: grid, manual)"),
    ("roi: {kind: grid, points: []}", "recipe:2: roi.points: unknown key (known: kind, rows)"),
    ("roi:\n  kind: grid\n  rows: 0", "recipe:4: roi.rows: must be at least 1, got 0"),
    ("roi: {kind: manual}", "recipe:2: roi.points: is missing"),
    ("roi: {kind: manual, points: []}", "recipe:2: roi.points: must have at least 1 item, got 0"),
    (
        "roi:\n  kind: manual\n  points:\n    - {x_um: 1, y_um: 2}\n    - {x_um: 1, z: 2, y_um: 3}",
        "recipe:6: roi.points[1].z: unknown key (known: x_um, y_um)",
    ),
    ("roi: {kind: manual, points: [{x_um: 1}]}", "recipe:2: roi.points[0].y_um: is missing (in um)"),
    # what older YAML reads otherwise
    (
        "scan: {fast: yes}",
        "recipe:2: scan.fast: older YAML reads yes as true: write true, or 'yes' in quotes if text is meant",
    ),
    ("seed: Off", "recipe:2: seed: older YAML reads Off as false: write false, or 'Off' in quotes if text is meant"),
    (
        "seed: 1:30",
        "recipe:2: seed: older YAML reads 1:30 as a number in base 60: write the plain number,"
        " or '1:30' in quotes if text is meant",
    ),
    (
        "seed: 010",
        "recipe:2: seed: older YAML reads 010 as an octal number: write it without the leading zero,"
        " or '010' in quotes",
    ),
    ("seed: 0x1F", "recipe:2: seed: write 0x1F as a decimal number, or '0x1F' in quotes if text is meant"),
    ("seed: 1_000", "recipe:2: seed: write 1_000 without underscores, or '1_000' in quotes if text is meant"),
    ("seed: 123456789012345678901", "recipe:2: seed: the number 123456789012345678901 is too large"),
    ("seed: !!int 3", "recipe:2: seed: tags (tag:yaml.org,2002:int) are not accepted: write the plain value"),
    (
        "tags: [!!python/object/apply:os.system [ls]]",
        "recipe:2: tags[0]: tags (tag:yaml.org,2002:python/object/apply...) are not accepted: write the plain value",
    ),
    # the text itself
    ("scan:\n\tfast: true", "recipe:3: a tab stands here; YAML wants spaces"),
    ("seed:\t1", "recipe:2: a tab stands here; YAML wants spaces"),
    (
        "scan:\n  fast: true\n bad: 1",
        "recipe:4: the indentation does not fit the lines above (what it belongs to starts in line 1)",
    ),
    ("seed: 1: 2", "recipe:2: a ':' where none can stand (wrong indentation, or a text with ': ' that needs quotes)"),
    ("seed: @home", "recipe:2: the character @ cannot start a value: put the text in quotes"),
    ("---\nname: m", "recipe:2: a second document starts here ('---'); one file holds one document"),
    ("tags: [a, *b]", "recipe:2: tags[1]: the alias *b names no anchor (&name) before it"),
    ("notes: &a {b: *a}", "recipe:2: notes.b: the alias *a stands inside the value it names"),
    ("seed: \x07", "recipe:2: a control character (code 7) does not belong in a text file"),
    ('seed: "\\ud800"', "recipe:2: seed: holds half a character (a lone surrogate escape)"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_gets_its_sentence(text: str, expected: str) -> None:
    assert message(f"name: n\n{text}\n") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "recipe:1: is empty"),
        ("# only a comment\n", "recipe:2: is empty"),
        ("- a\n- b\n", "recipe:1: holds no keys at its top level ('name: ...'): this is no recipe"),
        ("just words", "recipe:1: holds no keys at its top level ('name: ...'): this is no recipe"),
        ("[" * 100, "recipe:1: nested deeper than 40 levels"),
        ("seed: 3\n", "recipe: name: is missing"),
        ("a: &a [x]\nb: [" + "*a," * 101 + "]", "recipe:2: b[100]: more than 100 aliases (*name)"),
        (
            "name: " + "x" * (1 << 20),
            "recipe: is too large for a recipe (value over 128 KiB, limit 128 KiB)"
            " -> a recipe has a few hundred lines; is it another file?",
        ),
    ],
    ids=range(8),
)
def test_a_text_that_is_no_recipe(text: str, expected: str) -> None:
    assert message(text) == expected


def test_an_alias_bomb_ends_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "more than 100 aliases" in message("\n".join(lines))
    wide = "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * 60 + "]"
    assert "more than 3000 values" in message(wide)


def test_all_mistakes_are_told_at_once_in_order() -> None:
    text = "scan:\n  binning: 3\n  exposure_ms: 5\nroi: {kind: gird}\nseed: yes\nseed: 4\nnotes: {a: 1}\n"
    lines = message(text, {"scan.fast": "3", "tags": "[1]", "colour": "red"}).splitlines()
    starts = [
        "recipe: name: is missing",
        "recipe:2: scan.binning: expected 1",
        "recipe:3: scan.exposure_ms: unknown key",
        "recipe:4: roi.kind: unknown kind",
        "recipe:5: seed: older YAML",
        "recipe:6: seed: is given twice",
        "recipe:7: notes.a: expected text",
        "--set scan.fast=3: expected true or false",
        "--set tags=[1]: tags[0]: expected text",
        "--set colour=red: unknown key",
    ]
    assert [line[: len(start)] for line, start in zip(lines[:7], starts[:7], strict=True)] == starts[:7]
    assert all(any(line.startswith(start) for line in lines[7:]) for start in starts[7:])
    assert len(lines) == len(starts)
    assert message("\n".join(f"k{n}: 1" for n in range(60))).splitlines()[-1] == "... and 36 more errors"


def test_missing_keys_say_their_meaning() -> None:
    assert message("name: N 1", model=Required).splitlines() == [
        "recipe:1: name: must be small letters, got the text 'N 1'",
        "recipe: roi: is missing (kinds: grid, manual)",
        "recipe: exposure_s: is missing (in s)",
        "recipe: comment: is missing (what the run is for)",
    ]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("scan.projektions", "5", "--set scan.projektions=5: unknown key; did you mean 'projections'?"),
        ("scan.projections", "1", "--set scan.projections=1: must be at least 2, got 1"),
        ("scan.exposure_s", "2 s", "--set scan.exposure_s=2 s: expected a number, got the text '2 s'; write 2"),
        ("scan.fast", "yes", "--set scan.fast=yes: older YAML reads yes as true"),
        ("scan.exposure_s.x", "1", "--set scan.exposure_s.x=1: scan.exposure_s is a single value"),
        ("roi.points[5].x_um", "1", "--set roi.points[5].x_um=1: roi.points is a list of 1: '5' is no place in it"),
        ("roi.points.a", "1", "--set roi.points.a=1: roi.points is a list of 1: 'a' is no place in it"),
        ("roi.points[0].x_um", "[", "--set roi.points[0].x_um=[: cannot be read as YAML"),
        ("scan..x", "1", "--set scan..x=1: is no key"),
        ("", "1", "--set =1: is no key"),
        ("scan", "3", "--set scan=3: expected a group of keys, got the number 3"),
        ("roi.points[1].x_um", "3", "--set roi.points[1].x_um=3: roi.points[1].y_um: is missing"),
    ],
)
def test_overrides_complain_by_their_own_name(key: str, value: str, expected: str) -> None:
    text = "name: n\nscan: {exposure_s: 1}\nroi: {kind: manual, points: [{x_um: 1, y_um: 2}]}\n"
    assert message(text, {key: value}).startswith(expected)


def test_overrides_reach_everything() -> None:
    text = "name: n\nscan:\n  exposure_s: 1\nroi: {kind: manual, points: [{x_um: 1, y_um: 2}]}\n"
    options = {
        "scan.exposure_s": "2.5",
        "scan.projections": "auto",
        "roi.points[0].x_um": "-3",
        "roi.points.1": "{x_um: 5, y_um: 6}",
        "tags": "[a, 'no']",
        "notes.by": "me",
        "name": "'007'",
    }
    recipe, source = load_document(text, Recipe, options)
    assert isinstance(recipe.roi, Manual)
    assert [(point.x_um, point.y_um) for point in recipe.roi.points] == [(-3, 2), (5, 6)]
    assert (recipe.name, recipe.scan.exposure_s, recipe.tags, recipe.notes) == ("007", 2.5, ("a", "no"), {"by": "me"})
    assert source.text == text
    again, plain = load_document(source.effective_text, Recipe)
    assert again == recipe
    assert plain.sha256 == source.sha256 != hashlib.sha256(text.encode()).hexdigest()
    assert "# --set scan.exposure_s=2.5" in source.effective_text


def test_a_sound_recipe() -> None:
    text = (
        "# comment\nname: NMC 811\nseed: 7\nscan:\n  projections: 141\n  exposure_s: 1e-1\n  angles_deg: [-90, +90]\n"
        "roi:\n  kind: manual\n  points:\n    - &p {x_um: .5, y_um: -2.}\n    - *p\n"
        'tags: ["yes", 2025-01-02, "1:30", y, 12:30 h]\nnotes: {on: "off", x: "null"}\n'
    )
    recipe, source = load_document(text, Recipe)
    assert (recipe.seed, recipe.scan.projections, recipe.scan.exposure_s) == (7, 141, 0.1)
    assert recipe.tags == ("yes", "2025-01-02", "1:30", "y", "12:30 h")
    assert recipe.notes == {"on": "off", "x": "null"}
    assert isinstance(recipe.roi, Manual)
    assert recipe.roi.points == (Point(x_um=0.5, y_um=-2),) * 2
    assert source.where("scan.exposure_s") == "recipe:6"
    assert source.where("scan.binning") == "recipe:4"
    assert source.where(("roi", "points", 1)) == "recipe:12"
    assert source.where("nothing") == "recipe"
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_files(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_bytes(b"\xef\xbb\xbfname: n\r\nseed: 4\r\n")
    assert load_document(good, Recipe)[0].seed == 4
    assert load_document(str(good), Recipe)[1].where("seed") == f"{good}:2"
    (tmp_path / "latin.yaml").write_bytes("name: n\nnotes: {a: 5 µm}\n".encode("latin-1"))
    (tmp_path / "big.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "bad.yaml").write_text("name: n\nsead: 1\n")
    cases = {
        "goood.yaml": f"no such recipe file -> did you mean {good}?",
        "latin.yaml": f"{tmp_path}/latin.yaml:2: is not UTF-8 text (byte 0xb5) -> save the file as UTF-8",
        "big.yaml": "is too large for a recipe",
        "folder.yaml": "is a folder, not a recipe",
        "bad.yaml": f"{tmp_path}/bad.yaml:2: sead: unknown key; did you mean 'seed'?",
        "good.yaml/x.yaml": "cannot be read: Not a directory",
        "none/x.yaml": f"no such recipe file: there is no such folder (value {tmp_path}/none)",
    }
    for name, expected in cases.items():
        assert expected in message(tmp_path / name)


def test_schema_is_for_editors() -> None:
    schema = json_schema(Recipe)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["required"] == ["name"]
    assert schema["properties"]["roi"]["discriminator"]["propertyName"] == "kind"


OTHER_KIND = "name: n\nroi:\n  kind: manual\n  points:\n    - {x_um: 1, y_um: 2}\n"


def test_another_kind_by_option_drops_what_the_file_gave_for_the_former() -> None:
    recipe, source = load_document(OTHER_KIND, Recipe, {"roi.kind": "grid"})
    assert recipe.roi == Grid()
    assert "points" not in source.data["roi"]
    assert "# roi.points left out: grid does not know it" in source.effective_text
    again, _ = load_document(source.effective_text, Recipe)
    assert again == recipe


def test_another_kind_takes_its_own_keys_by_option_in_any_order() -> None:
    for options in ({"roi.kind": "grid", "roi.rows": "5"}, {"roi.rows": "5", "roi.kind": "grid"}):
        assert load_document(OTHER_KIND, Recipe, options)[0].roi == Grid(rows=5)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        # what neither kind knows, and what an option says, is never dropped
        ("roi: {kind: manual, pints: 3, points: []}", {"roi.kind": "grid"}, "recipe:2: roi.pints: unknown key"),
        ("roi: {kind: manual}", {"roi.kind": "grid", "roi.points": "[]"}, "--set roi.points=[]: unknown key"),
        ("roi: {kind: manual}", {"roi.points": "[]", "roi.kind": "grid"}, "--set roi.points=[]: unknown key"),
        (
            "roi: {kind: grid}",
            {"roi": "{kind: manual, points: []}", "roi.kind": "grid"},
            "--set roi={kind: manual, points: []}: roi.points: unknown key",
        ),
        # a kind that is none, and a file that is wrong without the option
        ("roi: {kind: manual, points: []}", {"roi.kind": "gird"}, "--set roi.kind=gird: unknown kind 'gird'"),
        ("roi: {kind: gird, points: []}", {"roi.kind": "grid"}, "recipe:2: roi.points: unknown key"),
        ("roi: {kind: manual, points: yes}", {"roi.kind": "grid"}, "recipe:2: roi.points: older YAML reads yes"),
        # the same kind again drops nothing
        ("roi: {kind: grid, points: []}", {"roi.kind": "grid"}, "recipe:2: roi.points: unknown key"),
    ],
)
def test_only_what_the_former_kind_knew_is_dropped(text: str, options: dict[str, str], expected: str) -> None:
    assert message(f"name: n\n{text}\n", options).startswith(expected)


def test_keys_that_both_kinds_know_are_kept() -> None:
    text = "name: n\nengine: {kind: petrol, power: 3, tank: 40}\n"
    found, _ = load_document(text, Garage, {"engine.kind": "electric"})
    assert found.engine == Electric(kind="electric", power=3)
