"""Each fault on the real testbed: it is seen to land, it is lifted, it is seen to be gone.

Some of them: `pytest tests/cluster/test_faults.py -k "node or pod-kill"`. The end prints how long each took.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from experiments.faults import base, cluster
from experiments.operate import preparation
from experiments.operate.moments import moments
from experiments.operate.watching import GOES_WITHIN_S, LANDS_WITHIN_S
from experiments.testbed.plan import plan
from scenarios.model.faults import FAULTS

EAST, WEST = {"region": "us-east-1"}, {"region": "us-west-2"}
RISK, STRATEGIC = {**EAST, "service": "risk"}, {**EAST, "service": "strategic"}

TRIED: list[tuple[str, dict[str, Any]]] = [
    ("pod-kill", STRATEGIC),
    ("pod-hang", RISK),
    ("crash-loop", STRATEGIC),
    ("crash-loop", {**STRATEGIC, "share": 0.5, "by": "image"}),
    ("bad-rollout", STRATEGIC),
    ("cpu-pressure", RISK),
    ("memory-pressure", RISK),
    ("partition", STRATEGIC),
    ("packet-loss", {**RISK, "share": 0.3}),
    ("added-latency", STRATEGIC),
    ("redis-loss", EAST),
    ("dns-api-down", {}),
    ("prometheus-down", EAST),
    ("replication-stalled", WEST),
    ("replication-delayed", WEST),
    ("region-partition", WEST),
    ("slow-database", EAST),
    ("database-failure", EAST),
    ("disk-full", EAST),
    ("cordon-drain", RISK),
    ("node-pause", RISK),
    ("node-loss", RISK),
    ("region-loss", {**EAST, "by": "pause"}),
    ("region-loss", {**EAST, "by": "cut"}),
    ("region-loss", {**EAST, "by": "stop"}),
]
NEVER_LIFTED = {"drop-table"}  # only a reset mends it

pytestmark = [pytest.mark.needs("docker"), pytest.mark.usefixtures("whole_testbed"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def nobody_fails_over() -> Iterator[None]:
    """The automation does nothing meanwhile."""
    services = {name: service.replicas for name, service in plan().topology.services.items()}
    preparation.prepare(plan().home.region, services, {"region": plan().away.region, "works": False})
    yield
    preparation.put_back()


def test_every_kind_is_tried() -> None:
    known = {kind.name for kind in FAULTS.values() if "kind" in kind.worlds}
    assert {kind for kind, _ in TRIED} == known - NEVER_LIFTED - {"none"}


def _name(value: object) -> str:
    return value if isinstance(value, str) else "" if not isinstance(value, dict) else str(value.get("by", ""))


def _everything_answers() -> bool:
    """Whether nothing is left of the fault before."""
    try:
        return cluster.all_answer(EAST["region"]) and cluster.all_settled(WEST["region"])
    except base.UNREACHABLE:
        return False


@pytest.mark.parametrize(("kind", "arguments"), TRIED, ids=_name)
def test_it_lands_and_goes(
    kind: str, arguments: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    name, module = f"{kind}:0", base.module_of(kind)
    assert moments.poll(_everything_answers, GOES_WITHIN_S, every_s=1.0), "the fault before is still there"
    begun_s = time.monotonic()
    try:
        module.inject(name, **arguments)
        assert moments.poll(lambda: module.landed(name), LANDS_WITHIN_S), "it was not seen to land"
        landed_s = time.monotonic()
    finally:
        if FAULTS[kind].lifted:
            module.lift(name)
    assert moments.poll(lambda: module.gone(name), GOES_WITHIN_S), "it was not seen to go"
    gone_s = time.monotonic()
    base.forget(name)
    words = f"{kind} {_name(arguments)}"
    record_property("summary", f"{words:<28} lands {landed_s - begun_s:5.1f} s   goes {gone_s - landed_s:5.1f} s")
