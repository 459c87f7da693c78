"""Samples that a Prometheus has scraped: series by metric and labels, each in order of time.

A series that vanishes from a scrape ends with a stale marker: it has no value until the next sample.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

Labels = frozenset[tuple[str, str]]  # without the metric's name, by which vectors never match

_TRIM = 64  # samples forgotten at once


class Series:
    """Samples of one series. `grown`: how much a counter has grown since its first sample, resets added back."""

    __slots__ = ("grown", "labels", "stale", "t_ns", "values")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.t_ns: list[int] = []
        self.values: list[float] = []
        self.grown: list[float] = []
        self.stale = True

    def first_after(self, t_ns: int) -> int:
        """Index of the first sample later than an instant."""
        return bisect_right(self.t_ns, t_ns)


@dataclass(frozen=True, eq=False)
class Selector:
    """A metric and a test of the labels; equal only to itself."""

    name: str
    matches: Callable[[Labels], bool]


class Store:
    """What one server remembers. `keep_ns`: the longest time that a rule looks back."""

    def __init__(self, keep_ns: int) -> None:
        self._keep_ns = keep_ns
        self._series: dict[tuple[str, Labels], Series] = {}
        self._by_name: dict[str, list[Series]] = {}
        self._selected: dict[Selector, tuple[list[Series], int]] = {}

    def series(self, name: str, labels: Labels) -> Series:
        """Return the series, a new one if need be."""
        known = self._series.get((name, labels))
        if known is None:
            known = self._series[name, labels] = Series(labels)
            self._by_name.setdefault(name, []).append(known)
        return known

    def add(self, series: Series, t_ns: int, value: float) -> None:
        """Append a sample and forget what no rule asks for any more."""
        values, times = series.values, series.t_ns
        growth = 0.0
        if values:
            before = values[-1]
            growth = series.grown[-1] + (value - before if value >= before else value)
        series.grown.append(growth)
        values.append(value)
        times.append(t_ns)
        series.stale = False
        if len(times) > 2 * _TRIM and times[_TRIM] <= t_ns - self._keep_ns:
            for column in (times, values, series.grown):
                del column[:_TRIM]

    def select(self, selector: Selector) -> list[Series]:
        """Series of a metric whose labels match; they are tested once."""
        known = self._by_name.get(selector.name)
        if known is None:
            return []
        found, tested = self._selected.get(selector, ([], 0))
        if tested < len(known):
            found += [s for s in known[tested:] if selector.matches(s.labels)]
            self._selected[selector] = (found, len(known))
        return found
