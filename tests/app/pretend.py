"""In place of `xrm run` and `xrm resume`, without importing anything heavy: see `queues`."""

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    out = Path(sys.argv[sys.argv.index("--out") + 1]) if "--out" in sys.argv else Path(sys.argv[2]).parent
    item, bench = out.parent, out.parents[3]
    name = item.name.partition("_")[2]
    # Nothing is on record before this line is: a kill before it leaves an item that nobody has begun.
    with (bench / "started.txt").open("a") as file:
        file.write(f"{name} {sys.argv[1]}\n")
    times = sum(line.split()[0] == name for line in (bench / "started.txt").read_text().splitlines())
    acts = json.loads((bench / "pretend.json").read_text())[name]
    act = acts[min(times, len(acts)) - 1]
    signal.signal(signal.SIGINT, lambda *_: interrupted(act, bench, out))
    if "begins" in act:
        stand(bench, act["begins"], out)
    while "waits" in act and not (bench / act["waits"]).exists():
        threading.Event().wait(0.02)
    if "stands" in act:
        stand(bench, act["stands"], out)
    print(json.dumps(act["said"]) if isinstance(act.get("said"), dict) else act.get("said", ""))
    sys.stdout.flush()
    if act.get("code", 0) < 0:
        os.kill(os.getpid(), -act["code"])
    sys.exit(act.get("code", 0))


def stand(bench: Path, name: str, out: Path) -> None:
    run = out / "20260101T000000Z_r_0000"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(bench / "stood" / name, run)


def interrupted(act: dict, bench: Path, out: Path) -> None:
    if "interrupted" in act:
        stand(bench, act["interrupted"], out)
    sys.exit(130)


main()
