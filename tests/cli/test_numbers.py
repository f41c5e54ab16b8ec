"""Numbers of the command line are what people write as numbers: what Python besides takes for one is refused."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest
import typer

from tests.cli.test_cli import NMC811, xrm
from xrm_control.cli.main import cli
from xrm_control.core.numbers import is_number, number, whole_number

__all__ = ["xrm"]

NUMBERS = [("1", 1.0), ("-0.5", -0.5), ("+3.", 3.0), (".25", 0.25), ("1e3", 1000.0), (" 2E-2 ", 0.02)]
NONE = [
    "",
    " ",
    "1_0",
    "1__0",
    "٣",
    "１０",
    "0x10",
    "0b1",
    "1,5",
    "1 000",
    "½",
    "1e",
    "e3",
    "1d3",
    "--1",
    "1e1_0",
]


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_what_is_a_number(text: str, expected: float) -> None:
    assert number(text) == expected


@pytest.mark.parametrize("text", NONE)
def test_what_is_none(text: str) -> None:
    assert (number(text), whole_number(text), is_number(text)) == (None, None, False)


def _numbers(app: typer.Typer) -> typing.Iterator[tuple[str, typing.Any]]:
    for command in app.registered_commands:
        assert command.callback is not None
        hints = typing.get_type_hints(command.callback, include_extras=True)
        for name in inspect.signature(command.callback).parameters:
            kind, *about = typing.get_args(hints[name]) or (hints[name],)
            kinds = {kind, *typing.get_args(kind)}
            if kinds & {int, float} and about:
                yield f"{command.callback.__name__} {name}", about[0]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from _numbers(group.typer_instance)


def test_every_option_that_is_a_number_reads_it_so() -> None:
    found = dict(_numbers(cli))
    assert len(found) > 15
    assert [name for name, option in found.items() if option.parser is None] == []


ODD = ["1_0", "٣", "0x10", "1,5"]
SCAN = ["reconstruct", "nofile.h5", "--out", "v.tif"]
PLACES: list[list[str]] = [
    [*SCAN, "--pixel-size-um={}"],
    [*SCAN, "--axis={}"],
    [*SCAN, "--rows=0:{}"],
    [*SCAN, "--start=0", "--end={}"],
    [*SCAN, "--iterations={}"],
    [*SCAN, "--workers={}"],
    ["analyze", "nofile.tif", "--out", "o", "--voxel-size-um={}"],
    ["plan", NMC811, "--compare=binning={};"],
    ["run", NMC811, "--speed={}"],
    ["check", NMC811, "--set=scan.exposure_s={}"],
    ["check", NMC811, "--set=scan.projections={}"],
    ["check", NMC811, "--set=scan.exposure_s='{}'"],
    ["check", NMC811, "--set=reconstruction.rotation_axis='{}'"],
    ["calibrate", NMC811, "--valid-days={}"],
    ["calibrate", NMC811, "--at={},0"],
    ["rehearse", NMC811, "--nights={}"],
    ["add", "norun", "{},0"],
    ["add", "norun", "0,0", "--box={}x3"],
    ["queue", "add", NMC811, "--budget={}min"],
    ["queue", "add", NMC811, "--priority={}"],
    ["queue", "add", NMC811, "--deadline=+{}h"],
    ["queue", "run", "--patience={}"],
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: " ".join(place))
def test_an_odd_number_is_named_with_its_value(
    xrm: typing.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for odd in ODD:
        said = xrm(*(part.format(odd) for part in place))
        assert said.code == 2, (odd, said.err)
        assert odd in said.err
    assert list(tmp_path.iterdir()) == []
