"""A service that was bad before the fault: what is told of it is still its recovery from the fault."""

from tests.records import Run
from validators.judge import judge


def test_bad_twice_before_the_fault_is_doubted_and_the_recovery_told() -> None:
    run = Run().outage("risk", 20, 30).outage("risk", 110, 120)
    found = {verdict.objective: verdict for verdict in judge(run.observations()).verdicts}["rto.risk"]
    assert found.result == "INCONCLUSIVE"
    assert found.value is not None
    assert 190 < found.value < 210


def test_bad_when_the_run_began_is_no_doubt_about_a_fault_long_after() -> None:
    found = {v.objective: v for v in judge(Run().outage("risk", 0, 3).observations()).verdicts}["rto.risk"]
    assert found.result == "PASS", found.reason
