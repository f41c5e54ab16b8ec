"""`xrm ioc`: its options on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xrm_control.cli.ioc import INTERFACE, PORT, PREFIX, ArrayType, IocOptions, SpecimenName, become
from xrm_control.cli.options import number_option, whole_option


def ioc(
    recipe: Annotated[
        Path | None, typer.Argument(help="recipe (YAML) whose simulated instrument it shall be", show_default=False)
    ] = None,
    prefix: Annotated[str, typer.Option(help="of all PV names")] = PREFIX,
    port: Annotated[int, whole_option(low=0, high=65535, help="TCP and UDP; 0: any that is free")] = PORT,
    interface: Annotated[str, typer.Option(help="address to serve on; 0.0.0.0: all")] = INTERFACE,
    speed: Annotated[float, number_option(help="instrument seconds per second of the wall clock")] = 1.0,
    specimen: Annotated[SpecimenName | None, typer.Option(help="what lies on the tape")] = None,
    seed: Annotated[int | None, whole_option(low=0, high=2**32 - 1, help="same seed, same specimen")] = None,
    noise: Annotated[bool | None, typer.Option("--noise/--no-noise", help="photon and read noise")] = None,
    axis_offset_um: Annotated[float | None, number_option(help="rotation axis off the detector's centre")] = None,
    fault: Annotated[list[str] | None, typer.Option(help='JSON, e.g. {"kind": "beam_loss", "at_s": 60}')] = None,
    truth: Annotated[Path | None, typer.Option(help="file for what an analysis should find")] = None,
    instant: Annotated[bool, typer.Option("--instant", help="motion and read-out take no time")] = False,
    array_type: Annotated[ArrayType, typer.Option(help="numbers of the images")] = ArrayType.INT16,
    trigger_modes: Annotated[str | None, typer.Option(help="separated by |, the first runs free: 'Off|On'")] = None,
    without: Annotated[list[str] | None, typer.Option(help="a PV, less the prefix, that is not served; repeat")] = None,
    difficulty: Annotated[float | None, number_option(low=0, high=2, help="of the powder: 1 as real ones")] = None,
    realism: Annotated[str | None, typer.Option(help="ideal, lab or bad: what a real one adds; or JSON")] = None,
) -> None:
    """Serve the simulated microscope over Channel Access, until interrupted."""
    from xrm_control import app

    options = IocOptions(
        prefix,
        port,
        interface,
        speed,
        specimen and specimen.value,
        seed,
        noise,
        axis_offset_um,
        tuple(fault or ()),
        truth,
        instant,
        array_type.value,
        trigger_modes,
        tuple(without or ()),
        difficulty,
        realism,
    )
    options = options.with_recipe(app.load(recipe).recipe.instrument if recipe else None)
    print(options.usage(recipe))
    become(options)
