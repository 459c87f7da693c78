"""The site of declared targets: what is lacking is said all at once, before anything is asked."""

import json

import pytest

from experiments.platforms.eks.sites import problems, site_of
from experiments.platforms.eks.targets import Outside, Target
from experiments.platforms.platform import platform
from experiments.platforms.site import TESTBED, at, from_json, site
from scenarios.errors import UsageError
from scenarios.files.load import load

PORTS = {"strategic": 80, "tactical": 81, "risk": 82, "copies": 84, "prometheus": 9090}


@pytest.fixture
def targets(target: Target) -> dict[str, Target]:
    east = target.model_copy(
        update={"context": "east", "edge": "east.example.com", "database_at": "primary.example.com:5432"}
    )
    west = east.model_copy(update={"region": "us-west-2", "edge": "west.example.com", "database": "replica"})
    return {"us-east-1": east, "us-west-2": west}


@pytest.fixture
def outside() -> Outside:
    return Outside(dns="10.0.0.2:53", ports=PORTS, sink="paper")


def test_a_process_is_told_where_it_works(targets: dict[str, Target], outside: Outside) -> None:
    """By JSON, as its parent hands it down; the testbed is where it works otherwise."""
    made = site_of(targets, outside)
    told = from_json(json.loads(json.dumps(made.to_json())))
    assert told == made
    assert site() is TESTBED
    with at(told):
        assert site().url("us-west-2", "risk") == "http://west.example.com:82"
        assert site().database("us-east-1") == ("primary.example.com", 5432)
        assert site().state.name == "eks"
        assert site().places["us-east-1"].cluster == "us-east-1/grandmodel-production"
        assert "region-loss" not in platform().can_break()
    assert site() is TESTBED
    assert "region-loss" in platform().can_break()
    assert from_json(json.loads(json.dumps(TESTBED.to_json()))) == TESTBED


@pytest.mark.parametrize(
    ("of_east", "of_outside", "found"),
    [
        ({"context": ""}, {}, "no `context`"),
        ({"edge": ""}, {}, "no `edge`"),
        ({"database": ""}, {}, "no `database`"),
        ({"database_at": "primary.example.com"}, {}, "`database_at` primary.example.com"),
        ({"database_at": ""}, {}, "no `database_at`"),
        ({"namespace": "trading"}, {}, "namespace trading"),
        ({"record": "other.example.com"}, {}, "records other.example.com, trade.example.com"),
        ({}, {"dns": ""}, r"`dns` \(none\)"),
        ({}, {"pages": "pager"}, "`pages` pager"),
    ],
)
def test_what_is_lacking_is_said(
    of_east: dict[str, str], of_outside: dict[str, str], found: str, targets: dict[str, Target], outside: Outside
) -> None:
    targets["us-east-1"] = targets["us-east-1"].model_copy(update=of_east)
    with pytest.raises(UsageError, match=found):
        site_of(targets, outside.model_copy(update=of_outside))


def test_every_service_needs_a_port(targets: dict[str, Target], outside: Outside) -> None:
    resolved = load("pod-kill-strategic", world="kind")
    assert problems(resolved, targets, outside) == []
    fewer = outside.model_copy(update={"ports": {"strategic": 80}})
    [problem] = problems(resolved, targets, fewer)
    assert problem.found == "no port of tactical, risk, copies, prometheus"
