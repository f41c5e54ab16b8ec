"""What an analysis core gives back: each way in which it can be wrong is told with file, row and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from xrm_control.analysis.handoff_check import check_results, require_results
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.tables import PARTICLE_COLUMNS, VOID_COLUMNS, required
from xrm_control.core.errors import AnalysisError

HEAD: str = "particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,touches_boundary,weight"
ONE, TWO = "1,roi-01,0.5,-1,2e-1,113.1,6,0,1.25", "2,roi-01,.5,+1,0.,33.5,4,1,0"
VOID_HEAD: str = "void_id,particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,kind"
VOID = "1,1,roi-01,0.5,-1,0.2,4.2,2,closed"


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    """The least that is right, voids besides."""
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "particles.csv").write_bytes(lines(HEAD, ONE, TWO))
    (tmp_path / "voids.csv").write_bytes(lines(VOID_HEAD, VOID))
    return tmp_path


RIGHT = {
    "the least": ("particles.csv", lines(HEAD, ONE, TWO)),
    "no particle": ("particles.csv", lines(HEAD)),
    "columns of its own": ("particles.csv", lines(f"{HEAD},comment,grade", f"{ONE},[/x] a note,A", f"{TWO},,7")),
    "an empty optional cell": ("particles.csv", lines(f"{HEAD},sphericity", f"{ONE},", f"{TWO},0.9")),
    "quoted, and Windows' line breaks": (
        "particles.csv",
        f'"{HEAD.replace(",", chr(34) + "," + chr(34))}"\r\n'.encode(),
    ),
    "an index without a name": ("particles.csv", lines(f",{HEAD}", f"0,{ONE}")),
    "no voids": ("voids.csv", lines(VOID_HEAD)),
    "all kinds of JSON": ("results.json", b'{"a": [1, null, {"b": "c"}]}'),
    "figures": ("quality.json", b'{"snr": 9.5}'),
}


@pytest.mark.parametrize(("name", "content"), RIGHT.values(), ids=RIGHT.keys())
def test_right(answer: Path, name: str, content: bytes) -> None:
    (answer / "voids.csv").unlink()
    (answer / name).write_bytes(content)
    assert check_results(answer, "roi-01") == ()
    if name.endswith(".csv"):
        read_rows(answer / name, VOID_COLUMNS if name == "voids.csv" else PARTICLE_COLUMNS)


def cell(column: str, value: str) -> bytes:
    """The least table with one cell of its third row replaced."""
    cells = list[str](TWO.split(","))
    cells[HEAD.split(",").index(column)] = value
    return lines(HEAD, ONE, ",".join(cells))


def void(column: str, value: str) -> bytes:
    cells = list[str](VOID.split(","))
    cells[VOID_HEAD.split(",").index(column)] = value
    return lines(VOID_HEAD, ",".join(cells))


P, V = "particles.csv", "voids.csv"
WRONG = {
    **{
        f"{column} = {value or 'nothing'}": (P, cell(column, value), f"{P}, row 3, column {column}", value or "nothing")
        for column, values in {
            "x_um": ("", "nan", "inf", "-Infinity", "1e999", "abc", "1_0", " 1", "0x1"),
            "volume_um3": ("", "0", "-1", "NaN", "None"),
            "equivalent_diameter_um": ("", "0", "n/a"),
            "weight": ("", "-1", "inf"),
            "touches_boundary": ("", "2", "yes", "0.0"),
            "particle_id": ("", "0", "-1", "1.5", "2.0", "a", "1" * 30),
            "roi": ("", "roi-02", "ROI-01"),
        }.items()
        for value in values
    },
    **{
        f"without {column}": (P, lines(HEAD.replace(column, "other"), ONE), f"{P}, row 1, column {column}", "lacks")
        for column in HEAD.split(",")
    },
    **{
        f"voids without {column}": (
            *(V, lines(VOID_HEAD.replace(column, "other"), VOID)),
            *(f"{V}, row 1, column {column}", "lacks"),
        )
        for column in ("void_id", "roi", "x_um", "volume_um3", "equivalent_diameter_um", "kind")
    },
    "an id twice": (P, lines(HEAD, ONE, TWO, ONE), f"{P}, row 4, column particle_id", "first in row 2"),
    "a column twice": (P, lines(f"{HEAD},weight", f"{ONE},1"), f"{P}, row 1, column weight", "twice"),
    "a row cut short": (P, lines(HEAD, ONE, TWO[:-4]), f"{P}, row 3", "another length"),
    "a row too long": (P, lines(HEAD, ONE, f"{TWO},1"), f"{P}, row 3", "another length"),
    "the last row cut": (P, lines(HEAD, ONE, TWO)[:-2], f"{P}, row 3", "breaks off"),
    "an open quote": (P, lines(HEAD, ONE, f'"{TWO}'), P, "cannot be read"),
    "semicolons": (P, lines(HEAD.replace(",", ";"), ONE.replace(",", ";")), f"{P}, row 1, column roi", "lacks"),
    "Latin-1": (P, lines(f"{HEAD},note", f"{ONE},x") + "2,µ\n".encode("latin-1"), f"{P}, row 3", "not UTF-8"),
    "UTF-16": (P, lines(HEAD, ONE).decode().encode("utf-16"), f"{P}, row 1", "not UTF-8"),
    "UTF-16 without a mark": (P, lines(HEAD, ONE).decode().encode("utf-16-le"), f"{P}, row 1", "zero byte"),
    "a byte-order mark": (P, b"\xef\xbb\xbf" + lines(HEAD, ONE), f"{P}, row 1", "byte-order mark"),
    "a zero byte": (P, lines(HEAD, ONE, TWO) + b"\0\n", f"{P}, row 4", "zero byte"),
    "an empty file": (P, b"", P, "empty"),
    "an optional cell that is no number": (
        *(P, lines(f"{HEAD},sphericity", f"{ONE},round")),
        *(f"{P}, row 2, column sphericity", "round"),
    ),
    "a blank line and then a fault": (
        P,
        lines(HEAD, "", ONE, cell("x_um", "?").decode().splitlines()[2]),
        "row 4",
        "?",
    ),
    "a void of no kind": (V, void("kind", ""), f"{V}, row 2, column kind", "closed, ambiguous, open"),
    "a void in no particle": (V, void("particle_id", "3"), f"{V}, row 2, column particle_id", "not there"),
    "a void of no size": (V, void("volume_um3", "0"), f"{V}, row 2, column volume_um3", "above 0"),
    **{
        f"{name}: {content[:9]!r}": (name, content, name, said)
        for name in ("results.json", "quality.json")
        for content, said in (
            (b"", "not the JSON"),
            (b"{", "not the JSON"),
            (b"[1]", "holds a list"),
            (b"null", "NoneType"),
            (b'{"a": NaN}', "NaN"),
            (b"\xff", "not the JSON"),
            (b"[" * 100_000, "too deep"),
        )
    },
}


@pytest.mark.parametrize(("name", "content", "where", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong(answer: Path, name: str, content: bytes, where: str, said: str) -> None:
    (answer / name).write_bytes(content)
    with pytest.raises(AnalysisError) as told:
        require_results(answer, "roi-01")
    assert where in str(told.value)
    assert said in str(told.value)


@pytest.mark.parametrize("name", ["results.json", "particles.csv"])
@pytest.mark.parametrize("instead", ["nothing", "a folder"])
def test_what_was_not_written(answer: Path, name: str, instead: str) -> None:
    (answer / name).unlink()
    if instead == "a folder":
        (answer / name).mkdir()
    with pytest.raises(AnalysisError, match=f"did not write {name}"):
        require_results(answer, "roi-01")


def test_faults_are_counted_to_an_end(answer: Path) -> None:
    (answer / "particles.csv").write_bytes(lines(HEAD, *["1,roi-07,,,,,,,"] * 5000))
    assert 20 <= len(check_results(answer, "roi-01")) < 40
    with pytest.raises(AnalysisError, match=r"and \d+ more faults"):
        require_results(answer, "roi-01")


def test_required_are_these_columns_and_no_others() -> None:
    assert {column.name for column in required(PARTICLE_COLUMNS)} == set(HEAD.split(","))
    assert {column.name for column in required(VOID_COLUMNS)} == set(VOID_HEAD.split(","))
