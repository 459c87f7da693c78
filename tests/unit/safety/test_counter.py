"""Each injection is counted in each target that answers."""

from pathlib import Path

import pytest

from experiments.safety import counter
from experiments.safety.counter import Counters
from experiments.testbed.system.apiserver import ApiServerError
from tests.unit.safety.doubles import Objects


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> dict[str, Objects]:
    targets = {"us-east-1": Objects(), "us-west-2": Objects()}

    class Servers:
        def __init__(self, _: Path) -> None:
            pass

        def of(self, region: str) -> Objects:
            if region not in targets:
                raise ApiServerError("lost")
            return targets[region]

    monkeypatch.setattr(counter, "ApiServers", Servers)
    return targets


@pytest.mark.proves("each injection increments a counter that is kept in the targets")
def test_counts(targets: dict[str, Objects]) -> None:
    assert Counters().count("one", "a") == {"us-east-1": 1, "us-west-2": 1}
    del targets["us-east-1"]
    assert Counters().count("one", "b") == {"us-west-2": 2}
    assert Counters().read("us-west-2") == 2
    kept = next(iter(targets["us-west-2"].kept.values()))
    assert kept["data"] == {"injections": "2", "run": "one", "fault": "b"}


def test_counts_beside_somebody_else(targets: dict[str, Objects]) -> None:
    targets["us-east-1"].busy = 2
    assert Counters().count("one", "a")["us-east-1"] == 1
