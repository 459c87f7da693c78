"""Bounds of a proportion over a number of independent trials that was fixed beforehand (Clopper and Pearson).

Each bound is one-sided. With a fixed N the least number of trials that can show 95 % at 95 % confidence is 59.
"""

import math

import numpy as np


def lower(met: int, trials: int, confidence: float = 0.95) -> float:
    """Greatest p that `met` or more of `trials` refute at this confidence: the true proportion is not below it.

    >>> round(lower(59, 59), 4), lower(0, 10)
    (0.9505, 0.0)
    """
    from scipy.special import betaincinv

    _check(met, trials)
    return 0.0 if met == 0 else float(betaincinv(met, trials - met + 1, 1 - confidence))


def upper(met: int, trials: int, confidence: float = 0.95) -> float:
    """Least p that `met` or fewer of `trials` refute at this confidence: the true proportion is not above it.

    >>> round(upper(0, 59), 4), upper(10, 10)
    (0.0495, 1.0)
    """
    from scipy.special import betaincinv

    _check(met, trials)
    return 1.0 if met == trials else float(betaincinv(met + 1, trials - met, confidence))


def least_trials(met_in: float, confidence: float = 0.95) -> int:
    """Least number of trials, all of which meet it, that shows `met_in`.

    >>> least_trials(0.95), least_trials(0.99)
    (59, 299)
    """
    if not 0 < met_in < 1:
        raise ValueError(f"found {met_in}; expected a share above 0 and below 1")
    return math.ceil(math.log(1 - confidence) / math.log(met_in) - 1e-12)


def quantile_ranks(share: float, trials: int, confidence: float = 0.95) -> tuple[int | None, int | None]:
    """Ranks (from 1) of the ordered values that bound a quantile, each one-sided; None where no value bounds it.

    The upper value is within a limit exactly when the lower bound of the proportion within that limit reaches the
    share.

    >>> quantile_ranks(0.95, 59), quantile_ranks(0.95, 58)
    ((53, 59), (52, None))
    """
    from scipy.special import bdtr

    below = np.asarray(bdtr(np.arange(trials, dtype=np.float64), trials, share))  # P(at most rank - 1 are within it)
    low, high = np.flatnonzero(1 - below >= confidence) + 1, np.flatnonzero(below >= confidence) + 1
    return int(low[-1]) if len(low) else None, int(high[0]) if len(high) else None


def _check(met: int, trials: int) -> None:
    if not 0 <= met <= trials or trials == 0:
        raise ValueError(f"found {met} of {trials}; expected 0 to all of at least one trial")
