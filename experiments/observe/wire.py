"""Messages that a child sends its parent up a pipe: one JSON object a line.

`{"mark": {"t_us", "kind", "subject", "detail", "source_t_us"}}` is a fact, `{"table": name, "columns": {...}}` rows of
a table, `{"ask": {...}}` a question to the person at the terminal. A histogram in a column is a list of [bin, count]. A
line that was cut off, because the child was killed, is left out.
"""

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from scenarios.record.kinds import KINDS
from scenarios.record.tables import TABLES
from scenarios.record.writer import Column, Recorder, batch

PIPE_BYTES = 1 << 20
FLUSH_S = 0.25  # rows wait so long at most before they are sent


class Sender:
    """The child's end. Rows are collected and sent by a thread of its own, so that no prober waits for the parent.

    When the parent is gone, `gone` is set and everything is thrown away: the child should end.
    """

    def __init__(self, descriptor: int, flush_s: float = FLUSH_S) -> None:
        self.gone = threading.Event()
        self._descriptor = descriptor
        self._flush_s = flush_s
        self._lines: list[str] = []
        self._rows: dict[str, dict[str, list[Any]]] = {}
        self._collecting = threading.Lock()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        with contextlib.suppress(OSError):  # as much room as we may have: a write must not wait for the parent
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Send a fact."""
        fact = {"t_us": t_us, "kind": kind, "subject": subject, "detail": detail, "source_t_us": source_t_us}
        with self._collecting:
            self._lines.append(json.dumps({"mark": fact}, separators=(",", ":")))

    def ask(self, question: Mapping[str, Any]) -> None:
        """Send a question to the person at the terminal, at once."""
        with self._collecting:
            self._lines.append(json.dumps({"ask": dict(question)}, separators=(",", ":")))
        self.now()

    def row(self, table: str, **values: Any) -> None:
        """Send one row; a table's rows must all name the same columns."""
        with self._collecting:
            columns = self._rows.setdefault(table, {name: [] for name in values})
            for name, value in values.items():
                columns[name].append(value)

    def block(self, table: str, columns: Mapping[str, list[Any]]) -> None:
        """Send rows that belong together, in order with the facts."""
        with self._collecting:
            self._lines.append(json.dumps({"table": table, "columns": columns}, separators=(",", ":")))

    def now(self) -> None:
        """Send everything; when this returns the parent can read it, whatever becomes of this process."""
        with self._writing:
            with self._collecting:
                lines, self._lines = self._lines, []
                rows, self._rows = self._rows, {}
            lines += [json.dumps({"table": t, "columns": c}, separators=(",", ":")) for t, c in rows.items()]
            if lines and not self.gone.is_set():
                self._write(("\n".join(lines) + "\n").encode())

    def close(self) -> None:
        """Send the rest and stop the thread."""
        self._closed.set()
        self._thread.join()
        self.now()

    def _run(self) -> None:
        while not self._closed.wait(self._flush_s):
            self.now()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:  # nobody reads any more
            self.gone.set()


class Remote:
    """A recorder of the child's: what it is given goes into the parent's record."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Send a fact, at once."""
        self._sender.mark(t_us, kind, subject, source_t_us=source_t_us, **detail)
        self._sender.now()

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Send rows of a table."""
        self._sender.block(table, batch(table, columns).to_pydict())


class Reader:
    """The parent's end: bytes in, whole messages out; `torn` counts whole lines that are no message."""

    def __init__(self) -> None:
        self._rest = b""
        self.torn = 0  # whole lines that are no message

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Whole messages; the beginning of the next one is kept."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = _message(line)
            if message is None:
                self.torn += 1
            else:
                yield message


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    if isinstance(message.get("ask"), dict):
        return message
    mark, table = message.get("mark"), message.get("table")
    if isinstance(mark, dict):
        known = mark.get("kind") in KINDS and type(mark.get("t_us")) is int and isinstance(mark.get("subject"), str)
        detail = mark.get("detail", {})
        known = known and isinstance(detail, dict) and all(name in detail for name in KINDS[mark["kind"]])
        return message if known else None
    columns = message.get("columns")
    if table in TABLES and isinstance(columns, dict) and set(columns) <= set(TABLES[table].names):
        return message if len({len(c) for c in columns.values()}) == 1 else None
    return None


def record(message: Mapping[str, Any], recorder: Recorder) -> None:
    """Append a fact or rows to a record; a question is none."""
    if "mark" in message:
        mark = message["mark"]
        detail = mark.get("detail", {})
        recorder.mark(mark["t_us"], mark["kind"], mark["subject"], source_t_us=mark.get("source_t_us"), **detail)
    elif "table" in message:
        recorder.append(message["table"], columns(message["table"], message["columns"]))


def columns(table: str, values: Mapping[str, list[Any]]) -> dict[str, pa.Array]:
    """Columns as a message holds them, with the types of the table."""
    schema = TABLES[table]
    return {name: _column(schema.field(name).type, column) for name, column in values.items()}


def _column(type_: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_list(type_):
        pairs = [[{"bin": b, "count": c} for b, c in histogram] for histogram in values]
        return pa.array(pairs, type=type_)
    if pa.types.is_dictionary(type_):
        return pa.array(values, type=pa.string()).dictionary_encode().cast(type_)
    return pa.array(values, type=type_)
