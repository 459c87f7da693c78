"""Reading a record, closed or not."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from scenarios.record.kinds import SCHEMA_VERSION
from scenarios.record.marks import Mark, parse_mark
from scenarios.record.storage import damaged, read_head, unchanged
from scenarios.record.stream import read_parts, read_table
from scenarios.record.tables import TABLES


class RunRecord:
    """A record on disk. `head` is run.json; tables are read when asked for, and not kept.

    A record whose run was killed has the termination `interrupted` and all that was flushed. Raises RecordError for
    a folder that is no record, one of another schema version, or one that was damaged after it was closed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head: dict[str, Any] = read_head(folder / "run.json", SCHEMA_VERSION, "a run's record")

    @property
    def interrupted(self) -> bool:
        """Whether the run did not come to its own end."""
        return bool(self.head["termination"] != "complete")

    @cached_property
    def marks(self) -> list[Mark]:
        """Facts in order of (t_us, seq); of a killed run a last line that was cut off is left out."""
        path = self.folder / "marks.jsonl"
        unchanged(path, self.head)
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            lines = []
        except OSError as error:
            found = (error.strerror or str(error)).lower()
            raise damaged(path, found, "facts that can be read", "Check the folder.") from error
        marks = []
        for number, line in enumerate(lines, 1):
            try:
                if line:
                    marks.append(parse_mark(line.decode()))
            except (ValueError, TypeError, RecursionError) as error:
                if self.interrupted and number == len(lines):
                    break
                raise damaged(Path(f"{path}:{number}"), "a line that is not a fact", "one fact a line") from error
        self._whole("facts", len(marks), self.head.get("facts"))
        return sorted(marks, key=lambda m: (m.t_us, m.seq))

    def table(self, name: str) -> pa.Table:
        """Rows of a table; of an open stream all whole batches; empty if the run has none."""
        table = read_table(self.folder, name, TABLES[name], self.head)
        self._whole(name, len(table), self.head["rows"].get(name, 0) if "rows" in self.head else None)
        columns, schema = table.columns, table.schema
        del table
        for n in range(len(columns)):  # one after the other, so that the table is not in memory twice
            columns[n] = _whole_column(columns[n])
        pa.default_memory_pool().release_unused()
        return pa.table(columns, schema=schema)  # whoever takes a column need not copy it

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of a table part by part, in order: a table of millions of rows need not be in memory at once."""
        rows = 0
        for part in read_parts(self.folder, name, TABLES[name], self.head, columns):
            rows += part.num_rows
            yield part
        self._whole(name, rows, self.head["rows"].get(name, 0) if "rows" in self.head else None)
        pa.default_memory_pool().release_unused()

    def _whole(self, name: str, found: int, written: int | None) -> None:
        if written is not None and found != written:
            raise damaged(self.folder / name, f"{found} of {written} {name}", "all that the run wrote")


def _whole_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same in one piece."""
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.ChunkedArray) else pa.chunked_array([whole], type=column.type)
