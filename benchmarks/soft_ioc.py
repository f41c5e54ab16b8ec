"""An instant instrument on EPICS base itself (by softioc): `python -m benchmarks.soft_ioc PREFIX`.

Four axes of an output and a read-back (base has no motor record), a shutter, and an areaDetector camera with its array
plugin as far as clients look at it. The axes and the shutter are records alone; the camera is a few lines of Python.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

SIZE, FULL, BINNING, POOL = 128, 1024, 8, 64
_CHOICES = {
    "ImageMode": ("Single", "Multiple", "Continuous"),
    "TriggerMode": ("Internal", "External"),
    "ArrayCallbacks": ("Disable", "Enable"),
    "WaitForPlugins": ("No", "Yes"),
    "DataType": ("Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Float32", "Float64"),
    "ColorMode": ("Mono", "Bayer", "RGB1"),
    "DetectorState": ("Idle", "Acquire", "Readout", "Correct", "Saving", "Aborting", "Error"),
}
_NUMBERS = {
    **{"NumImages": 1, "BinX": BINNING, "BinY": BINNING, "MinX": 0, "MinY": 0, "SizeX": FULL, "SizeY": FULL},
    **{"MaxSizeX": FULL, "MaxSizeY": FULL, "ArraySizeX": SIZE, "ArraySizeY": SIZE, "ArrayCounter": 0},
    **{"NumImagesCounter": 0, "ArraySize": 2 * SIZE * SIZE},
}


def main() -> None:
    """Serve until the standard input ends."""
    from softioc import asyncio_dispatcher, builder, softioc

    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.SetDeviceName(sys.argv[1].rstrip(":"))
    for axis in ("X", "Y", "Z", "Theta"):
        _follows(builder, f"Sample:{axis}", f"Sample:{axis}_RBV")
    records: Any = builder.records
    records.bo("Shutter:Fast", VAL=0, PINI="YES", ZNAM="Closed", ONAM="Open", FLNK=_record(builder, "Shutter:Fast_RBV"))
    records.bi("Shutter:Fast_RBV", ZNAM="Closed", ONAM="Open", INP=_record(builder, "Shutter:Fast"))
    _camera(builder)
    builder.LoadDatabase()
    softioc.iocInit(dispatcher)
    print("ready", flush=True)
    sys.stdin.read()


def _record(builder: Any, name: str) -> str:
    return f"{builder.GetRecordNames().prefix[0]}:{name}"


def _follows(builder: Any, setpoint: str, readback: str) -> None:
    """A put to the output completes when the read-back has followed."""
    builder.records.ao(setpoint, VAL=0, PINI="YES", PREC=4, FLNK=_record(builder, readback))
    builder.records.ai(readback, PREC=4, INP=_record(builder, setpoint))


def _camera(builder: Any) -> None:
    chance = np.random.default_rng(1)
    pool = [chance.integers(2000, 4000, SIZE * SIZE).astype(np.int16) for _ in range(POOL)]
    cam, image = "Det:cam1:", "Det:image1:"
    back: dict[str, Any] = {}

    def mirrored(name: str) -> dict[str, Any]:
        # A put completes when its read-back has followed, as areaDetector's does.
        return {"always_update": True, "blocking": True, "on_update": lambda value: back[name].set(value)}

    for name, choices in _CHOICES.items():
        first = {"DataType": 2}.get(name, 0)
        back[name] = builder.mbbOut(f"{cam}{name}_RBV", *choices, initial_value=first)
        builder.mbbOut(f"{cam}{name}", *choices, initial_value=first, **mirrored(name))
    for name, first in _NUMBERS.items():
        back[name] = builder.longOut(f"{cam}{name}_RBV", initial_value=first)
        builder.longOut(f"{cam}{name}", initial_value=first, **mirrored(name))
    for name in ("AcquireTime", "AcquirePeriod"):
        back[name] = builder.aOut(f"{cam}{name}_RBV", initial_value=1.0, PREC=6)
        builder.aOut(f"{cam}{name}", initial_value=1.0, PREC=6, **mirrored(name))
    builder.stringOut(f"{cam}StatusMessage_RBV", initial_value="")
    for name, text in (("Manufacturer_RBV", "EPICS"), ("Model_RBV", "soft"), ("PortName_RBV", "CAM")):
        builder.stringOut(cam + name, initial_value=text)
    acquiring = builder.boolOut(f"{cam}Acquire_RBV", "Done", "Acquiring", initial_value=0)
    builder.boolOut(f"{image}EnableCallbacks", "Disable", "Enable", initial_value=1)
    builder.stringOut(f"{image}NDArrayPort", initial_value="CAM")
    builder.stringOut(f"{image}NDArrayPort_RBV", initial_value="CAM")
    number = builder.longOut(f"{image}UniqueId_RBV", initial_value=0)
    for place in (0, 1):
        builder.longOut(f"{image}ArraySize{place}_RBV", initial_value=SIZE)
    builder.mbbOut(f"{image}DataType_RBV", *_CHOICES["DataType"], initial_value=2)
    pixels = builder.WaveformOut(f"{image}ArrayData", initial_value=pool[0])

    async def acquire(value: int) -> None:
        if not value:
            return
        acquiring.set(1)
        count = number.get() + 1
        pixels.set(pool[count % POOL])
        for record in (number, back["ArrayCounter"], back["NumImagesCounter"]):
            record.set(count if record is not back["NumImagesCounter"] else 1)
        acquiring.set(0)
        command.set(0, process=False)

    command = builder.boolOut(
        f"{cam}Acquire", "Done", "Acquire", initial_value=0, always_update=True, blocking=True, on_update=acquire
    )


if __name__ == "__main__":
    main()
