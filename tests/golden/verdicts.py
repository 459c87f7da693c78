"""The verdicts of the made-up loss of a region: one of every kind of row."""

from typing import Any

from validators.model import Evidence, Result, Verdict

FAULT_S = 300.0
SECTIONS = {
    "rto": "Disaster Recovery / Recovery Time Objectives",
    "rpo": "Disaster Recovery / Recovery Point Objectives",
    "kpi": "Performance Optimization / Key Performance Indicators",
    "alert": "Monitoring and Alerting / Critical Alerts",
    "response": "Incident Response Procedures / Response Times",
    "change": "Change Management Process / Change Proposal",
    "rule": "two databases that both accept orders cannot be merged afterwards",
    "integrity": "figures from a leaking count prove nothing",
}


def _recovery(name: str, value: float, limit: float, act: float, converge: float) -> Verdict:
    result = Result.PASS if value <= limit else Result.FAIL
    over = f"{value - limit:.0f} s over" if value > limit else "within"
    return Verdict(
        objective=f"rto.{name}",
        result=result,
        value=value,
        limit=limit,
        unit="s",
        low=value - 0.5,
        high=value,
        samples=2640,
        method="last bad-to-good change of DNS probes",
        reason=f"{name} was served again {value:.0f} s after the fault, {over} its limit of {limit:.0f} s.",
        evidence=(
            Evidence("probes", f"service={name}, route=dns", int((FAULT_S + value) * 1e6)),
            Evidence("marks", "injection_begun", int(FAULT_S * 1e6)),
        ),
        detail={
            "recovered": True,
            "phases": {"detect": 93.0, "decide": 0.2, "act": act, "converge": converge},
            "clocks": {"detection": value - 93.0, "declaration": None, "procedure_start": value - 94.0},
            "steps": [
                {"procedure": "automatic-failover", "step": "promote", "actor": "automation", "seconds": act * 0.6},
                {"procedure": "automatic-failover", "step": "dns", "actor": "automation", "seconds": 6.0},
            ],
            "relapses": 0,
            "bad_seconds": value,
            "begun_us": int(FAULT_S * 1e6),
        },
        source=SECTIONS["rto"],
        proven=result is Result.FAIL,
    )


def _plain(
    name: str, result: Result | None, value: float | None, limit: float, unit: str, reason: str, **more: Any
) -> Verdict:
    given: dict[str, Any] = {"low": value, "high": value, "samples": 0, "method": ""}
    source = SECTIONS[name.split(".")[0]]
    return Verdict(
        objective=name,
        result=result,
        value=value,
        limit=limit,
        unit=unit,
        reason=reason,
        source=source,
        **{**given, **more},
    )


def verdicts() -> tuple[Verdict, ...]:
    """Return one of every kind of row."""
    return (*_recoveries(), *_losses(), *_figures(), *_facts())


def _recoveries() -> tuple[Verdict, ...]:
    beside = _plain("rto.risk.from_detection", None, 419.4, 300, "s", "Shown beside, never merged.", merged=False)
    return (
        _recovery("strategic", 526.7, 900, 406.0, 27.5),
        _recovery("tactical", 518.1, 600, 406.0, 18.9),
        _recovery("risk", 512.4, 300, 406.0, 13.2),
        _recovery("database", 352.0, 1800, 247.0, 11.8),
        _recovery("complete", 568.0, 2700, 406.0, 68.8),
        beside,
    )


def _losses() -> tuple[Verdict, ...]:
    lost = {"lost": 18, "unknown_recovered": 0, "unknown_absent": 7040}
    spaced = "Samples of the copy are 40 s apart, more than a tenth of the limit."
    read = (Evidence("readback", "timeline=us-west-2/2"),)
    return (
        _plain(
            "rpo.transactions",
            Result.PASS,
            0.9,
            60,
            "s",
            "18 acknowledged transactions are lost, the last 0.9 s before the fault.",
            samples=26_400,
            method="ledger against readback",
            evidence=read,
            detail=lost,
        ),
        _plain(
            "rpo.models", Result.PASS, 540, 900, "s", "The copy was at most 9 min old.", samples=1320, method="samples"
        ),
        _plain("rpo.logs", Result.INCONCLUSIVE, 290, 300, "s", spaced, samples=33, low=250, high=330, method="samples"),
    )


def _figures() -> tuple[Verdict, ...]:
    batches = {"samples": 5_214_000, "method": "p95 of own time, batches of 60 s"}
    below, above = (
        "p95 before the fault and after recovery is below 2 ms.",
        "p95 after recovery is 1.21 ms, above 1 ms.",
    )
    minutes = "Every whole minute before the fault and after recovery completed more than 10,000/s."
    return (
        _plain("kpi.strategic", Result.PASS, 1.42, 2, "ms", below, low=1.38, high=1.47, **batches),
        _plain("kpi.tactical", Result.FAIL, 1.21, 1, "ms", above, low=1.16, high=1.26, **batches),
        _plain("kpi.throughput", Result.PASS, 10_497, 10_000, "1/s", minutes, samples=12, method="whole 60 s windows"),
    )


def _facts() -> tuple[Verdict, ...]:
    fired = "It fired 60 s after the fault; it was due after 100 s."
    flow = "Every request sent ended, timed out or was in flight."
    never = {"state": "not_exercised"}
    return (
        _plain("alert.StrategicAgentDown", Result.PASS, 60, 100, "s", fired, samples=1, method="marks and condition"),
        _plain("alert.RiskLimitBreach", None, None, 5, "s", "its condition never held", **never),
        _plain("response.P0", None, None, 900, "s", "the people are scripted", state="not_judged"),
        _plain("change.rollback", None, None, 120, "s", "the timeline contains no change", **never),
        _plain("rule.single_writer", Result.PASS, 0, 0, "1", "No two databases accepted orders.", samples=20_440),
        _plain("integrity.flow", Result.PASS, 0, 0, "1", flow, samples=13_860_000),
    )
