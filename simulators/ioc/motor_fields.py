"""The fields of a motor record: which there are, of what type, in which units, and what they say at the start.

Names, types and choices are those of the EPICS motor record 7.4 (`motorRecord.dbd`) and of any record (`dbCommon.dbd`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from simulators.mechanics import AxisConfig

# What a motor record raises, and those of menuAlarmStat before them: the numbers must be right.
ALARMS = ("NO_ALARM", "READ", "WRITE", "HIHI", "HIGH", "LOLO", "LOW", "STATE", "COS", "COMM")
SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
_NO_YES = ("No", "Yes")
_SCANS = ("Passive", "Event", "I/O Intr", *(f"{period} second" for period in ("10", "5", "2", "1", ".5", ".2", ".1")))


@dataclass(frozen=True)
class Field:
    """One field. `units` as shown, where E stands for the record's own (EGU)."""

    kind: Literal["double", "integer", "text", "choice"]
    choices: tuple[str, ...] = ()
    units: str = ""
    read_only: bool = False


def _many(names: str, kind: Literal["double", "integer", "text"], units: str = "", read_only: bool = False) -> Any:
    return {name: Field(kind, (), units, read_only) for name in names.split()}


def _menus(read_only: bool, **menus: Iterable[str]) -> dict[str, Field]:
    return {name: Field("choice", tuple(choices), "", read_only) for name, choices in menus.items()}


FIELDS: dict[str, Field] = {
    **_many("VAL DVAL RLV TWV OFF HLM LLM DHLM DLLM BDST RDBD SPDB MRES ERES RRES ADEL MDEL", "double", "E"),
    **_many("HIGH HIHI LOW LOLO HOPR LOPR", "double", "E"),
    **_many("RBV DRBV DIFF LVAL LDVL LRLV ALST MLST", "double", "E", read_only=True),
    **_many("VELO VMAX VBAS BVEL JVEL HVEL", "double", "E/sec"),
    **_many("JAR ACCS", "double", "E/s/s"),
    **_many("ACCL BACC DLY", "double", "sec"),
    **_many("S SBAK SBAS SMAX", "double", "rev/sec"),
    **_many("UREV", "double", "E/rev"),
    **_many("FRAC PCOF ICOF DCOF RHLM RLLM", "double"),
    **_many("VERS", "double", read_only=True),
    **_many("RVAL TWF TWR HOMF HOMR JOGF JOGR STOP SYNC RTRY NTMF SREV PREC SSET SUSE FOF VOF IGSET", "integer"),
    **_many("DISP DISA DISV PHAS", "integer"),
    **_many("RRBV RMP REP RDIF RVEL RCNT LRVL MISS DMOV MOVN LVIO HLS LLS RHLS RLLS ATHM", "integer", read_only=True),
    **_many("MSTA MIP TDIR CDIR CARD MMAP NMAP PP PACT", "integer", read_only=True),
    **_many("EGU DESC OUT RDBL DOL RLNK STOO DINP RINP PREM POST INIT FLNK ASG", "text"),
    **_many("NAME RTYP", "text", read_only=True),
    **_menus(
        False,
        SPMG=("Stop", "Pause", "Move", "Go"),
        SET=("Use", "Set"),
        DIR=("Pos", "Neg"),
        FOFF=("Variable", "Frozen"),
        RMOD=("Default", "Arithmetic", "Geometric", "In-Position"),
        NTM=("NO", "YES"),
        UEIP=_NO_YES,
        URIP=_NO_YES,
        CNEN=("Disable", "Enable"),
        STUP=("OFF", "ON", "BUSY"),
        RSTM=("Never", "Always", "NearZero", "Conditional"),
        ACCU=("Use ACCL", "Use ACCS"),
        OMSL=("supervisory", "closed_loop"),
        HLSV=SEVERITIES,
        HHSV=SEVERITIES,
        HSV=SEVERITIES,
        LSV=SEVERITIES,
        LLSV=SEVERITIES,
        SCAN=_SCANS,
        PINI=("NO", "YES", "RUN", "RUNNING", "PAUSE", "PAUSED"),
    ),
    **_menus(
        True,
        LSPG=("Stop", "Pause", "Move", "Go"),
        DTYP=("asynMotor",),
        STAT=ALARMS,
        SEVR=SEVERITIES,
        UDF=("0", "1"),
    ),
}

# A record tells its news in this order: where it is, what it aims at, and only then that it is done.
_POST_LAST = ("HLS", "LLS", "RHLS", "RLLS", "LVIO", "MISS", "JOGF", "JOGR", "HOMF", "HOMR", "MOVN", "DMOV")
_POST_FIRST = ("RBV", "RRBV", "DRBV", "DIFF", "RDIF", "MSTA", "VAL", "DVAL", "RVAL", "TDIR", "MIP")
# These follow others that are told; a record keeps them to itself.
UNTOLD = frozenset(("LVAL", "LDVL", "LRVL", "LSPG", "RMP", "REP", "CDIR", "RVEL"))
RANK = {name: rank for rank, name in enumerate(_POST_FIRST)}
RANK.update({name: 100 + rank for rank, name in enumerate(FIELDS) if name not in RANK})
RANK.update({name: 1000 + rank for rank, name in enumerate(_POST_LAST)})


def initial(name: str, config: AxisConfig, description: str) -> dict[str, Any]:
    """Values of all fields for an axis at rest at zero: speed, acceleration, limits and tolerance are the axis's own.

    BDST is 0, since the controller itself takes up the backlash, and DLY is 0, since it waits for the axis to settle.
    """
    values: dict[str, Any] = {}
    for field, spec in FIELDS.items():
        values[field] = {"double": 0.0, "integer": 0, "text": "", "choice": (spec.choices or ("",))[0]}[spec.kind]
    ramp_s = config.speed / config.acceleration
    low, high = config.low_limit, config.high_limit
    per_turn = 200 * config.resolution
    values.update(
        {"NAME": name, "RTYP": "motor", "DESC": description[:40], "EGU": config.units, "OUT": "@asyn(SIM,0)"},
        SPMG="Go",
        LSPG="Go",
        NTM="YES",
        NTMF=2,
        UEIP="Yes",
        HLSV="MAJOR",
        TWV=1.0,
        DMOV=1,
        DISV=1,
        VERS=7.4,
        FRAC=1.0,
        RTRY=10,
        RDBD=config.tolerance,
        PREC=max(0, math.ceil(-math.log10(config.resolution))),
        **dict.fromkeys(("MRES", "ERES", "RRES"), config.resolution),
        **dict.fromkeys(("VELO", "VMAX", "BVEL"), config.speed),
        JVEL=0.1 * config.speed,
        HVEL=0.5 * config.speed,
        **dict.fromkeys(("ACCL", "BACC"), ramp_s),
        **dict.fromkeys(("JAR", "ACCS"), config.acceleration),
        SREV=200,
        UREV=per_turn,
        **dict.fromkeys(("S", "SMAX", "SBAK"), config.speed / per_turn),
        **dict.fromkeys(("HLM", "DHLM"), high),
        **dict.fromkeys(("LLM", "DLLM"), low),
        RHLM=high / config.resolution,
        RLLM=low / config.resolution,
    )
    return values
