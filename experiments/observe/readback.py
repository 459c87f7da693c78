"""After the run, before anything is rewound: what each timeline of the database holds, and what the copies hold.

Each region's database is asked at its own address. The surviving timeline is that of the last promotion, else the
newest that a primary is on. Orders that live only on a losing timeline are the reconciliation list: there is one only
when every timeline of the run was read to its end, for a list that lacks orders, or lists wrong ones, looks whole.
"""

import asyncio
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.observe.clock import Clock
from experiments.observe.database import Session, State
from experiments.observe.http import get
from experiments.observe.names import PROBE_KEYS
from experiments.observe.settings import Where
from scenarios.errors import GamedayError, Problem
from scenarios.record.storage import replace_file
from scenarios.record.stream import read_table
from scenarios.record.tables import TABLES
from scenarios.record.writer import MemoryRecorder, Recorder

TRANSACTIONS = "transactions"
ANSWER_S = 10.0
AGAIN_S = 1.0
CSV = "reconciliation.csv"
CSV_COLUMNS = ("timeline", "key", "seq", "sent_us", "acknowledged", "position")


class NotReadError(GamedayError, RuntimeError):
    """A timeline cannot be read, and must not be rewound."""


@dataclass(frozen=True)
class Timeline:
    """A timeline that can be read: its name, and the region whose database holds it."""

    name: str
    region: str
    number: int

    @staticmethod
    def named(name: str) -> "Timeline":
        """The one of a name, in the region where it began."""
        region, _, number = name.rpartition("/")
        return Timeline(name, region, int(number))


@dataclass(frozen=True)
class ReadBack:
    """What was read. `survives`: name of the timeline, None when it is not known; `unread`: regions without answer.

    `gone`: timelines that were in the run, in words, and that no database that answers holds any more.
    """

    survives: str | None
    read: tuple[str, ...]
    unread: tuple[str, ...]
    gone: tuple[str, ...] = ()

    @property
    def unlisted(self) -> str:
        """Why there can be no list of the orders that live only on losing timelines; empty: there can be one."""
        if self.survives is None:
            return "which timeline survives is not known"
        if self.survives not in self.read:
            return f"{self.survives}, which survives, was not read back to its end"
        if self.unread:
            return f"{' and '.join(self.unread)} was not read back to its end"
        return f"{' and '.join(self.gone)} was rewound before it was read back" if self.gone else ""

    def each(self, change: Callable[[str], str]) -> "ReadBack":
        """Return it with every text changed: what is written must not hold a credential."""
        survives = None if self.survives is None else change(self.survives)
        return ReadBack(survives, *(tuple(map(change, names)) for names in (self.read, self.unread, self.gone)))

    def head(self) -> dict[str, Any]:
        """What the head of the record says of it."""
        return {"surviving_timeline": self.survives, **({"unlisted": self.unlisted} if self.unlisted else {})}


@dataclass(frozen=True)
class Question:
    """What is to be read. `promoted`: timelines that were seen to begin in the run, in order; keys from `first_key`.

    `known`: timelines that were read to their end before, and are not read again.
    """

    home: str
    first_key: int
    promoted: Sequence[str]
    classes: Sequence[str]
    within_s: float = 30.0  # a database that does not answer by then is left out
    known: Sequence[str] = ()

    @staticmethod
    def of(watchers: Mapping[str, Any], promoted: Sequence[str], known: Sequence[str] = ()) -> "Question":
        """From the settings of the watchers."""
        return Question(watchers["home"], watchers["first_key"], promoted, watchers["copies"], known=known)

    def has_all_of(self, region: str) -> bool:
        """Whether the last timeline that a region's database wrote is known: what it holds now is another's."""
        own = [name for name in self.promoted if name.rpartition("/")[0] == region]
        return own[-1] in self.known if own else any(Timeline.named(name).region == region for name in self.known)


def read_back(where: Where, clock: Clock, recorder: Recorder, question: Question) -> ReadBack:
    """Read every timeline into the record. What does not answer is left out and said; nothing raises."""
    return asyncio.run(_Reading(where, clock, recorder, question).run())


def read_timeline(where: Where, clock: Clock, recorder: Recorder, question: Question, region: str) -> Timeline | None:
    """Read the timeline that a region's database has written, into the record all at once or not at all.

    Returns nothing for a database in recovery: it has written none.

    Raises NotReadError when the database does not answer to its end.
    """
    rows = MemoryRecorder()
    timeline = asyncio.run(_Reading(where, clock, rows, question).one(region))
    for part in rows.batches["readback"]:
        recorder.append("readback", dict(zip(part.schema.names, part.columns, strict=True)))
    for mark in rows.marks:
        recorder.mark(mark.t_us, mark.kind, mark.subject, **mark.detail)
    return timeline


def timelines(states: Mapping[str, State | None], home: str) -> list[Timeline]:
    """Timelines to read: one for each database outside recovery; a standby is read only where its primary is not."""
    answered = {r: s for r, s in states.items() if s is not None}
    primaries = {r: s for r, s in answered.items() if not s.in_recovery}
    found = [Timeline(f"{r}/{s.timeline}", r, s.timeline) for r, s in primaries.items()]
    numbers = {t.number for t in found}
    for region, state in answered.items():
        if state.in_recovery and state.timeline not in numbers:
            numbers.add(state.timeline)
            found.append(Timeline(f"{home}/{state.timeline}", region, state.timeline))
    return sorted(found, key=lambda t: t.number)


def survivor(found: Sequence[Timeline], promoted: Sequence[str]) -> str | None:
    """Name of the timeline that survives; None when nothing was promoted and no database answers."""
    newest = max(found, key=lambda t: t.number, default=None)
    if not promoted:
        return newest.name if newest else None
    last = promoted[-1]
    return newest.name if newest and newest.number > int(last.rpartition("/")[2]) else last


def gone(found: Sequence[Timeline], promoted: Sequence[str], home: str) -> tuple[str, ...]:
    """Timelines that a promotion left behind and that no database holds any more, in words.

    Args:
        found: what can be read.
        promoted: timelines that began in the run, in order; the first of them left one behind that was not promoted.
        home: region of that one.
    """
    if not promoted:
        return ()
    names, first = {t.name for t in found}, int(promoted[0].rpartition("/")[2])
    older = () if any(t.number < first for t in found) else (f"{home}'s timeline before {promoted[0]}",)
    return (*older, *(name for name in promoted[:-1] if name not in names))


class _Reading:
    def __init__(self, where: Where, clock: Clock, recorder: Recorder, question: Question) -> None:
        self._where, self._clock, self._recorder, self._question = where, clock, recorder, question
        self._sessions = {r: Session(*where.database(r), ANSWER_S) for r in where.places}

    async def run(self) -> ReadBack:
        regions = list(self._sessions)
        states = dict(zip(regions, await asyncio.gather(*map(self._state, regions)), strict=True))
        found = timelines(states, self._question.home)
        survives = survivor(found, self._question.promoted)
        begun_us = self._clock.now_us()
        known = self._question.known
        read = [*known, *[t.name for t in found if t.name not in known and await self._orders(t)]]
        silent = [r for r, s in states.items() if s is None and not self._question.has_all_of(r)]
        unread = silent + [t.region for t in found if t.name not in read]
        for region in unread:
            now_us = self._clock.now_us()
            what = f"readback/{region}"
            self._recorder.mark(now_us, "observer_gap", "readback", what=what, from_us=begun_us, to_us=now_us)
        if survives is not None:
            for data_class in self._question.classes:
                await self._copies(data_class, survives)
        for session in self._sessions.values():
            session.drop()
        lost = gone([*map(Timeline.named, known), *found], self._question.promoted, self._question.home)
        return ReadBack(survives, tuple(read), tuple(dict.fromkeys(unread)), lost)

    async def one(self, region: str) -> Timeline | None:
        """Read the timeline of one region's database; nothing when it is in recovery. Raises NotReadError."""
        state = await self._state(region)
        timeline = None if state is None else Timeline(f"{region}/{state.timeline}", region, state.timeline)
        read = state is not None and (state.in_recovery or (timeline is not None and await self._orders(timeline)))
        self._sessions[region].drop()
        if not read or state is None:
            remedy = "Look why it does not answer; `gameday undo --home` reads it, and brings the primary home."
            raise NotReadError(
                Problem(f"database of {region}", "no answer", "all its orders, before it is given up", remedy)
            )
        return None if state.in_recovery else timeline

    async def _state(self, region: str) -> State | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._question.within_s
        while (state := await self._sessions[region].state()) is None and loop.time() < until:
            await asyncio.sleep(AGAIN_S)
        return state

    async def _orders(self, timeline: Timeline) -> bool:
        """Read all orders of a timeline. Returns whether it was read to its end."""
        try:
            async for rows in self._sessions[timeline.region].orders(self._question.first_key - 1, PROBE_KEYS):
                keys, copies, positions = zip(*rows, strict=True)
                self._found(TRANSACTIONS, timeline.name, keys, copies, positions)
        except TimeoutError:
            return False
        self._recorder.mark(self._clock.now_us(), "readback_done", timeline.name, timeline=timeline.name)
        return True

    def _found(
        self,
        data_class: str,
        timeline: str,
        keys: Sequence[int],
        copies: Sequence[int],
        positions: Sequence[int | None],
    ) -> None:
        self._recorder.append(
            "readback",
            {
                "data_class": data_class,
                "timeline": timeline,
                "key": np.array(keys, dtype=np.int64),
                "copies": np.array(copies, dtype=np.int32),
                "position": pa.array(positions, type=pa.int64()),
                "read_us": np.full(len(keys), self._clock.now_us(), dtype=np.int64),
            },
        )

    async def _copies(self, data_class: str, survives: str) -> None:
        """Items of a copied class: all that any region knows were written, those of the surviving region are there."""
        items = {r: await self._items(r, data_class) for r in self._where.places}
        written = {seq: us for every in items.values() for seq, us in every if self._clock.of_epoch(us) >= 0}
        if not written:
            return
        seqs = np.array(sorted(written), dtype=np.int64)
        at = np.array([self._clock.of_epoch(written[s]) for s in seqs.tolist()], dtype=np.int64)
        self._recorder.append("writes_sent", {"data_class": data_class, "seq": seqs, "key": seqs, "sent_us": at})
        ends = {"data_class": data_class, "key": seqs, "done_us": at, "outcome": "acked"}
        self._recorder.append("writes_done", ends)
        there = [seq for seq, _ in items.get(survives.partition("/")[0], ()) if seq in written]
        if there:
            self._found(data_class, survives, there, [1] * len(there), [None] * len(there))

    async def _items(self, region: str, data_class: str) -> list[tuple[int, int]]:
        address, port = self._where.places[region], self._where.ports["copies"]
        response = await get(address, port, f"/copies/{data_class}", ANSWER_S)
        found = response.json() if response.code == 200 else None
        return [(int(seq), int(us)) for seq, us in found] if isinstance(found, list) else []


def reconcile(folder: Path, head: Mapping[str, Any], read: ReadBack) -> int | None:
    """Write the orders that live only on losing timelines beside the record; return how many there are.

    The file is there also when it lists nothing: that was looked for and not found. Without `read.unlisted` only:
    else there is no file, and None is returned.
    """
    (folder / CSV).unlink(missing_ok=True)
    if read.unlisted or read.survives is None:
        return None

    def table(name: str) -> pa.Table:
        rows = read_table(folder, name, TABLES[name], head)
        return rows.filter(pc.equal(rows["data_class"].cast(pa.string()), TRANSACTIONS))

    found, sent, done = table("readback"), table("writes_sent"), table("writes_done")
    names = found["timeline"].cast(pa.string())
    kept = found.filter(pc.equal(names, read.survives))["key"]
    only = found.filter(pc.and_(pc.not_equal(names, read.survives), pc.invert(pc.is_in(found["key"], kept))))
    numbers = {k: (s, t) for k, s, t in zip(*(sent[c].to_pylist() for c in ("key", "seq", "sent_us")), strict=True)}
    acked = set(done.filter(pc.equal(done["outcome"].cast(pa.string()), "acked"))["key"].to_pylist())
    rows = sorted(zip(*(only[c].to_pylist() for c in ("timeline", "key", "position")), strict=True))
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow(CSV_COLUMNS)
    for timeline, key, position in rows:
        seq, sent_us = numbers.get(key, (None, None))
        writer.writerow([timeline, key, seq, sent_us, "yes" if key in acked else "no", position])
    replace_file(folder / CSV, lines.getvalue().encode())
    return len(rows)
