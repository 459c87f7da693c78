"""An injection is planned, armed and kept before anything is broken; what was never injected is not lifted."""

from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg
import pytest

from experiments.faults import base
from experiments.operate.moments import moments
from experiments.operate.watching import until_gone
from experiments.safety.lifting import Result
from scenarios.errors import AbortedError, GamedayError, LeftBehindError
from tests.unit.faults import fake

NAME = "pod-hang:0"


@pytest.mark.proves("No fault is injected before its lift is stored outside the blast radius")
def test_it_is_armed_before_it_is_injected(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path))
    fake.inject(NAME, str(tmp_path))
    assert fake.order(tmp_path) == ["arm", "act"]


def test_nothing_is_broken_when_it_cannot_be_armed(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path, refuses=True))
    with pytest.raises(OSError, match="no echo"):
        fake.inject(NAME, str(tmp_path))
    assert fake.order(tmp_path) == ["arm"]
    assert base.kept(NAME) is None


def test_the_plan_is_kept_though_the_injection_fails_half_way(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path))
    with pytest.raises(OSError, match="half way"):
        fake.inject(NAME, str(tmp_path), "inject")
    assert fake.landed(NAME)
    fake.lift(NAME)
    assert fake.gone(NAME)


def test_a_plan_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    plan = fake.plan(str(tmp_path))
    base.keep(NAME, plan)
    assert base.kept(NAME) == plan


def test_lifting_twice_is_as_good_as_once(tmp_path: Path, facts: list[tuple[str, str]]) -> None:
    base.protect(fake.Arms(tmp_path))
    fake.inject(NAME, str(tmp_path))
    fake.lift(NAME)
    fake.lift(NAME)
    assert fake.order(tmp_path) == ["arm", "act", "lift"]
    assert [kind for kind, _ in facts] == ["injection_begun", "lift_begun", "lifted"]


def test_what_was_never_injected(facts: list[tuple[str, str]]) -> None:
    assert not fake.landed(NAME)
    assert fake.gone(NAME)
    assert fake.lift(NAME) == "nothing to lift"
    assert facts == []


def test_a_lift_that_fails_is_said_and_can_be_tried_again(tmp_path: Path, facts: list[tuple[str, str]]) -> None:
    arms = fake.Arms(tmp_path, fails=True)
    base.protect(arms)
    fake.inject(NAME, str(tmp_path))
    with pytest.raises(LeftBehindError, match="stuck"):
        fake.lift(NAME)
    assert "lifted" not in [kind for kind, _ in facts]
    arms.fails = False
    fake.lift(NAME)
    assert fake.gone(NAME)


@pytest.mark.proves(
    "What stays stopped or cut because its region was replaced is said to be the failback's, not lifted"
)
def test_what_stays_on_purpose_is_not_called_lifted(
    tmp_path: Path, facts: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = fake.Arms(tmp_path)
    base.protect(arms)
    fake.inject(NAME, str(tmp_path))
    stays = Result("docker-start", "a-node", True, "stays stopped: it was the primary's", 0.0)
    monkeypatch.setattr(arms, "lift", lambda *_: [stays])
    fake.lift(NAME)
    assert until_gone(NAME, "pod-hang", 0.0)
    assert [kind for kind, _ in facts] == ["injection_begun", "lift_begun", "left_to_failback"]
    assert base.kept(NAME) is None


def test_the_same_fault_is_not_injected_twice(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path))
    fake.inject(NAME, str(tmp_path))
    with pytest.raises(base.NothingToHitError, match="not lifted"):
        fake.inject(NAME, str(tmp_path))
    fake.lift(NAME)
    fake.inject(NAME, str(tmp_path))


@pytest.mark.proves("Nothing is injected after a run was ended")
def test_nothing_is_injected_after_the_end(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path))
    moments.told.set()
    with pytest.raises(AbortedError):
        fake.inject(NAME, str(tmp_path))
    assert base.kept(NAME) is None


@pytest.mark.proves("A look at a fault never raises: what does not answer, or makes no sense, is a no")
@pytest.mark.parametrize(
    "error",
    [
        OSError("gone"), base.NothingToHitError(), ValueError("int of nothing"), KeyError("spec"), IndexError(3),
        TypeError("None has no items"), AttributeError("get"), HTTPException("garbled"),
        psycopg.OperationalError("away"),
    ],
)  # fmt: skip
def test_a_look_that_gets_no_answer_is_no(tmp_path: Path, error: Exception) -> None:
    base.keep(NAME, fake.plan(str(tmp_path)))

    def see(_: base.Plan) -> bool:
        raise error

    assert base.look(NAME, see, without=True) is False


def test_a_look_is_never_nothing(tmp_path: Path) -> None:
    base.keep(NAME, fake.plan(str(tmp_path)))
    nothing: Any = None
    assert base.look(NAME, lambda _: nothing, without=True) is False


def test_errors_say_what_to_do() -> None:
    error = base.nothing("us-east-1/risk", "0 ready pods", "1")
    assert isinstance(error, GamedayError)
    assert error.problems[0].remedy
