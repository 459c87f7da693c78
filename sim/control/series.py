"""A quantity of the control plane over time, piecewise linear, asked for at many instants at once."""

import numpy as np
import simpy
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class Series:
    """From each `set` on: value + slope * seconds since then. Right-continuous; before the first: its value."""

    def __init__(self, env: simpy.Environment, value: float = 0.0) -> None:
        self._env = env
        self._since = [0]
        self._value = [float(value)]
        self._slope = [0.0]

    def set(self, value: float, slope_per_s: float = 0.0) -> None:
        """Take this course from now on; a second call at the same instant replaces the first."""
        now = int(self._env.now)
        if self._since[-1] == now:
            self._value[-1], self._slope[-1] = float(value), slope_per_s
            return
        self._since.append(now)
        self._value.append(float(value))
        self._slope.append(slope_per_s)

    @property
    def now(self) -> float:
        """Value at the clock."""
        return float(self.at(np.array([int(self._env.now)]))[0])

    def at(self, instants_ns: I64) -> F64:
        """Values at these instants, up to the clock."""
        since = np.array(self._since, dtype=np.int64)
        i = np.searchsorted(since, instants_ns, side="right") - 1
        i = np.maximum(i, 0)
        elapsed_s = (instants_ns - since[i]) / 1e9
        return np.array(self._value)[i] + np.array(self._slope)[i] * elapsed_s
