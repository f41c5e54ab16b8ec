"""``xrm serve``: the operator's window in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from xrm_control.cli.options import whole_option
from xrm_control.cli.plain import PlainConsole
from xrm_control.core.errors import RecipeError

_ENDS_WITHIN_S = 5.0
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def serve(
    runs: Annotated[Path, typer.Argument(help="folder that holds the runs")] = Path("runs"),
    host: Annotated[
        str, typer.Option(help="address to listen on; another than this machine's needs a token")
    ] = "127.0.0.1",
    port: Annotated[int, whole_option(help="to listen on", low=1, high=65535)] = 8010,
    recipes: Annotated[
        Path | None,
        typer.Option(help="folder of the recipes that may be started; none: ./recipes, or the program's own"),
    ] = None,
    queue: Annotated[Path, typer.Option(help="folder of the queue that is shown too")] = Path("queue"),
    name: Annotated[
        list[str] | None, typer.Option(help="another name under which it is reached, as of a gateway")
    ] = None,
    token: Annotated[bool, typer.Option("--token", help="ask for a token on this machine too")] = False,
) -> None:
    """Show runs in a browser, live, and act on them. It is a guest of the runs: its end ends none.

    Tokens are made anew at each start, unless the environment has XRM_OPERATOR_TOKEN and XRM_VIEWER_TOKEN.
    """
    try:
        from xrm_control.dashboard import serving
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"{error.name} is not installed", where="xrm serve", remedy="pip install 'xrm_control[window]'"
        ) from error
    from xrm_control.app import starter
    from xrm_control.storage.durable import make_folder

    make_folder(runs.absolute())
    place = recipes or (Path("recipes") if Path("recipes").is_dir() else Path(str(starter.recipes())))
    if not place.is_dir():
        raise RecipeError("is no folder", where="--recipes", value=str(place))
    address = serving.Address(host, port, tuple(name or ()))
    access = serving.access_for(address, os.environ, token=token)
    serving.serve(runs.absolute(), place.absolute(), address, access, _err.print, queue.absolute())


@contextmanager
def beside(runs: Path) -> Iterator[None]:
    """While the block runs, a process of its own shows the runs in a browser; its fate is none of the block's."""
    command = [sys.executable, "-P", "-m", "xrm_control.cli", "serve", str(runs)]
    process: subprocess.Popen[bytes] | None = None
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        _err.print(f"the window cannot be shown: {error.strerror}")
    try:
        yield
    finally:
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS_WITHIN_S)
            if process.poll() is None:
                process.kill()
                process.wait()
