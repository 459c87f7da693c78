"""When a service was last bad, from single probes."""

import numpy as np
import pytest

from scenarios.model.goodness import Goodness

S = 1_000_000_000
FAST, SLOW = S // 20, S // 2


def goodness(*wrong_s: float, spacing: int = FAST) -> int:
    known = Goodness({"risk": spacing})
    known.note("risk", np.array([round(s * S) for s in wrong_s], dtype=np.int64))
    return known.bad_until_ns


def test_never_bad_without_a_wrong_probe() -> None:
    assert goodness() == -1


def test_one_wrong_probe_in_a_hundred_is_no_outage() -> None:
    assert goodness(1.0, 6.0, 11.0) == -1  # exactly five seconds apart: never two in one window


def test_two_within_five_seconds_are_one() -> None:
    assert goodness(1.0, 5.999) == round(5.999 * S)


def test_a_slow_prober_is_bad_with_each_wrong_probe() -> None:
    assert goodness(1.0, 9.0, spacing=SLOW) == 9 * S


def test_a_faster_prober_bears_one_in_a_hundred_too() -> None:
    """At 100 Hz five of 500 may be wrong."""
    assert goodness(1.0, 1.1, 1.2, 1.3, 1.4, spacing=S // 100) == -1
    assert goodness(1.0, 1.1, 1.2, 1.3, 1.4, 1.5, spacing=S // 100) == round(1.5 * S)


@pytest.mark.parametrize("cut", range(1, 6))
def test_it_does_not_matter_how_the_news_comes(cut: int) -> None:
    """In any order of the intended times, in any number of parts: a probe that times out is heard of late."""
    wrong = np.array([round(s * S) for s in (3.0, 1.0, 7.5, 20.0, 24.9, 12.0)], dtype=np.int64)
    known = Goodness({"risk": FAST})
    known.note("risk", wrong[:cut])
    known.note("risk", wrong[cut:])
    assert known.bad_until_ns == round(24.9 * S)


def test_the_last_of_all_services_counts() -> None:
    known = Goodness({"risk": SLOW, "page": SLOW})
    known.note("risk", np.array([5 * S]))
    known.note("page", np.array([3 * S]))
    assert known.bad_until_ns == 5 * S
    assert known.last_bad_ns == {"risk": 5 * S, "page": 3 * S}
