"""Random numbers as pure functions: against their sources, and independent of what else is drawn."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim.data.draws import (
    attempt_key,
    bits,
    exp,
    exponential,
    log,
    normal,
    normal_quantile,
    stream_key,
    uniform,
)


def test_bits_are_splitmix64() -> None:
    """First outputs of SplitMix64 seeded with 1234567 (Vigna's reference implementation)."""
    key = np.uint64(1234567)
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [int(bits(key, n)) for n in range(5)] == expected


def test_normal_quantile_is_exact() -> None:
    """To sixteen digits as far as 6.6 sigma; a little less beyond, where hardly anything is drawn."""
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 20_001), 10.0 ** -np.arange(1, 300.0, 3.1)])
    ours = np.array([normal_quantile(x) for x in p])
    exact = stats.norm.ppf(p)
    np.testing.assert_allclose(ours, exact, rtol=1e-12, atol=1e-15)
    near = np.abs(exact) < 6.6
    np.testing.assert_allclose(ours[near], exact[near], rtol=2e-14, atol=1e-15)


def test_logarithm_and_exponential_are_right_to_the_last_place() -> None:
    rng = np.random.default_rng(1)
    positive = np.concatenate([rng.uniform(0, 1, 5_000), 10.0 ** rng.uniform(-300, 300, 5_000), [1.0]])
    exact = np.array([math.log(x) for x in positive])
    assert np.max(np.abs([log(x) for x in positive] - exact) / np.spacing(np.abs(exact) + 1e-300)) <= 1.0
    anything = np.concatenate([rng.uniform(-700, 700, 5_000), rng.uniform(-2, 2, 5_000), [0.0]])
    exact = np.array([math.exp(x) for x in anything])
    assert np.max(np.abs([exp(x) for x in anything] - exact) / np.spacing(exact)) <= 1.0


@pytest.mark.parametrize(
    ("draw", "law"), [(uniform, stats.uniform()), (exponential, stats.expon()), (normal, stats.norm())]
)
def test_draws_follow_their_laws(draw: Callable[[np.uint64, int], float], law: Any) -> None:
    key = stream_key(1, 0, "tests", "law")
    sample = np.array([draw(key, n) for n in range(20_000)])
    assert stats.kstest(sample, law.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 4 / math.sqrt(len(sample))


def test_uniform_never_reaches_its_ends() -> None:
    sample = [uniform(np.uint64(k), n) for k in range(40) for n in range(500)]
    assert min(sample) > 0.0
    assert max(sample) < 1.0


def test_keys_tell_seed_trial_entity_and_purpose_apart() -> None:
    keys = {
        int(stream_key(seed, trial, entity, purpose))
        for seed in (1, 2)
        for trial in (0, 1)
        for entity in ("a", "b", "a\x1fb")
        for purpose in ("work", "pick")
    }
    assert len(keys) == 24


def test_attempts_have_streams_of_their_own() -> None:
    key = stream_key(1, 0, "risk", "own work")
    assert attempt_key(key, 0) == key
    assert len({int(attempt_key(key, attempt)) for attempt in range(512)}) == 512
