"""Writing a record while the run goes on; a killed run leaves what was flushed.

Tables are Arrow IPC streams while the run is open and Parquet once it is closed. run.json is there from the first
instant on and says `open` until the record is whole, so that whatever ends the process, the reader knows.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.errors import Problem, RecordError
from scenarios.record.kinds import SCHEMA_VERSION
from scenarios.record.marks import Mark, mark_line, parse_mark
from scenarios.record.storage import replace_file, sync
from scenarios.record.tables import TABLES

__all__ = ["Column", "MemoryRecorder", "Recorder", "RunWriter", "batch", "mark_line", "parse_mark"]

Column = Sequence[Any] | np.ndarray[Any, Any] | pa.Array | str
ROW_GROUP = 250_000


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
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array([value]))
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


class RunWriter:
    """A record on disk, from its first instant to its closing.

    An open record holds run.json (`termination: open`), marks.jsonl and a stream for each table that has rows. A
    mark, and a batch of rows, is with the operating system when the call returns: SIGKILL loses neither. `close`
    rewrites each stream to Parquet (temporary file, fsync, rename), sorts the marks, and says how the run ended and
    how many rows each table has. Leaving the `with` block without it closes the record as interrupted.

    Raises RecordError when the disk is full, read-only or gone; after that the writer takes nothing more, and what
    was written before stays readable as an interrupted record.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        self.folder = folder
        self._head = {"schema_version": SCHEMA_VERSION, "termination": "open", **head}
        self._failure: RecordError | None = None
        self._seq = 0
        self._rows: dict[str, int] = {}
        self._streams: dict[str, pa.RecordBatchStreamWriter] = {}
        self._files: dict[str, pa.NativeFile] = {}
        with self._reported("a new folder for the record"):
            if folder.exists():
                raise FileExistsError(17, "a folder that exists already")
            folder.parent.mkdir(parents=True, exist_ok=True)
            # made beside and renamed, so that there is never a folder without a head
            made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                made.chmod(0o755)
                replace_file(made / "run.json", self._head_text())
                os.rename(made, folder)
            except OSError:
                for left in made.iterdir():
                    left.unlink()
                made.rmdir()
                raise
            self._marks = (folder / "marks.jsonl").open("w", encoding="utf-8")

    def _head_text(self) -> bytes:
        return json.dumps(self._head, indent=1, sort_keys=True).encode()

    @contextlib.contextmanager
    def _reported(self, expected: str) -> Iterator[None]:
        """Turn what the file system says into a problem, and take nothing more after it."""
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            self._failure = RecordError(problem_of(self.folder, error, expected))
            raise self._failure from error

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact; it is with the operating system when this returns."""
        mark = Mark(t_us, self._seq, kind, subject, detail, source_t_us)
        self._seq += 1
        with self._reported("room for facts"):
            self._marks.write(mark_line(mark) + "\n")
            self._marks.flush()

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows to a table's stream; they are with the operating system when this returns."""
        rows = batch(table, columns)
        if not len(rows):
            return
        with self._reported("room for rows"):
            if table not in self._streams:
                file = pa.OSFile(str(self.folder / f"{table}.arrows"), "wb")
                options = pa.ipc.IpcWriteOptions(
                    compression="zstd", emit_dictionary_deltas=True, unify_dictionaries=False
                )
                self._files[table] = file
                self._streams[table] = pa.ipc.new_stream(file, TABLES[table], options=options)
            self._streams[table].write_batch(rows)
        self._rows[table] = self._rows.get(table, 0) + len(rows)

    def close(self, termination: str, **more: Any) -> None:
        """Rewrite streams to Parquet, sort the marks, and say how the run ended.

        Raises RecordError when something could not be rewritten. A stream that could not become Parquet stays and
        is read in its stead; a record whose head could not be rewritten reads as interrupted.
        """
        if self._failure is not None:
            self._release()
            raise self._failure
        problems: list[Problem] = []
        try:
            with self._reported("room to close the record"):
                self._marks.close()
                for name, stream in self._streams.items():
                    stream.close()
                    self._files[name].close()
        except RecordError:
            self._release()
            raise
        for name in self._streams:
            try:
                _to_parquet(self.folder, name)
            except (OSError, pa.ArrowException) as error:
                (self.folder / f"{name}.parquet.tmp").unlink(missing_ok=True)
                problems.append(
                    problem_of(self.folder / f"{name}.parquet", error, "room to rewrite the stream, which stays")
                )
        try:
            self._sort_marks()
            self._head |= {"termination": termination, "rows": self._rows, "facts": self._seq, **more}
            replace_file(self.folder / "run.json", self._head_text())
        except OSError as error:
            problems.append(problem_of(self.folder / "run.json", error, "room to say how the run ended"))
        if problems:
            self._failure = RecordError(*problems)
            raise self._failure

    def _sort_marks(self) -> None:
        path = self.folder / "marks.jsonl"
        marks = sorted(map(parse_mark, path.read_text(encoding="utf-8").splitlines()), key=lambda m: (m.t_us, m.seq))
        replace_file(path, "".join(mark_line(m) + "\n" for m in marks).encode())

    def _release(self) -> None:
        """Give the files back after a failure; what they hold stays."""
        with contextlib.suppress(OSError):
            self._marks.close()
        for name, stream in self._streams.items():
            for closing in (stream, self._files[name]):
                with contextlib.suppress(OSError, pa.ArrowException):
                    closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._failure is not None:
            self._release()
        elif self._head["termination"] == "open":
            self.close("interrupted")


def problem_of(path: Path, error: Exception, expected: str) -> Problem:
    """Return what went wrong with a file of a record, as a person can mend it."""
    found = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
    number = getattr(error, "errno", None)
    remedies = {
        13: "Choose a folder that you may write to.",
        17: "Choose another folder, or remove this one.",
        27: "Raise the limit on the size of files (`ulimit -f`).",
        28: "Free some space, or choose a folder on another disk.",
        30: "Choose a folder that you may write to.",
        122: "Raise the quota, or choose a folder on another disk.",
    }
    return Problem(
        str(path), found[0].lower() + found[1:], expected, remedies.get(number or 0, "Choose another folder.")
    )


def _to_parquet(folder: Path, name: str) -> None:
    source, target = folder / f"{name}.arrows", folder / f"{name}.parquet"
    temporary = folder / f"{name}.parquet.tmp"
    with (
        pa.OSFile(str(source), "rb") as file,
        pa.ipc.open_stream(file) as reader,
        pq.ParquetWriter(
            temporary,
            TABLES[name],
            compression="zstd",
            use_dictionary=_names(name),
            column_encoding=_deltas(name),
        ) as writer,
    ):
        held: list[pa.RecordBatch] = []
        for rows in reader:
            held.append(rows)
            if sum(map(len, held)) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(held, TABLES[name]).combine_chunks())
                held = []
        if held:
            writer.write_table(pa.Table.from_batches(held, TABLES[name]).combine_chunks())
    sync(temporary)
    os.replace(temporary, target)
    sync(folder)
    source.unlink()


def _names(table: str) -> list[str]:
    return [c.name for c in TABLES[table] if pa.types.is_dictionary(c.type)]


def _deltas(table: str) -> dict[str, str]:
    return {c.name: "DELTA_BINARY_PACKED" for c in TABLES[table] if pa.types.is_integer(c.type)}
