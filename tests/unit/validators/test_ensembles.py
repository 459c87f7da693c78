"""Many trials: the bounds at which an objective passes, fails, or cannot be decided."""

from dataclasses import dataclass, field
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validators.ensemble import judge_ensemble
from validators.model import Result, Verdict

P, F, U = "PASS", "FAIL", "INCONCLUSIVE"


@dataclass(frozen=True)
class Played:
    """A trial."""

    results: dict[str, str | None]
    values: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def judged(*results: str | None, met_in: float = 0.95, peeking: bool = False) -> Verdict:
    """The verdict on one objective over trials with these results."""
    trials = [Played({"rto.risk": r}, {"rto.risk": 1.0}) for r in results]
    return next(iter(judge_ensemble(trials, met_in, peeking=peeking).verdicts))


def repeated(passes: int, fails: int = 0, undecided: int = 0) -> list[str]:
    """So many of each."""
    return [P] * passes + [F] * fails + [U] * undecided


def at_least(met: int, trials: int, share: float) -> float:
    """Chance that so many or more trials pass when each passes with this probability."""
    return sum(comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in range(met, trials + 1))


@pytest.mark.proves("an ensemble passes only when the lower bound of its share reaches what is asked for")
@pytest.mark.parametrize(
    ("passes", "fails", "undecided", "expected"),
    [
        (59, 0, 0, Result.PASS),
        (58, 0, 0, Result.INCONCLUSIVE),
        (91, 1, 0, Result.INCONCLUSIVE),
        (92, 1, 0, Result.PASS),
        (196, 4, 0, Result.PASS),
        (195, 5, 0, Result.INCONCLUSIVE),
        (185, 15, 0, Result.INCONCLUSIVE),
        (184, 16, 0, Result.FAIL),
        (0, 2, 0, Result.FAIL),
        (0, 1, 0, Result.INCONCLUSIVE),
        (0, 0, 200, Result.INCONCLUSIVE),
        (195, 0, 5, Result.INCONCLUSIVE),
        (100, 15, 85, Result.INCONCLUSIVE),
        (100, 16, 84, Result.FAIL),
    ],
)
def test_share_against_what_is_asked_for(passes: int, fails: int, undecided: int, expected: Result) -> None:
    assert judged(*repeated(passes, fails, undecided)).result is expected


@given(st.integers(0, 120), st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.9, 0.95, 0.99]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_bounds_by_summing_the_binomial(passes: int, fails: int, undecided: int, met_in: float) -> None:
    """PASS: so many passes are unlikely below the share. FAIL: so few, undecided ones with them, are at or above it."""
    if not (trials := passes + fails + undecided):
        return
    shown = at_least(passes, trials, met_in) <= 0.05
    refuted = 1 - at_least(passes + undecided + 1, trials, met_in) < 0.05
    expected = Result.PASS if shown else Result.FAIL if refuted else Result.INCONCLUSIVE
    assert judged(*repeated(passes, fails, undecided), met_in=met_in).result is expected


def test_peeking_needs_more_trials() -> None:
    assert judged(*repeated(59), peeking=True).result is Result.INCONCLUSIVE
    assert judged(*repeated(87), peeking=True).result is Result.INCONCLUSIVE
    assert judged(*repeated(88), peeking=True).result is Result.PASS


def test_trials_that_did_not_exercise_it_count_for_nothing() -> None:
    assert judged(*repeated(59), *[None] * 100).result is Result.PASS
    assert judged(*repeated(58), *[None] * 100).result is Result.INCONCLUSIVE
    assert judged(None, None).result is None


def test_order_of_trials_does_not_matter() -> None:
    results = repeated(190, 6, 4)
    one, other = judged(*results), judged(*results[::-1])
    assert (one.result, one.detail) == (other.result, other.detail)


def test_merge_over_objectives() -> None:
    trials = [Played({"rto.risk": P, "rto.database": F if i < 30 else P}) for i in range(60)]
    assert judge_ensemble(trials, 0.95).result is Result.FAIL
    assert judge_ensemble([Played({"rto.risk": P})] * 60, 0.95).result is Result.PASS
    assert judge_ensemble([Played({"rto.risk": None})] * 60, 0.95).result is Result.INCONCLUSIVE
