"""Writes of a class joined with what became of them: sent, acknowledged, found on which timeline.

Twelve million writes are joined in a few seconds: everything is an array, nothing is done per row in Python. Each table
is read once, part by part, and only the columns that matter are read and kept, packed.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from validators.columns import NONE, names, small, whole
from validators.marks import of_kind
from validators.model import Observations
from validators.packed import Packed, Packing, doubles, isin, pack

I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
SENT = ("data_class", "seq", "key", "sent_us")
DONE = ("data_class", "key", "done_us", "outcome")
SECOND_US = 1_000_000
READBACK = ("data_class", "timeline", "key", "copies", "position")
_NONE: I64 = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Done:
    """Ends of writes as their sender knows them; the earliest acknowledgement of each key counts."""

    acked_keys: Packed
    acked_us: Packed  # in order of time
    unknown_keys: Packed  # timed out, and never acknowledged; sorted
    failed_keys: Packed
    rows: int  # ends on record, of all classes
    ended: I64  # ends in each second of the run, however they were


@dataclass(frozen=True)
class Found:
    """What was read back of one timeline. `asked` False: it was not read, so that what is missing is not lost."""

    keys: Packed  # each row; a key may occur twice
    ordered: bool  # rows stand in the order of their positions, all of which are known
    several_keys: I64  # those that one row says are there more than once
    absent_keys: I64  # asked for and not found (rows with no copies)
    asked: bool


@dataclass(frozen=True)
class Sent:
    """Writes sent, and those of one number that were sent under more than one key."""

    keys: Packed
    sent_us: Packed
    renamed_seq: I64
    renamed_keys: I64


def sent(observations: Observations, data_class: str) -> tuple[Packed, Packed]:
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
    growing = {name: Packing() for name in ("seq", "key", "sent_us")}
    for part in observations.parts("writes_sent", SENT):
        mine = _rows(names(part, "data_class").equal(data_class))
        for name, packing in growing.items():
            packing.append(whole(part, name)[mine])
    seq, keys, sent_us = (packing.end() for packing in growing.values())
    again = isin(seq, doubles(seq))
    pairs = np.unique(np.column_stack([seq.where(again).values(), keys.where(again).values()]), axis=0)
    several = isin(pairs[:, 0], doubles(pairs[:, 0]))
    return Sent(keys, sent_us, pairs[several, 0], pairs[several, 1])


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
    acked, acked_us, unknown, failed = Packing(), Packing(), Packing(), Packing()
    ended = np.zeros(observations.duration_us // SECOND_US + 1, dtype=np.int64)
    rows, last_us, ordered = 0, NONE, True
    for part in observations.parts("writes_done", DONE):
        rows += part.num_rows
        mine, outcome, keys = names(part, "data_class").equal(data_class), names(part, "outcome"), whole(part, "key")
        chosen = _rows(mine & outcome.equal("acked"))
        done_us = whole(part, "done_us")
        second = done_us[_rows(mine)] // SECOND_US
        ended += np.bincount(second[(second >= 0) & (second < len(ended))], minlength=len(ended))
        at = done_us[chosen]
        if len(at):
            ordered = ordered and int(at[0]) >= last_us and not np.any(np.diff(at) < 0)
            last_us = int(at[-1])
        acked.append(keys[chosen])
        acked_us.append(at)
        unknown.append(keys[_rows(mine & outcome.equal("unknown"))])
        failed.append(keys[_rows(mine & outcome.equal("failed"))])
    keys_, at_ = _earliest(acked.end(), acked_us.end(), ordered=ordered)
    timed_out = unknown.end()
    never = np.unique(timed_out.where(~isin(timed_out, keys_)).values())
    return Done(keys_, at_, pack(never), failed.end(), rows, ended)


def _earliest(keys: Packed, at: Packed, *, ordered: bool) -> tuple[Packed, Packed]:
    """Acknowledgements in order of time, of each key the first."""
    if not ordered:
        order = np.argsort(at.values(), kind="stable")
        keys, at = pack(keys.values()[order]), pack(at.values()[order])
    if len(doubles(keys)):
        _, first = np.unique(keys.values(), return_index=True)
        first.sort()
        keys, at = pack(keys.values()[first]), pack(at.values()[first])
    return keys, at


@dataclass(frozen=True)
class _Rows:
    """What was read back of one class on one timeline."""

    keys: Packed
    ordered: bool
    several_keys: I64
    absent_keys: I64


@dataclass
class _Growing:
    """The same while it is read."""

    keys: Packing = field(default_factory=Packing)
    several: list[I64] = field(default_factory=lambda: [_NONE])
    absent: list[I64] = field(default_factory=lambda: [_NONE])
    last: int = NONE
    ordered: bool = True

    def add(self, keys: I64, copies: NDArray[np.int32], position: I64) -> None:
        """Take rows."""
        self.several.append(keys[copies > 1])
        if not (copies > 0).all():
            self.absent.append(keys[copies <= 0])
            keys, position = keys[copies > 0], position[copies > 0]
        if len(position):
            follows = int(position[0]) >= self.last and not np.any(np.diff(position) < 0)
            self.ordered = self.ordered and follows and not np.any(position == NONE)
            self.last = int(position[-1])
        self.keys.append(keys)

    def end(self) -> _Rows:
        """Return what was read. Positions mostly tell nothing more than the order of rows: they are not kept."""
        return _Rows(self.keys.end(), self.ordered, np.concatenate(self.several), np.concatenate(self.absent))


def _readback(observations: Observations) -> dict[tuple[str, str], _Rows]:
    return observations.once("readback", lambda: _split(observations))


def _split(observations: Observations) -> dict[tuple[str, str], _Rows]:
    """Everything that was read back by class and timeline."""
    growing: dict[tuple[str, str], _Growing] = {}
    for part in observations.parts("readback", READBACK):
        classes, lines = names(part, "data_class"), names(part, "timeline")
        keys, copies, position = whole(part, "key"), small(part, "copies"), whole(part, "position")
        for data_class in classes.seen():
            for timeline in lines.seen():
                mine = _rows(classes.equal(data_class) & lines.equal(timeline))
                if len(keys[mine]):
                    read = growing.setdefault((data_class, timeline), _Growing())
                    read.add(keys[mine], copies[mine], position[mine])
    return {name: read.end() for name, read in growing.items()}


def found(observations: Observations, data_class: str, timeline: str | None) -> Found:
    """What was read back of a timeline."""
    nothing = _Rows(pack(_NONE), True, _NONE, _NONE)
    rows = _readback(observations).get((data_class, str(timeline)), nothing)
    asked = any(m.detail["timeline"] == timeline for m in of_kind(observations, "readback_done"))
    return Found(rows.keys, rows.ordered, rows.several_keys, rows.absent_keys, asked)


def timelines(observations: Observations) -> list[str]:
    """Timelines that were read back, by rows or by the fact that they were."""

    def read() -> list[str]:
        rows = {timeline for _, timeline in _readback(observations)}
        return sorted({*rows, *(str(m.detail["timeline"]) for m in of_kind(observations, "readback_done"))})

    return observations.once("timelines", read)


def in_order(observations: Observations, data_class: str, timeline: str | None) -> Packed:
    """Keys in the order of their positions in the log, of those whose position is known (declared history has none).

    Positions are read anew where rows do not stand in their order.
    """
    read = found(observations, data_class, timeline)
    if read.ordered:
        return read.keys
    growing = Packing()
    for part in observations.parts("readback", (*READBACK[:2], "copies", "position")):
        mine = names(part, "data_class").equal(data_class) & names(part, "timeline").equal(str(timeline))
        growing.append(whole(part, "position")[mine & (small(part, "copies") > 0)])
    position = growing.end().values()
    known = position != NONE
    order = np.argsort(position[known], kind="stable")
    return pack(read.keys.values()[known][order])
