"""After the run: what is found on each timeline of the database, and the history declared before it."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.record.writer import Recorder
from sim.control.roles import Timeline
from sim.ledger import Ledger

I64 = NDArray[np.int64]
CLASS = "transactions"


def read_back(recorder: Recorder, every: Sequence[Timeline], history: I64, ledger: Ledger, end_us: int) -> None:
    """Append the declared history (times, us) to the writes, and what each timeline holds to `readback`."""
    keys = np.arange(len(history), dtype=np.int64) - len(history)
    if len(history):
        recorder.append("writes_sent", {"data_class": CLASS, "key": keys, "seq": keys, "sent_us": history})
        recorder.append("writes_done", {"data_class": CLASS, "key": keys, "done_us": history, "outcome": "acked"})
    timelines = {t.name: t for t in every}
    for timeline in timelines.values():
        if timeline.history_until_us is not None:
            _found(recorder, timeline.name, keys[history < timeline.history_until_us], None, end_us)
        for positions, found in _rows(timeline, timelines, ledger):
            orders = found >= 0  # a probe's own rows are nobody's order
            _found(recorder, timeline.name, found[orders], positions[orders], end_us)


def _found(recorder: Recorder, timeline: str, keys: I64, positions: I64 | None, end_us: int) -> None:
    rows = len(keys)
    if rows:
        recorder.append(
            "readback",
            {
                "data_class": CLASS,
                "timeline": timeline,
                "key": keys,
                "copies": np.ones(rows, dtype=np.int32),
                "position": pa.nulls(rows, pa.int64()) if positions is None else positions,
                "read_us": np.full(rows, end_us, dtype=np.int64),
            },
        )


def _rows(timeline: Timeline, known: dict[str, Timeline], ledger: Ledger) -> Iterator[tuple[I64, I64]]:
    """Positions and keys that a timeline holds, its oldest ancestor's first."""
    for number, first, last in _lineage(timeline, known):
        yield from ledger.read(number, first, last)


def _lineage(timeline: Timeline, known: dict[str, Timeline]) -> list[tuple[int, int, int | None]]:
    """(database, first, last) of the rows that a timeline holds, its oldest ancestor's first."""
    parts = [(timeline.database, timeline.first, timeline.last)]
    if timeline.kept:
        parts.append((timeline.database, 0, timeline.kept))
    parent, limit = timeline.parent, timeline.fork_position
    while parent is not None:
        before = known[parent]
        last = limit if before.last is None else min(limit, before.last)
        parts.append((before.database, before.first, last))
        parent, limit = before.parent, min(limit, before.fork_position)
    return parts[::-1]
