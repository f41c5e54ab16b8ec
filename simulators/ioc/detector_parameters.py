"""The parameters of an areaDetector driver: a setpoint record NAME and a read-back record NAME_RBV for each.

The setpoint keeps what a client wrote; the read-back tells what the driver made of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from simulators.ioc.pv import Pv, choice, double, integer, long_text, text

Apply = Callable[[Any], Awaitable[Any]]
LONGEST_TEXT = 255
NO_YES = ("No", "Yes")


class Parameters:
    """The records of one port, by the names that follow its prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._records: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The record of a name, e.g. "Acquire" or "Acquire_RBV"."""
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def pvs(self) -> dict[str, Pv]:
        """All records by their full names."""
        return {self._prefix + name: record for name, record in self._records.items()}

    def add(self, name: str, record: Any) -> Any:
        """A record alone."""
        self._records[name] = record
        return record

    def value(self, name: str) -> Any:
        """What the driver uses: the read-back's value."""
        return self._records[f"{name}_RBV"].now

    async def set(self, name: str, value: Any) -> None:
        """The driver's own change of a read-back; the setpoint stays."""
        await self._records[f"{name}_RBV"].post_change(value)

    async def set_both(self, name: str, value: Any) -> None:
        """The driver's own change of a parameter whose setpoint follows (asyn:READBACK)."""
        await self._records[f"{name}_RBV"].post_change(value)
        await self._records[name].post_change(value)

    async def turn(self, name: str, on: bool) -> None:
        """The driver's own change of a switch, setpoint and read-back."""
        for record in (self._records[f"{name}_RBV"], self._records[name]):
            await record.post_change(record.enum_strings[int(on)])

    async def count(self, name: str) -> int:
        """One more; returns the new number."""
        number = self.value(name) + 1
        await self.set(name, number)
        return number

    async def show(self, name: str, value: Any) -> None:
        """A new value of a single record."""
        await self._records[name].post_change(value)

    def double(self, name: str, value: float = 0.0, units: str = "", apply: Apply | None = None) -> None:
        """A pair of floating-point records."""
        self._pair(
            name,
            double(value, units=units),
            double(value, units=units, read_only=True, record="ai"),
            apply,
        )

    def integer(self, name: str, value: int = 0, units: str = "", apply: Apply | None = None) -> None:
        """A pair of integer records."""
        self._pair(
            name,
            integer(value, units=units),
            integer(value, units=units, read_only=True, record="longin"),
            apply,
        )

    def text(self, name: str, value: str = "", apply: Apply | None = None) -> None:
        """A pair of texts of at most 39 characters."""
        self._pair(name, text(value), text(value, read_only=True, record="stringin"), apply)

    def long_text(self, name: str, value: str = "", apply: Apply | None = None) -> None:
        """A pair of texts of at most 255 characters."""
        self._pair(name, long_text(value), long_text(value, read_only=True), apply)

    def choice(
        self,
        name: str,
        value: str,
        choices: Sequence[str],
        apply: Apply | None = None,
    ) -> None:
        """A pair of enumerations."""
        out, back = ("bo", "bi") if len(choices) == 2 else ("mbbo", "mbbi")
        self._pair(name, choice(value, choices, record=out), choice(value, choices, read_only=True, record=back), apply)

    def switch(self, name: str, doing: str, done: str, apply: Callable[[bool], Awaitable[bool]]) -> None:
        """A busy record: written 0 (Done) or 1 (`doing`); `apply` returns when it is off again, with what to show."""
        record = choice("Done", ("Done", doing), record="busy")

        async def put(value: str) -> str:
            return record.enum_strings[int(await apply(value != "Done"))]

        record.on_put = put
        self._records[name] = record
        self._records[f"{name}_RBV"] = choice("Done", ("Done", done), read_only=True, record="bi")

    def readings(self, **values: Any) -> None:
        """Read-only records NAME_RBV."""
        for name, value in values.items():
            self.reading(f"{name}_RBV", value)

    def reading(self, name: str, value: Any, choices: Sequence[str] = ()) -> Any:
        """A read-only record of the kind of its value."""
        return self.add(name, _lone(value, choices, read_only=True))

    def control(self, name: str, value: Any, choices: Sequence[str] = ()) -> Any:
        """A writable record that has no read-back."""
        return self.add(name, _lone(value, choices, read_only=False))

    def _pair(self, name: str, setpoint: Any, readback: Any, apply: Apply | None) -> None:
        async def put(value: Any) -> Any:
            await readback.post_change(value if apply is None else await apply(value))
            return value

        setpoint.on_put = put
        self._records[name] = setpoint
        self._records[f"{name}_RBV"] = readback


def _lone(value: Any, choices: Sequence[str], read_only: bool) -> Any:
    """A record for a value: int, float, str (long texts when it ends with a zero byte), or one of `choices`."""
    if choices:
        two = len(choices) == 2
        kind = ("bi" if two else "mbbi") if read_only else ("bo" if two else "mbbo")
        return choice(value, choices, read_only=read_only, record=kind)
    if isinstance(value, float):
        return double(value, read_only=read_only, record="ai" if read_only else "ao")
    if isinstance(value, int):
        return integer(value, read_only=read_only, record="longin" if read_only else "longout")
    if value.endswith("\0"):
        return long_text(value[:-1], read_only=read_only)
    return text(value, read_only=read_only, record="stringin" if read_only else "stringout")
