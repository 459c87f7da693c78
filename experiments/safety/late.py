"""What a killed run did not read back is read later, into its record, before anything is rewound.

A run that was stopped by force while it read back has closed its record: that is opened again, and stays so, for the
rows that come late are of no digest that it was closed with.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from experiments.observe import settings as observing
from experiments.observe.clock import Clock, Origin
from experiments.observe.readback import CSV, TRANSACTIONS, Question, read_back, reconcile
from experiments.observe.settings import Where
from experiments.platforms.site import site
from experiments.safety.secrets import of_this_process
from scenarios.record.marks import Mark, mark_line
from scenarios.record.reader import RunRecord
from scenarios.record.storage import head_text, replace_file
from scenarios.record.stream import Stream
from scenarios.record.tables import TABLES
from scenarios.record.writer import Column, batch

OPEN, INTERRUPTED = "open", "interrupted"
CLOSED = ("rows", "facts", "files")  # what a head says once its record is closed


@dataclass(frozen=True)
class Late:
    """What was read. `read` and `unread` are timelines and regions; `only_there`: orders of losing timelines."""

    read: tuple[str, ...]
    unread: tuple[str, ...]
    only_there: int | None  # nothing: there is no list
    list_of_them: str  # path of the CSV; empty: none
    unlisted: str = ""  # why there is none


class Appending:
    """A recorder that goes on with the record of a run that was killed."""

    def __init__(self, folder: Path, seq: int) -> None:
        """Go on.

        Args:
            folder: the record, which is open.
            seq: number of the next fact.
        """
        self._folder, self._seq = folder, seq
        self._streams: dict[str, Stream] = {}
        _cut_torn_line(folder / "marks.jsonl")

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact."""
        line = mark_line(Mark(t_us, self._seq, kind, subject, detail, source_t_us))
        self._seq += 1
        with (self._folder / "marks.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows; a table that was begun before is begun anew, for it can be read again."""
        if table not in self._streams:
            self._streams[table] = Stream(self._folder, table, TABLES[table])
        self._streams[table].append(batch(table, columns))

    def close(self) -> None:
        """Write the ends of the streams."""
        for stream in self._streams.values():
            stream.close()


def read_late(folder: Path) -> Late | None:
    """Read every timeline that answers into the record of a run that was killed, or stopped while it read back.

    Timelines that it has read to their end itself are kept as they are. Returns nothing when the run has read back, or
    this was done and the old primary's timeline is in its record: once that database is demoted, its timeline can never
    be read again.

    Raises RecordError when the folder is no record.
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
    kept = _of_timelines(record.table("readback"), known)
    _open_again(folder)
    recorder = Appending(folder, len(marks))
    if len(kept):
        recorder.append("readback", {name: kept[name].combine_chunks() for name in kept.column_names})
    question = Question(home, origin.epoch_us, promoted, (), known=known)
    clean = of_this_process(place.kubeconfig for place in site().places.values())
    found = read_back(Where.of(observing.where()), Clock(origin), clean.recorder(recorder), question).each(clean.text)
    recorder.close()
    head = _head(folder) | found.head()
    replace_file(folder / "run.json", head_text(head))
    only = reconcile(folder, head, found)
    return Late(found.read, found.unread, only, str(folder / CSV) if only is not None else "", found.unlisted)


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


def _open_again(folder: Path) -> None:
    """Have a record take rows again; those that a reading which was stopped has left are read anew."""
    head = {key: value for key, value in _head(folder).items() if key not in CLOSED} | {"termination": OPEN}
    replace_file(folder / "run.json", head_text(head))
    (folder / "readback.parquet").unlink(missing_ok=True)


def _of_timelines(rows: pa.Table, names: list[str]) -> pa.Table:
    """Orders that were found on these timelines."""
    orders = pc.equal(rows["data_class"].cast(pa.string()), TRANSACTIONS)
    return rows.filter(pc.and_(orders, pc.is_in(rows["timeline"].cast(pa.string()), pa.array(names, pa.string()))))


def _origin(record: RunRecord) -> Origin | None:
    """The run's start on both clocks, from the orders: an order's key is the start's epoch plus its number."""
    sent = record.table("writes_sent")
    orders = sent.filter(pc.equal(sent["data_class"].cast(pa.string()), TRANSACTIONS))
    if not len(orders):
        return None
    epoch_us = orders["key"][0].as_py() - orders["seq"][0].as_py()
    passed_us = time.time_ns() // 1_000 - epoch_us
    return Origin(time.monotonic_ns() - passed_us * 1_000, epoch_us)


def _cut_torn_line(path: Path) -> None:
    """Take off a last line that was cut off when the run was killed: only the last line of a record may be torn."""
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)
