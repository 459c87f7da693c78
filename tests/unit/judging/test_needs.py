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
