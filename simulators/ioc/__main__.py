"""`python -m simulators.ioc`: the simulated microscope as a process of its own, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from simulators.powders import known
from simulators.realism import IDEAL, PRESETS, Hop, Realism

if TYPE_CHECKING:
    from simulators.ioc.instrument import Instrument

WRONG = 2
# Those of `detector_image`, which is imported once the environment is set.
ARRAY_TYPES = ("int8", "int16", "uint16", "int32", "float32", "float64")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then 0. What was asked wrongly is one line on standard error, and 2."""
    asked = options().parse_args(arguments)
    _environment(asked.interface, asked.port)
    # Frames are rendered in a thread, which shall not keep clients waiting for Python's 5 ms each time.
    sys.setswitchinterval(5e-4)
    from simulators.ioc.fault_commands import parse
    from simulators.ioc.instrument import Instrument, IocConfig
    from simulators.ioc.server import PortTaken, listen

    try:
        faults = tuple(parse(text, 0.0) for text in asked.fault)
    except ValueError as error:
        _wrong(f"--fault: {error}")
    try:
        held = listen(asked.interface, asked.port)
    except PortTaken as error:
        _wrong(f"{error}; choose another with --port, or 0 for any that is free")
    config = IocConfig(
        prefix=asked.prefix,
        speed=asked.speed,
        specimen=asked.specimen,
        difficulty=asked.difficulty,
        seed=asked.seed,
        noise=asked.noise == "on",
        axis_offset_um=asked.axis_offset_um,
        faults=faults,
        instant=asked.instant,
        array_type=asked.array_type,
        trigger_modes=asked.trigger_modes,
        without=tuple(asked.without),
        realism=asked.realism,
    )
    try:
        instrument = Instrument(config)
    except ValueError as error:
        _wrong(f"--without: {error}")
    if asked.truth is not None:
        try:
            asked.truth.write_text(json.dumps(instrument.microscope.truth(), indent=1))
        except OSError as error:
            _wrong(f"--truth: {asked.truth} cannot be written: {error.strerror}")
    asyncio.run(_until_told(instrument, held, asked))
    return 0


async def _until_told(instrument: Instrument, held: socket.socket, asked: argparse.Namespace) -> None:
    from simulators.ioc.server import serve

    def ready() -> None:
        print(f"ready prefix={asked.prefix} port={held.getsockname()[1]} speed={asked.speed:g}", flush=True)
        instrument.prepare()

    serving = asyncio.current_task()
    if serving is None:
        raise RuntimeError("not within a task")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serve(instrument.pvdb, instrument.background(), ready, held)
    except asyncio.CancelledError:
        serving.uncancel()


def _environment(interface: str, port: int) -> None:
    """What caproto reads when it is first used. Beacons go where the clients' repeater listens."""
    os.environ["EPICS_CAS_INTF_ADDR_LIST"] = interface
    os.environ["EPICS_CA_SERVER_PORT"] = str(port or 5064)
    os.environ.setdefault("EPICS_CAS_BEACON_PORT", os.environ.get("EPICS_CA_REPEATER_PORT", "5065"))
    if interface != "0.0.0.0":
        os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
        os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = interface


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _wrong(message)


def _wrong(message: str) -> NoReturn:
    print(f"simulators.ioc: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(WRONG)


def options() -> argparse.ArgumentParser:
    """Of the command line."""
    known_options = _Options(prog="python -m simulators.ioc", description=__doc__, allow_abbrev=False)
    add = known_options.add_argument
    add("--prefix", default="XRM:", type=_prefix, help="of all PV names (default XRM:)")
    add("--port", default=5064, type=_port, help="TCP and UDP; 0: any that is free (default 5064)")
    add("--interface", default="127.0.0.1", type=_address, help="address to serve on; 0.0.0.0: all")
    add("--speed", default=1.0, type=_speed, help="instrument seconds per second of the wall clock")
    add("--specimen", default="nmc811", choices=(*known(), "empty"))
    add("--difficulty", default=0.0, type=_difficulty, help="of the powder: 0 ideal, 1 as real ones, up to 2")
    add("--seed", default=1, type=_seed)
    add("--noise", default="on", choices=("on", "off"), help="photon and read noise")
    add("--axis-offset-um", default=None, type=_finite, help="rotation axis off the detector's centre; none: drawn")
    add("--fault", default=[], action="append", metavar="JSON", help='e.g. {"kind": "beam_loss", "at_s": 60}; repeat')
    add("--truth", default=None, type=Path, metavar="FILE", help="write what an analysis should find")
    add("--instant", action="store_true", help="motion, shutters and read-out take no time")
    add("--array-type", default="int16", choices=ARRAY_TYPES, help="of image1's waveform, whatever the camera's is")
    add("--trigger-modes", default=("Internal", "Software"), type=_choices, help="separated by |; the first runs free")
    add("--without", default=[], action="append", metavar="PV", help="less the prefix; not served; repeat")
    add(
        "--realism",
        default=IDEAL,
        type=_realism,
        help="of a real instrument: ideal, lab, bad, or effects as JSON",
    )
    return known_options


def _realism(text: str) -> Realism:
    if text in PRESETS:
        return PRESETS[text]
    try:
        told = {name: value for name, value in json.loads(text).items() if value is not None}
        hops = tuple(Hop(**hop) for hop in told.pop("hops", ()))
        made = replace(PRESETS[told.pop("preset", "ideal")], **told, hops=hops)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        known = ", ".join(one.name for one in fields(Realism))
        said = f"{text!r} is none of {', '.join(PRESETS)}, nor a JSON object of preset, {known}"
        raise argparse.ArgumentTypeError(said) from error
    for name, value in told.items():
        if type(value) not in (int, float) or not math.isfinite(value) or (value < 0 and name != "defocus_um"):
            raise argparse.ArgumentTypeError(f"{name}: {value!r} is no number of at least 0")
    return made


def _prefix(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or any(sign in text for sign in " .$"):
        raise argparse.ArgumentTypeError(f"{text!r} is no prefix; letters, digits and : - _ make one")
    return text


def _choices(text: str) -> tuple[str, ...]:
    found = tuple(text.split("|"))
    if not 2 <= len(found) <= 16 or any(not 0 < len(choice) < 26 for choice in found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} are not 2 to 16 choices such as Off|On")
    return found


def _port(text: str) -> int:
    return _between(text, 0, 65535)


def _seed(text: str) -> int:
    return _between(text, 0, 2**32 - 1)


def _between(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
    return int(text)


def _address(text: str) -> str:
    try:
        socket.inet_aton(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv4 address such as 127.0.0.1") from error
    return text


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _difficulty(text: str) -> float:
    value = _finite(text)
    if not 0.0 <= value <= 2.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no difficulty; it must be from 0 to 2")
    return value


def _speed(text: str) -> float:
    value = _finite(text)
    if not 0.0 < value <= 1e4:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed; it must be positive, at most 10000")
    return value


if __name__ == "__main__":
    sys.exit(main())
