"""What needs counts of requests, so that a world without them leaves it out beforehand."""

import pytest

from scenarios.files.load import load
from validators import needs


def test_of_the_library() -> None:
    document = load("region-loss-automatic").document()
    needing = {o["objective"] for o in document["objectives"] if needs.load(o, document["topology"])}
    services = ("strategic", "tactical", "risk", "database", "throughput")
    expected = {f"kpi.{s}" for s in services} | {"load.load", "load.stress", "load.endurance"}
    assert needing == expected | {"integrity.flow", "alert.HighErrorRate"}


@pytest.mark.proves("a trial at fidelity control is judged on nothing that it does not record")
def test_control_leaves_out_all_of_them() -> None:
    from gameday.play import not_judged

    resolved = load("region-loss-automatic")
    document = resolved.document()
    left_out = not_judged(resolved, "control")
    assert {o["objective"] for o in document["objectives"] if needs.load(o, document["topology"])} <= set(left_out)


RTO = {"rto.strategic", "rto.tactical", "rto.risk", "rto.database", "rto.complete"}
BY_LOAD = {  # what control leaves out of the recovery times
    "opening-burst": RTO,
    "load-test": RTO,
    "region-loss-automatic": set(),
    "risk-node-loss-2-replicas": {"rto.database"},
    "strategic-crash-loop": RTO - {"rto.strategic", "rto.complete"},
    "strategic-rolling-update": set(),
}


@pytest.mark.proves("a recovery from too much load is judged with every request or not at all")
@pytest.mark.parametrize("name", BY_LOAD)
def test_control_leaves_out_what_queues_decide(name: str) -> None:
    from gameday.play import not_judged

    resolved = load(name)
    assert RTO & set(not_judged(resolved, "control")) == BY_LOAD[name]
    assert not RTO & set(not_judged(resolved, "request"))


def test_a_burst_with_a_fault_is_left_out_too() -> None:
    from gameday.play import not_judged

    resolved = load("region-loss-automatic", overrides={"workload.profile": "opening-burst"})
    assert set(not_judged(resolved, "control")) >= RTO
