"""A prediction beside a measurement: what is compared, and what most of the distance comes from."""

from dataclasses import replace
from typing import Any

import pytest

from gameday.cli import compare as command
from reports.comparison import cause, compare
from reports.model import Ensemble, Report
from scenarios.record.ensemble import Trial
from scenarios.record.writer import MemoryRecorder
from validators.model import Judgement, Result, Verdict

HEAD = {"topology_digest": "t", "scenario_digest": "s", "scenario": {"scenario": "x", "title": "A loss"}, "run_id": "r"}
SPLIT = {"detect": 5.0, "decide": 0.0001, "act": 10.0, "converge": 5.0}


def verdict(name: str, value: float | None, result: Result | None = Result.PASS, **phases: float) -> Verdict:
    return Verdict(
        name, result, value, 900.0, "s", value, value, 1, "", "", detail={"phases": phases} if phases else {}
    )


def measured(*verdicts: Verdict) -> Report:
    return Report({**HEAD, "source": "kind"}, Judgement(Result.PASS, verdicts, 1, 1, "PASS"), MemoryRecorder())


def predicted(values: dict[str, Any], phases: dict[str, dict[str, float]], trials: int = 20) -> Report:
    results = {n: None if v == "not exercised" else "PASS" if v is not None else "FAIL" for n, v in values.items()}
    numbers = {n: None if v == "not exercised" else v for n, v in values.items()}
    every = [Trial(i, 1, results, numbers, {}, {}, phases, {}) for i in range(trials)]
    verdicts = tuple(verdict(n, v if isinstance(v, float) else None) for n, v in values.items())
    judged = Judgement(Result.PASS, verdicts, 1, 1, "PASS", trials)
    return Report(HEAD, judged, MemoryRecorder(), Ensemble(every, judged))


def test_the_phase_that_makes_up_most_of_the_distance_is_named() -> None:
    one = {"detect": 6.0, "decide": 0.3, "act": 32.0, "converge": 5.0}
    found = compare(predicted({"rto.risk": 43.3}, {"rto.risk": one}), measured(verdict("rto.risk", 20.0, **SPLIT)))
    words = "rto.risk was predicted 23.3 s longer than measured; the largest part of that is “act”, 22 s longer."
    assert cause(found) == words


def test_what_no_trial_exercised_is_not_said_to_be_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    before = predicted({"rto.risk": None, "alert.HighErrorRate": "not exercised"}, {})
    found = compare(before, measured(verdict("rto.risk", 20.0), verdict("alert.HighErrorRate", 134.0)))
    assert found.rows["inside"].tolist() == [False, None]
    assert cause(found) == "rto.risk: predicted not to recover within the run, and it did."
    command._table(found)
    lines = capsys.readouterr().out.splitlines()
    assert "never" in next(line for line in lines if line.startswith("rto.risk"))
    assert "not exercised" in next(line for line in lines if line.startswith("alert.HighErrorRate"))


def test_phases_that_services_share_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("rto.strategic", "rto.risk")
    late = {**SPLIT, "converge": 7.0}
    before = predicted(dict.fromkeys(names, 20.0), dict.fromkeys(names, SPLIT))
    after = measured(verdict(names[0], 20.0, **SPLIT), verdict(names[1], 22.0, **late))
    command._table(compare(before, after))
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()[3:] if line.startswith("  ")]
    assert told.count("detect") == told.count("act") == told.count("decide") == 1
    assert told.count("converge") == 2


def test_what_nobody_judges_is_compared_where_both_have_measured_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A latency on a small system: of each trial, or of the trial in full; else there is nothing to put beside it."""
    after = measured(verdict("kpi.risk", 6.0, None))
    before = predicted({"kpi.risk": "not exercised"}, {})
    command._table(found := compare(before, after))
    assert found.rows.empty
    assert "nothing was both predicted and measured" in capsys.readouterr().out
    assert before.ensemble is not None
    each = [replace(trial, values={"kpi.risk": 5.0 + trial.trial}) for trial in before.ensemble.trials]
    [row] = compare(replace(before, ensemble=replace(before.ensemble, trials=each)), after).rows.to_dict("records")
    assert (row["predicted_low"], row["predicted_median"], row["trials"], row["inside"]) == (6.0, 15.0, 20, True)
    kept = replace(before, judgement=measured(verdict("kpi.risk", 7.0, None)).judgement)
    unjudged = replace(before.ensemble, judgement=measured(verdict("kpi.risk", None, None)).judgement)
    [row] = compare(replace(kept, ensemble=unjudged), after).rows.to_dict("records")
    assert (row["predicted_median"], row["trials"], row["inside"]) == (7.0, 1, False)
