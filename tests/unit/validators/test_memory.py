"""How much of a record the judge reads, and how much memory it takes for that."""

import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from scenarios.record import stream
from scenarios.record.reader import RunRecord
from scenarios.record.tables import TABLES
from scenarios.record.writer import RunWriter
from tests import records
from tests.records import Run
from validators import packed
from validators.judge import judge
from validators.model import Judgement
from validators.observe import observe

WRITES = 400_000
LEDGER = ("writes_sent", "writes_done", "readback")


def test_of_writes_only_what_is_judged_is_read_and_only_once() -> None:
    run = Run()
    asked: list[tuple[str, tuple[str, ...]]] = []
    whole: list[str] = []

    def tables(name: str) -> pa.Table:
        whole.append(name)
        return run.table(name)

    def parts(name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        asked.append((name, tuple(columns)))
        table = run.table(name).select(columns)
        yield from (table.slice(first, 1_000) for first in range(0, len(table), 1_000))

    in_parts = judge(observe(run.head, run.marks, tables, parts))
    assert in_parts == judge(run.observations())
    assert sorted(asked) == [
        ("readback", ("data_class", "timeline", "key", "copies", "position")),
        ("writes_done", ("data_class", "key", "done_us", "outcome")),
        ("writes_sent", ("data_class", "seq", "key", "sent_us")),
    ]
    assert sorted(whole) == ["load", "probes", "samples"]


@pytest.mark.proves("judging a record takes at most 30 bytes of memory for each of its writes")
def test_memory_of_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ROW_GROUP", 10_000)  # so that what one block takes does not count
    monkeypatch.setattr(packed, "_BLOCK", 10_000)
    few = _peak_bytes(_kept(tmp_path / "few", Run()))
    monkeypatch.setattr(records, "WRITE_SPACING_US", records.us(records.END_S) // WRITES)
    run = Run()
    assert len(run.sent) == WRITES
    record = _kept(tmp_path / "many", run)
    assert _judged(record) == judge(run.observations())
    assert _peak_bytes(record) - few < 30 * WRITES


def _kept(folder: Path, run: Run) -> RunRecord:
    """A run's record on disk."""
    with RunWriter(folder, run.head) as writer:
        for mark in run.marks:
            writer.mark(mark.t_us, mark.kind, mark.subject, **mark.detail)
        for name in TABLES:
            for rows in run.table(name).to_batches(max_chunksize=10_000):
                writer.append(name, {column: rows[column] for column in rows.schema.names})
        writer.close("complete")
    return RunRecord(folder)


def _judged(record: RunRecord) -> Judgement:
    return judge(observe(record.head, record.marks, record.table, record.parts))


def _peak_bytes(record: RunRecord) -> int:
    """Most that Python, numpy and Arrow held at once while a record was judged."""
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        _judged(record)
        return tracemalloc.get_traced_memory()[1] + int(pool.max_memory())
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
