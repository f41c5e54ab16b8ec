"""`xrm ioc`: what the simulated IOC is started with, and what to type in another terminal to use it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from xrm_control.core.errors import InstrumentUnreachable, RecipeError

if TYPE_CHECKING:
    from xrm_control.devices.backend import Backend

MODULE = "simulators.ioc"
PREFIX, PORT, INTERFACE = "XRM:", 5064, "127.0.0.1"
_RECIPE = "recipes/nmc811_screening.yaml"


BLADE_IN_MAP = (
    "{open: {pv: $(P)Blade, value: Out}, close: {pv: $(P)Blade, value: In}, "
    "is_open: {pv: $(P)Blade_RBV, good: [Out]}, is_closed: {pv: $(P)Blade_RBV, good: [In]}, travel_s: 0.5}"
)
"""`instrument.map.blocker`: the blade that the IOC has where its realism is not ideal."""
# What only the simulated instrument within the session's own process can be; in a recipe's words if it is not as ever.
_ONLY_IN_A_PROCESS = frozenset({
    "geometry", "still", "rendering", "rotation", "blocker",
    "layers", "graphite_weight_percent", "binder_weight_percent",
})  # fmt: skip


class SpecimenName(StrEnum):
    """What lies on the tape."""

    NMC811 = "nmc811"
    NMC622 = "nmc622"
    LFP = "lfp"
    SILICON = "silicon"
    METAL = "metal"
    EMPTY = "empty"


class ArrayType(StrEnum):
    """Numbers of the images that are sent, whatever those of the camera are."""

    INT8 = "int8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


@dataclass(frozen=True)
class IocOptions:
    """Options of the command line; None where nothing was said."""

    prefix: str = PREFIX
    port: int = PORT
    interface: str = INTERFACE
    speed: float = 1.0
    specimen: str | None = None
    seed: int | None = None
    noise: bool | None = None
    axis_offset_um: float | None = None
    fault: tuple[str, ...] = field(default=())
    truth: Path | None = None
    instant: bool = False
    array_type: str = ArrayType.INT16.value
    trigger_modes: str | None = None
    without: tuple[str, ...] = field(default=())
    difficulty: float | None = None
    realism: str | None = None

    def with_recipe(self, instrument: Backend | None) -> IocOptions:
        """What was not said is taken from a recipe's simulated instrument, and its faults come first.

        Raises RecipeError where that is an instrument such as the IOC cannot be.
        """
        if instrument is None or not instrument.simulated:
            return self
        told: Mapping[str, Any] = instrument.model_dump(mode="json")
        mine = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in _ONLY_IN_A_PROCESS & told.keys():
            raise RecipeError(
                "the simulated IOC cannot be like this",
                where=f"instrument.{name}",
                value=told[name],
                remedy="leave it out with --set, or run this recipe on the simulated instrument itself",
            )
        for name in ("specimen", "difficulty", "seed", "noise", "axis_offset_um"):
            if mine[name] is None:
                mine[name] = told.get(name)
        if self.realism is None and told.get("realism", "ideal") != "ideal":
            realism = told["realism"]
            mine["realism"] = realism if isinstance(realism, str) else json.dumps(realism)
        faults = [{key: value for key, value in fault.items() if value is not None} for fault in told.get("faults", ())]
        mine["fault"] = (*(json.dumps(fault) for fault in faults), *self.fault)
        return IocOptions(**mine)

    def arguments(self) -> list[str]:
        """As the IOC's own process takes them."""
        noise = None if self.noise is None else "on" if self.noise else "off"
        single = {
            "prefix": self.prefix,
            "port": self.port,
            "interface": self.interface,
            "speed": self.speed,
            "specimen": self.specimen,
            "difficulty": self.difficulty,
            "seed": self.seed,
            "noise": noise,
            "axis-offset-um": self.axis_offset_um,
            "truth": self.truth,
            "array-type": self.array_type,
            "trigger-modes": self.trigger_modes,
            "realism": self.realism,
        }
        found = [f"--{name}={value}" for name, value in single.items() if value is not None]
        found += [f"--fault={text}" for text in self.fault]
        found += [f"--without={name}" for name in self.without]
        return [*found, "--instant"] if self.instant else found

    def usage(self, recipe: Path | None) -> str:
        """What to type in another terminal. The IOC's usual address stands in its PV map; another one must be said."""
        address = INTERFACE if self.interface == "0.0.0.0" else self.interface
        settings: list[str] = []
        if (address, self.port) != (INTERFACE, PORT):
            settings = [f"EPICS_CA_ADDR_LIST={address}", "EPICS_CA_AUTO_ADDR_LIST=NO"]
            settings.append(f"EPICS_CA_SERVER_PORT={self.port or '<the port told below>'}")
        run = f"xrm run {recipe or _RECIPE} --set instrument.backend=epics"
        if self.prefix != PREFIX:
            run += f" --set instrument.map.prefix={self.prefix}"
        if self.realism not in (None, "ideal"):
            run += f" --set 'instrument.map.blocker={BLADE_IN_MAP}'"
        export = f"  export {' '.join(settings)}\n" if settings else ""
        return f"in another terminal:\n{export}  {run}"


def become(options: IocOptions) -> NoReturn:
    """Replace this process by the IOC's. Raises InstrumentUnreachable when its packages are not installed."""
    for package in ("caproto", "simulators"):
        if importlib.util.find_spec(package) is None:
            raise InstrumentUnreachable(
                "the simulated IOC cannot start", where=f"package {package}", remedy="pip install 'xrm_control[ioc]'"
            )
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", MODULE, *options.arguments()])
