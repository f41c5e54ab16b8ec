"""Standard output and error: nobody who reads them, or does not, changes what a command does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xrm_control.cli.streams import AsideOutput, SteadyOutput, broken, trouble
from xrm_control.core.clock import stopwatch

ROOT = Path(__file__).parents[2]
XRM = f"{sys.executable} -m xrm_control.cli"
PLAN = f"plan {ROOT / 'recipes' / 'nmc811_screening.yaml'}"


def shell(command: str) -> tuple[list[int], str]:
    """Exit codes of a pipeline's parts, and what was said on the shell's own output."""
    script = f"{command}; echo codes ${{PIPESTATUS[*]}} >&9"
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as codes:
        done = subprocess.run(
            ["bash", "-c", f"exec 9>&{writer}; {script}"], cwd=ROOT, pass_fds=[writer], capture_output=True, text=True
        )
        os.close(writer)
        (line,) = codes.read().splitlines()
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    return [int(code) for code in line.split()[1:]], done.stderr


# Whoever stops reading has what he wanted; what a full disk has not taken is lost, and that is said.
CASES = [
    (f"{XRM} schema | head -c 10 > /dev/null", [0, 0], ""),
    (f"{XRM} {PLAN} | head -c 10 > /dev/null", [0, 0], ""),
    (f"{XRM} schema > /dev/full", [1], "No space left"),
    (f"{XRM} {PLAN} --json > /dev/full", [1], "No space left"),
    (f"{XRM} check {ROOT / 'recipes' / 'nmc811_screening.yaml'} > /dev/full", [1], "No space left"),
    (f"{XRM} chek 2> /dev/full", [2], ""),
    (f"{XRM} schema >&-", [0], ""),
    (f"{XRM} status nowhere 2>&- >&- <&-", [2], ""),
    (f"{XRM} status nowhere 2> /dev/full", [2], ""),
    (f"{XRM} status nowhere 2>&1 | true", [2, 0], ""),
]


@pytest.mark.parametrize(("command", "codes", "said"), CASES, ids=lambda item: str(item)[-40:])
def test_exit_codes(command: str, codes: list[int], said: str) -> None:
    found, err = shell(command)
    assert found == codes, err
    assert said in err


OPENS = """
import os
from xrm_control.cli.streams import steady
with steady():
    print(os.open("first", os.O_WRONLY | os.O_CREAT), file=open("number", "w"))
    os.write(2, b"a library complains")
    os.write(1, b"another one too")
"""


def test_the_first_file_of_a_program_is_not_its_standard_error(tmp_path: Path) -> None:
    """With `2>&-` the first file that is opened would be descriptor 2, and get whatever a library says there."""
    subprocess.run(
        ["bash", "-c", f"{sys.executable} -c '{OPENS}' <&- >&- 2>&-"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert int((tmp_path / "number").read_text()) > 2
    assert (tmp_path / "first").read_bytes() == b""


def test_one_who_does_not_read_is_not_waited_for() -> None:
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream, open(reader, encoding="utf-8") as unread:
        output = AsideOutput(stream)
        passed_s = stopwatch()
        for _ in range(10_000):
            output.write("x" * 1000)
        output.settle(0.1)
        assert passed_s() < 60  # for ever, if it waited
        assert broken(output) is None
        unread.close()  # and gone
        output.settle(60)
        output.write("more")
        output.settle(60)
        assert isinstance(broken(output), BrokenPipeError)
        assert trouble(output) is None


def test_what_is_read_is_whole_and_in_order() -> None:
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as read, open(writer, "w", encoding="utf-8") as stream:
        output = AsideOutput(stream)
        for number in range(2000):
            output.write(f"{number} µ\n")
        output.settle(60)
        os.close(os.dup(writer))
        said = [read.readline() for _ in range(2000)]
    assert said == [f"{number} µ\n" for number in range(2000)]


def test_a_stream_that_was_closed(tmp_path: Path) -> None:
    stream = (tmp_path / "out").open("w")
    stream.close()
    output = SteadyOutput(stream)
    assert output.write("text") == 4
    output.flush()
    assert isinstance(trouble(output), ValueError)
