"""Writes of a class joined with what became of them: sent, acknowledged, found on which timeline.

Twelve million writes are joined in a few seconds: everything is a numpy array, nothing is done per row in Python. Each
table is read once, and only the columns that matter are kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validators.columns import NONE, Names, names, small, whole
from validators.marks import of_kind
from validators.model import Observations

I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
_DENSE = 4  # a table of marks is used when keys fill at least a quarter of their range


@dataclass(frozen=True)
class Done:
    """Ends of writes as their sender knows them; the earliest acknowledgement of each key counts."""

    acked_keys: I64
    acked_us: I64
    unknown_keys: I64  # timed out, and never acknowledged
    failed_keys: I64


@dataclass(frozen=True)
class Found:
    """What was read back of one timeline. `asked` False: it was not read, so that what is missing is not lost."""

    keys: I64  # each row; a key may occur twice
    copies: NDArray[np.int32]
    position: I64
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
    places = np.flatnonzero(mask)
    if len(places) == 0:
        return slice(0, 0)
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else places


def done(observations: Observations, data_class: str) -> Done:
    """Ends of the writes of a class."""
    return observations.once(("done", data_class), lambda: _done(observations, data_class))


def _done(observations: Observations, data_class: str) -> Done:
    table = observations.tables("writes_done")
    mine = names(table, "data_class").equal(data_class)
    outcome = names(table, "outcome")
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
    return Done(acked_keys, acked_us, unknown, keys[mine & outcome.equal("failed")])


@dataclass(frozen=True)
class _Readback:
    """Columns of everything that was read back."""

    data_class: Names
    timeline: Names
    keys: I64
    copies: NDArray[np.int32]
    position: I64


def _readback(observations: Observations) -> _Readback:
    def read() -> _Readback:
        table = observations.tables("readback")
        named = names(table, "data_class"), names(table, "timeline")
        return _Readback(*named, whole(table, "key"), small(table, "copies"), whole(table, "position"))

    return observations.once("readback", read)


def found(observations: Observations, data_class: str, timeline: str | None) -> Found:
    """What was read back of a timeline."""
    return observations.once(("found", data_class, timeline), lambda: _found(observations, data_class, timeline))


def _found(observations: Observations, data_class: str, timeline: str | None) -> Found:
    every = _readback(observations)
    mask = every.data_class.equal(data_class)
    mask &= every.timeline.equal(timeline) if timeline is not None else False
    mine = _rows(mask)
    keys, copies, position = every.keys[mine], every.copies[mine], every.position[mine]
    asked = any(m.detail["timeline"] == timeline for m in of_kind(observations, "readback_done"))
    there = _rows(copies > 0)
    absent = keys[copies <= 0]
    return Found(keys[there], copies[there], position[there], absent, asked)


def timelines(observations: Observations) -> list[str]:
    """Timelines that were read back, by rows or by the fact that they were."""

    def read() -> list[str]:
        rows = _readback(observations).timeline.seen()
        return sorted({*rows, *(str(m.detail["timeline"]) for m in of_kind(observations, "readback_done"))})

    return observations.once("timelines", read)


def lookup(keys: I64, values: I64, wanted: I64, default: int) -> I64:
    """Value of each wanted key, the default for one that is not there; of a key that occurs twice, either value."""
    if len(keys) == 0 or len(wanted) == 0:
        return np.full(len(wanted), default, dtype=np.int64)
    low, high = int(keys.min()), int(keys.max())
    if high - low < _DENSE * len(keys) + 1_000_000:
        table = np.full(high - low + 1, default, dtype=np.int64)
        table[keys - low] = values
        result = table[np.clip(wanted, low, high) - low]
        result[(wanted < low) | (wanted > high)] = default
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
        table = np.zeros(high - low + 1, dtype=np.bool_)
        table[among - low] = True
        inside = (values >= low) & (values <= high)
        result = np.zeros(len(values), dtype=np.bool_)
        result[inside] = table[values[inside] - low]
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
    if high - low < _DENSE * len(keys) + 1_000_000:
        counts = np.bincount(keys - low)
        return np.flatnonzero(counts > 1).astype(np.int64) + low
    ordered = np.sort(keys)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def positions_known(found_: Found) -> Bool:
    """Rows whose position in the log is known (declared history has none)."""
    return np.asarray(found_.position != NONE)
