"""Each injection is counted in each target that answers."""

import pytest

from experiments.safety.counter import Counters
from experiments.testbed.system.apiserver import ApiServerError
from tests.unit.safety.doubles import Objects


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


@pytest.mark.proves("what may be taken once is taken once in every target, also by two machines at a time")
def test_what_may_be_taken_once(targets: dict[str, Objects]) -> None:
    Counters().count("one", "a")
    assert Counters().claim("approval-1", "at noon by me") == ""
    assert Counters().claim("approval-1", "at one by you") == "at noon by me"
    assert Counters().claim("approval-2", "at one by you") == ""
    assert Counters().count("two", "b") == {"us-east-1": 2, "us-west-2": 2}
    for target in targets.values():
        [kept] = target.kept.values()
        assert kept["data"]["approval-1"] == "at noon by me", "counting keeps it"


def test_what_another_machine_has_taken_in_one_target(targets: dict[str, Objects]) -> None:
    east = targets.pop("us-east-1")
    targets["us-east-1"] = Objects()
    Counters().claim("approval-1", "at noon by me")
    targets["us-east-1"] = east
    assert Counters().claim("approval-1", "at one by you") == "at noon by me"


def test_a_target_that_does_not_answer_gives_nothing(targets: dict[str, Objects]) -> None:
    del targets["us-west-2"]
    with pytest.raises(ApiServerError):
        Counters().claim("approval-1", "at noon by me")
