"""Bounds of a proportion that hold at every number of trials at once, so that one may look after each and stop.

Ordinary bounds looked at again and again pass falsely far more often than they say. Here each p is tested by the
mixture likelihood ratio of all proportions above it (for the lower bound) or below it (for the upper one) against
itself, mixed by a Beta density cut off at p: under any true proportion on the other side that is a non-negative
supermartingale beginning at 1, so by Ville's inequality it ever reaches 1/alpha with a chance of at most alpha. Source:
Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021 (beta-binomial mixture).
"""

from collections.abc import Callable

import numpy as np

PRIOR = (1.0, 1.0)  # uniform: every proportion on the far side of p is weighed alike
_PRECISION = 1e-10


def lower(met: int, trials: int, confidence: float = 0.95) -> float:
    """Bound below which the true proportion is not, at whatever number of trials one stops.

    >>> lower(88, 88) >= 0.95, lower(87, 87) >= 0.95, lower(0, 5)
    (True, False, 0.0)
    """
    _check(met, trials)
    if met == 0:
        return 0.0
    threshold = -np.log1p(-confidence)
    return _edge(lambda p: log_evidence_above(p, met, trials) >= threshold, 0.0, met / trials)


def upper(met: int, trials: int, confidence: float = 0.95) -> float:
    """Bound above which the true proportion is not, at whatever number of trials one stops."""
    return 1.0 - lower(trials - met, trials, confidence)


def log_evidence_above(p: float, met: int, trials: int) -> float:
    """Log of the mixture likelihood ratio of the proportions above p against p itself."""
    from scipy.special import betaincc, betaln, log1p

    a, b = PRIOR
    missed = trials - met
    if p <= 0.0:
        return np.inf if met else 0.0
    tail = float(betaincc(a + met, b + missed, p))
    if tail <= 0.0:
        return -np.inf
    prior_tail = float(betaincc(a, b, p))
    mixed = float(betaln(a + met, b + missed) - betaln(a, b)) + float(np.log(tail) - np.log(prior_tail))
    return mixed - (met * float(np.log(p)) + missed * float(log1p(-p)))


def least_trials(met_in: float, confidence: float = 0.95) -> int:
    """Least number of trials, all of which meet it, after which one may stop and say PASS.

    >>> least_trials(0.95)
    88
    """
    if not 0 < met_in < 1:
        raise ValueError(f"found {met_in}; expected a share above 0 and below 1")
    threshold = -np.log1p(-confidence)
    trials = 1
    while log_evidence_above(met_in, trials, trials) < threshold:
        trials += 1
    return trials


def _edge(refuted: Callable[[float], bool], low: float, high: float) -> float:
    """Greatest p that is still refuted, between one that is and one that is not."""
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def _check(met: int, trials: int) -> None:
    if not 0 <= met <= trials or trials == 0:
        raise ValueError(f"found {met} of {trials}; expected 0 to all of at least one trial")
