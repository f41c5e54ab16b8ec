"""Commands on files: a scan into a volume, a volume into particles, a run into other formats. No logic lives here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xrm_control.cli import arguments
from xrm_control.cli.kinds import complete
from xrm_control.cli.options import AsJson, RunPath, number_option, whole_option
from xrm_control.cli.plain import PlainConsole, print_json
from xrm_control.core.exit_code import ExitCode

if TYPE_CHECKING:
    from xrm_control.exports.mesh_exporter import ExportedMesh

_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)

Replace = Annotated[bool, typer.Option("--replace", help="write over what is there already")]


def reconstruct(
    source: Annotated[
        Path,
        typer.Argument(help="Data Exchange or NXtomo HDF5, .txrm, a folder of TIFF, or RUN/roi-01", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="volume to write (.ome.tif)", show_default=False)],
    method: Annotated[str, typer.Option(help="how to reconstruct", autocompletion=complete("method"))] = "fourier",
    filter_: Annotated[str | None, typer.Option("--filter", help="filter of fbp and fourier")] = None,
    iterations: Annotated[int | None, whole_option(help="iterations of sirt, cgls and tv")] = None,
    axis: Annotated[float | None, number_option(help="rotation axis as detector column; none: find it")] = None,
    rows: Annotated[str | None, typer.Option(help="FIRST:END, a slab of detector rows")] = None,
    rings: Annotated[int, whole_option(help="remove rings: columns of the median, e.g. 21; 0: off")] = 0,
    pixel_size_um: Annotated[
        float | None, number_option(help="pixel at the sample; it goes before what the file says")
    ] = None,
    angle_unit: Annotated[str | None, typer.Option(help="unit of the file's angles: deg, rad, mrad, turn")] = None,
    half_acquisition: Annotated[
        bool | None,
        typer.Option(
            "--half-acquisition/--no-half-acquisition",
            help="full turn, axis near an edge; none: as axis and angles say",
        ),
    ] = None,
    angles: Annotated[Path | None, typer.Option(help="file with one angle a view, instead of the scan's own")] = None,
    start: Annotated[float | None, number_option(help="angle of the first view in degrees; goes with --end")] = None,
    end: Annotated[float | None, number_option(help="angle of the last view; views are evenly spaced between")] = None,
    entry: Annotated[str | None, typer.Option(help="which scan of a file that holds several")] = None,
    references: Annotated[Path | None, typer.Option(help="file with the flats, if they are in a second one")] = None,
    flats: Annotated[str | None, typer.Option(help='names of flats in a folder of TIFF, e.g. "flat_*.tif"')] = None,
    darks: Annotated[str | None, typer.Option(help="names of darks in a folder of TIFF")] = None,
    sixteen_bit: Annotated[bool, typer.Option("--16bit", help="write 16-bit integers with a scale")] = False,
    normalised: Annotated[bool, typer.Option(help="the projections are transmissions already")] = False,
    workers: Annotated[
        int | None, whole_option(low=1, high=64, help="processes for a large scan; none: as many as CPUs")
    ] = None,
    memory_gb: Annotated[float | None, number_option(help="about what one process may take; none: 2")] = None,
    checks: Annotated[bool, typer.Option(help="hold the views against each other and against the volume")] = True,
    replace: Replace = False,
    json_: AsJson = False,
) -> None:
    """Reconstruct a scan from a file, or a region of a run anew.

    A large one is made in parts; the same command goes on where it was left.
    """
    from xrm_control import app
    from xrm_control.cli import progress
    from xrm_control.storage.formats.scan_file import ScanOptions

    spec = arguments.reconstruction(method, filter_, iterations, axis, rows, rings, memory_gb, half_acquisition)
    pixel_size_um = arguments.length_um("--pixel-size-um", pixel_size_um)
    told = ScanOptions(pixel_size_um, angle_unit, entry, angles, start, end, flats, darks, references)
    with progress.rows(_err) as on_rows:
        made = app.reconstruct(
            source,
            out,
            spec,
            told=told,
            sixteen_bit=sixteen_bit,
            normalised=normalised,
            workers=workers,
            on_rows=on_rows,
            replace=replace,
            checks=checks,
        )
    print_json(made.as_dict()) if json_ else _figures(made.as_dict())
    if made.doubts:
        raise typer.Exit(ExitCode.PARTLY)


def analyze(
    volume: Annotated[
        Path,
        typer.Argument(help="volume (TIFF, a folder of slices, .npy, .txm) or handoff.json", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="folder for the results", show_default=False)],
    voxel_size_um: Annotated[float | None, number_option(help="voxel size; it goes before what the file says")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="where a particle ends", autocompletion=complete("threshold"))
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value of the recipe's `analysis:` part")] = None,
    replace: Replace = False,
    json_: AsJson = False,
) -> None:
    """Measure the particles of a reconstructed volume."""
    from xrm_control import app
    from xrm_control.reporting.table import paper_table

    spec = arguments.analysis(threshold, arguments.overrides(set_))
    size_um = arguments.length_um("--voxel-size-um", voxel_size_um)
    results = app.analyze(volume, out, spec, size_um, replace=replace)
    if json_:
        print_json(results.model_dump(mode="json"))
    else:
        _out.print(paper_table(results))
        _out.print(f"tables   {out / 'particles.csv'}")
        for name, value in (("scale", results.scale), ("values", results.grey), ("field", results.field)):
            _out.print(f"{name:8} {value}")
        for warning in results.warnings:
            _out.print(f"note     {warning}")
        for doubt in results.doubts:
            _out.print(f"doubt    {doubt}")
    if results.doubts:
        raise typer.Exit(ExitCode.PARTLY)


def export(
    run: RunPath,
    to: Annotated[str, typer.Option("--to", help="format", autocompletion=complete("to"), show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="folder for the files; made if need be", show_default=False)],
    roi: Annotated[str | None, typer.Option(help="region: roi-02; none: all")] = None,
    particle: Annotated[
        list[int] | None, typer.Option(min=1, help="of meshes: its number in the region; again for more; none: all")
    ] = None,
    replace: Replace = False,
    json_: AsJson = False,
) -> None:
    """Write a run's regions for other programs: their frames, with angles and scale, or their particles as meshes.

    The run is only read. A file gets its name when it was read back and is what the run holds.
    """
    from xrm_control import app

    if to in app.kinds("mesh_exporters"):
        _meshes(app.export_meshes(run, to, out, roi, particle or (), replace=replace), as_json=json_)
        return
    if particle:
        raise arguments.only_of_meshes("--particle", to, app.kinds("mesh_exporters"))
    files = app.export(run, to, out, roi, replace=replace)
    if json_:
        print_json([vars(file) for file in files])
        return
    for file in files:
        frames = f"{file.projections} projections, {file.flats} flats, {file.darks} darks"
        _out.print(f"{file.path}  {file.kind}; {frames}; {file.bytes / 1e6:.1f} MB, read back")
        for note in file.notes:
            _out.print(f"note     {file.roi}: {note}")


def _meshes(files: Sequence[ExportedMesh], *, as_json: bool) -> None:
    if as_json:
        print_json([vars(file) for file in files])
        return
    for file in files:
        volume, area = (f"{one:+.2f} %" for one in (file.volume_difference_percent, file.area_difference_percent))
        voids = f", {file.voids} void{'s' if file.voids > 1 else ''}" if file.voids else ""
        told = f"{file.triangles} triangles{voids}; volume {volume}, area {area} of the table's"
        _out.print(f"{file.path}  {file.kind}; {told}; {file.bytes / 1e6:.1f} MB, read back")
        for note in file.notes:
            _out.print(f"note     {file.roi}, particle {file.particle_id}: {note}")


def _figures(figures: Mapping[str, object]) -> None:
    for name, value in figures.items():
        if isinstance(value, list) and value and isinstance(value[0], str):
            for note in value:
                _out.print(f"{name.removesuffix('s'):32} {note}")
        else:
            _out.print(f"{name:32} {value:.6g}" if isinstance(value, float) else f"{name:32} {value}")
