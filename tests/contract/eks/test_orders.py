"""A canary order that goes another way than the run's orders proves nothing of them."""

import socket

import pytest

from experiments.platforms.eks import orders
from experiments.platforms.eks.orders import canary_goes, canary_problems
from experiments.platforms.eks.targets import Outside, Target
from scenarios.files.load import load
from scenarios.files.resolved import Resolved

ADDRESSES = {"east.example.com": "10.1.0.1", "alias.example.com": "10.1.0.1", "exchange.example.com": "10.9.0.9"}


@pytest.fixture
def resolved() -> Resolved:
    return load("pod-kill-strategic", world="kind")


@pytest.fixture
def targets(target: Target, monkeypatch: pytest.MonkeyPatch) -> dict[str, Target]:
    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host not in ADDRESSES:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", (ADDRESSES[host], 0))]

    monkeypatch.setattr(orders.socket, "getaddrinfo", getaddrinfo)
    east = target.model_copy(update={"edge": "east.example.com"})
    return {"us-east-1": east, "us-west-2": east.model_copy(update={"region": "us-west-2", "edge": "west.example.com"})}


def outside(canary: str, why: str = "") -> Outside:
    return Outside(ports={"strategic": 80, "tactical": 81}, sink="paper", canary=canary, canary_elsewhere=why)


@pytest.mark.proves(
    "EKS: a canary address that the run's orders never take is refused unless a signed setting says why"
)
@pytest.mark.parametrize(
    ("canary", "refused"),
    [
        ("", False),
        ("http://east.example.com/orders", False),
        ("http://east.example.com:80/orders", False),
        ("http://alias.example.com:80/orders", False),
        ("http://east.example.com:81/orders", True),
        ("http://east.example.com:80/rejected", True),
        ("http://exchange.example.com:80/orders", True),
        ("http://nowhere.example.com:80/orders", True),
        ("http://east.example.com:port/orders", True),
        ("east.example.com", True),
    ],
)
def test_where_the_canary_may_go(canary: str, refused: bool, resolved: Resolved, targets: dict[str, Target]) -> None:
    found = canary_problems(resolved, targets, outside(canary))
    assert [(problem.found, "http://east.example.com:80/orders" in problem.expected) for problem in found] == (
        [(canary, True)] if refused else []
    )
    assert canary_problems(resolved, targets, outside(canary, "a rehearsal")) == []


def test_a_reason_is_shown_and_signed(resolved: Resolved, targets: dict[str, Target]) -> None:
    elsewhere = outside("http://exchange.example.com/orders", "the sink stands there")
    said = canary_goes(resolved, targets, elsewhere)
    assert said.startswith("it is sent to http://exchange.example.com/orders, because: the sink stands there")
    assert elsewhere.model_dump(mode="json")["canary_elsewhere"] == "the sink stands there"
    assert canary_problems(resolved, targets, outside("http://exchange.example.com/orders", "  ")) != []
