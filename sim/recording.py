"""From what the planes did to the tables of the record.

Rows are in an order of their own (writes by number, ends by time of the end, samples by instant), whenever they are
flushed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.model.goodness import Goodness
from scenarios.model.promql import look_back_us
from sim.columns import histograms, name_column, nullable
from sim.control.context import Context, PageProbe
from sim.control.roles import Timeline
from sim.data.commands import Outcome, Status
from sim.data.plane import Chunk, Counters, LoadRows
from sim.ledger import Ledger
from sim.names import ProbeClass
from sim.readback import read_back

I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
SECOND = 1_000_000_000
PAGE = ProbeClass("page/dns", "pager", "dns", "page", None, 10 * SECOND)
PAGE_TIMEOUT_NS = 60 * SECOND  # a test page that has not come by then does not come
Keys = tuple[tuple[str, str], ...]
_NONE: I64 = np.zeros(0, dtype=np.int64)
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
_WORD = np.array([_WORD_OF.get(s, 1) for s in Status])
_SILENT = _WORD >= 2  # nobody answered


@dataclass(frozen=True)
class _Seen:
    """Ends of probes, columns of equal length, in order of the end. Regions and pods are numbers, -1: none."""

    number: I64  # of the class; after the last one: test pages
    intended_ns: I64
    done_ns: I64
    region: I64  # of the address
    pod: I64
    status: I64


class Recording:
    """Writes one trial's facts; `flush` is called at whole seconds of the clock."""

    def __init__(self, context: Context) -> None:
        names = context.names
        self._context = context
        self._recorder = context.recorder
        self._regions = names.regions
        self._classes = (*names.classes, PAGE)
        stations = sorted(names.station, key=lambda s: names.station[s])
        self._station_region = np.array([names.regions.index(r) for r, _ in stations] + [-1])
        self._station_service = np.array([names.services.index(s) for _, s in stations] + [len(names.services)])
        self._stations = [f"{r}/{s}" for r, s in stations]
        pods = {
            place: f"{r}/{s}/{i}"
            for (r, s), n in names.station.items()
            for i, place in enumerate(names.replicas[n])
        }  # fmt: skip
        self._pods = [pods[place] for place in sorted(pods)]
        station_of = {place: n for n, places in names.replicas.items() for place in places}
        self._place_station = np.array([station_of[place] for place in sorted(station_of)], dtype=np.int64)
        self._codes = {f: self._coded(f) for f in ("client", "route", "service")}
        self._shown = np.array([c.route in _USERS for c in self._classes])
        self._writes = np.array([c.service in ("order", "database") for c in self._classes])
        self._ages = self._greatest_ages()
        deciding = {p: c for p, c in enumerate(self._classes) if c.route == "dns"}
        self._deciding = {p: c.service for p, c in deciding.items()}
        self.goodness = Goodness({c.service: c.spacing_ns for c in deciding.values()})
        self._pages: list[PageProbe] = []  # under way
        self._queued: list[tuple[int, NDArray[np.float64]]] = []  # instant, and requests that wait at each station
        self._ledger = Ledger()
        self._sampled_to_s = 0
        self._sent = 0
        self.counts = {"requests": 0, "probes": 0}

    def _coded(self, field: str) -> tuple[I64, list[str]]:
        values = [getattr(c, field) for c in self._classes]
        unique = sorted(set(values))
        return np.array([unique.index(v) for v in values]), unique

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
            rows = {"data_class": "transactions", "seq": keys, "key": keys, "sent_us": arrivals_ns // 1_000}
            self._recorder.append("writes_sent", rows)

    def flush(self, chunk: Chunk, now_ns: int) -> None:
        """Append everything of a chunk, the test pages, and the samples up to now."""
        if len(chunk.finished_index):
            self._recorder.append(
                "writes_done",
                {
                    "data_class": "transactions",
                    "key": chunk.finished_index,
                    "done_us": chunk.finished_done_ns // 1_000,
                    "outcome": name_column(chunk.finished_outcome - 1, list(_OUTCOMES.values())),
                },
            )
        self._ledger.add(chunk.rows_database, chunk.rows_position, chunk.rows_key)
        self._probes(self._seen(chunk, now_ns))
        self._load(chunk.load)
        self._samples(now_ns)

    def _seen(self, chunk: Chunk, now_ns: int) -> _Seen:
        """Users' probes and test pages that have ended."""
        users = np.flatnonzero(self._shown[chunk.probes_class])
        probes = (
            chunk.probes_class[users],
            chunk.probes_intended_ns[users],
            chunk.probes_done_ns[users],
            self._station_region[chunk.probes_station[users]],
            chunk.probes_replica[users],
            chunk.probes_status[users],
        )
        pages = self._ended_pages(now_ns)
        if not len(pages[0]):
            return _Seen(*probes)
        both = [np.concatenate(columns) for columns in zip(probes, pages, strict=True)]
        order = np.argsort(both[2], kind="stable")
        return _Seen(*(column[order] for column in both))

    def _ended_pages(self, now_ns: int) -> tuple[I64, ...]:
        """Test pages that have come, or have not come in time, as columns of `_Seen`."""
        taken, self._context.page_probes[:] = list(self._context.page_probes), []
        ends = [(_page_end(p), p.intended_ns, p) for p in (*self._pages, *taken)]
        self._pages = [p for end, _, p in ends if end >= now_ns]
        rows = [
            (
                len(self._classes) - 1,
                p.intended_ns,
                end,
                -1 if p.region is None else self._regions.index(p.region),
                -1,
                int(Status.OK if end == p.done_ns else Status.TIMEOUT),
            )
            for end, _, p in sorted(ends, key=lambda x: x[:2])
            if end < now_ns
        ]
        return tuple(np.array(rows, dtype=np.int64).reshape(-1, 6).T)

    def _probes(self, seen: _Seen) -> None:
        number, status = seen.number, seen.status
        if not len(number):
            return
        self.counts["probes"] += len(number)
        ok, silent, timed_out = status == Status.OK, _SILENT[status], status == Status.TIMEOUT
        done_us, intended_us = seen.done_ns // 1_000, seen.intended_ns // 1_000
        as_of = self._as_of(number, seen.region, done_us, ok)
        age = self._ages[number]
        right = ok & ((age < 0) | ((as_of >= 0) & (done_us - as_of <= age)))
        self._note(number, seen.intended_ns, right)
        self._recorder.append(
            "probes",
            {
                "intended_us": intended_us,
                "sent_us": intended_us,
                "done_us": nullable(done_us, timed_out),
                **{f: name_column(codes[number], values) for f, (codes, values) in self._codes.items()},
                "address": name_column(seen.region, self._regions),
                "region": name_column(np.where(silent, -1, seen.region), self._regions),
                "pod": name_column(np.where(silent, -1, seen.pod), self._pods),
                "timeline": self._timeline(number, seen.region, done_us, ok),
                "as_of_us": nullable(as_of, as_of < 0),
                "status": name_column(_WORD[status], _WORDS),
                "right": name_column(np.where(right, 0, np.where(silent, 2, 1)), ("yes", "no", "none")),
            },
        )

    def _note(self, number: I64, intended_ns: I64, right: Bool) -> None:
        wrong = np.flatnonzero(~right)
        for p in np.unique(number[wrong]).tolist():
            if p in self._deciding:
                self.goodness.note(self._deciding[p], intended_ns[wrong[number[wrong] == p]])

    def _as_of(self, number: I64, region: I64, done_us: I64, ok: Bool) -> I64:
        """Time of the data in each answer; -1: it says nothing about it."""
        result = np.where(ok & self._writes[number], done_us, -1)
        aged = ok & (self._ages[number] >= 0)
        for r, name in enumerate(self._regions):
            mine = np.flatnonzero(aged & (region == r))
            if len(mine):
                result[mine] = self._context.database.as_of_us(name, done_us[mine])
        return result

    def _timeline(self, number: I64, region: I64, done_us: I64, ok: Bool) -> pa.Array:
        """Timeline of the database that answered, of probes that reach it."""
        involved = ok & self._writes[number]
        known = [t.name for t in self._context.database.timelines()]
        codes = np.full(len(number), -1)
        for r, name in enumerate(self._regions):
            mine = np.flatnonzero(involved & (region == r))
            if len(mine):
                found = self._context.database.timeline_of(name, done_us[mine])
                codes[mine] = _positions(found, known)
        return name_column(codes, known)

    def _load(self, load: LoadRows) -> None:
        if len(load.second) == 0:
            return
        services = [*self._context.names.services, "edge"]
        self._recorder.append(
            "load",
            {
                "second": load.second.astype(np.int32),
                "region": name_column(
                    np.where(load.station < 0, len(self._regions), self._station_region[load.station]),
                    [*self._regions, "client"],
                ),
                "service": name_column(self._station_service[load.station], services),
                **{f: getattr(load, f) for f in ("intended", "sent", "ok", "failed", "unknown", "attempts")},
                "own": histograms(load.own_hist),
                "caller": histograms(load.caller_hist),
                "path": histograms(load.path_hist),
            },
        )

    def _samples(self, now_ns: int) -> None:
        """Each sampled quantity at each whole second up to now, and the queues, none of them twice.

        What is no number has no row. Rows stand second by second: what is known of a second once it is over, then the
        queues at its end.
        """
        samplers = self._context.samplers
        seconds = np.arange(self._sampled_to_s, now_ns // SECOND, dtype=np.int64) if samplers else _NONE
        self._sampled_to_s += len(seconds)
        queued, self._queued = self._queued, []
        values = np.empty((len(seconds), len(samplers)))
        for column, (_, _, sample) in enumerate(samplers if len(seconds) else ()):
            values[:, column] = sample(seconds * SECOND)
        second, sampler = np.nonzero(np.isfinite(values))
        queues_ns = np.repeat(np.array([at_ns for at_ns, _ in queued], dtype=np.int64), len(self._stations))
        station = np.tile(np.arange(len(self._stations)), len(queued)) + len(samplers)
        t_ns = np.concatenate([seconds[second] * SECOND, queues_ns])
        order = np.argsort(np.concatenate([(seconds[second] + 1) * SECOND, queues_ns]), kind="stable")
        if len(order):
            keys = (*((s, n) for s, n, _ in samplers), *((s, "queue_length") for s in self._stations))
            which = np.concatenate([sampler, station])[order]
            value = np.concatenate([values[second, sampler], *(waiting for _, waiting in queued)])[order]
            self._append_samples(t_ns[order] // 1_000, keys, which, value)

    def before(self) -> None:
        """Append what services had counted before the run, for alert rules look back: nothing, since nobody asked."""
        topology = self._context.topology
        back_us = look_back_us(alert.intended for alert in topology.monitoring.alerts)
        if not back_us:
            return
        stations = [f"{region}/{service}" for region in topology.regions for service in topology.services]
        keys = tuple((station, name) for station in stations for name in ("answered_ok", "answered_5xx"))
        which = np.repeat(np.arange(len(keys)), 2)
        self._append_samples(np.tile([-back_us, 0], len(keys)), keys, which, np.zeros(len(which)))

    def _append_samples(self, t_us: I64, keys: Keys, which: I64, values: NDArray[np.float64]) -> None:
        """Append values of some of the (subject, quantity) pairs."""
        (subjects, subject), (names, name) = _coded(keys)
        columns = {"subject": name_column(subject[which], subjects), "name": name_column(name[which], names)}
        self._recorder.append("samples", {"t_us": t_us, **columns, "value": values})

    def queues(self, counters: Counters) -> None:
        """Requests that wait at each station, at the clock of a scrape; recorded by the next flush."""
        waiting = np.zeros(len(self._stations))
        np.add.at(waiting, self._place_station, counters.waiting)
        self._queued.append((counters.at_ns, waiting))

    # --- after the run

    def readback(self, timelines: Sequence[Timeline], end_us: int) -> None:
        """What is found on each timeline once the run is over."""
        read_back(self._recorder, timelines, self._context.database.history_us(), self._ledger, end_us)
        self._ledger.close()


@lru_cache(maxsize=16)
def _coded(keys: Keys) -> tuple[tuple[list[str], I64], ...]:
    """Of both fields of some pairs: the different names, and the number of each pair's."""
    different = [sorted(set(field)) for field in zip(*keys, strict=True)]
    codes = [np.array([d.index(key[i]) for key in keys]) for i, d in enumerate(different)]
    return tuple(zip(different, codes, strict=True))


def _page_end(page: PageProbe) -> int:
    """When it is known what became of a test page."""
    latest = page.intended_ns + PAGE_TIMEOUT_NS
    return latest if page.done_ns is None else min(page.done_ns, latest)


def _positions(found: NDArray[np.object_], known: list[str]) -> I64:
    """Place of each name in a list, -1: not in it."""
    if len(found) and (found == found[0]).all():
        return np.full(len(found), known.index(found[0]) if found[0] in known else -1)
    return np.array([known.index(f) if f in known else -1 for f in found], dtype=np.int64)
