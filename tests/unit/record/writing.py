"""A small record and a small ensemble, written the same way everywhere; and children that write them and are killed.

`python -m tests.unit.record.writing FOLDER WHAT HOW` writes the record or the ensemble once for each way to be killed:
at a line of our own code (exact, by counting lines) or by another process at some instant.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pyarrow as pa

from scenarios.record.ensemble import EnsembleWriter, Trial
from scenarios.record.marks import Mark
from scenarios.record.writer import RunWriter

HEAD: dict[str, Any] = {"run_id": "r", "source": "simulation", "seed": 7, "scenario": {"scenario": "s"}}
ROUNDS = 6
ROWS = 3  # rows a round
TRIALS = 5
Acknowledge = Callable[[str], None]


def probes(number: int) -> dict[str, Any]:
    """Rows of one round; every round brings names that were not there before."""
    first = number * ROWS
    return {
        "intended_us": [first + i for i in range(ROWS)],
        "client": [f"client-{number}"] * ROWS,
        "route": "dns",
        "service": [f"service-{(first + i) % 7}" for i in range(ROWS)],
        "region": [None, f"region-{number}", "us-east-1"],
    }


def write_run(folder: Path, acknowledge: Acknowledge = lambda _: None) -> None:
    """Write a record with facts, two tables, and an end."""
    with RunWriter(folder, HEAD) as writer:
        for number in range(ROUNDS):
            writer.mark(1_000 - number, "load_started", "client", number=number)
            acknowledge("m")
            writer.append("probes", probes(number))
            acknowledge("p")
            writer.append("writes_done", {"data_class": "logs", "key": [number], "done_us": [5], "outcome": "acked"})
            acknowledge("w")
        writer.close("complete", duration_us=10)


def trial(number: int) -> Trial:
    """One trial with a verdict, one without, and the stages of a recovery."""
    return Trial(
        number,
        7,
        results={"rto.risk": "FAIL", "kpi.risk": None},
        values={"rto.risk": 1.5 * number, "kpi.risk": None},
        low={"rto.risk": 1.0, "kpi.risk": None},
        high={"rto.risk": 2.0, "kpi.risk": None},
        phases={"rto.risk": {"detect": 0.5, "act": 1.0}},
        reasons={"rto.risk": "took longer than promised"},
    )


def facts(number: int) -> list[Mark]:
    """Facts of a trial, not in order."""
    return [Mark(t, 3 - t, "load_started", "client", {"number": number}, None) for t in (3, 1, 2)]


def write_trials(folder: Path, acknowledge: Acknowledge = lambda _: None) -> None:
    """Write an ensemble, its trials in the order in which they might end."""
    with EnsembleWriter(folder, {"scenario": {"scenario": "s"}, "trials_asked": TRIALS}) as writer:
        for number in (1, 0, 4, 2, 3):
            writer.add(trial(number), facts(number))
            acknowledge("t")
        writer.close("complete")


WRITERS = {"run": write_run, "ensemble": write_trials}


def _write(what: str, folder: Path) -> None:
    """Write, and note each call that returned in a file of its own beside."""
    noted = os.open(folder.with_suffix(".acknowledged"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    WRITERS[what](folder, lambda letter: os.write(noted, letter.encode()) and None)


def of_the_record(code: CodeType) -> bool:
    """Whether code is of scenarios/record."""
    return f"{os.sep}scenarios{os.sep}record{os.sep}" in code.co_filename


def counting(
    reached: Callable[[int], None], counts: Callable[[CodeType], bool] = of_the_record
) -> Callable[[FrameType, str, Any], Any]:
    """Trace function that counts the lines of some code as they are about to run."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if not counts(frame.f_code):
            return None
        if event == "line":
            lines += 1
            reached(lines)
        return trace

    return trace


def _lines(what: str, folder: Path) -> int:
    total = 0

    def count(line: int) -> None:
        nonlocal total
        total = line

    sys.settrace(counting(count))
    WRITERS[what](folder)
    sys.settrace(None)
    return total


def _killed_at_line(what: str, folder: Path, at: int) -> None:
    if (child := os.fork()) == 0:
        sys.settrace(counting(lambda line: os.kill(os.getpid(), signal.SIGKILL) if line == at else None))
        _write(what, folder)
        os._exit(0)
    os.waitpid(child, 0)


def _killed_after(what: str, folder: Path, seconds: float) -> None:
    if (child := os.fork()) == 0:
        _write(what, folder)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(folder: Path, what: str) -> None:
    """Leave killed records in folder/0, folder/1 ..."""
    pa.array([0])  # imports what the first array imports, once for all children
    if (child := os.fork()) == 0:  # the parent writes nothing itself, so that it can be forked
        (folder / "lines").write_text(str(_lines(what, folder / "whole")))
        os._exit(0)
    os.waitpid(child, 0)
    lines = int((folder / "lines").read_text())
    draws = random.Random(20)
    # every third line of the end, where files change places, and some of all the others
    chosen = [*range(lines - 90, lines + 1, 3), *draws.sample(range(1, lines - 90), 50)]
    for number, line in enumerate(chosen):
        _killed_at_line(what, folder / f"line-{number}", line)
    for number in range(20):
        _killed_after(what, folder / f"instant-{number}", draws.uniform(0, 0.03))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
