"""Writes of a class joined with what became of them: sent, acknowledged, found on which timeline.

Twelve million writes are joined in a few seconds: everything is a numpy array, nothing is done per row in Python. Each
table is read once, and only the columns that matter are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validators.columns import NONE, names, small, whole
from validators.marks import of_kind
from validators.model import Observations

I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
_DENSE = 4  # a table of marks is used when keys fill at least a quarter of their range
_BLOCK = 1 << 20  # rows


@dataclass(frozen=True)
class Done:
    """Ends of writes as their sender knows them; the earliest acknowledgement of each key counts."""

    acked_keys: I64
    acked_us: I64
    unknown_keys: I64  # timed out, and never acknowledged
    failed_keys: I64
    rows: int  # ends on record, of all classes


@dataclass(frozen=True)
class Found:
    """What was read back of one timeline. `asked` False: it was not read, so that what is missing is not lost."""

    keys: I64  # each row; a key may occur twice
    position: I64 | None  # None: rows stand in the order of their positions, all of which are known
    several_keys: I64  # those that one row says are there more than once
    absent_keys: I64  # asked for and not found (rows with no copies)
    asked: bool


@dataclass(frozen=True)
class Sent:
    """Writes sent, and those of one number that were sent under more than one key."""

    keys: I64
    sent_us: I64
    renamed_seq: I64
    renamed_keys: I64


def sent(observations: Observations, data_class: str) -> tuple[I64, I64]:
    """Keys and instants of the writes sent."""
    every = _sent(observations, data_class)
    return every.keys, every.sent_us


def renamed(observations: Observations, data_class: str) -> tuple[I64, I64]:
    """Numbers and keys of the writes that were sent under more than one key."""
    every = _sent(observations, data_class)
    return every.renamed_seq, every.renamed_keys


def _sent(observations: Observations, data_class: str) -> Sent:
    return observations.once(("sent", data_class), lambda: _read_sent(observations, data_class))


def _read_sent(observations: Observations, data_class: str) -> Sent:
    table = observations.tables("writes_sent")
    mine = _rows(names(table, "data_class").equal(data_class))
    seq, keys = whole(table, "seq")[mine], whole(table, "key")[mine]
    again = isin(seq, doubles(seq))
    pairs = np.unique(np.column_stack([seq[again], keys[again]]), axis=0)
    several = isin(pairs[:, 0], doubles(pairs[:, 0]))
    return Sent(keys, whole(table, "sent_us")[mine], pairs[several, 0], pairs[several, 1])


def _rows(mask: Bool) -> I64 | slice:
    """Rows of a mask; where they stand together, without a copy."""
    chosen = int(np.count_nonzero(mask))
    if chosen == 0:
        return slice(0, 0)
    first, end = int(mask.argmax()), len(mask) - int(mask[::-1].argmax())
    return slice(first, end) if end - first == chosen else np.flatnonzero(mask)


def done(observations: Observations, data_class: str) -> Done:
    """Ends of the writes of a class."""
    return observations.once(("done", data_class), lambda: _done(observations, data_class))


def _done(observations: Observations, data_class: str) -> Done:
    _readback(observations)  # the widest table first, while nothing else is held
    table = observations.tables("writes_done")
    mine = names(table, "data_class").equal(data_class)
    outcome, rows = names(table, "outcome"), table.num_rows
    keys, at = whole(table, "key"), whole(table, "done_us")
    del table
    chosen = mine & outcome.equal("acked")
    acked_keys, acked_us = keys[chosen], at[chosen]
    if np.any(np.diff(acked_us) < 0):
        order = np.argsort(acked_us, kind="stable")
        acked_keys, acked_us = acked_keys[order], acked_us[order]
    if has_doubles(acked_keys):
        _, earliest = np.unique(acked_keys, return_index=True)
        earliest.sort()
        acked_keys, acked_us = acked_keys[earliest], acked_us[earliest]
    unknown = keys[mine & outcome.equal("unknown")]
    unknown = np.unique(unknown[~isin(unknown, acked_keys)])
    return Done(acked_keys, acked_us, unknown, keys[mine & outcome.equal("failed")], rows)


@dataclass(frozen=True)
class _Rows:
    """What was read back of one class on one timeline."""

    keys: I64
    position: I64 | None  # None: rows stand in the order of their positions, all of which are known
    several_keys: I64
    absent_keys: I64


def _readback(observations: Observations) -> dict[tuple[str, str], _Rows]:
    return observations.once("readback", lambda: _split(observations))


def _split(observations: Observations) -> dict[tuple[str, str], _Rows]:
    """Everything that was read back by class and timeline; columns that tell nothing more are let go."""
    table = observations.tables("readback")
    classes, lines = names(table, "data_class"), names(table, "timeline")
    keys, copies, position = whole(table, "key"), small(table, "copies"), whole(table, "position")
    del table
    result = {}
    for data_class in classes.seen():
        for timeline in lines.seen():
            mine = _rows(classes.equal(data_class) & lines.equal(timeline))
            if len(keys[mine]):
                result[data_class, timeline] = _kept(keys[mine], copies[mine], position[mine])
    return result


def _kept(keys: I64, copies: NDArray[np.int32], position: I64) -> _Rows:
    absent, several = keys[copies <= 0], keys[copies > 1]
    if len(absent):
        keys, position = keys[copies > 0], position[copies > 0]
    ordered = all(
        bool((position[block] != NONE).all() and (np.diff(position[max(0, block.start - 1) : block.stop]) >= 0).all())
        for block in _blocks(len(keys))
    )
    return _Rows(keys, None if ordered else position, several, absent)


def found(observations: Observations, data_class: str, timeline: str | None) -> Found:
    """What was read back of a timeline."""
    none = np.zeros(0, dtype=np.int64)
    rows = _readback(observations).get((data_class, str(timeline)), _Rows(none, None, none, none))
    asked = any(m.detail["timeline"] == timeline for m in of_kind(observations, "readback_done"))
    return Found(rows.keys, rows.position, rows.several_keys, rows.absent_keys, asked)


def timelines(observations: Observations) -> list[str]:
    """Timelines that were read back, by rows or by the fact that they were."""

    def read() -> list[str]:
        rows = {timeline for _, timeline in _readback(observations)}
        return sorted({*rows, *(str(m.detail["timeline"]) for m in of_kind(observations, "readback_done"))})

    return observations.once("timelines", read)


def lookup(keys: I64, values: I64, wanted: I64, default: int) -> I64:
    """Value of each wanted key, the default for one that is not there; of a key that occurs twice, either value."""
    result = np.full(len(wanted), default, dtype=np.int64)
    if len(keys) == 0 or len(wanted) == 0:
        return result
    low, high = int(keys.min()), int(keys.max())
    if high - low < _DENSE * len(keys) + 1_000_000:
        table = values if _consecutive(keys) else np.full(high - low + 1, default, dtype=np.int64)
        if table is not values:
            for block in _blocks(len(keys)):
                table[keys[block] - low] = values[block]
        for block in _blocks(len(wanted)):
            inside = (wanted[block] >= low) & (wanted[block] <= high)
            result[block][inside] = table[wanted[block][inside] - low]
        return result
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order][place] == wanted, values[order][place], default)


def isin(values: I64, among: I64) -> Bool:
    """Which values are among others; by a table of marks (a byte a key) unless it were far larger than the keys."""
    if len(values) == 0 or len(among) == 0:
        return np.zeros(len(values), dtype=np.bool_)
    low, high = int(among.min()), int(among.max())
    if high - low < 8 * _DENSE * (len(among) + len(values)) + 1_000_000:
        table = _marked(among, low, high)
        result = np.zeros(len(values), dtype=np.bool_)
        for block in _blocks(len(values)):
            inside = (values[block] >= low) & (values[block] <= high)
            result[block][inside] = table[values[block][inside] - low]
        return result
    return np.isin(values, among)


def has_doubles(keys: I64) -> bool:
    """Whether a key occurs twice."""
    return len(doubles(keys)) > 0


def doubles(keys: I64) -> I64:
    """Keys that occur more than once, sorted."""
    if len(keys) < 2:
        return keys[:0]
    low, high = int(keys.min()), int(keys.max())
    if high - low < 8 * _DENSE * len(keys) + 1_000_000 and int(_marked(keys, low, high).sum()) == len(keys):
        return keys[:0]
    ordered = np.sort(keys)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _marked(keys: I64, low: int, high: int) -> Bool:
    """Table of marks from the lowest to the highest key."""
    table = np.zeros(high - low + 1, dtype=np.bool_)
    for block in _blocks(len(keys)):
        table[keys[block] - low] = True
    return table


def _consecutive(keys: I64) -> bool:
    """Whether each key is one more than the key before."""
    if int(keys[-1]) - int(keys[0]) + 1 != len(keys):
        return False
    blocks = (keys[max(0, block.start - 1) : block.stop] for block in _blocks(len(keys)))
    return all(bool((np.diff(part) == 1).all()) for part in blocks)


def _blocks(rows: int) -> Iterator[slice]:
    """Rows in blocks, so that what is computed on the way takes no memory that counts."""
    return (slice(first, min(rows, first + _BLOCK)) for first in range(0, rows, _BLOCK))


def in_order(found_: Found) -> I64:
    """Keys in the order of their positions in the log, of those whose position is known (declared history has none)."""
    if found_.position is None:
        return found_.keys
    known = found_.position != NONE
    return np.asarray(found_.keys[known][np.argsort(found_.position[known], kind="stable")])
