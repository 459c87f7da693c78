"""Each fault on the real testbed: it is seen to land, it is lifted, it is seen to be gone."""

from collections.abc import Iterator
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


@pytest.mark.parametrize(("kind", "arguments"), TRIED, ids=lambda v: v if isinstance(v, str) else str(v.get("by", "")))
def test_it_lands_and_goes(kind: str, arguments: dict[str, Any]) -> None:
    name, module = f"{kind}:0", base.module_of(kind)
    assert moments.poll(lambda: cluster.all_answer("us-east-1"), GOES_WITHIN_S, every_s=1.0)
    try:
        module.inject(name, **arguments)
        assert moments.poll(lambda: module.landed(name), LANDS_WITHIN_S)
    finally:
        if FAULTS[kind].lifted:
            module.lift(name)
    assert moments.poll(lambda: module.gone(name), GOES_WITHIN_S)
    base.forget(name)
