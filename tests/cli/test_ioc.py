"""`xrm ioc`: the simulated microscope of a recipe, served until it is told to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.ioc import __main__ as ioc_process
from simulators.realism import BAD, IDEAL, LAB, Realism
from tests.ioc_process import ROOT, environment_for, free_port
from xrm_control import app
from xrm_control.cli.ioc import IocOptions
from xrm_control.core.errors import RecipeError

RECIPE = """
name: one
roi: {kind: grid}
instrument:
  backend: simulated
  specimen: empty
  seed: 9
  noise: false
  axis_offset_um: 1.25
  faults: [{kind: beam_loss, at_s: 1.0e+6}, {kind: stall, axis: x, move: 2}]
"""
PLAIN = ["--prefix=XRM:", "--port=5064", "--interface=127.0.0.1", "--speed=1.0"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "one.yaml"
    path.write_text(RECIPE)
    return path


def said_of(arguments: list[str], start: str) -> list[str]:
    return [argument for argument in arguments if argument.startswith(start)]


def test_without_options_the_ioc_has_its_own_defaults() -> None:
    assert IocOptions().arguments() == [*PLAIN, "--array-type=int16"]
    odd = IocOptions(array_type="uint16", trigger_modes="Off|On", without=("Det:cam1:BinX", "Det:cam1:BinY"))
    assert odd.arguments() == [
        *PLAIN,
        "--array-type=uint16",
        "--trigger-modes=Off|On",
        "--without=Det:cam1:BinX",
        "--without=Det:cam1:BinY",
    ]
    assert IocOptions(instant=True, noise=False, fault=("{}",)).arguments() == [
        *PLAIN,
        "--noise=off",
        "--array-type=int16",
        "--fault={}",
        "--instant",
    ]


def test_a_recipe_gives_what_was_not_said(recipe: Path) -> None:
    instrument = app.load(recipe).recipe.instrument
    arguments = IocOptions(seed=3, fault=('{"kind": "exit"}',)).with_recipe(instrument).arguments()
    assert {"--specimen=empty", "--seed=3", "--noise=off", "--axis-offset-um=1.25"} <= set(arguments)
    faults = [json.loads(argument.removeprefix("--fault=")) for argument in said_of(arguments, "--fault=")]
    assert [(fault["kind"], fault.get("at_s"), fault.get("move")) for fault in faults] == [
        ("beam_loss", 1e6, None),
        ("stall", None, 2),
        ("exit", None, None),
    ]


@pytest.mark.parametrize(
    ("realism", "expected"),
    [
        ("lab", LAB),
        ("{preset: bad, drift_um_h: 0.5}", replace(BAD, drift_um_h=0.5)),
        ("{stray_share: 0.02}", Realism(stray_share=0.02)),
        ("ideal", IDEAL),
    ],
)
def test_the_ioc_is_as_real_as_the_recipe_says(tmp_path: Path, realism: str, expected: Realism) -> None:
    path = tmp_path / "real.yaml"
    path.write_text(RECIPE.replace("  seed: 9", f"  realism: {realism}\n  seed: 9"))
    arguments = IocOptions().with_recipe(app.load(path).recipe.instrument).arguments()
    assert ioc_process.options().parse_args(arguments).realism == expected


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("still: true", "still"),
        ("rotation: full", "rotation"),
        ("geometry: {axis_tilt_deg: 1}", "geometry"),
        ("rendering: false", "rendering"),
        ("realism: lab\n  blocker: false", "blocker"),
    ],
)
def test_what_the_ioc_cannot_be_is_refused(tmp_path: Path, lines: str, name: str) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(RECIPE.replace("seed: 9", f"seed: 9\n  {lines}"))
    with pytest.raises(RecipeError) as refused:
        IocOptions().with_recipe(app.load(path).recipe.instrument)
    assert refused.value.where == f"instrument.{name}"


USAGE = [
    (
        IocOptions(),
        None,
        ["xrm run recipes/nmc811_screening.yaml --set instrument.backend=epics"],
        ["EPICS_CA", "map"],
    ),
    (IocOptions(), Path("my.yaml"), ["xrm run my.yaml"], []),
    (IocOptions(port=5070), None, ["EPICS_CA_ADDR_LIST=127.0.0.1", "EPICS_CA_SERVER_PORT=5070"], []),
    (IocOptions(prefix="LAB:"), None, ["--set instrument.map.prefix=LAB:"], []),
    (IocOptions(realism="lab"), None, ["--set 'instrument.map.blocker={open: {pv: $(P)Blade, value: Out}"], []),
    (IocOptions(realism="ideal"), None, [], ["blocker"]),
]


@pytest.mark.parametrize(("options", "recipe", "there", "not_there"), USAGE)
def test_it_says_what_to_type(options: IocOptions, recipe: Path | None, there: list[str], not_there: list[str]) -> None:
    said = options.usage(recipe)
    assert all(text in said for text in there)
    assert not any(text in said for text in not_there)


def xrm(*arguments: str, before: str = "pass") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before}; from xrm_control.cli.main import main; sys.argv = ['xrm', *sys.argv[1:]]; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ioc", "nowhere.yaml"], "no such recipe"),
        (["ioc", "--specimen", "gold"], "gold"),
        (["ioc", "--port", "70000"], "65535"),
        (["ioc", "--port", "0", "--fault", "{"], "JSON"),
        (["ioc", "--port", "0", "--speed", "-1"], "speed"),
        (["ioc", "--port", "0", "--realism", "real"], "ideal, lab, bad"),
        (["ioc", "--port", "0", "--realism", '{"glue": 3}'], "adhesive_um"),
        (["ioc", "--port", "0", "--realism", '{"stray_share": "much"}'], "stray_share: 'much' is no number"),
        (["ioc", "--port", "0", "--realism", '{"preset": "lab", "run_out_um": -1}'], "run_out_um: -1 is no number"),
    ],
)
def test_what_cannot_be_is_said_with_exit_2(arguments: list[str], said: str) -> None:
    ended = xrm(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_caproto_one_line_says_what_to_install() -> None:
    ended = xrm("ioc", before="sys.modules['caproto'] = None")
    assert ended.returncode != 0
    assert ended.stderr.count("\n") == 1
    assert "pip install 'xrm_control[ioc]'" in ended.stderr


def test_it_serves_the_recipes_microscope_in_the_foreground(recipe: Path, tmp_path: Path) -> None:
    port, truth = free_port(), tmp_path / "truth.json"
    options = ["--port", str(port), "--prefix", "CLI:", "--speed", "20", "--truth", str(truth)]
    process = subprocess.Popen(
        [sys.executable, "-m", "xrm_control.cli", "ioc", str(recipe), *options],
        cwd=ROOT,
        env={**os.environ, **environment_for(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert f"EPICS_CA_SERVER_PORT={port}" in lines[1]
        assert f"xrm run {recipe} --set instrument.backend=epics --set instrument.map.prefix=CLI:" in lines[2]
        assert lines[3] == f"ready prefix=CLI: port={port} speed=20\n"
        told = json.loads(truth.read_text())
        assert (told["seed"], told["preset"], told["rotation_axis"]["offset_um"]) == (9, "empty", 1.25)
        process.terminate()
        assert process.wait(300.0) == 0
    finally:
        process.kill()
        process.wait(300.0)
        if process.stdout is not None:
            process.stdout.close()
