"""What a killed run did not read back is read later, into its record, before anything is rewound.

A run that was stopped by force while it read back has closed its record: that is opened again, and stays so, for the
rows that come late are of no digest that it was closed with.
"""

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from experiments.observe import settings as observing
from experiments.observe.clock import Clock, Origin
from experiments.observe.readback import CSV, TRANSACTIONS, Question, ReadBack, read_back, reconcile
from experiments.observe.settings import Where
from experiments.platforms.site import site
from experiments.safety.secrets import of_this_process
from scenarios.errors import RecordError
from scenarios.record.marks import Mark, mark_line
from scenarios.record.reader import RunRecord
from scenarios.record.storage import head_text, problem_of, replace_file, sync
from scenarios.record.stream import parquet_options
from scenarios.record.tables import TABLES
from scenarios.record.writer import MemoryRecorder

OPEN, INTERRUPTED = "open", "interrupted"
ROWS = "readback"  # the table
CLOSED = ("rows", "facts", "files")  # what a head says once its record is closed
SAID = ("surviving_timeline", "unlisted")  # and once it was read back


@dataclass(frozen=True)
class Late:
    """What was read. `read` and `unread` are timelines and regions; `only_there`: orders of losing timelines."""

    read: tuple[str, ...]
    unread: tuple[str, ...]
    only_there: int | None  # nothing: there is no list
    list_of_them: str  # path of the CSV; empty: none
    unlisted: str = ""  # why there is none


def read_late(folder: Path) -> Late | None:
    """Read every timeline that answers into the record of a run that was killed, or stopped while it read back.

    Timelines that it has read to their end itself are kept as they are. Returns nothing when the run has read back, or
    this was done and the old primary's timeline is in its record: once that database is demoted, its timeline can never
    be read again. When it returns, what was read is on the disk. Stopped at any moment, it has lost nothing: first
    rows are put in the place of those before them, then the facts that say which timelines they are of, then the head.

    Raises RecordError when the folder is no record, or has no room for what was read.
    """
    if not is_unread(folder):
        return None
    record = RunRecord(folder)
    home = str(record.head["topology"]["database"]["home"])
    origin = _origin(record)
    if origin is None:
        return Late((), (), 0, "")  # no order was ever sent
    marks = record.marks
    promoted = [mark.detail["timeline"] for mark in marks if mark.kind == "promoted"]
    known = [mark.detail["timeline"] for mark in marks if mark.kind == "readback_done"]
    kept = _kept(record.table(ROWS), known)
    fresh = MemoryRecorder()
    question = Question(home, origin.epoch_us, promoted, (), known=known)
    clean = of_this_process(place.kubeconfig for place in site().places.values())
    found = read_back(Where.of(observing.where()), Clock(origin), clean.recorder(fresh), question).each(clean.text)
    try:
        only = _add(folder, pa.concat_tables([kept, fresh.table(ROWS)]), fresh.marks, len(marks), found)
    except OSError as error:
        raise RecordError(problem_of(folder, error, "room for what was read back")) from error
    return Late(found.read, found.unread, only, str(folder / CSV) if only is not None else "", found.unlisted)


def _add(folder: Path, rows: pa.Table, marks: list[Mark], seq: int, found: ReadBack) -> int | None:
    """Add what was read to a record, so that at each moment it holds what it held; return how many are listed.

    Args:
        folder: the record.
        rows: all its rows of the table from now on.
        marks: further facts.
        seq: number of the first of them.
        found: what the reading came to.
    """
    head = {key: value for key, value in _head(folder).items() if key not in CLOSED + SAID}
    head |= {"termination": OPEN}
    replace_file(folder / "run.json", head_text(head))  # before its tables change, of which it had the digests
    _replace_rows(folder, rows)
    _add_marks(folder / "marks.jsonl", [replace(mark, seq=seq + n) for n, mark in enumerate(marks)])
    only = reconcile(folder, head, found)
    replace_file(folder / "run.json", head_text(head | found.head()))  # last: it says that nothing is to be read
    return only


def is_unread(folder: Path) -> bool:
    """Whether nobody has read the timelines of a run that did not read back itself, or not its home region's.

    Raises RecordError.
    """
    record, head = RunRecord(folder), _head(folder)
    if head["termination"] not in (OPEN, INTERRUPTED):
        return False
    if "surviving_timeline" not in head:
        return True
    home = str(record.head["topology"]["database"]["home"])
    read = any(mark.kind == "readback_done" and mark.subject.startswith(f"{home}/") for mark in record.marks)
    return bool(head["termination"] == OPEN) and not read


def _head(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))


def _replace_rows(folder: Path, rows: pa.Table) -> None:
    """Put rows in the place of those that a record has, which stay until they are there.

    Raises OSError and leaves the old ones.
    """
    closed = folder / f"{ROWS}.parquet"
    beside = closed.with_name(closed.name + ".tmp")
    try:
        pq.write_table(rows.unify_dictionaries(), beside, **parquet_options(TABLES[ROWS]))
        sync(beside)
        os.replace(beside, closed)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync(folder)
    (folder / f"{ROWS}.arrows").unlink(missing_ok=True)  # of a killed run; a closed table is read in its stead


def _add_marks(path: Path, marks: list[Mark]) -> None:
    """Append facts, all or none; a last line that was cut off when the run was killed is taken off. Raises OSError."""
    before = path.read_bytes() if path.exists() else b""
    whole = before[: before.rfind(b"\n") + 1]
    replace_file(path, whole + "".join(mark_line(mark) + "\n" for mark in marks).encode())


def _kept(rows: pa.Table, timelines: list[str]) -> pa.Table:
    """What is not read again: orders that were found on these timelines, and items of the copied classes."""
    orders = pc.equal(rows["data_class"].cast(pa.string()), TRANSACTIONS)
    of_them = pc.is_in(rows["timeline"].cast(pa.string()), pa.array(timelines, pa.string()))
    return rows.filter(pc.or_(pc.invert(orders), of_them))


def _origin(record: RunRecord) -> Origin | None:
    """The run's start on both clocks, from the orders: an order's key is the start's epoch plus its number."""
    sent = record.table("writes_sent")
    orders = sent.filter(pc.equal(sent["data_class"].cast(pa.string()), TRANSACTIONS))
    if not len(orders):
        return None
    epoch_us = orders["key"][0].as_py() - orders["seq"][0].as_py()
    passed_us = time.time_ns() // 1_000 - epoch_us
    return Origin(time.monotonic_ns() - passed_us * 1_000, epoch_us)
