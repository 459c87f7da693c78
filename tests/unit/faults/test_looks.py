"""What a fault is taken to have landed by: a node that says so, never its silence. And what one of two lifts leaves."""

from collections.abc import Callable
from typing import Any

import pytest

from experiments.faults import (
    base,
    cluster,
    containers,
    cordon_drain,
    cpu_pressure,
    database,
    inside,
    memory_pressure,
    nodes,
    packet_loss,
    partition,
    prometheus_down,
    region_loss,
    region_partition,
    replication,
    verbs,
)
from experiments.faults.containers import Container
from experiments.platforms.shell import CommandError
from scenarios.errors import Problem

NODES = ["east-control-plane", "east-worker"]


def node(name: str, state: str) -> Container:
    return Container(name, f"id-{name}", state != "stopped", state == "paused", "" if state == "cut" else "10.0.0.2")


@pytest.mark.proves(
    "A region is lost when each of its nodes is paused, stopped or cut, and nothing answers; not before"
)
@pytest.mark.parametrize(
    ("states", "answers", "landed"),
    [
        (["runs", "runs"], False, False),
        (["paused", "runs"], False, False),
        (["paused", "paused"], False, True),
        (["stopped", "cut"], False, True),
        (["paused", "paused"], True, False),
        ([], False, False),
    ],
)
def test_a_region_is_lost(monkeypatch: pytest.MonkeyPatch, states: list[str], answers: bool, landed: bool) -> None:
    found = {name: node(name, state) for name, state in zip(NODES, states, strict=False)}
    facts = {"region": "us-east-1", "by": "pause", "nodes": [{"name": name, "id": name} for name in found]}
    base.keep("region-loss:0", base.Plan("region-loss", ("us-east-1",), "all of it", (), facts))
    monkeypatch.setattr(containers, "inspect", found.__getitem__)
    monkeypatch.setattr(containers, "listens", lambda _: answers)
    assert region_loss.landed("region-loss:0") is landed


def silent(*_: str, **__: Any) -> str:
    raise CommandError(Problem("docker exec", "exit code 1: No such container", "exit code 0", "Look."))


def says(word: str, dropped: int) -> Callable[..., str]:
    return lambda _, *command: f"counter packets {dropped} bytes 0" if command[0] == "nft" else f"{word}\n"


@pytest.mark.proves("A node that cannot be asked has neither lost its region nor found it again")
@pytest.mark.parametrize(
    ("execute", "nodes", "landed", "gone"),
    [
        (silent, NODES, False, False),
        (says("", 3), NODES, False, False),
        (says("no", 3), NODES, True, False),
        (says("no", 0), NODES, False, False),
        (says("yes", 3), NODES, False, True),
        (says("no", 3), [], False, False),
    ],
)
def test_regions_lose_each_other(
    monkeypatch: pytest.MonkeyPatch, execute: Callable[..., str], nodes: list[str], landed: bool, gone: bool
) -> None:
    facts = {"nodes": nodes, "peers": ["10.0.0.9"], "probe": ["10.0.0.9"], "token": "t"}
    base.keep("region-partition:0", base.Plan("region-partition", ("us-east-1",), "apart", (), facts))
    monkeypatch.setattr(containers, "execute", execute)
    name = "region-partition:0"
    assert (region_partition.landed(name), region_partition.gone(name)) == (landed, gone)


def test_a_pod_that_cannot_be_asked_is_neither_reached_nor_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    pod = {"name": "p", "uid": "p", "node": "node", "container": "c1"}
    monkeypatch.setattr(containers, "execute", says("no", 0))
    assert not partition._reaches(pod, "redis", 6379)
    for execute in (silent, says("", 0)):
        monkeypatch.setattr(containers, "execute", execute)
        with pytest.raises((CommandError, base.NothingToHitError)):
            partition._reaches(pod, "redis", 6379)


@pytest.mark.parametrize(("pods", "answers", "landed"), [(1, False, False), (0, False, True), (0, True, False)])
def test_silence_alone_is_no_prometheus_that_is_down(
    monkeypatch: pytest.MonkeyPatch, pods: int, answers: bool, landed: bool
) -> None:
    facts = {"region": "us-east-1", "path": "/p", "replicas": 1}
    base.keep("prometheus-down:0", base.Plan("prometheus-down", ("us-east-1/prometheus",), "down", (), facts))
    monkeypatch.setattr(cluster, "get", lambda *_: {"spec": {"replicas": pods}, "status": {"replicas": pods}})
    monkeypatch.setattr(containers, "answers", lambda *_: answers)
    assert prometheus_down.landed("prometheus-down:0") is landed


# --- two at once


class Node:
    """A node that holds tables of packets and marked processes, and understands the commands of faults."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.processes: list[str] = []

    def execute(self, _: str, *command: str) -> str:
        words = list(command)
        if inside._IN_TURN in words:
            words = words[words.index("gameday") + 4 :]
        if words[:2] == ["nft", "list"]:
            return "".join(f"table inet {table} counter packets 1\n" for table in self.tables)
        if words[0] == "nft":
            name = words[1].split(";")[0].removeprefix("add table inet ")
            self.tables = self.tables - {name} if "delete" in words[1] else self.tables | {name}
            return ""
        return self._processes(words)

    def _processes(self, words: list[str]) -> str:
        if words[0] == "ctr":
            self.processes.append(words[-1])
        elif words[2] == inside._KILL_MARKED:
            self.processes = [line for line in self.processes if words[-1] not in line]
        elif words[2] == inside._MARKED:
            return " ".join(str(n) for n, line in enumerate(self.processes) if words[-1] in line)
        elif "cpu.stat" in words:
            return f"nr_throttled {len(self.processes)}"
        else:
            return "100" if self.processes else "0"
        return ""


@pytest.fixture
def one_node(monkeypatch: pytest.MonkeyPatch) -> Node:
    pod = {
        "metadata": {"name": "p", "uid": "p"},
        "spec": {
            "nodeName": "node",
            "containers": [{"name": "agent", "resources": {"limits": {"cpu": "1", "memory": "100"}}}],
        },
        "status": {"podIP": "10.244.0.5", "containerStatuses": [{"name": "agent", "containerID": "containerd://c1"}]},
    }
    node = Node()
    monkeypatch.setattr(cluster, "ready_pods", lambda *_: [pod])
    monkeypatch.setattr(containers, "execute", node.execute)
    monkeypatch.setattr(containers, "answers", lambda *_: True)
    return node


def lift(node: Node, lifts: tuple[verbs.Lift, ...]) -> None:
    for one in lifts:
        node.execute(one.target, *one.arguments["command"])


@pytest.mark.proves("Of two faults of a kind on one node, or on one pod, each is lifted, and seen, by itself")
def test_two_services_that_lose_packets(one_node: Node) -> None:
    for number, service in enumerate(("risk", "tactical")):
        packet_loss.inject(f"packet-loss:{number}", "us-east-1", service)
    first = base.kept("packet-loss:0")
    assert first is not None
    lift(one_node, first.lifts)
    assert packet_loss.gone("packet-loss:0")
    assert packet_loss.landed("packet-loss:1")
    assert not packet_loss.gone("packet-loss:1")


def test_both_pressures_on_one_pod(one_node: Node) -> None:
    memory_pressure.inject("memory-pressure:0", "us-east-1", "risk")
    cpu_pressure.inject("cpu-pressure:1", "us-east-1", "risk")
    assert memory_pressure.landed("memory-pressure:0")
    assert cpu_pressure.landed("cpu-pressure:1")
    first = base.kept("cpu-pressure:1")
    assert first is not None
    lift(one_node, first.lifts)
    assert cpu_pressure.gone("cpu-pressure:1")
    assert memory_pressure.landed("memory-pressure:0")
    assert not memory_pressure.gone("memory-pressure:0")


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ((200, {"mode": "pass", "delay_ms": 0, "bytes_per_s": 0}), False),
        ((200, {"mode": "stall", "delay_ms": 0}), True),
        ((200, {"mode": "pass", "delay_ms": 5_000}), True),
        ((502, "bad gateway"), True),
        (None, True),
    ],
)
def test_one_fault_at_a_time_has_the_line_of_replication(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any] | None, refused: bool
) -> None:
    def request(*_: Any, **__: Any) -> tuple[int, Any]:
        if answer is None:
            raise OSError("refused")
        return answer

    monkeypatch.setattr(database, "state", lambda _: database.State(True, 0, 1.0))
    monkeypatch.setattr(containers, "request", request)
    if refused:
        with pytest.raises(base.NothingToHitError, match="lets everything pass"):
            replication.standby("us-west-2")
    else:
        replication.standby("us-west-2")


@pytest.mark.parametrize("cordoned", [True, False])
def test_a_node_that_somebody_else_has_cordoned_is_left_alone(monkeypatch: pytest.MonkeyPatch, cordoned: bool) -> None:
    facts = {"region": "us-east-1", "node": "east-worker", "pods": ["p"], "targets": ["east-worker"]}
    monkeypatch.setattr(nodes, "facts_of", lambda *_: facts)
    monkeypatch.setattr(cluster, "get", lambda *_: {"spec": {"unschedulable": True} if cordoned else {}})
    if cordoned:
        with pytest.raises(base.NothingToHitError, match="takes no pods"):
            cordon_drain.plan("us-east-1", "risk")
    else:
        assert cordon_drain.plan("us-east-1", "risk").lifts
