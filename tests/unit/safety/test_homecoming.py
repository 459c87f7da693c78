"""The way home: what is done in which order, and that every acknowledged order is there."""

from collections.abc import Callable
from typing import Any

import pytest

from experiments.safety import homecoming
from experiments.testbed.layout import EAST, WEST
from experiments.testbed.plan import plan
from experiments.testbed.status import Database, Region, Status, Workload


class Regions:
    """Two databases: one takes orders until it is fenced, the other has what it was given time to copy."""

    def __init__(self) -> None:
        self.orders: dict[str, list[int]] = {"us-east-1": [1, 2], "us-west-2": [1, 2, 3]}
        self.writer = "us-west-2"
        self.name = "us-west-2"
        self.did: list[str] = []

    def order(self) -> None:
        """A user's order, between any two steps."""
        if self.writer == self.name:
            kept = self.orders[self.writer]
            kept.append(max(kept) + 1)

    def catch_up(self, region: str) -> str:
        self.orders[region] = list(self.orders["us-west-2"])
        self.did.append(f"catch up {region}")
        self.order()
        return ""

    def perform(self, verb: str, target: Any, options: Any) -> str:
        self.order()
        region = target["region"]
        self.did.append(f"{verb} {region}" + (f" {sorted(set(options['plan'].values()))}" if verb == "deploy" else ""))
        if verb == "fence":
            assert self.writer == region
            self.writer = ""
        elif verb == "promote":
            assert not self.writer, "two writers"
            self.writer = region
        elif verb == "switch_dns":
            self.name = region
        self.order()
        return ""

    def demote(self, old: Any, new: Any, cut: Any, progress: Callable[[float, str], None]) -> None:
        assert (self.writer, self.name) == (new.region, new.region)
        self.did.append(f"demote {old.region}")
        progress(1.0, "streams")


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> Regions:
    regions = Regions()
    monkeypatch.setattr(homecoming.reseeding, "catch_up", regions.catch_up)
    monkeypatch.setattr(homecoming, "perform", regions.perform)
    monkeypatch.setattr(homecoming, "demote", regions.demote)
    monkeypatch.setattr(homecoming.outside, "call", lambda *_, **__: None)
    services = plan().topology.services.values()
    pods = {service.deployment: Workload(2, 2, True) for service in services}
    seen = {place.region: Region({}, 0, pods, None, True) for place in (EAST, WEST)}
    look = Status(seen, {}, None, None, None, None, False, ())
    monkeypatch.setattr(homecoming.status, "look", lambda: look)
    return regions


@pytest.mark.proves("undo --home brings the primary home with every order that was acknowledged elsewhere")
def test_no_order_is_lost_on_the_way_home(regions: Regions) -> None:
    homecoming.come_home(WEST, EAST, lambda *_: None)
    elsewhere = regions.orders["us-west-2"]
    assert len(elsewhere) > 3, "orders came until it was fenced"
    assert regions.orders["us-east-1"][: len(elsewhere)] == elsewhere
    assert regions.did == [
        "catch up us-east-1", "fence us-west-2", "catch up us-east-1", "promote us-east-1", "deploy us-east-1 [2]",
        "wait_ready us-east-1", "switch_dns us-east-1", "demote us-west-2", "deploy us-west-2 [0]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("there", "here", "holder", "instead"),
    [
        (None, None, None, False),
        (Database(False, 2, 1, None, 0), Database(True, 2, 1, None, 1), None, False),
        (Database(True, 2, 1, None, 0), None, None, True),
        (Database(True, 2, 1, None, 0), None, "us-west-2", True),
        (Database(True, 2, 1, None, 0), None, "us-east-1", False),  # home was promoted again, and is silent
        (Database(True, 2, 1, None, 1), Database(False, 2, 1, None, 0), "us-east-1", True),  # granted, not promoted
        (Database(True, 2, 1, None, 0), Database(True, 1, 1, None, 0), None, True),  # home is back, fenced
        (Database(True, 2, 1, None, 0), Database(True, 3, 1, None, 0), None, False),  # home was promoted again
        (Database(True, 2, 1, None, 0), Database(True, 2, 1, None, 0), "us-west-2", True),
        (Database(True, 2, 1, None, 0), Database(True, 2, 1, None, 0), "us-east-1", False),
    ],
)
def test_of_two_primaries_the_one_with_the_lease_or_the_later_timeline_counts(
    there: Any, here: Any, holder: str | None, instead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homecoming.status, "database", lambda place: there if place is WEST else here)
    assert homecoming.is_primary_instead(WEST, EAST, holder) is instead
