"""One run judged: each objective of the record becomes a verdict, and the verdicts are merged.

A verdict compares the bounds of a measurement with the limit: PASS only when the whole interval meets it, FAIL only
when the whole interval misses it, else INCONCLUSIVE. Doubts and faults of the instrument turn both into INCONCLUSIVE,
unless the violation is proven. Without data nothing passes, and nothing passes in a run that did not come to its own
end. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from validators.exercised import why_not
from validators.measures import (
    change,
    data_loss,
    detection,
    house_rules,
    integrity,
    latency,
    load_test,
    recovery_time,
    response,
    throughput,
)
from validators.merge import judgement
from validators.model import Judgement, Measurement, Observations, Result, Verdict
from validators.reasons import reason
from validators.stretches import counts

Objective = Mapping[str, Any]
Measure = Callable[[Observations, Objective], list[Measurement]]

MEASURES: dict[str, Measure] = {
    "recovery_time": recovery_time.measure,
    "data_loss": data_loss.measure,
    "latency": latency.measure,
    "throughput": throughput.measure,
    "load_test": load_test.measure,
    "detection": detection.measure,
    "response": response.measure,
    "change": change.measure,
    "house_rule": house_rules.measure,
    "integrity": integrity.measure,
}
SHOWN = ("latency", "throughput")  # what a small system is measured for, though nothing is promised of it
CUT_SHORT = "the run did not come to its own end"


def judge(observations: Observations) -> Judgement:
    """Judge every objective of a record and merge what was judged.

    Objectives that the run did not exercise, or that were left out before it, are listed with the reason, not merged;
    of those that were left out latency and throughput are measured even so.
    Raises KeyError for an objective of an unknown kind: the record was checked when it was read, so that is our bug.
    """
    return judgement([v for o in observations.objectives for v in _objective(observations, o)])


def _objective(observations: Observations, objective: Objective) -> list[Verdict]:
    name = str(objective["objective"])
    if (why := why_not(observations, objective)) is not None:
        return [_without(objective, "not_exercised", why)]
    if name in observations.not_judged:
        return _left_out(observations, objective, observations.not_judged[name])
    measured = MEASURES[str(objective["kind"])](observations, objective)
    main, *beside = [_verdict(observations, objective, m) for m in measured]
    return [main, *beside]


def _left_out(observations: Observations, objective: Objective, why: str) -> list[Verdict]:
    """An objective that was left out before the run: a line without a verdict, with what was measured all the same."""
    line = _without(objective, "not_judged", why)
    if objective["kind"] not in SHOWN or not len(counts(observations, "edge").rows):
        return [line]
    main, *beside = MEASURES[str(objective["kind"])](observations, objective)
    if main.value is None:
        return [line]
    measured = replace(
        line, value=main.value, low=main.low, high=main.high, samples=main.samples, method=main.method,
        evidence=main.evidence, detail=main.detail, at_least=main.at_least,
    )  # fmt: skip
    return [measured, *(_verdict(observations, objective, row) for row in beside)]


def _limit(objective: Objective) -> tuple[float | None, str]:
    """Limit and unit as the objective states them."""
    if (per_s := objective.get("limit_per_s")) is not None:
        return float(per_s), "1/s"
    if (limit_us := objective.get("limit_us")) is None:
        return 0.0, "1"
    return (float(limit_us) / 1e3, "ms") if objective["kind"] == "latency" else (float(limit_us) / 1e6, "s")


def _source(objective: Objective) -> str:
    return str(objective.get("runbook") or objective.get("rationale") or "")


def asked(objective: Objective) -> Verdict:
    """Return what an objective asks for, before anything is measured: its limit and unit, and where it is written."""
    limit, unit = _limit(objective)
    if objective["kind"] == "detection":  # its limit is the monitoring's, and comes with the measurement
        limit, unit = None, "s"
    return _without(objective, "not_exercised", "", limit, unit)


def _without(objective: Objective, state: str, why: str, limit: float | None = None, unit: str = "") -> Verdict:
    """A line for an objective without a verdict."""
    if not unit:
        limit, unit = _limit(objective)
    name, source = str(objective["objective"]), _source(objective)
    return Verdict(name, None, None, limit, unit, None, None, 0, "", why, source=source, state=state)


def _verdict(observations: Observations, objective: Objective, measured: Measurement) -> Verdict:
    limit = None if measured.bare else measured.limit if measured.limit is not None else _limit(objective)[0]
    result = None if limit is None else decide(measured, limit, complete=observations.complete)
    weak = (*measured.faults, *measured.doubts)
    if result is Result.INCONCLUSIVE and not observations.complete:
        weak = (*weak, CUT_SHORT)
    return Verdict(
        measured.name, result, measured.value, limit, measured.unit, measured.low, measured.high, measured.samples,
        measured.method, reason(measured, limit, result, weak), measured.evidence, measured.detail, _source(objective),
        merged=measured.name == objective["objective"], proven=result is Result.FAIL and measured.proven,
        at_least=measured.at_least,
    )  # fmt: skip


def decide(measured: Measurement, limit: float, *, complete: bool = True) -> Result:
    """Compare the bounds of a measurement with its limit.

    `complete` False: the run was cut short, so that what was good so far need not have stayed good.
    """
    low, high = measured.low, measured.high
    if measured.at_least:
        missed, met = high is not None and high <= limit, low is not None and low > limit
    else:
        missed, met = low is not None and low > limit, high is not None and high <= limit
    missed = missed or measured.violated
    if missed and measured.proven:
        return Result.FAIL
    if measured.faults or measured.doubts:
        return Result.INCONCLUSIVE
    if missed:
        return Result.FAIL
    known = measured.value is not None and (measured.samples > 0 or measured.vacuous)
    return Result.PASS if met and known and complete else Result.INCONCLUSIVE
