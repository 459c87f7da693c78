"""What `show` says would be judged is what the judge judges, of each scenario of the library."""

import pytest

from gameday.play import closed, head, not_judged
from scenarios.files.catalogue import scenarios
from scenarios.files.load import load
from scenarios.files.planned import planned
from scenarios.record.writer import MemoryRecorder
from sim.world import run
from validators.judge import judge
from validators.observe import observe

MAY_BECOME = {
    "judged": {"judged"},
    "judged if": {"judged", "not_exercised"},
    "not judged": {"not_judged", "not_exercised"},
    "not exercised": {"not_exercised"},
}


@pytest.mark.proves("what `gameday show` says would be judged is what the judge judges")
@pytest.mark.parametrize("name", [s.name for s in scenarios() if "twin" in s.worlds])
def test_plan_is_kept(name: str) -> None:
    resolved, recorder = load(name), MemoryRecorder()
    end = run(resolved, 1, 0, recorder, fidelity="control")
    facts = head(resolved, fidelity="control", seed=1, trial=0) | closed(end) | {"termination": end.termination}
    verdicts = judge(observe(facts, recorder.marks, recorder.table)).verdicts
    became = {v.objective: v.state for v in verdicts if v.merged}
    plan = planned(resolved, not_judged(resolved, "control"))
    assert set(became) == {p.objective.objective for p in plan}
    surprises = {
        p.objective.objective: (p.state, became[p.objective.objective])
        for p in plan
        if became[p.objective.objective] not in MAY_BECOME[p.state]
    }
    assert surprises == {}
