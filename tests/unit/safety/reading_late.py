"""A process that reads late, and is killed at each of its steps.

`python -m tests.unit.safety.reading_late FOLDER` makes FOLDER/open-N and FOLDER/closed-N, records of a run that had
read its old timeline before it rewound it: open as SIGKILL leaves one, or closed by a second Ctrl-C. `read_late` is
killed at the Nth line of what changes the files.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from experiments.observe.readback import Question, ReadBack
from experiments.safety import late
from scenarios.record.writer import RunWriter
from tests.unit.record.writing import counting

EPOCH_US = 1_795_000_000_000_000
HEAD = {"topology": {"database": {"home": "us-east-1"}}}
OLD, NEW = "us-east-1/1", "us-west-2/2"
HOLDS = {OLD: [EPOCH_US, EPOCH_US + 1, EPOCH_US + 2], NEW: [EPOCH_US, EPOCH_US + 1]}
TRACED = ("_add", "_replace_rows", "_add_marks", "replace_file")  # functions
EVERY = {"open": 6, "closed": 2}  # lines


def found_on(timeline: str) -> dict[str, Any]:
    """Rows of the orders that a timeline holds."""
    keys = HOLDS[timeline]
    rows = {"data_class": "transactions", "timeline": timeline, "key": keys, "read_us": [9] * len(keys)}
    return rows | {"copies": [1] * len(keys), "position": keys}


def rewound(folder: Path, *, closed: bool) -> None:
    """Make a record that has the old timeline, which no database holds any more, and not the new one."""
    writer = RunWriter(folder, HEAD)
    writer.mark(5, "promoted", "us-west-2/database", timeline=NEW, position=9)
    seqs = np.arange(3)
    sent = {"data_class": "transactions", "seq": seqs, "key": seqs + EPOCH_US, "sent_us": seqs * 100}
    writer.append("writes_sent", sent)
    writer.append("readback", found_on(OLD))
    writer.mark(9, "readback_done", OLD, timeline=OLD)
    if closed:
        writer.close("interrupted")


def read(_: object, clock: Any, recorder: Any, question: Question) -> ReadBack:
    """Read the new timeline, which is all that there is, unless it is known."""
    if NEW not in question.known:
        recorder.append("readback", found_on(NEW))
        recorder.mark(clock.now_us(), "readback_done", NEW, timeline=NEW)
    return ReadBack(NEW, tuple(dict.fromkeys([*question.known, NEW])), ())


def _changes_files(code: CodeType) -> bool:
    return code.co_name in TRACED


def _killed_at(folder: Path, at: int) -> bool:
    """Read late in a child that is killed at this line; return whether it came so far."""
    if (child := os.fork()) == 0:
        add = late._add

        def traced(*given: Any) -> int | None:
            sys.settrace(
                counting(lambda line: os.kill(os.getpid(), signal.SIGKILL) if line == at else None, _changes_files)
            )
            return add(*given)

        late._add = traced
        late.read_late(folder)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(folder: Path) -> None:
    """Leave the records."""
    os.fsync = lambda _: None  # SIGKILL takes nothing from the system's cache, and disks are slow
    late.read_back = read
    for state in ("open", "closed"):
        if (maker := os.fork()) == 0:  # the parent writes nothing itself, so that it can be forked
            rewound(folder / state, closed=state == "closed")
            os._exit(0)
        os.waitpid(maker, 0)
        at, every = 1, EVERY[state]
        while _killed_at(Path(shutil.copytree(folder / state, folder / f"{state}-{at}")), at):
            at += every


if __name__ == "__main__":
    main(Path(sys.argv[1]))
