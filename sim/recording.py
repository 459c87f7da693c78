"""From what the planes did to the tables of the record."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.control.context import Context
from sim.control.roles import Timeline
from sim.data.commands import Outcome, Status
from sim.data.plane import Chunk, LoadRows
from sim.goodness import Goodness
from sim.ledger import Ledger

I64 = NDArray[np.int64]
SECOND = 1_000_000_000
_OUTCOMES = {Outcome.OK: "acked", Outcome.FAILED: "failed", Outcome.UNKNOWN: "unknown"}
_WORDS = ("2xx", "5xx", "timeout", "refused", "no_address")
_WORD_OF = {
    Status.OK: 0,
    Status.TIMEOUT: 2,
    Status.REFUSED: 3,
    Status.RESET: 3,
    Status.NO_ENDPOINT: 3,
    Status.NO_ADDRESS: 4,
}
_USERS = ("dns", "direct", "stale")
_SILENT = (Status.TIMEOUT, Status.REFUSED, Status.RESET, Status.NO_ENDPOINT, Status.NO_ADDRESS)


def name_column(indices: I64, values: Sequence[str]) -> pa.Array:
    """Dictionary column; an index of -1 is null."""
    codes = indices.astype(np.int32)
    mask = codes < 0
    array = pa.array(codes, mask=mask) if mask.any() else pa.array(codes)
    return pa.DictionaryArray.from_arrays(array, pa.array(list(values), pa.string()))


def constant(value: str, rows: int) -> pa.Array:
    """Column of one name."""
    return name_column(np.zeros(rows, dtype=np.int32), [value])


class Recording:
    """Writes one trial's facts; `flush` is called at whole seconds of the clock."""

    def __init__(self, context: Context) -> None:
        names = context.names
        self._context = context
        self._recorder = context.recorder
        self._classes = names.classes
        self._regions = names.regions
        self._stations = [
            name for name, _ in sorted(((f"{r}/{s}", n) for (r, s), n in names.station.items()), key=lambda x: x[1])
        ]
        self._station_region = np.array([names.regions.index(s.partition("/")[0]) for s in self._stations] + [-1])
        self._pods = [
            p
            for _, p in sorted(
                (place, f"{r}/{s}/{i}")
                for (r, s), n in names.station.items()
                for i, place in enumerate(names.replicas[n])
            )
        ]
        self._of_class = {f: self._codes(f) for f in ("client", "route", "service")}
        self._ages = self._greatest_ages()
        deciding = {c.service: c.spacing_ns for c in names.classes if c.route == "dns"}
        self.goodness = Goodness(deciding | {"page": 10 * SECOND})
        self._ledger = Ledger()
        self._sampled_to_s = 0
        self._sent = 0
        self.counts = {"requests": 0, "probes": 0}

    def _codes(self, field: str) -> tuple[I64, list[str]]:
        values = [getattr(c, field) for c in self._classes]
        unique = sorted(set(values))
        return np.array([unique.index(v) for v in values], dtype=np.int32), unique

    def _greatest_ages(self) -> I64:
        """Greatest age of the data in a right answer, by class; -1: any."""
        services = self._context.topology.services
        ages = [services[c.service].probe.greatest_age_us if c.service in services else None for c in self._classes]
        return np.array([-1 if a is None else a for a in ages], dtype=np.int64)

    # --- during the run

    def sent(self, arrivals_ns: I64) -> None:
        """Orders sent, in order of their keys."""
        count = len(arrivals_ns)
        if count:
            keys = np.arange(self._sent, self._sent + count, dtype=np.int64)
            self._sent += count
            self.counts["requests"] += count
            self._recorder.append(
                "writes_sent",
                {
                    "data_class": constant("transactions", count),
                    "seq": keys,
                    "key": keys,
                    "sent_us": arrivals_ns // 1_000,
                },
            )

    def flush(self, chunk: Chunk, now_ns: int) -> None:
        """Append everything of a chunk, the test pages, and the samples up to now."""
        if count := len(chunk.finished_index):
            self._recorder.append(
                "writes_done",
                {
                    "data_class": constant("transactions", count),
                    "key": chunk.finished_index,
                    "done_us": chunk.finished_done_ns // 1_000,
                    "outcome": name_column(chunk.finished_outcome - 1, list(_OUTCOMES.values())),
                },
            )
        self._ledger.add(chunk.rows_database, chunk.rows_position, chunk.rows_key)
        self._probes(chunk)
        self._pages()
        self._load(chunk.load)
        self._samples(now_ns)

    def _probes(self, chunk: Chunk) -> None:
        seen = np.array([c.route in _USERS for c in self._classes])[chunk.probes_class]
        if not seen.any():
            return
        number, status = chunk.probes_class[seen], chunk.probes_status[seen]
        station, replica = chunk.probes_station[seen], chunk.probes_replica[seen]
        intended_ns, done = chunk.probes_intended_ns[seen], chunk.probes_done_ns[seen] // 1_000
        self.counts["probes"] += len(number)
        ok = status == Status.OK
        region = self._station_region[station]
        as_of = self._as_of(number, region, done, ok)
        age = self._ages[number]
        right = ok & ((age < 0) | ((as_of >= 0) & (done - as_of <= age)))
        self._note(number, intended_ns, right)
        silent = np.isin(status, [int(s) for s in _SILENT])
        word = np.array([_WORD_OF.get(s, 1) for s in Status])[status]
        timed_out = status == Status.TIMEOUT
        intended = intended_ns // 1_000
        self._recorder.append(
            "probes",
            {
                "intended_us": intended,
                "sent_us": intended,
                "done_us": pa.array(done, mask=timed_out),
                **{f: name_column(codes[number], values) for f, (codes, values) in self._of_class.items()},
                "address": name_column(region, self._regions),
                "region": name_column(np.where(silent, -1, region), self._regions),
                "pod": name_column(np.where(silent, -1, replica), self._pods),
                "timeline": self._timeline(number, region, done, ok),
                "as_of_us": pa.array(as_of, mask=as_of < 0),
                "status": name_column(word, _WORDS),
                "right": name_column(np.where(right, 0, np.where(silent, 2, 1)), ("yes", "no", "none")),
            },
        )

    def _note(self, number: I64, intended_ns: I64, right: Any) -> None:
        for p, known in enumerate(self._classes):
            if known.route == "dns":
                mine = number == p
                if not right[mine].all():
                    order = np.argsort(intended_ns[mine], kind="stable")
                    self.goodness.note(known.service, intended_ns[mine][order], right[mine][order])

    def _as_of(self, number: I64, region: I64, done_us: I64, ok: Any) -> I64:
        """Time of the data in each answer; -1: it says nothing about it."""
        writes = np.array([c.service in ("order", "database") for c in self._classes])[number]
        result = np.where(ok & writes, done_us, -1)
        for r, name in enumerate(self._regions):
            mine = np.flatnonzero(ok & (region == r) & (self._ages[number] >= 0))
            if len(mine):
                result[mine] = self._context.database.as_of_us(name, done_us[mine])
        return result

    def _timeline(self, number: I64, region: I64, done_us: I64, ok: Any) -> pa.Array:
        """Timeline of the database that answered, of probes that reach it."""
        involved = ok & np.array([c.service in ("order", "database") for c in self._classes])[number]
        known = [t.name for t in self._context.database.timelines()]
        codes = np.full(len(number), -1, dtype=np.int32)
        for r, name in enumerate(self._regions):
            mine = np.flatnonzero(involved & (region == r))
            if len(mine) == 0:
                continue
            first, last = self._context.database.timeline_of(name, np.array([done_us[mine].min(), done_us[mine].max()]))
            if first == last:
                codes[mine] = known.index(first) if first in known else -1
            else:
                found = self._context.database.timeline_of(name, done_us[mine])
                codes[mine] = [known.index(f) if f in known else -1 for f in found]
        return name_column(codes, known)

    def _pages(self) -> None:
        """Test pages: right when one was delivered."""
        taken, self._context.page_probes[:] = list(self._context.page_probes), []
        if not taken:
            return
        came = np.array([p.done_ns is not None for p in taken])
        intended = np.array([p.intended_ns for p in taken], dtype=np.int64)
        region = np.array([self._regions.index(p.region) if p.region is not None else -1 for p in taken])
        self.goodness.note("page", intended, came)
        rows = len(taken)
        self._recorder.append(
            "probes",
            {
                "intended_us": intended // 1_000,
                "sent_us": intended // 1_000,
                "done_us": pa.array(np.array([(p.done_ns or 0) // 1_000 for p in taken]), mask=~came),
                "client": constant("pager", rows),
                "route": constant("dns", rows),
                "service": constant("page", rows),
                "address": name_column(region, self._regions),
                "region": name_column(np.where(came, region, -1), self._regions),
                "status": name_column(np.where(came, 0, 2), _WORDS),
                "right": name_column(np.where(came, 0, 2), ("yes", "no", "none")),
            },
        )

    def _load(self, load: LoadRows) -> None:
        if len(load.second) == 0:
            return
        split = [s.partition("/") for s in self._stations]
        regions, services = [*self._regions, "client"], [*self._context.names.services, "edge"]
        region = np.array([regions.index(s[0]) for s in split] + [len(regions) - 1])[load.station]
        service = np.array([services.index(s[2]) for s in split] + [len(services) - 1])[load.station]
        self._recorder.append(
            "load",
            {
                "second": load.second.astype(np.int32),
                "region": name_column(region, regions),
                "service": name_column(service, services),
                **{f: getattr(load, f) for f in ("intended", "sent", "ok", "failed", "unknown", "attempts")},
                "own": _histograms(load.own_hist),
                "caller": _histograms(load.caller_hist),
                "path": _histograms(load.path_hist),
            },
        )

    def _samples(self, now_ns: int) -> None:
        """Each sampled quantity at each whole second not yet sampled, up to now."""
        seconds = np.arange(self._sampled_to_s, now_ns // SECOND, dtype=np.int64)
        samplers = self._context.samplers
        if len(seconds) == 0 or not samplers:
            return
        self._sampled_to_s = int(seconds[-1]) + 1
        subjects, quantities = sorted({s for s, _, _ in samplers}), sorted({n for _, n, _ in samplers})
        values = np.stack([np.asarray(f(seconds * SECOND), dtype=np.float64) for _, _, f in samplers])
        subject = np.repeat([subjects.index(s) for s, _, _ in samplers], len(seconds))
        quantity = np.repeat([quantities.index(n) for _, n, _ in samplers], len(seconds))
        order = np.tile(np.arange(len(seconds)), len(samplers)).argsort(kind="stable")
        self._recorder.append(
            "samples",
            {
                "t_us": np.tile(seconds * 1_000_000, len(samplers))[order],
                "subject": name_column(subject[order], subjects),
                "name": name_column(quantity[order], quantities),
                "value": values.ravel()[order],
            },
        )

    # --- after the run

    def readback(self, end_us: int) -> None:
        """What is found on each timeline once the run is over."""
        database = self._context.database
        history = database.history_us()
        keys = np.arange(len(history), dtype=np.int64) - len(history)
        if len(history):
            rows = {"data_class": constant("transactions", len(keys)), "key": keys}
            self._recorder.append("writes_sent", rows | {"seq": keys, "sent_us": history})
            self._recorder.append("writes_done", rows | {"done_us": history, "outcome": constant("acked", len(keys))})
        timelines = {t.name: t for t in database.timelines()}
        for timeline in timelines.values():
            if timeline.history_until_us is not None:
                self._found(timeline.name, keys[history < timeline.history_until_us], None, end_us)
            for number, first, last in _lineage(timeline, timelines):
                for positions, found in self._ledger.read(number, first, last):
                    orders = found >= 0  # a probe's own rows are nobody's order
                    self._found(timeline.name, found[orders], positions[orders], end_us)
        self._ledger.close()

    def _found(self, timeline: str, keys: I64, positions: I64 | None, end_us: int) -> None:
        rows = len(keys)
        if rows:
            self._recorder.append(
                "readback",
                {
                    "data_class": constant("transactions", rows),
                    "timeline": constant(timeline, rows),
                    "key": keys,
                    "copies": np.ones(rows, dtype=np.int32),
                    "position": pa.nulls(rows, pa.int64()) if positions is None else positions,
                    "read_us": np.full(rows, end_us, dtype=np.int64),
                },
            )


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


def _histograms(histograms: list[I64]) -> pa.Array:
    """List column of (bin, count)."""
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in histograms])]).astype(np.int32)
    rows = np.concatenate(histograms) if histograms else np.zeros((0, 2), dtype=np.int64)
    pairs = pa.StructArray.from_arrays(
        [pa.array(rows[:, 0].astype(np.int32)), pa.array(rows[:, 1])], names=["bin", "count"]
    )
    return pa.ListArray.from_arrays(pa.array(offsets), pairs)
