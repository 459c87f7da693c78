"""The small models of the services: what to trade, how much, and what it risks. Seeded: same key, same answer."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Integers = NDArray[np.int64]

INSTRUMENTS: Final = 8
_FEATURES: Final = 16
_DAYS: Final = 500
_RECENT_DAYS: Final = 60
_DAILY_VOLATILITY: Final = 0.01
_COMMON_SHARE: Final = 0.4  # of each instrument's variance, shared by all
_SHOCK_CORRELATION: Final = 0.8  # mean correlation above which diversification is gone
_MOST_UNITS: Final = 10


class DecisionModel:
    """Strategic: which instrument, and which way."""

    def __init__(self, seed: int = 1) -> None:
        """Draw the weights.

        Args:
            seed: Of the weights.
        """
        generator = np.random.default_rng(seed)
        self._weights = generator.normal(size=(INSTRUMENTS, _FEATURES))
        self._frequencies = generator.uniform(0.1, 3.0, size=_FEATURES)

    def decide(self, key: int) -> tuple[int, int]:
        """The instrument's number and 1 (buy) or -1 (sell)."""
        scores = np.tanh(self._weights @ np.sin(self._frequencies * (key % 1_000_003)))
        instrument = int(np.argmax(np.abs(scores)))
        return instrument, 1 if scores[instrument] > 0 else -1


class SignalModel:
    """Tactical: how much, from two moving averages of a price path."""

    def __init__(self, seed: int = 2) -> None:
        """Draw the paths.

        Args:
            seed: Of the paths.
        """
        steps = np.random.default_rng(seed).normal(scale=_DAILY_VOLATILITY, size=(INSTRUMENTS, _DAYS))
        self._paths = 100.0 * np.exp(np.cumsum(steps, axis=1))

    def units(self, key: int, instrument: int) -> int:
        """Units to trade, 1 to 10."""
        end = 50 + key % (_DAYS - 50)
        window = self._paths[instrument, end - 50 : end]
        strength = abs(float(window[-10:].mean() / window.mean() - 1.0)) / (3 * _DAILY_VOLATILITY)
        return 1 + min(_MOST_UNITS - 1, int(strength * (_MOST_UNITS - 1)))


class RiskModel:
    """Risk: value at risk of positions by historical simulation, and how correlated the market is."""

    def __init__(self, seed: int = 3) -> None:
        """Draw the history.

        Args:
            seed: Of the daily returns.
        """
        generator = np.random.default_rng(seed)
        common = generator.normal(size=(_DAYS, 1)) * np.sqrt(_COMMON_SHARE)
        own = generator.normal(size=(_DAYS, INSTRUMENTS)) * np.sqrt(1 - _COMMON_SHARE)
        self._returns = (common + own) * _DAILY_VOLATILITY
        self._prices = generator.uniform(50.0, 150.0, size=INSTRUMENTS)

    def value_at_risk(self, units: Integers | Vector, level: float = 0.99) -> float:
        """The loss in money that a day exceeds with probability 1 - level.

        Args:
            units: Units held of each instrument.
            level: Confidence.

        Returns:
            Money; 0 when no such day loses.
        """
        results = self._returns @ (self._prices * units)
        worst = round(_DAYS * (1 - level))
        return max(0.0, -float(np.partition(results, worst)[worst]))

    def correlation_shock(self) -> bool:
        """Whether the recent mean correlation between instruments is so high that they fall together."""
        matrix = np.corrcoef(self._returns[-_RECENT_DAYS:], rowvar=False)
        mean = (matrix.sum() - INSTRUMENTS) / (INSTRUMENTS * (INSTRUMENTS - 1))
        return bool(mean > _SHOCK_CORRELATION)
