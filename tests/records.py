"""A whole run made up in memory, good unless something is planted: head, facts and tables of a region that was lost.

    Run().outage("risk", 180.2, 520).observations()

The system is the library's default, so that limits, spacings and the blast radius are the product's own. us-east-1 is
lost at 180 s, the automation fails over, everyone is served again at 386 s, the run ends settled at 720 s. Methods
change one thing and return the run; times are seconds of the run, intervals half-open.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.files.load import load
from scenarios.record.marks import Mark
from scenarios.record.tables import TABLES
from scenarios.record.writer import batch
from tests.record_load import Second, load_batch, steady_load
from validators.model import Observations
from validators.observe import observe

I64 = NDArray[np.int64]
EAST, WEST = "us-east-1", "us-west-2"
OLD, NEW = "us-east-1/1", "us-west-2/2"
FAULT_S, EFFECT_S, PROMOTED_S, END_S = 180.0, 180.2, 290.0, 720.0
BACK_S = {"database": 291.0, "risk": 380.0, "tactical": 382.0, "strategic": 384.0, "order": 386.0}
SPACING_S = {"strategic": 0.05, "tactical": 0.05, "risk": 0.05, "database": 0.05, "order": 0.5, "page": 10.0}
WRITE_SPACING_US, WRITES_PER_S = 50_000, 20
ANSWERED_PER_S = 10_500  # by each service
REPLAYED_S = 179.3  # what was acknowledged later is not in the new timeline
NULL = np.iinfo(np.int64).min
YES, NO, NOTHING = 0, 1, 2
ACKED, FAILED, UNKNOWN = 0, 1, 2
_RIGHT, _OUTCOME = ("yes", "no", "none"), ("acked", "failed", "unknown")
_STATUS = ("2xx", "5xx", "timeout")


def us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1e6)


@cache
def documents(scenario: str) -> dict[str, Any]:
    """What run.json says of a scenario of the library, as resolved."""
    return load(scenario).document()


@dataclass
class Probes:
    """Probes of one client; `right` holds YES, NO or NOTHING."""

    service: str
    intended: I64
    sent: I64
    done: I64
    right: I64
    as_of: I64
    client: str = "user"
    route: str = "dns"
    address: str | None = None

    def inside(self, from_s: float, to_s: float) -> NDArray[np.bool_]:
        """Which are due in an interval."""
        return np.asarray((self.intended >= us(from_s)) & (self.intended < us(to_s)))

    def keep(self, chosen: NDArray[np.bool_] | I64) -> None:
        """Leave the others out; or take rows by their numbers."""
        for name in ("intended", "sent", "done", "right", "as_of"):
            setattr(self, name, getattr(self, name)[chosen])


def steady(service: str, end_s: float, **more: Any) -> Probes:
    """Probes that are all answered well."""
    intended = np.arange(0, us(end_s), us(SPACING_S[service]), dtype=np.int64)
    return Probes(
        service, intended, intended.copy(), intended + 3_000, np.zeros_like(intended), intended + 2_000, **more
    )


class Run:
    """A made-up run of region-loss-automatic; see the module."""

    def __init__(self, scenario: str = "region-loss-automatic", end_s: float = END_S) -> None:
        self.head: dict[str, Any] = {
            **copy.deepcopy(documents(scenario)),
            "source": "simulation", "seed": 7, "trial": 0, "fidelity": "request", "evidence_class": "simulation",
            "termination": "complete", "duration_us": us(end_s), "surviving_timeline": NEW, "clock": {"bound_us": 0},
            "not_judged": {f"response.P{i}": "the people are scripted" for i in range(4)},
        }  # fmt: skip
        self.head["scenario"]["workload"]["rate_per_s"] = float(WRITES_PER_S)
        self.limit("kpi.throughput", limit_per_s=float(WRITES_PER_S - 1))
        self.end_s = end_s
        self.marks: list[Mark] = []
        self.probes = [steady(service, end_s) for service in SPACING_S]
        self.load: list[Second] = []
        self.samples: dict[tuple[str, str], tuple[I64, NDArray[np.float64]]] = {}
        self.sent = np.zeros((0, 3), dtype=np.int64)  # seq, key, sent_us
        self.done = np.zeros((0, 3), dtype=np.int64)  # key, done_us, outcome
        self.found: dict[str, I64] = {}  # timeline: key, copies, position
        self._facts()
        for service, back_s in BACK_S.items():
            self.outage(service, EFFECT_S, back_s)
        self._writes()
        self._sampled()
        self._loaded()

    # --- the good run

    def _facts(self) -> None:
        fail_over: dict[str, Any] = {"actor": "automation"}
        name = "automatic-failover"
        self.mark(0, "load_started", "client")
        self.mark(FAULT_S, "injection_begun", "region-loss:0", fault="region-loss", target=[EAST])
        self.mark(EFFECT_S, "effect_seen", "region-loss:0", fault="region-loss")
        self.mark(205, "automation_detected", "automation", failures=3)
        self.mark(206, "decided", "automation", procedure=name)
        self.mark(206, "procedure_started", name, **fail_over)
        for step, from_s, to_s in (("fence", 206, 225), ("promote", 225, PROMOTED_S), ("dns", 340, 345)):
            self.mark(from_s, "step_started", name, step=step, **fail_over)
            self.mark(to_s, "step_finished", name, step=step, ok=True, **fail_over)
        self.mark(225, "fenced", f"{EAST}/database", by="lease")
        self.mark(PROMOTED_S, "promoted", f"{WEST}/database", timeline=NEW, position=3586)
        self.mark(344, "dns_switched", "orders.example", region=WEST)
        self.mark(400, "procedure_finished", name, ok=True)
        alert, rule = "StrategicAgentDown", {"rules": "intended", "region": WEST}
        self.mark(195, "alert_pending", alert, **rule)
        self.mark(225, "alert_firing", alert, **rule)
        self.mark(255, "page_sent", alert, alert=alert)
        self.mark(258, "page_received", "L1", alert=alert, severity="P0")
        self.mark(400, "alert_resolved", alert, **rule)
        self.mark(230, "alert_firing", "HighErrorRate", rules="written", region=WEST)
        self.mark(500, "standby_streaming", f"{WEST}/database")
        self.mark(500, "redundancy_restored", f"{WEST}/database", what="standby")
        self.mark(self.end_s, "settled", "run")
        self.mark(self.end_s, "run_ended", "run", reason="settled")
        for timeline in (OLD, NEW):
            self.mark(self.end_s + 1, "readback_done", timeline, timeline=timeline)
        self.mark(self.end_s + 2, "lifted", "region-loss:0", fault="region-loss", by="clean-up")
        self.mark(self.end_s + 3, "fault_gone", "region-loss:0", fault="region-loss")

    def _writes(self) -> None:
        sent_us = np.arange(0, us(self.end_s), WRITE_SPACING_US, dtype=np.int64)
        keys = np.arange(len(sent_us), dtype=np.int64)
        out = (sent_us >= us(EFFECT_S)) & (sent_us < us(BACK_S["order"]))
        outcome = np.where(out, np.where(keys % 3 == 0, UNKNOWN, FAILED), ACKED)
        self.sent = np.column_stack([keys, keys, sent_us])
        self.done = np.column_stack([keys, sent_us + np.where(out, 250_000, 5_000), outcome])
        acked = keys[~out]
        kept = acked[(sent_us[~out] < us(REPLAYED_S)) | (sent_us[~out] > us(PROMOTED_S))]
        for timeline, held in ((OLD, acked[sent_us[~out] < us(EFFECT_S)]), (NEW, kept)):
            self.found[timeline] = np.column_stack([held, np.ones_like(held), held])

    def _sampled(self) -> None:
        t = np.arange(0, int(self.end_s), dtype=np.int64) * 1_000_000
        alive = np.minimum(t, us(FAULT_S))
        self.sample(f"{EAST}/database", "writable", t, t < us(FAULT_S))
        self.sample(f"{WEST}/database", "writable", t, t >= us(PROMOTED_S))
        for name, declared in self.head["topology"]["database"]["copies"].items():
            for subject, what, period in (
                (f"{WEST}/{name}", "recovery_point_us", declared["interval_us"]),
                (f"source/{name}", "last_write_us", declared["write_spacing_us"]),
            ):
                self.sample(subject, what, t, alive // period * period)
        for region in (EAST, WEST):
            self.sample(f"{region}/risk", "risk_var_current", t, np.full(len(t), 0.6))
            self.sample(f"{region}/risk", "risk_var_limit", t, np.ones(len(t)))
        self.sample("client", "sender_lag_us_p99", t, np.full(len(t), 50.0))
        self.sample("client", "stale_share", t, np.where(t > us(FAULT_S), 0.03, 0.0))
        for service, declared in self.head["topology"]["services"].items():
            for region, up in ((EAST, t < us(FAULT_S)), (WEST, t >= us(BACK_S[service]))):
                for quantity in ("replicas_ready", "replicas_planned"):
                    self.sample(f"{region}/{service}", quantity, t, up * declared["replicas"])

    def _loaded(self) -> None:
        """The services answer others too; the sender counts exactly the orders of its ledger."""
        down = round(FAULT_S), round(BACK_S["order"])
        self.load = list(steady_load(ANSWERED_PER_S, int(self.end_s), down, (EAST, WEST)))
        self.counted()

    def counted(self) -> Self:
        """Have the load count exactly the orders of the ledger, as it is now."""
        seconds = int(self.end_s)

        def each(at_us: I64) -> list[int]:
            found = at_us // 1_000_000
            inside = found[(found >= 0) & (found < seconds)]
            return [int(n) for n in np.bincount(inside, minlength=seconds)]

        sent = each(self.sent[:, 2])
        ends = [each(self.done[self.done[:, 2] == code, 1]) for code in (ACKED, FAILED, UNKNOWN)]
        edge = [
            Second(s, "client", "edge", sent[s], sent[s], *(end[s] for end in ends), sent[s], path_ms=9.0)
            for s in range(seconds)
        ]
        self.load = [*edge, *(row for row in self.load if row.service != "edge")]
        return self

    # --- facts and head

    def mark(self, t_s: float, kind: str, subject: str, **detail: Any) -> Self:
        """Add a fact."""
        self.marks.append(Mark(us(t_s), len(self.marks), kind, subject, detail))
        return self

    def without(self, *kinds: str, subject: str | None = None) -> Self:
        """Leave facts out."""
        self.marks = [m for m in self.marks if m.kind not in kinds or subject not in (None, m.subject)]
        return self

    def move(self, kind: str, t_s: float, subject: str | None = None, **detail: Any) -> Self:
        """Have facts of a kind happen at another time, or say something else."""
        self.marks = [
            replace(m, t_us=us(t_s), detail={**m.detail, **detail})
            if m.kind == kind and subject in (None, m.subject)
            else m
            for m in self.marks
        ]
        return self

    def says(self, **head: Any) -> Self:
        """Have run.json say something else."""
        self.head.update(head)
        return self

    def limit(self, objective: str, **values: Any) -> Self:
        """Have an objective ask for something else."""
        for document in self.head["objectives"]:
            if document["objective"] == objective:
                document.update(values)
        return self

    def lifted_by(self, who: str, t_s: float) -> Self:
        """Have the fault lifted, and seen to be gone, at another time."""
        return self.move("lifted", t_s, by=who).move("fault_gone", t_s + 1)

    def ends(self, t_s: float) -> Self:
        """Have the judged interval end sooner, with everything that was observed later left out."""
        self.head["duration_us"] = us(t_s)
        for probes in self.probes:
            probes.keep(probes.intended < us(t_s))
        self.load = [r for r in self.load if r.second < t_s]
        self.samples = {k: (t[t < us(t_s)], v[t < us(t_s)]) for k, (t, v) in self.samples.items()}
        return self

    # --- probes

    def of(self, *services: str) -> list[Probes]:
        """Probes of these services over DNS; of all when none is named."""
        return [p for p in self.probes if p.route == "dns" and (not services or p.service in services)]

    def outage(self, service: str, from_s: float, to_s: float, answer: int = NOTHING) -> Self:
        """Have a service answer wrongly, or not at all."""
        for probes in self.of(service):
            rows = probes.inside(from_s, to_s)
            probes.right[rows] = answer
            if answer == NOTHING:
                probes.done[rows] = NULL
        return self

    def well(self, service: str, from_s: float = 0, to_s: float = 1e6) -> Self:
        """Have a service answer well."""
        for probes in self.of(service):
            rows = probes.inside(from_s, to_s)
            probes.right[rows], probes.done[rows] = YES, probes.intended[rows] + 3_000
        return self

    def recovers(self, service: str, t_s: float) -> Self:
        """Have a service served again at another time."""
        return self.well(service, EFFECT_S).outage(service, EFFECT_S, t_s)

    def miss(self, service: str, *instants_s: float) -> Self:
        """Have single probes get no answer: the next one due at each instant."""
        for instant in instants_s:
            self.outage(service, instant, instant + SPACING_S[service])
        return self

    def unprobed(self, service: str | None = None, from_s: float = 0, to_s: float = 1e6) -> Self:
        """Have a service not be probed; all of them when none is named."""
        for probes in self.of(*([service] if service else [])):
            probes.keep(~probes.inside(from_s, to_s))
        return self

    def unsent(self, service: str, from_s: float, to_s: float, every: int = 1) -> Self:
        """Have every n-th probe be due and not sent."""
        for probes in self.of(service):
            rows = np.flatnonzero(probes.inside(from_s, to_s))[::every]
            probes.sent[rows], probes.done[rows], probes.right[rows] = NULL, NULL, NOTHING
        return self

    def late(self, service: str, from_s: float, to_s: float, by_s: float) -> Self:
        """Have probes sent later than they were due, and answered as well as those due then."""
        for probes in self.of(service):
            rows = np.flatnonzero(probes.inside(from_s, to_s))
            then = np.minimum(rows + round(by_s / SPACING_S[service]), len(probes.intended) - 1)
            probes.right[rows] = probes.right[then]
            probes.sent[rows] = probes.intended[rows] + us(by_s)
            probes.done[rows] = np.where(probes.right[rows] == NOTHING, NULL, probes.sent[rows] + 3_000)
        return self

    def thinned(self, service: str, every: int) -> Self:
        """Have only every n-th probe of a service."""
        for probes in self.of(service):
            probes.keep(np.arange(len(probes.intended)) % every == 0)
        return self

    def over(self, route: str, service: str, address: str | None = None) -> Self:
        """Add the same probes over another route."""
        for probes in self.of(service):
            more = copy.deepcopy(probes)
            more.route, more.address, more.client = route, address, route
            self.probes.append(more)
        return self

    # --- writes

    def key_at(self, t_s: float) -> int:
        """Key of the write that is sent at an instant, or next."""
        return int(self.sent[np.searchsorted(self.sent[:, 2], us(t_s)), 1])

    def lose(self, from_s: float, to_s: float = END_S) -> Self:
        """Have writes sent in an interval not be found on the new timeline."""
        mine = self.sent[(self.sent[:, 2] >= us(from_s)) & (self.sent[:, 2] < us(to_s)), 1]
        return self.forget(mine)

    def forget(self, keys: Iterable[int]) -> Self:
        """Have writes not be found on the new timeline."""
        rows = self.found[NEW]
        self.found[NEW] = rows[~np.isin(rows[:, 0], np.fromiter(keys, dtype=np.int64))]
        return self

    def find(self, keys: Iterable[int], timeline: str = NEW, copies: int = 1) -> Self:
        """Have writes be found on a timeline at the end of its log."""
        first = int(self.found[timeline][:, 2].max()) + 1 if len(self.found[timeline]) else 0
        rows = [[key, copies, first + i] for i, key in enumerate(keys)]
        self.found[timeline] = np.concatenate([self.found[timeline], np.array(rows, dtype=np.int64).reshape(-1, 3)])
        return self

    def ended(self, key: int, outcome: int, t_s: float | None = None) -> Self:
        """Have a write end otherwise."""
        row = self.done[:, 0] == key
        self.done[row, 2] = outcome
        if t_s is not None:
            self.done[row, 1] = us(t_s)
        return self

    # --- samples and load

    def sample(self, subject: str, name: str, t_us: Any, values: Any) -> Self:
        """Sample a quantity."""
        self.samples[subject, name] = np.asarray(t_us, dtype=np.int64), np.asarray(values, dtype=np.float64)
        return self

    def resampled(self, subject: str, name: str, change: Callable[[I64, Any], tuple[Any, Any]]) -> Self:
        """Change the samples of a quantity; `change` takes and returns instants and values."""
        return self.sample(subject, name, *change(*self.samples[subject, name]))

    def loaded(self, service: str, from_s: float, to_s: float, change: Callable[[Second], Second | None]) -> Self:
        """Change the load's seconds of a service; None leaves one out."""
        rows = (change(r) if r.service == service and from_s <= r.second < to_s else r for r in self.load)
        self.load = [r for r in rows if r is not None]
        return self

    # --- what the judge sees

    def table(self, name: str) -> pa.Table:
        """A table of the record."""
        rows: dict[str, Callable[[], list[pa.RecordBatch]]] = {
            "probes": self._probe_rows,
            "load": lambda: [load_batch(self.load)],
            "samples": self._sample_rows,
            "writes_sent": self._sent_rows,
            "writes_done": self._done_rows,
            "readback": self._found_rows,
        }
        return pa.Table.from_batches(rows[name](), schema=TABLES[name])

    def _sent_rows(self) -> list[pa.RecordBatch]:
        seq, key, sent_us = self.sent.T
        columns = {"data_class": "transactions", "seq": seq, "key": key, "sent_us": sent_us}
        return [batch("writes_sent", columns)]

    def _done_rows(self) -> list[pa.RecordBatch]:
        key, done_us, outcome = self.done.T
        columns = {"data_class": "transactions", "key": key, "done_us": done_us, "outcome": _named(outcome, _OUTCOME)}
        return [batch("writes_done", columns)]

    def _found_rows(self) -> list[pa.RecordBatch]:
        return [
            batch("readback", {
                "data_class": "transactions", "timeline": timeline, "key": rows[:, 0],
                "copies": rows[:, 1].astype(np.int32), "position": _nullable(rows[:, 2]),
                "read_us": np.full(len(rows), us(self.end_s + 1)),
            })
            for timeline, rows in self.found.items()
        ]  # fmt: skip

    def _probe_rows(self) -> list[pa.RecordBatch]:
        return [
            batch("probes", {
                "intended_us": p.intended, "sent_us": _nullable(p.sent), "done_us": _nullable(p.done),
                "client": p.client, "route": p.route, "service": p.service,
                "as_of_us": _nullable(np.where(p.right == NOTHING, NULL, p.as_of)),
                "status": _named(p.right, _STATUS), "right": _named(p.right, _RIGHT),
                **({"address": p.address} if p.address is not None else {}),
            })
            for p in self.probes
        ]  # fmt: skip

    def _sample_rows(self) -> list[pa.RecordBatch]:
        return [
            batch("samples", {"t_us": t, "subject": subject, "name": name, "value": value})
            for (subject, name), (t, value) in self.samples.items()
        ]

    def observations(self, objective: str | None = None) -> Observations:
        """What the judge sees: with all objectives, or with one."""
        seen = observe(self.head, self.marks, self.table)
        return seen if objective is None else replace(seen, objectives=(self.objective(objective),))

    def objective(self, name: str) -> dict[str, Any]:
        """An objective's document."""
        found: dict[str, Any] = next(o for o in self.head["objectives"] if o["objective"] == name)
        return found


def _named(codes: I64, names: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(list(names)))


def _nullable(values: I64) -> pa.Array:
    return pa.array(values, mask=values == NULL)
