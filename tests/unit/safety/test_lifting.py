"""Lifting from this process: by the reverter when it holds the lifts, else here, with the same fencing."""

from pathlib import Path
from typing import Any

import pytest

from experiments.faults import verbs
from experiments.platforms import kind
from experiments.safety import lifting as here
from experiments.safety.journal import Journal
from experiments.safety.lifting import perform
from experiments.safety.reverter import Reverter
from experiments.testbed.layout import EAST
from experiments.testbed.system.engine import EngineError
from experiments.testbed.system.lifting import Lifter, holds, url_seen_here
from experiments.testbed.system.watch import Watch
from tests.unit.safety.doubles import Lifting, Witness

NODE = EAST.worker_nodes[0]
LIFT = verbs.unpause(NODE)
SILENT = Reverter("http://127.0.0.1:1")


@pytest.fixture
def lifting(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> Lifting:
    lifting = Lifting(NODE)
    monkeypatch.setattr(here, "OUTSIDE_URL", witness.url)
    monkeypatch.setattr(kind, "lifter", lambda *_: lifting)
    Journal().append("opened", "one", home="us-east-1")
    Journal().append("armed", "one", "a", [LIFT])
    return lifting


def test_without_a_reverter_it_is_done_here(lifting: Lifting) -> None:
    assert [result.ok for result in perform([LIFT], reverter=SILENT)] == [True]
    assert lifting.docker.done == [("unpause", NODE)]
    assert Journal().held() == []


@pytest.mark.proves("without the reverter too, an old primary returns cut from the network")
def test_an_old_primary_returns_fenced_here_too(lifting: Lifting, witness: Witness) -> None:
    witness.lease = {"region": "us-west-2"}
    perform([LIFT], reverter=SILENT)
    assert lifting.docker.done == [("disconnect", NODE), ("unpause", NODE)]
    assert Journal().cut() == {NODE: "10.0.0.2"}


def test_what_the_reverter_does_not_hold_is_done_here(lifting: Lifting, reverter: Reverter) -> None:
    perform([LIFT], reverter=reverter)
    assert lifting.docker.done == [("unpause", NODE)]


def test_what_fails_stays_in_the_ledger(lifting: Lifting) -> None:
    lifting.docker.broken.add("unpause")
    assert [result.detail for result in perform([LIFT], reverter=SILENT)] == ["cannot unpause"]
    assert [held.fault for held in Journal().held()] == ["a"]


def test_nothing_to_lift(lifting: Lifting, watch: Watch, reverter: Reverter) -> None:
    assert perform([], reverter=reverter) == []


# --- a port that another has taken meanwhile


class Engine:
    """Docker as it is seen to behave: a container whose port is taken seems connected, and cannot be disconnected."""

    def __init__(self, *, half: bool) -> None:
        self.taken, self.ports, self.half = True, False, half
        self.address = "10.0.0.2" if half else ""

    def inspect(self, _: str, **__: Any) -> dict[str, Any]:
        bound = [{"HostIp": "127.0.1.1", "HostPort": "30080"}]
        networks = {"kind": {"IPAddress": self.address}} if self.address else {}
        settings = {"Networks": networks, "Ports": {"30080/tcp": bound} if self.ports else {}}
        return {"NetworkSettings": settings, "HostConfig": {"PortBindings": {"30080/tcp": bound}}}

    def do(self, path: str, *_: Any, **__: Any) -> None:
        if path.endswith("disconnect"):
            if self.half:
                raise EngineError("container a is not connected to network kind")
            self.address, self.ports = "", False
            return
        if self.half:
            raise EngineError("it conflicts with existing route")
        self.address, self.ports, self.half = "10.0.0.2", not self.taken, self.taken
        if self.taken:
            words = "Error starting userland proxy: listen tcp4 127.0.1.1:30080: bind: address already in use"
            raise EngineError(words)

    def execute(self, _: str, command: list[str], **__: Any) -> tuple[int, str]:
        assert "10.0.0.2" in command[-1]
        self.half = False
        return 0, ""


@pytest.mark.proves("A node is not said to be connected again before its ports are published; tried again, they are")
@pytest.mark.parametrize("half", [False, True])
def test_a_port_that_was_taken(half: bool) -> None:
    engine: Any = Engine(half=half)
    lifter, lift = Lifter(Path("nowhere"), engine=engine), verbs.connect(NODE, "kind", "10.0.0.2").to_json()
    for _ in range(2):
        result = lifter.perform_one(lift)
        assert not result.ok
        assert "127.0.1.1:30080 is taken" in result.detail
    engine.taken = False
    assert lifter.perform_one(lift).ok
    assert (engine.address, engine.ports) == ("10.0.0.2", True)
    assert "was connected" in lifter.perform_one(lift).detail


# --- the verbs that need no Docker


def test_a_verb_that_is_not_on_the_list_is_a_result() -> None:
    results = Lifter(Path("nowhere")).perform(
        [
            {"verb": "rm", "target": "x", "arguments": {}},
            {"verb": "http", "target": "x", "arguments": {}},
            {"verb": "kube-delete", "target": "us-east-1", "arguments": {"path": "/api"}},
        ]
    )
    assert [result.ok for result in results] == [False, False, False]
    assert "not on the list" in results[0].detail
    assert "arguments of http" in results[1].detail
    assert "No such file" in results[2].detail


def test_http(witness: Witness) -> None:
    good, silent = verbs.http(f"{witness.url}/x", "POST", {"a": 1}), verbs.http("http://127.0.0.1:1/x", "POST", {})
    results = Lifter(Path("nowhere"), timeout_s=2).perform([good.to_json(), silent.to_json()])
    assert [result.ok for result in results] == [True, False]
    assert witness.facts == [{"a": 1}]


def test_addresses_are_those_of_the_place() -> None:
    known = {"127.0.0.1:30501": "gameday-link:30501"}
    assert url_seen_here("http://127.0.0.1:30501/replication", known) == "http://gameday-link:30501/replication"
    assert url_seen_here("http://127.0.0.1:30500", known) == "http://127.0.0.1:30500"


@pytest.mark.parametrize(
    ("current", "whole"),
    [
        ({"data": {"a/b": "before"}, "list": [1]}, True),
        ({"data": {"a/b": "ours"}, "list": [1]}, False),
        ({"data": {"a/b": "before", "extra": "1"}, "list": [1]}, False),
        ({"data": {"a/b": "before"}, "list": []}, False),
        ({}, False),
    ],
)
def test_a_patched_object_that_is_whole_already(current: object, whole: bool) -> None:
    patch = [
        {"op": "test", "path": "/data/a~1b", "value": "ours"},
        {"op": "replace", "path": "/data/a~1b", "value": "before"},
        {"op": "remove", "path": "/data/extra"},
        {"op": "add", "path": "/list/0", "value": 1},
    ]
    assert holds(current, patch) is whole
