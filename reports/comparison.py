"""What the twin predicted beside what was measured, objective by objective.

A prediction is the spread of its trials (or the bounds of its one run), a measurement an interval. They are compared
only when both are of the same system: the digests of scenario and topology must agree.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.model import Report, phases
from reports.words import duration
from scenarios.errors import Problem, UsageError
from validators.model import Verdict

KINDS = ("rto.", "rpo.", "kpi.", "alert.", "change.")
INSIDE = 0.90  # share of the trials that the predicted interval holds
COLUMNS = (
    "objective", "unit", "limit", "predicted_low", "predicted_median", "predicted_high", "predicted_result", "trials",
    "measured_low", "measured", "measured_high", "measured_result", "inside", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """`rows` has COLUMNS: an objective, or a phase of it ("rto.risk: act"). `inside`: whether the intervals overlap.

    Values are in `unit`; infinite: it never happened; NaN: unknown. `error` is the measured value's distance from the
    predicted median, as a share of the measured value.
    """

    scenario: str
    predicted_run: str
    measured_run: str
    rows: pd.DataFrame


def compare(predicted: Report, measured: Report) -> Comparison:
    """Put a prediction beside a measurement.

    Raises UsageError when they are not a simulation and a real run, or not of the same system.
    """
    _simulated(predicted, "PREDICTED", True, "Name the twin's record first: `gameday simulate SCENARIO --as kind`.")
    _simulated(measured, "MEASURED", False, "Measure it: `gameday run SCENARIO --world kind`.")
    _same(predicted, measured, "topology", "gameday simulate SCENARIO --as kind --trials 200")
    _same(predicted, measured, "scenario", "gameday simulate SCENARIO --as kind --trials 200")
    judged = {v.objective: v for v in predicted.deciding.verdicts if v.objective.startswith(KINDS) and v.merged}
    rows = [
        row
        for verdict in measured.deciding.verdicts
        if verdict.merged and verdict.objective in judged and verdict.value is not None
        for row in _rows(predicted, judged[verdict.objective], verdict)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return Comparison(measured.title, str(predicted.head.get("run_id")), str(measured.head.get("run_id")), frame)


def _simulated(report: Report, argument: str, wanted: bool, remedy: str) -> None:
    words = {True: "a simulation", False: "a record of a real run"}
    found = report.head.get("source", "simulation") == "simulation"
    if found is not wanted:
        raise UsageError(Problem(f"{argument} {report.head.get('run_id')}", words[found], words[wanted], remedy))


def _same(predicted: Report, measured: Report, what: str, command: str) -> None:
    key = f"{what}_digest"
    found, wanted = predicted.head.get(key), measured.head.get(key)
    if found is None or found != wanted:
        problem = Problem(
            f"PREDICTED {predicted.head.get('run_id')}", f"{what} {str(found)[:12]}",
            f"{what} {str(wanted)[:12]}, which was measured", f"Predict that very system: `{command}`.",
        )  # fmt: skip
        raise UsageError(problem)


def _rows(predicted: Report, before: Verdict, after: Verdict) -> Iterator[dict[str, Any]]:
    values = _values(predicted, before)
    if values.empty and after.result is None:
        return  # nobody judges it, and one side has not even measured it
    yield _row(after.objective, before, after, values, (after.low, after.value, after.high))
    for phase, seconds in phases(after).items():
        spread = pd.Series([p for p in _phase(predicted, before, phase) if p is not None], dtype=float)
        yield _row(f"{after.objective}: {phase}", None, None, spread, (seconds, seconds, seconds))


def _row(
    name: str, before: Verdict | None, after: Verdict | None, values: "pd.Series[float]", found: tuple[Any, Any, Any]
) -> dict[str, Any]:
    edge = (1 - INSIDE) / 2
    low, median, high = (_quantile(values, q) for q in (edge, 0.5, 1 - edge))
    from_, value, to = (math.nan if v is None else float(v) for v in found)
    to = value if math.isnan(to) else to
    known = not any(map(math.isnan, (low, high, from_, to)))
    return {
        "objective": name,
        "unit": after.unit if after else "s",
        "limit": after.limit if after else None,
        "predicted_low": low, "predicted_median": median, "predicted_high": high,
        "predicted_result": str(before.result) if before else None,
        "trials": len(values),
        "measured_low": from_, "measured": value, "measured_high": to,
        "measured_result": str(after.result) if after else None,
        "inside": bool(from_ <= high and to >= low) if known else None,
        "error": (median - value) / value if value and math.isfinite(median) else math.nan,
    }  # fmt: skip


def _values(predicted: Report, verdict: Verdict) -> "pd.Series[float]":
    """Values of the trials that exercised it, or measured it without judging; one that never happened is infinite."""
    name = verdict.objective
    if predicted.ensemble is None:
        found = [verdict.value] if verdict.result is not None or verdict.value is not None else []
    else:
        trials = ((t.results.get(name), t.values.get(name)) for t in predicted.ensemble.trials)
        found = [value for result, value in trials if result is not None or value is not None]
    if not found and verdict.result is None:  # the trial in full may have measured what the others' level cannot
        alone = (v.value for v in predicted.judgement.verdicts if v.merged and v.objective == name)
        found = [value for value in alone if value is not None]
    return pd.Series([math.inf if value is None else value for value in found], dtype=float)


def _phase(predicted: Report, verdict: Verdict, phase: str) -> list[float | None]:
    if predicted.ensemble is None:
        return [phases(verdict).get(phase)]
    return [t.phases.get(verdict.objective, {}).get(phase) for t in predicted.ensemble.trials]


def _quantile(values: "pd.Series[float]", q: float) -> float:
    """A value that was seen; interpolating would make NaN between two that never happened."""
    return float(values.quantile(q, interpolation="nearest")) if len(values) else math.nan


def cause(comparison: Comparison) -> str:
    """Return how far the recovery that ended last was from its prediction, and which phase makes up most of that.

    "" when no recovery was both predicted and measured.
    """
    rows = comparison.rows.set_index("objective")
    apart = rows["predicted_median"] - rows["measured"]
    whole = [n for n in apart.index if n.startswith("rto.") and ": " not in n and math.isfinite(apart[n])]
    if not whole:
        never = [n for n in apart.index if n.startswith("rto.") and math.isinf(rows["predicted_median"][n])]
        return f"{', '.join(never)}: predicted not to recover within the run, and it did." if never else ""
    last = max(whole, key=lambda n: float(rows["measured"][n]))
    phases_ = [n for n in apart.index if n.startswith(f"{last}: ") and math.isfinite(apart[n])]
    words = f"{last} was predicted {_apart(float(apart[last]))} than measured"
    if not phases_:
        return words + "."
    most = max(phases_, key=lambda n: abs(float(apart[n])))
    return f"{words}; the largest part of that is “{most.partition(': ')[2]}”, {_apart(float(apart[most]))}."


def _apart(seconds: float) -> str:
    return f"{duration(abs(seconds))} {'longer' if seconds >= 0 else 'shorter'}"


def document(comparison: Comparison) -> Mapping[str, Any]:
    """As JSON values; what is unknown or never happened is null."""
    rows = comparison.rows.astype(object)
    finite = rows.map(lambda v: None if isinstance(v, float) and not math.isfinite(v) else v)
    return {
        "scenario": comparison.scenario,
        "predicted": comparison.predicted_run,
        "measured": comparison.measured_run,
        "rows": finite.to_dict(orient="records"),
    }
