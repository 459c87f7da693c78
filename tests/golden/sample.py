"""A small made-up loss of a region, the same on every machine: facts, tables and verdicts for every format."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reports.model import Ensemble, Kept, Report
from scenarios.record import histogram
from scenarios.record.ensemble import Trial
from scenarios.record.writer import MemoryRecorder
from tests.golden.verdicts import FAULT_S, verdicts
from validators.ensemble import judge_ensemble
from validators.merge import judgement as merged
from validators.model import Judgement

END_S = 1320.0
EAST, WEST = "us-east-1", "us-west-2"
BACK_S = {"database": 652.0, "risk": 812.4, "tactical": 818.1, "strategic": 826.7, "order": 868.0, "page": 868.0}
SPACING_US = 500_000

OBJECTIVES: list[dict[str, Any]] = [
    {"objective": "rto.strategic", "kind": "recovery_time", "title": "Strategic services recover"},
    {"objective": "rto.tactical", "kind": "recovery_time", "title": "Tactical services recover"},
    {"objective": "rto.risk", "kind": "recovery_time", "title": "Risk management recovers"},
    {"objective": "rto.database", "kind": "recovery_time", "title": "The database recovers"},
    {"objective": "rto.complete", "kind": "recovery_time", "title": "The complete system recovers"},
    {"objective": "rpo.transactions", "kind": "data_loss", "title": "Transactions lost"},
    {"objective": "rpo.models", "kind": "data_loss", "title": "Model data lost"},
    {"objective": "rpo.logs", "kind": "data_loss", "title": "Logs lost"},
    {"objective": "kpi.strategic", "kind": "latency", "title": "Strategic response time p95"},
    {"objective": "kpi.tactical", "kind": "latency", "title": "Tactical response time p95"},
    {"objective": "kpi.throughput", "kind": "throughput", "title": "System throughput"},
    {"objective": "alert.StrategicAgentDown", "kind": "detection", "title": "Strategic agent down is noticed"},
    {"objective": "alert.RiskLimitBreach", "kind": "detection", "title": "A risk limit breach is noticed"},
    {"objective": "response.P0", "kind": "response", "title": "P0 is answered"},
    {"objective": "change.rollback", "kind": "change", "title": "Rollback of a change"},
    {"objective": "rule.single_writer", "kind": "house_rule", "title": "One writer at a time"},
    {"objective": "integrity.flow", "kind": "integrity", "title": "Every request is accounted for"},
]


def head(**changes: Any) -> dict[str, Any]:
    """Return run.json."""
    return {
        "schema_version": 1,
        "run_id": "2026-01-02-region-loss-automatic-7",
        "source": "simulation",
        "evidence_class": "simulation",
        "fidelity": "request",
        "seed": 7,
        "trial": 0,
        "versions": {"grandmodel-gameday": "0.1.0", "numpy": "2.5.5", "python": "3.12.1"},
        "git_commit": "e448ce4c0ffee0000000000000000000000000ab",
        "scenario": {
            "scenario": "region-loss-automatic",
            "title": "us-east-1 is lost; the automation fails over to us-west-2",
            "tests": "Whether the automatic failover meets the recovery objectives when a whole region is gone.",
            "runbook": ["Disaster Recovery / Automatic Failover"],
        },
        "topology": {"topology": "grandmodel", "services": {"strategic": {}, "tactical": {}, "risk": {}}},
        "procedures": {
            "automatic-failover": {
                "title": "The automation fails over",
                "steps": [{"id": "promote", "title": "Promote the replica"}],
            }
        },
        "objectives": OBJECTIVES,
        "scenario_digest": "11" * 32,
        "topology_digest": "22" * 32,
        "not_judged": {"response.P0": "the people are scripted"},
        "termination": "complete",
        "duration_us": int(END_S * 1e6),
        "surviving_timeline": "us-west-2/2",
        "clock": {"bound_us": 0},
        "checked": {"requests": 50_000, "differing": 0},
        **changes,
    }


def record() -> MemoryRecorder:
    """Return marks and tables of the run."""
    made = MemoryRecorder()
    _marks(made)
    _probes(made)
    _load(made)
    _writes(made)
    _samples(made)
    return made


def _marks(made: MemoryRecorder) -> None:
    facts: list[tuple[float, str, str, Mapping[str, Any]]] = [
        (0, "load_started", "client", {}),
        (
            FAULT_S,
            "injection_begun",
            "region-loss:0",
            {"fault": "region-loss", "target": [EAST, f"{EAST}/risk", f"{EAST}/database"]},
        ),
        (FAULT_S, "effect_seen", "region-loss:0", {"fault": "region-loss"}),
        (330, "alert_pending", "StrategicAgentDown", {"rules": "intended", "region": WEST}),
        (360, "alert_firing", "StrategicAgentDown", {"rules": "intended", "region": WEST}),
        (390, "page_sent", "StrategicAgentDown", {"alert": "StrategicAgentDown"}),
        (392, "page_received", "StrategicAgentDown", {"alert": "StrategicAgentDown", "severity": "critical"}),
        (393, "automation_detected", "automation", {"failures": 3}),
        (393.2, "decided", "automation", {"procedure": "automatic-failover"}),
        (394, "procedure_started", "automatic-failover", {"actor": "automation"}),
        (394, "step_started", "automatic-failover", {"step": "promote", "actor": "automation"}),
        (514, "acknowledged", "L1", {"alert": "StrategicAgentDown"}),
        (640, "promoted", f"{WEST}/database", {"timeline": "us-west-2/2", "position": 3_149_020}),
        (641, "step_finished", "automatic-failover", {"step": "promote", "actor": "automation", "ok": True}),
        *((700 + i * 9.5, "pod_ready", f"{WEST}/risk/{i}", {}) for i in range(10)),
        (795, "step_started", "automatic-failover", {"step": "dns", "actor": "automation"}),
        (799, "dns_switched", "orders.example", {"region": WEST}),
        (800, "step_finished", "automatic-failover", {"step": "dns", "actor": "automation", "ok": True}),
        (860, "procedure_finished", "automatic-failover", {"ok": True}),
        (930, "alert_resolved", "StrategicAgentDown", {"rules": "intended", "region": WEST}),
        (1260, "settled", "run", {}),
        (END_S, "run_ended", "run", {"reason": "settled"}),
        (END_S, "readback_done", "us-west-2/2", {"timeline": "us-west-2/2"}),
        (END_S + 1, "lifted", "region-loss:0", {"fault": "region-loss", "by": "clean-up"}),
    ]
    for t_s, kind, subject, detail in facts:
        made.mark(int(t_s * 1e6), kind, subject, **detail)


def _probes(made: MemoryRecorder) -> None:
    for service, back_s in BACK_S.items():
        intended = np.arange(0, int(END_S * 1e6), 10_000_000 if service == "page" else SPACING_US, dtype=np.int64)
        bad = (intended >= FAULT_S * 1e6) & (intended < back_s * 1e6)
        n = len(intended)
        done = np.where(bad, -1, intended + 3_000).tolist()
        made.append(
            "probes",
            {
                "intended_us": intended,
                "sent_us": intended,
                "done_us": [None if d < 0 else d for d in done],
                "client": ["prober"] * n,
                "route": ["dns"] * n,
                "service": [service] * n,
                "status": np.where(bad, "timeout", "2xx").tolist(),
                "right": np.where(bad, "none", "yes").tolist(),
            },
        )


def _load(made: MemoryRecorder) -> None:
    random = np.random.default_rng(11)
    seconds = np.arange(int(END_S), dtype=np.int32)
    down = (seconds >= FAULT_S) & (seconds < BACK_S["strategic"])
    slow = (seconds >= BACK_S["strategic"]) & (seconds < 880)
    sent = random.poisson(10_500, len(seconds)).astype(np.int64)
    ok = np.where(down, 0, sent - np.where(slow, sent // 12, 0))
    unknown = np.where(down, sent // 3, 0)
    paths = []
    for second in seconds:
        median_ms = 9.0 if not slow[second] else 24.0 - (second - BACK_S["strategic"]) * 0.25
        values = np.full(60, 2e9) if down[second] else random.lognormal(np.log(median_ms * 1e6), 0.35, 60)
        paths.append([{"bin": int(b), "count": int(c)} for b, c in histogram.of(values.astype(np.int64))])
    made.append(
        "load",
        {
            "second": seconds,
            "region": ["client"] * len(seconds),
            "service": ["edge"] * len(seconds),
            "intended": sent,
            "sent": sent,
            "ok": ok,
            "failed": sent - ok - unknown,
            "unknown": unknown,
            "attempts": np.where(down, sent * 2, sent),
            "path": paths,
        },
    )


def _writes(made: MemoryRecorder) -> None:
    n = int(END_S * 20)
    sent = np.arange(n, dtype=np.int64) * 50_000
    out = (sent >= FAULT_S * 1e6) & (sent < BACK_S["database"] * 1e6)
    keys = np.arange(n, dtype=np.int64)
    lost = (sent >= (FAULT_S - 0.9) * 1e6) & ~out & (sent < FAULT_S * 1e6)
    classes = np.array(["transactions"] * n)
    made.append("writes_sent", {"data_class": classes, "seq": keys, "key": keys, "sent_us": sent})
    made.append(
        "writes_done",
        {"data_class": classes, "key": keys, "done_us": sent + 2_000, "outcome": np.where(out, "unknown", "acked")},
    )
    kept = keys[~out & ~lost]
    made.append(
        "readback",
        {
            "data_class": np.array(["transactions"] * len(kept)),
            "timeline": np.array(["us-west-2/2"] * len(kept)),
            "key": kept,
            "copies": np.ones(len(kept), dtype=np.int32),
            "position": kept,
            "read_us": np.full(len(kept), int(END_S * 1e6)),
        },
    )


def _samples(made: MemoryRecorder) -> None:
    seconds = np.arange(0, int(FAULT_S))
    true = 0.6 + 0.3 * np.sin(seconds / 17.0)
    observed = np.round(true * 2) / 2
    for name, values in (("replication_lag_s", true), ("replication_lag_observed_s", observed)):
        n = len(seconds)
        made.append(
            "samples",
            {"t_us": seconds * 1_000_000, "subject": [f"{WEST}/database"] * n, "name": [name] * n, "value": values},
        )


def judgement() -> Judgement:
    """Return the merged judgement of the full trial."""
    return merged(verdicts())


RTO_S = {"strategic": 900, "tactical": 600, "risk": 300, "database": 1800, "complete": 2700}


def ensemble(n: int = 200) -> Ensemble:
    """Return trials around the full one; two never recover."""
    random = np.random.default_rng(5)
    trials = []
    for i in range(n):
        act = float(random.lognormal(np.log(400), 0.22))
        values: dict[str, float | None] = {}
        phases = {}
        for j, name in enumerate(RTO_S):
            extra = float(random.uniform(2, 30)) + 6 * j
            never = i in (17, 120) and name != "database"
            part = act * 0.6 if name == "database" else act
            values[f"rto.{name}"] = None if never else 93 + part + extra
            phases[f"rto.{name}"] = {"detect": 93.0, "decide": 0.2, "act": part, "converge": extra}
        results: dict[str, str | None] = {
            f"rto.{name}": "PASS" if (v := values[f"rto.{name}"]) is not None and v <= limit else "FAIL"
            for name, limit in RTO_S.items()
        }
        trials.append(Trial(i, 7, results, values, phases=phases))
    kept = (
        Kept(0, ("asked",), "request", "the-run-x200/trial-0", "FAIL", 568.0),
        Kept(120, ("worst",), "control", "the-run-x200/trial-120", "FAIL", None),
        Kept(44, ("median",), "control", "the-run-x200/trial-44", "FAIL", 521.5),
    )
    return Ensemble(trials, judge_ensemble(trials, 0.95, full=judgement()), kept=kept)


def report(*, many: bool = False, **changes: Any) -> Report:
    """Return the whole report, of one run or of many trials."""
    if not many:
        return Report(head(**changes), judgement(), record())
    told = {"fidelity": "control", "seed": 7, "trials_asked": 200, "trials_done": 200, "met_in": 0.95}
    return Report(head(ensemble=told, **changes), judgement(), record(), ensemble())
