"""Reading a record, closed or not."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.errors import Problem, RecordError
from scenarios.record.kinds import SCHEMA_VERSION
from scenarios.record.marks import Mark, parse_mark
from scenarios.record.tables import TABLES


class RunRecord:
    """A record on disk. `head` is run.json; tables are read when asked for.

    A record whose run was killed has the termination `interrupted` and all that was flushed. Raises RecordError for
    a folder that is no record, one of another schema version, or one that was damaged after it was closed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "run.json"
        try:
            head = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            found = getattr(error, "strerror", None) or "something that is not JSON"
            raise _damaged(path, found.lower(), "the head of a run's record", "Give the folder of a run.") from error
        if not isinstance(head, dict) or "schema_version" not in head or "termination" not in head:
            raise _damaged(
                path, "JSON that is not the head of a record", "the head of a run's record", "Give the folder of a run."
            )
        if (version := head["schema_version"]) != SCHEMA_VERSION:
            newer = isinstance(version, int) and version > SCHEMA_VERSION
            raise _damaged(
                path,
                f"schema version {version}" + (", which is newer than this program" if newer else ""),
                f"schema version {SCHEMA_VERSION}",
                "Read it with the version of gameday that wrote it (`versions` in run.json), or a newer one.",
            )
        if head["termination"] == "open":
            head["termination"] = "interrupted"
        self.head: dict[str, Any] = head

    @property
    def interrupted(self) -> bool:
        """Whether the run did not come to its own end."""
        return bool(self.head["termination"] != "complete")

    @cached_property
    def marks(self) -> list[Mark]:
        """Facts in order of (t_us, seq); of a killed run a last line that was cut off is left out."""
        path = self.folder / "marks.jsonl"
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise _damaged(
                path, (error.strerror or str(error)).lower(), "facts that can be read", "Check the folder."
            ) from error
        marks = []
        for number, line in enumerate(lines, 1):
            try:
                if line:
                    marks.append(parse_mark(line.decode()))
            except (ValueError, TypeError, RecursionError) as error:
                if self.interrupted and number == len(lines):
                    break
                raise _damaged(
                    Path(f"{path}:{number}"), "a line that is not a fact", "one fact a line", _REMEDY
                ) from error
        self._whole("facts", len(marks), self.head.get("facts"))
        return sorted(marks, key=lambda m: (m.t_us, m.seq))

    def table(self, name: str) -> pa.Table:
        """Rows of a table; of an open stream all whole batches; empty if the run has none."""
        closed, stream = self.folder / f"{name}.parquet", self.folder / f"{name}.arrows"
        if closed.exists():
            try:
                table = pq.read_table(closed, schema=TABLES[name], memory_map=True)
            except (pa.ArrowException, OSError) as error:
                raise _damaged(closed, str(error).splitlines()[0][:120], "a table of the record", _REMEDY) from error
        else:
            table = _whole_batches(stream, TABLES[name]) if stream.exists() else TABLES[name].empty_table()
        self._whole(name, len(table), self.head.get("rows", {}).get(name, 0) if "rows" in self.head else None)
        return table

    def _whole(self, name: str, found: int, written: int | None) -> None:
        if written is not None and found != written:
            raise _damaged(self.folder / name, f"{found} of {written} {name}", "all that the run wrote", _REMEDY)


_REMEDY = "The record was changed after it was closed: take it from a backup, or play the run again."


def _whole_batches(stream: Path, schema: pa.Schema) -> pa.Table:
    """Batches of a stream up to where it was cut off."""
    batches = []
    try:
        with pa.OSFile(str(stream), "rb") as file, pa.ipc.open_stream(file) as reader:
            batches.extend(reader)
    except (pa.ArrowException, OSError):
        pass  # cut off in the middle of a batch, or of the stream's own head: what was whole is kept
    return pa.Table.from_batches(batches, schema=schema)


def _damaged(path: Path, found: str, expected: str, remedy: str) -> RecordError:
    return RecordError(Problem(str(path), found, expected, remedy))
