"""Value at risk: what moves it, who sees it, and the scenarios of the library that need it or a change."""

import pytest

from gameday.play import closed, head
from scenarios.record.writer import MemoryRecorder
from sim.world import run
from tests.unit.sim.stage import HOME, OTHER, Stage, library, scenario
from validators.judge import judge
from validators.model import Verdict
from validators.observe import observe

ALERT = "RiskLimitBreach"


def shocked(factor: float, until: str = "end") -> Stage:
    line = f"[{{at: 2 min, fault: var-shock, target: {{region: {HOME}, service: risk}}, with: {{factor: {factor}}}"
    return Stage(scenario(f"{line}, until: {until}}}]"))


def test_a_shock_that_passes_nine_tenths_of_the_limit_fires_the_alert_and_its_end_resolves_it() -> None:
    stage = shocked(1.6, "4 min").until(10)
    assert stage.minute("effect_seen") == pytest.approx(2, abs=0.01)
    fired = stage.minute("alert_firing", ALERT, rules="intended")
    assert 2 + 5 / 60 <= fired <= 2 + 40 / 60  # `for`, a scrape and two evaluations
    assert 6 <= stage.minute("alert_resolved", ALERT, rules="intended") <= 6.5
    assert stage.sampled(f"{HOME}/risk", "risk_var_current", 60, 180, 400) == pytest.approx([0.6, 0.96, 0.6])


def test_a_smaller_one_does_not() -> None:
    assert not shocked(1.49).until(10).minutes("alert_pending", ALERT)


def test_only_what_computes_it_shows_it() -> None:
    exposure = Stage(scenario()).context.exposure
    assert dict(exposure.gauges(OTHER, "risk")) == {"risk_var_current": pytest.approx(0.6), "risk_var_limit": 1.0}
    assert exposure.gauges(HOME, "strategic") == ()


def verdicts(name: str, **overrides: object) -> dict[str, Verdict]:
    """Of a scenario of the library, played once at fidelity control."""
    resolved, recorder = library(name, **overrides), MemoryRecorder()
    facts = head(resolved, fidelity="control", seed=1, trial=0)
    facts |= closed(end := run(resolved, 1, 0, recorder, fidelity="control")) | {"termination": end.termination}
    return {v.objective: v for v in judge(observe(facts, recorder.marks, recorder.table)).verdicts}


@pytest.mark.proves("A scenario of the library exercises the risk limit's alert and the stop of trading")
def test_the_risk_limit_is_breached() -> None:
    found = verdicts("risk-limit-breach", people__no_response="0 %", workload__duration="50 min")
    assert found["alert.RiskLimitBreach"].result == "PASS"
    assert found["rule.no_order_after_stop"].result == "PASS"
    assert "not stopped" not in found["rule.no_order_after_stop"].reason


@pytest.mark.proves("A scenario of the library exercises a change: its downtime and its rollback")
def test_a_change_is_rolled_back() -> None:
    found = verdicts("strategic-rolling-update", workload__rate="2000/s")
    assert found["change.downtime"].result == "PASS"
    assert found["change.rollback"].result == "FAIL"  # nobody types an undo and sees it through in two minutes
    assert found["change.rollback"].limit == 120
