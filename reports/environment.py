"""Where a run was played, with what, and how far it can be trusted and played again: in words."""

from collections.abc import Mapping
from typing import Any

from reports import published, series
from reports.model import Report
from reports.reconciliation import reconciliation
from reports.words import duration, quantity

_OPERATORS = {
    "live": "live: somebody answered at the terminal, and their time was measured",
    "scripted": "scripted: people's steps happened after declared delays",
}


def facts(report: Report) -> list[tuple[str, str]]:
    """Environment and scope: what a reader needs to place and repeat the run."""
    head = report.head
    many = head.get("ensemble") or {}
    orders = reconciliation(report)
    rows: list[tuple[str, object]] = [
        ("Run", head.get("run_id")),
        ("Scenario", report.scenario.get("scenario")),
        ("Topology", (head.get("topology") or {}).get("topology")),
        ("Evidence class", report.evidence_class),
        ("Source", head.get("source")),
        ("Started (UTC)", head.get("started_at")),
        ("Operators", _OPERATORS.get(str(head.get("operator")))),
        ("Fidelity of the full trial", head.get("fidelity")),
        ("Seed", head.get("seed")),
        ("Trial shown in full", head.get("trial")),
        ("Trials that decide", _trials_fact(report)),
        ("Fidelity of the trials", many.get("fidelity")),
        ("Load", _load(report)),
        ("Not quiet before the run", _before(head)),
        ("Who lifts when the runner dies", "; ".join(head.get("lifters") or ())),
        ("Judged interval", duration(report.duration_s)),
        ("Lines of processes that were no message", _torn(head)),
        ("Termination", head.get("termination")),
        ("Surviving database timeline", head.get("surviving_timeline")),
        ("Orders to reconcile", orders and orders.short),
        ("Clock bound", _clock_bound(head)),
        ("Scenario digest", head.get("scenario_digest")),
        ("Topology digest", head.get("topology_digest")),
        ("Git commit", head.get("git_commit")),
        *((f"Version of {name}", version) for name, version in sorted((head.get("versions") or {}).items())),
    ]
    return [(label, str(value)) for label, value in rows if value is not None and value != ""]


def _load(report: Report) -> str | None:
    """Who sent the orders of a real run, how many, and how late; a simulation says nothing of it."""
    began = next((m.detail for m in report.record.marks if m.kind == "load_started" and "sender" in m.detail), None)
    if began is None:
        return None
    rate = quantity(report.scenario["workload"]["rate_per_s"], "1/s")
    scale = ", this world's own" if report.head.get("scaled") else ""
    how = "each order is sent when it is due (open loop)"
    if began["sender"] == "users":
        each = duration(began["spacing_us"] / 1e6)
        how = f"{began['users']:,} users, each sends an order every {each} and waits for its answer (closed loop)"
    if (lag := series.sender_lag_us(report)) is not None:
        usual, worst = (quantity(found, "us") for found in lag)
        how += f"; late by (p99 of a second) {usual} by the median, {worst} at worst"
    if (before_s := (report.head.get("before") or {}).get("load_s")) is not None:
        how += f"; and for {duration(before_s)} before the run's clock started, which is not on record"
    return f"{rate}{scale}; {how}"


def _torn(head: Mapping[str, Any]) -> str | None:
    """What was lost on its way from a process of a real run, in lines; a line is a fact, or some rows."""
    return ", ".join(f"{lines:,} of {name}" for name, lines in (head.get("torn_lines") or {}).items()) or None


def _before(head: Mapping[str, Any]) -> str | None:
    """Alerts that held before a real run, whose monitoring did not answer then, and what its load showed to be bad."""
    before = head.get("before") or {}
    silent = [f"Prometheus of {region} did not answer" for region in before.get("silent", ())]
    bad = [f"under its load: {before['bad']}"] if before.get("bad") else []
    return "; ".join([*(f"{alert} held" for alert in before.get("alerts", ())), *silent, *bad]) or None


def _trials_fact(report: Report) -> str | None:
    if report.ensemble is None:
        return None
    done, asked = len(report.ensemble.trials), (report.head.get("ensemble") or {}).get("trials_asked")
    return f"{done:,}" if asked in (None, done) else f"{done:,} of {asked:,}"


def _clock_bound(head: Mapping[str, Any]) -> str | None:
    bound = (head.get("clock") or {}).get("bound_us")
    return None if bound is None else f"± {quantity(bound, 'us')}"


def checked(report: Report) -> str:
    """How the kernel was checked against the reference on this very topology, in one sentence; "" for a real run."""
    if report.head.get("source", "simulation") != "simulation":
        return ""
    found = report.head.get("checked") or {}
    if not found.get("requests"):
        if report.head.get("fidelity") == "control":
            return "No request was played at this fidelity, so there was no kernel to check against the reference."
        return "Kernel not checked against the SimPy reference on this topology: the figures stand on the kernel alone."
    requests, differing = f"{found['requests']:,} requests", f"{found.get('differing', 0):,} differing"
    return f"kernel = SimPy reference on this topology: {requests}, {differing}"


def compared(report: Report) -> str:
    """Return how far the twin's predictions were from real runs, as last published."""
    if report.head.get("source", "simulation") != "simulation":
        return ""
    return published.sentence(str(report.scenario.get("scenario")), report.head.get("topology_digest"))


def command(report: Report) -> str:
    """Return the command that plays it again."""
    head = report.head
    if known := head.get("command"):
        return str(known)
    name = report.scenario.get("scenario", "SCENARIO")
    if head.get("source", "simulation") != "simulation":
        return f"gameday run {name} --world {head.get('source')}"
    trials = f" --trials {len(report.ensemble.trials)}" if report.ensemble else ""
    return f"gameday simulate {name} --seed {head.get('seed', 1)}{trials}"
