"""What `gameday undo` finds, and what it does there, in place of a testbed."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from experiments.platforms import trading
from experiments.safety import homecoming
from experiments.safety import lifting as lifting_here
from experiments.safety import undo as undoing
from experiments.safety.reverter import Reverter
from experiments.testbed import state as testbed
from experiments.testbed.status import Database, Region, Status, Workload, trading_off
from tests.unit.safety.doubles import Witness

PRIMARY, STANDBY = Database(True, 1, 1, None, 1), Database(False, 1, 1, None, 0)


class World:
    """What undo finds, and what it does there."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.databases: dict[str, Database | None] = {"us-east-1": PRIMARY, "us-west-2": STANDBY}
        self.lacks: tuple[str, ...] = ()
        self.trading_off: dict[str, str] = {}
        self.nodes: dict[str, str] = {}
        self.pods = {"us-east-1": 2, "us-west-2": 0}
        self.did: list[str] = []

    def promoted(self) -> None:
        self.databases = {"us-east-1": STANDBY, "us-west-2": PRIMARY}
        self.witness.lease = {"region": "us-west-2"}

    def comes_home(self, *_: object) -> None:
        self.did.append("come_home")
        self.databases = {"us-east-1": PRIMARY, "us-west-2": STANDBY}
        self.witness.lease = {"region": "us-east-1"}

    def look(self) -> Status:
        lease = str((self.witness.lease or {}).get("region"))
        services = ("strategic", "tactical", "risk")
        pods = {r: {f"{s}-deployment": Workload(n, n, True) for s in services} for r, n in self.pods.items()}
        off = self.trading_off
        regions = {
            name: Region({}, 0, pods[name], found, True, trading_off=off.get(name, ""))
            for name, found in self.databases.items()
        }
        lacks = (*self.lacks, *trading.lacks(trading_off(regions)))
        return Status(regions, {}, lease, lease, None, None, lease != "us-east-1", lacks)

    def step(self, verb: str, target: dict[str, str], _: object) -> str:
        self.did.append(verb)
        if verb == "enable_trading":
            self.trading_off.pop(target["region"])
        return verb

    def does(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: self.did.append(name)


def stand_in(world: World, reverter: Reverter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put it in the place of all that undo asks and does."""
    monkeypatch.setattr(undoing, "OUTSIDE_URL", world.witness.url)
    monkeypatch.setattr(lifting_here, "OUTSIDE_URL", world.witness.url)
    for module in (undoing, lifting_here):
        monkeypatch.setattr(module, "Reverter", lambda: reverter)
    monkeypatch.setattr("experiments.safety.forgetting.Reverter", lambda: reverter)
    monkeypatch.setattr(undoing, "LIFTS_WITHIN_S", 0.0)
    monkeypatch.setattr(undoing, "WHOLE_WITHIN_S", 0.0)
    monkeypatch.setattr(undoing.platform(), "failing_over", lambda: False)
    monkeypatch.setattr(undoing.platform(), "writer", lambda: str((world.witness.lease or {}).get("region")))
    monkeypatch.setattr(undoing.clusters, "node_states", lambda _: world.nodes)
    monkeypatch.setattr(undoing.clusters, "start_kubelets", lambda _: None)
    monkeypatch.setattr(undoing.status, "look", world.look)
    testbed.change(made_at="2026-03-01")
    monkeypatch.setattr(undoing.status, "database", lambda place: world.databases[place.region])
    monkeypatch.setattr(undoing.outside, "bring_home", world.does("lease home"))
    monkeypatch.setattr(undoing.outside, "call", world.does("call"))
    monkeypatch.setattr(undoing, "come_home", world.comes_home)
    monkeypatch.setattr(undoing, "perform_step", world.step)
    monkeypatch.setattr("experiments.safety.trading.performer", lambda: SimpleNamespace(perform=world.step))
    monkeypatch.setattr(homecoming, "perform", lambda verb, *given: world.did.append(f"{verb} {given}"))
    for name in ("connect", "demote", "end", "_finish_failover"):
        monkeypatch.setattr(undoing, name, world.does(name))
    monkeypatch.setattr(undoing, "start_stopped", lambda _: None)


def quiet(_: float, __: str) -> None:
    """Nobody looks."""
