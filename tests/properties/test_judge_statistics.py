"""Bounds of proportions against exact enumeration, and against how often they err."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv, betaln

from validators.statistics import binomial, sequence
from validators.statistics.batches import half_widths


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(1, 60))
    return draw(st.integers(0, trials)), trials


def at_least(met: int, trials: int, p: float) -> float:
    """Chance of so many or more, summed term by term."""
    return sum(comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(met, trials + 1))


@given(counts(), st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_lower_bound_by_enumeration(case: tuple[int, int], confidence: float) -> None:
    met, trials = case
    low = binomial.lower(met, trials, confidence)
    if met:
        assert at_least(met, trials, low) == pytest.approx(1 - confidence, abs=1e-9)
    else:
        assert low == 0.0
    assert binomial.upper(trials - met, trials, confidence) == pytest.approx(1 - low, abs=1e-12)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("trials", [20, 59, 200])
def test_lower_bound_is_above_the_truth_in_at_most_5_in_100(p: float, trials: int) -> None:
    """Exactly: the chance of every outcome that misleads, summed."""
    misled = sum(
        comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(trials + 1) if binomial.lower(k, trials) > p
    )
    assert misled <= 0.05


@given(st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.95]))
@settings(deadline=None, max_examples=50)
def test_bound_of_the_quantile_and_bound_of_the_share_agree(trials: int, share: float) -> None:
    """The r-th value is within the limit when r trials met it: so the two ways of judging cannot differ."""
    _, high = binomial.quantile_ranks(share, trials)
    shown = [met for met in range(trials + 1) if binomial.lower(met, trials) >= share]
    assert (high if high is not None else trials + 1) == (shown[0] if shown else trials + 1)


@given(st.floats(0.5, 0.995))
@settings(deadline=None)
def test_least_trials_is_the_least(met_in: float) -> None:
    n = binomial.least_trials(met_in)
    assert binomial.lower(n, n) >= met_in - 1e-12
    assert n == 1 or binomial.lower(n - 1, n - 1) < met_in


@given(counts())
@settings(deadline=None)
def test_sequence_bounds_by_integrating_the_mixture(case: tuple[int, int]) -> None:
    """At the bound the evidence is 1/alpha: the mean likelihood of the proportions above it, over its own."""
    met, trials = case
    low = sequence.lower(met, trials)
    assert low <= met / trials
    assert low <= binomial.lower(met, trials) + 1e-9
    assert sequence.upper(trials - met, trials) == pytest.approx(1 - low, abs=1e-12)
    if met:
        above = np.linspace(low, 1, 200_001)
        middle = (above[1:] + above[:-1]) / 2
        with np.errstate(divide="ignore"):
            ratio = np.exp(met * np.log(middle / low) + (trials - met) * np.log((1 - middle) / (1 - low)))
        assert ratio.mean() == pytest.approx(20, rel=1e-3)


@given(counts(), st.floats(0.001, 0.999))
@settings(deadline=None)
def test_evidence_falls_towards_the_observed_share(case: tuple[int, int], fraction: float) -> None:
    """So that what is refuted is one interval, and its edge can be found by halving."""
    met, trials = case
    p = fraction * met / trials
    if p > 1e-6:
        nearer = p + (met / trials - p) / 2
        assert sequence.log_evidence_above(p, met, trials) >= sequence.log_evidence_above(nearer, met, trials) - 1e-9


def ever_above(p: float, runs: int, trials: int, refuted: np.ndarray) -> float:
    """Share of runs in which, looking after each trial, p was refuted at least once. `refuted[n, met]`."""
    met = np.cumsum(np.random.default_rng(17).random((runs, trials)) < p, axis=1)
    return float(refuted[np.arange(1, trials + 1), met].any(axis=1).mean())


@pytest.mark.proves("looking after each trial and stopping passes falsely in at most 5 in 100")
@pytest.mark.parametrize("p", [0.9, 0.95])
def test_peeking_errs_no_more_than_it_says(p: float) -> None:
    runs, trials = 4_000, 400
    n, met = np.meshgrid(np.arange(trials + 1), np.arange(trials + 1), indexing="ij")
    valid = (met <= n) & (n > 0)
    anytime = np.zeros_like(valid)
    pairs = zip(n[valid].tolist(), met[valid].tolist(), strict=True)
    anytime[valid] = [sequence.log_evidence_above(p, m, k) >= np.log(20) for k, m in pairs]
    ordinary = np.zeros_like(valid)
    ordinary[valid & (met > 0)] = betaincinv(met[valid & (met > 0)], (n - met + 1)[valid & (met > 0)], 0.05) > p
    assert ever_above(p, runs, trials, anytime) <= 0.05
    # the trap that the sequence avoids, so that the test above can fail
    assert ever_above(p, runs, trials, ordinary) > 0.12


def test_normaliser_of_the_mixture() -> None:
    """Without trials there is no evidence either way."""
    assert sequence.log_evidence_above(0.4, 0, 1) < 0 < sequence.log_evidence_above(0.4, 1, 1)
    assert float(betaln(*sequence.PRIOR)) == 0.0


def test_batches_cover_the_mean_as_often_as_they_say() -> None:
    draws = np.random.default_rng(5).normal(10.0, 2.0, (20_000, 6))
    half = half_widths(draws, 0.95)
    above = (draws.mean(axis=1) - half > 10.0).mean()
    assert above == pytest.approx(0.05, abs=0.006)
