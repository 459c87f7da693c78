"""A game day whose record may not grow any more once the other database was promoted: `python -m ... FOLDER`.

The limit is the kernel's (RLIMIT_FSIZE), and of this process. It prints what the parent of the run returned.
"""

import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from experiments.run import finishing
from experiments.run.children import Child
from experiments.safety.journal import JournalError
from gameday import game_day
from scenarios.errors import Problem
from scenarios.record.writer import RunWriter
from tests.unit.compile.test_execute import experiment
from tests.unit.run import stage
from tests.unit.run.stage import Play
from tests.unit.run.test_finishing import FAILS, WORKS

WATCHERS = """
import json, os, sys, threading, time
def say(kind, subject, **detail):
    mark = {"t_us": 0, "kind": kind, "subject": subject, "detail": detail, "source_t_us": None}
    print(json.dumps({"mark": mark}), flush=True)
def speak():
    for n in range(60):
        say("pod_ready", f"us-east-1/risk/{n}")
    while not os.path.exists(BROKEN):
        time.sleep(0.05)
    say("promoted", "us-west-2/database", timeline="us-west-2/2", position=7)
    while True:
        say("pod_ready", "us-east-1/risk/0")
        time.sleep(0.05)
sys.stdin.readline()
threading.Thread(target=speak, daemon=True).start()
sys.stdin.read()
"""


class Limited(RunWriter):
    """A record that may not grow after a promotion."""

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact."""
        super().mark(t_us, kind, subject, source_t_us=source_t_us, **detail)
        if kind == "promoted":
            if sys.argv[2] == "unnoted":  # nor has the state folder room
                (Path(sys.argv[1]) / "state" / "gameday" / "pending.json").mkdir()
            bytes_ = (self.folder / "marks.jsonl").stat().st_size + 30  # a part of a line still has room
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, resource.RLIM_INFINITY))


def refused(*_: object) -> None:
    """Leave the guard on a ledger that has no room."""
    raise JournalError(
        Problem("faults.jsonl", "no space left on device", "room for the ledger of faults", "Make room.")
    )


def main() -> None:
    """Play, and print what was returned; works, fails (the finisher), unnoted (what is pending), unwritten (faults)."""
    folder, finisher = Path(sys.argv[1]), FAILS if sys.argv[2] == "fails" else WORKS
    (folder / "a_finisher.py").write_text(finisher)

    def finish(settings: Mapping[str, Any]) -> Child:
        return Child("finisher", ["a_finisher"], settings)

    finishing._process = finish
    game_day.RunWriter = Limited
    if sys.argv[2] == "unwritten":
        stage.Guard.__exit__ = refused
    watchers = f"BROKEN = {str(folder / 'broken')!r}\n{WATCHERS}"
    play = Play(folder, pytest.MonkeyPatch(), experiment(folder), {"watchers": watchers}, "region-loss-manual")
    played = play.play()
    sys.stdout.write(json.dumps(asdict(played), default=str) + "\n")


if __name__ == "__main__":
    main()
