"""A table on disk: an Arrow IPC stream while it grows (survives SIGKILL), Parquet once it is closed."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.record.storage import damaged, sync, unchanged

ROW_GROUP, ROW_GROUP_BYTES = 60_000, 4_000_000  # rows that closing holds in memory at once, and what they take


class Stream:
    """A table that grows; rows are with the operating system when `append` returns.

    The file exists from the first rows on; closed, its rows stand by `order`, a column, or as they came. Raises
    OSError or ArrowException.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, *, order: str | None = None) -> None:
        self._folder, self.name, self._schema, self._order = folder, name, schema, order
        self.rows = 0
        self._file: pa.NativeFile | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None

    def append(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        if not len(rows):
            return
        if self._stream is None:
            options = pa.ipc.IpcWriteOptions(
                compression="lz4", emit_dictionary_deltas=True, unify_dictionaries=False, use_threads=False
            )
            self._file = pa.OSFile(str(self._folder / f"{self.name}.arrows"), "wb")
            self._stream = pa.ipc.new_stream(self._file, self._schema, options=options)
        self._stream.write_batch(rows)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the end of the stream."""
        if self._stream is not None and self._file is not None:
            self._stream.close()
            self._file.close()

    def release(self) -> None:
        """Give the file back after a failure; what it holds stays."""
        for closing in (self._stream, self._file):
            if closing is not None:
                with contextlib.suppress(OSError, pa.ArrowException):
                    closing.close()

    def to_parquet(self) -> None:
        """Rewrite the closed stream, a row group at a time; on failure the stream stays and is read in its stead."""
        if self._stream is None:
            return
        source = self._folder / f"{self.name}.arrows"
        temporary = self._folder / f"{self.name}.parquet.tmp"
        try:
            # What is there counts: whatever ended the run may have come between rows and their count.
            self.rows = _rewrite(source, temporary, self._schema, self._order)
            sync(temporary)
            os.replace(temporary, self._folder / f"{self.name}.parquet")
        except (OSError, pa.ArrowException):
            temporary.unlink(missing_ok=True)
            raise
        sync(self._folder)
        source.unlink()


def _rewrite(source: Path, target: Path, schema: pa.Schema, order: str | None) -> int:
    """Rewrite a stream; return how many rows it held."""
    rows = 0
    with (
        pa.OSFile(str(source), "rb") as file,
        pa.ipc.open_stream(file, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader,
        pq.ParquetWriter(target, schema, **parquet_options(schema)) as writer,
    ):
        if order is not None:
            table = reader.read_all().sort_by(order)
            writer.write_table(table)
            return len(table)
        for group in _groups(reader):
            rows += sum(map(len, group))
            # Without `combine_chunks`, which copies; a group has one dictionary of each column of names.
            writer.write_table(pa.Table.from_batches(group, schema).unify_dictionaries())
            group.clear()
            pa.default_memory_pool().release_unused()  # else what some allocators keep for later is several groups
    return rows


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Consecutive rows in parts that are at most a row group each; batches are cut where they are longer."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        parts = max(1, -(-len(batch) // ROW_GROUP), -(-batch.nbytes // ROW_GROUP_BYTES))
        each = -(-len(batch) // parts)
        for part in (batch.slice(start, each) for start in range(0, len(batch), each)):
            if held and (rows + len(part) > ROW_GROUP or size + part.nbytes > ROW_GROUP_BYTES):
                yield held
                held, rows, size = [], 0, 0
            held.append(part)
            rows, size = rows + len(part), size + part.nbytes
    if held:
        yield held


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How a closed table is written: instants as differences, names by number."""
    encodings = {c.name: "DELTA_BINARY_PACKED" for c in schema if pa.types.is_integer(c.type)}
    # Bins and counts of histograms jump: by bytes they compress to three quarters of what they take plain.
    encodings |= {path: "BYTE_STREAM_SPLIT" for c in schema if _is_histogram(c.type) for path in _children(c)}
    names = [c.name for c in schema if pa.types.is_dictionary(c.type)]
    return {"compression": "zstd", "use_dictionary": names, "column_encoding": encodings}


def _is_histogram(kind: pa.DataType) -> bool:
    """Whether it is a list of integers by name."""
    if not pa.types.is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    return all(pa.types.is_integer(field.type) for field in kind.value_type)


def _children(column: pa.Field) -> list[str]:
    """What Parquet calls the columns that a list of structs is kept in."""
    return [f"{column.name}.list.element.{field.name}" for field in column.type.value_type]


def read_table(
    folder: Path, name: str, schema: pa.Schema, head: Mapping[str, Any], columns: list[str] | None = None
) -> pa.Table:
    """Rows of a table, closed or not; of a stream all whole batches; empty when there is no file.

    Raises RecordError when a closed table is damaged.
    """
    closed, stream = folder / f"{name}.parquet", folder / f"{name}.arrows"
    if closed.exists():
        with _closed(closed, schema, head) as file:
            return file.read(columns)
    table = pa.Table.from_batches(_whole_batches(stream), schema=schema)
    return table if columns is None else table.select(columns)


def read_parts(
    folder: Path, name: str, schema: pa.Schema, head: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Some columns of a table, a row group or a batch at a time, so that no more than that is in memory.

    Raises RecordError when a closed table is damaged.
    """
    closed, stream = folder / f"{name}.parquet", folder / f"{name}.arrows"
    if not closed.exists():
        for batch in _whole_batches(stream):
            yield pa.Table.from_batches([batch], schema=schema).select(columns)
        return
    with _closed(closed, schema, head) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, list(columns), use_threads=False)


@contextlib.contextmanager
def _closed(path: Path, schema: pa.Schema, head: Mapping[str, Any]) -> Iterator[pq.ParquetFile]:
    """A closed table to read from. Raises RecordError when it is damaged."""
    unchanged(path, head)
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(schema):
                raise pa.ArrowInvalid("other columns")
            yield file
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, str(error).splitlines()[0][:120], "a table of the record") from error


def _whole_batches(stream: Path) -> Iterator[pa.RecordBatch]:
    """Batches of a stream up to where it was cut off; none where there is no file."""
    if not stream.exists():
        return
    cut_off = contextlib.suppress(pa.ArrowException, OSError)  # in the middle of a batch, or of the stream's own head
    with cut_off, pa.OSFile(str(stream), "rb") as file, pa.ipc.open_stream(file) as reader:
        yield from reader
