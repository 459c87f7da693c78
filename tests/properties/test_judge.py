"""What holds of every verdict: the merge is a semilattice, and less evidence never decides more."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from validators.judge import decide
from validators.merge import merge, worse
from validators.model import Measurement, Result

RESULTS = st.sampled_from(list(Result))
LIMITS = st.floats(0, 1e6)
NUMBERS = st.floats(0, 2e6)
WORDS = st.lists(st.sampled_from(["a gap", "a clock step"]), max_size=2).map(tuple)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    known = draw(st.sampled_from(["both", "low", "high", "neither"]))
    return Measurement(
        "rto.risk", draw(st.none() | st.just(high)), low if known in ("both", "low") else None,
        high if known in ("both", "high") else None, "s", draw(st.integers(0, 3)), "probes",
        faults=draw(WORDS), doubts=draw(WORDS), proven=draw(st.booleans()), at_least=draw(st.booleans()),
        vacuous=draw(st.booleans()), violated=draw(st.booleans()),
    )  # fmt: skip


@given(RESULTS, RESULTS, RESULTS)
def test_merge_is_a_semilattice(a: Result, b: Result, c: Result) -> None:
    assert worse(a, a) is a
    assert worse(a, b) is worse(b, a)
    assert worse(worse(a, b), c) is worse(a, worse(b, c))
    assert worse(a, Result.PASS) is a
    assert worse(a, Result.FAIL) is Result.FAIL


@given(st.lists(RESULTS, min_size=1), st.lists(RESULTS, min_size=1))
def test_merging_parts_is_merging_all(some: list[Result], others: list[Result]) -> None:
    assert merge([*some, *others]) is worse(merge(some), merge(others))


@pytest.mark.proves("a wider interval never turns INCONCLUSIVE into PASS or FAIL, nor one into the other")
@given(measurements(), LIMITS, NUMBERS, NUMBERS, st.booleans())
def test_a_wider_interval_decides_no_more(m: Measurement, limit: float, below: float, above: float, lost: bool) -> None:
    wide = replace(
        m,
        low=None if m.low is None or lost else m.low - below,
        high=None if m.high is None or lost else m.high + above,
    )
    assert decide(wide, limit) in (decide(m, limit), Result.INCONCLUSIVE)


@given(measurements(), LIMITS, st.booleans())
def test_another_doubt_decides_no_more(m: Measurement, limit: float, complete: bool) -> None:
    before = decide(m, limit, complete=complete)
    for weaker in (replace(m, doubts=(*m.doubts, "more")), replace(m, faults=(*m.faults, "more"))):
        after = decide(weaker, limit, complete=complete)
        assert after in (before, Result.INCONCLUSIVE)
        assert after is not Result.PASS


@pytest.mark.proves("a proven FAIL survives every fault of the instrument")
@given(measurements(), LIMITS, WORDS, WORDS, st.booleans())
def test_a_proven_fail_survives(
    m: Measurement, limit: float, faults: tuple[str, ...], doubts: tuple[str, ...], complete: bool
) -> None:
    m = replace(m, proven=True)
    assume(decide(m, limit) is Result.FAIL)
    assert decide(replace(m, faults=faults, doubts=doubts), limit, complete=complete) is Result.FAIL


@pytest.mark.proves("nothing passes without data")
@given(measurements(), LIMITS)
def test_nothing_passes_without_data(m: Measurement, limit: float) -> None:
    nothing = (replace(m, value=None), replace(m, samples=0, vacuous=False), replace(m, low=None, high=None))
    assert all(decide(n, limit) is not Result.PASS for n in nothing)


@given(measurements(), LIMITS)
def test_a_run_cut_short_passes_nothing_and_fails_no_more(m: Measurement, limit: float) -> None:
    whole, cut = decide(m, limit), decide(m, limit, complete=False)
    assert cut is (Result.INCONCLUSIVE if whole is Result.PASS else whole)


@given(measurements(), LIMITS, LIMITS)
def test_a_looser_limit_is_met_no_worse(m: Measurement, one: float, other: float) -> None:
    order = [Result.FAIL, Result.INCONCLUSIVE, Result.PASS]
    strict, loose = sorted((one, other), reverse=m.at_least)
    assert order.index(decide(m, strict)) <= order.index(decide(m, loose))
