"""Writing a record while the run goes on; a killed run leaves what was flushed.

Tables are Arrow IPC streams while the run is open and Parquet once it is closed. run.json is there from the first
instant on and says `open` until the record is whole, so that whatever ends the process, the reader knows.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from scenarios.record.arrays import numbers, words
from scenarios.record.kinds import SCHEMA_VERSION
from scenarios.record.marks import Mark, mark_line, parse_mark
from scenarios.record.storage import Closing, digests, head_text, new_folder, replace_file
from scenarios.record.stream import Stream
from scenarios.record.tables import TABLES

type Column = Sequence[Any] | np.ndarray[Any, Any] | pa.Array | str


class Recorder(Protocol):
    """Where a world puts its facts."""

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact (`scenarios.record.kinds.KINDS`)."""
        ...

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows to a table (`scenarios.record.tables.TABLES`); missing columns are null."""
        ...


def batch(table: str, columns: Mapping[str, Column]) -> pa.RecordBatch:
    """Rows of a table with the declared types. Text stands for a column of that one name."""
    schema = TABLES[table]
    assert not (extra := set(columns) - set(schema.names)), f"{table} has no columns {sorted(extra)}"
    rows = next(len(c) for c in columns.values() if not isinstance(c, str))
    arrays = [_array(columns.get(column.name), column.type, rows) for column in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(value: Column | None, type_: pa.DataType, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, type_)
    if isinstance(value, str):
        return pa.DictionaryArray.from_arrays(numbers(np.zeros(rows, dtype=np.int32)), words([value]))
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        value = numbers(value)
    array = value if isinstance(value, pa.Array) else pa.array(value)
    return array if array.type == type_ else array.cast(type_)


class MemoryRecorder:
    """A record in memory, for trials of which only the verdict is kept."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.batches: dict[str, list[pa.RecordBatch]] = {name: [] for name in TABLES}

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact."""
        self.marks.append(Mark(t_us, len(self.marks), kind, subject, detail, source_t_us))

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows to a table."""
        self.batches[table].append(batch(table, columns))

    def table(self, name: str) -> pa.Table:
        """Rows of a table so far."""
        return pa.Table.from_batches(self.batches[name], schema=TABLES[name])

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of a table, as `scenarios.record.reader.RunRecord` gives them: here in one part."""
        yield self.table(name).select(columns)


class RunWriter(Closing):
    """A record on disk, from its first instant to its closing.

    An open record holds run.json (`termination: open`), marks.jsonl and a stream for each table that has rows. A
    mark, and a batch of rows, is with the operating system when the call returns: SIGKILL loses neither. `close`
    rewrites each stream to Parquet (temporary file, fsync, rename), sorts the marks, and says how the run ended and
    how many rows each table has. Leaving the `with` block without it closes the record as interrupted.

    Raises RecordError when the disk is full, read-only or gone; after that the writer takes nothing more, and what
    was written before stays readable as an interrupted record.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        super().__init__(folder, {"schema_version": SCHEMA_VERSION, "termination": "open", **head})
        self._seq = 0
        self._streams: dict[str, Stream] = {}
        with self._failure.reported("a new folder for the record"):
            new_folder(folder, "run.json", self._head)
            self._marks = (folder / "marks.jsonl").open("w", encoding="utf-8")

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact; it is with the operating system when this returns."""
        mark = Mark(t_us, self._seq, kind, subject, detail, source_t_us)
        self._seq += 1
        with self._failure.reported("room for facts"):
            self._marks.write(mark_line(mark) + "\n")
            self._marks.flush()

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows to a table's stream; they are with the operating system when this returns."""
        rows = batch(table, columns)
        with self._failure.reported("room for rows"):
            if table not in self._streams:
                self._streams[table] = Stream(self.folder, table, TABLES[table])
            self._streams[table].append(rows)

    def close(self, termination: str, **more: Any) -> None:
        """Rewrite streams to Parquet, sort the marks, and say how the run ended.

        Raises RecordError when something could not be rewritten. A stream that could not become Parquet stays and
        is read in its stead; a record whose head could not be rewritten reads as interrupted.
        """
        self._end_streams(self._end, "room to close the record")
        expected = "room to rewrite the stream, which stays"
        steps: list[tuple[Path, Callable[[], object], str]] = [
            (self.folder / f"{name}.parquet", stream.to_parquet, expected) for name, stream in self._streams.items()
        ]
        told = partial(self._write_head, {"termination": termination, **more})
        self._each([*steps, (self.folder / "run.json", told, "room to say how the run ended")])

    def _end(self) -> None:
        self._marks.close()
        for stream in self._streams.values():
            stream.close()

    def _write_head(self, closing: Mapping[str, Any]) -> None:
        facts = self._sort_marks()
        rows = {name: stream.rows for name, stream in self._streams.items() if stream.rows}
        files = digests(self.folder / n for n in ("marks.jsonl", *(f"{name}.parquet" for name in rows)))
        self._head |= {"rows": rows, "facts": facts, "files": files, **closing}
        replace_file(self.folder / "run.json", head_text(self._head))

    def _sort_marks(self) -> int:
        """Sort the facts in their file; return how many there are."""
        path = self.folder / "marks.jsonl"
        marks = sorted(map(parse_mark, path.read_text(encoding="utf-8").splitlines()), key=lambda m: (m.t_us, m.seq))
        replace_file(path, "".join(mark_line(m) + "\n" for m in marks).encode())
        return len(marks)

    def _release(self) -> None:
        """Give the files back after a failure; what they hold stays."""
        with contextlib.suppress(OSError):
            self._marks.close()
        for stream in self._streams.values():
            stream.release()
