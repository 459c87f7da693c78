"""Plays small systems many times with different draws, and says how well the mean of a measure agrees with theory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import stats

from sim.data.arrivals import Arrivals
from sim.data.commands import Outcome
from sim.data.draws import exponential, stream_key
from sim.data.event_plane import EventPlane
from sim.data.plane import Counters
from sim.data.system import F64, I64, System
from tests.properties.systems import S, Timed

CONFIDENCE = 0.9999  # of each interval: with correct code one seed in 10,000 would fail


@dataclass(frozen=True)
class Run:
    """One replication: class-0 requests that ended in order of their index, scrapes, and what it was played on."""

    system: System
    intended_ns: I64
    done_ns: I64
    outcome: I64
    status: I64
    attempts: I64
    commits_ns: I64
    scrapes: list[Counters]

    @property
    def sojourn_s(self) -> F64:
        """From intended to done."""
        return (self.done_ns - self.intended_ns) / S

    @property
    def ok(self) -> np.ndarray:
        """Which requests were answered."""
        return self.outcome == Outcome.OK

    def wait_s(self) -> F64:
        """Sojourn without own work; of a system of one station with exponential work, without retries."""
        key, scale = self.system.work_key[0, 0], float(self.system.work_scale[0])
        return self.sojourn_s - _exponential_works(key, len(self.done_ns), scale) / S


@njit
def _exponential_works(key, count, scale):
    works = np.empty(count, dtype=np.int64)
    for n in range(count):
        works[n] = max(1, int(scale * exponential(key, n)))
    return works


def poisson(rate_per_s: float, requests: int, seed: int) -> I64:
    """Arrivals of a Poisson process."""
    return arrivals(np.zeros(1, dtype=np.int64), np.array([rate_per_s]), seed, requests=requests)


def arrivals(points_ns: I64, rates: F64, seed: int, *, requests: int = 0, until_ns: int = 0) -> I64:
    """Arrivals of a rate profile: so many, or all before an instant."""
    source = Arrivals(points_ns, rates, stream_key(seed, 0, "test", "arrivals"))
    if until_ns:
        times = source.take(until_ns)
        return times[: int(np.searchsorted(times, until_ns))]
    parts = [source.take(0)]
    while sum(map(len, parts)) < requests:
        parts.append(source.take(0))
    return np.concatenate(parts)[:requests]


def play(
    system: System,
    times: I64,
    *,
    script: Sequence[Timed] = (),
    scrape_ns: Sequence[int] = (),
    until_ns: int | None = None,
) -> Run:
    """Play until everything has ended (or an instant), with scrapes on the way."""
    plane = EventPlane(system)
    plane.feed(times)
    end = int(times[-1]) + 600 * S if until_ns is None else until_ns
    scrapes = []
    for horizon in sorted({*scrape_ns, *(e.at_ns for e in script), end}):
        plane.advance(horizon)
        if horizon in scrape_ns:
            scrapes.append(plane.counters())
        for entry in (e for e in script if e.at_ns == horizon):
            plane.command(entry.command, entry.a, entry.b, entry.c)
    chunk = plane.drain(final=True)
    order = np.argsort(chunk.finished_index)
    columns = ("intended_ns", "done_ns", "outcome", "status", "attempts")
    facts = {name: getattr(chunk, f"finished_{name}")[order] for name in columns}
    return Run(system, **facts, commits_ns=chunk.rows_commit_ns, scrapes=scrapes)


@dataclass(frozen=True)
class Interval:
    """Mean of independent replications, and the half-width of its t-interval at CONFIDENCE."""

    mean: float
    half: float

    def holds(self, theory: float, *, within: float) -> bool:
        """Whether theory is inside, and the interval narrow: half of it at most `within` of the theory.

        A kernel whose mean is off by more than twice `within` cannot pass.
        """
        assert self.half <= within * abs(theory), f"too wide to tell anything: {self}, theory {theory:.6g}"
        return abs(self.mean - theory) <= self.half


def interval(values: Sequence[float] | F64) -> Interval:
    """Of independent values."""
    x = np.asarray(values, dtype=float)
    half = stats.t.ppf(1 - (1 - CONFIDENCE) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(float(x.mean()), float(half))


def replicate(one: Callable[[int], float], count: int = 20) -> Interval:
    """Interval of a measure over seeds 1, 2, ..."""
    return interval([one(seed) for seed in range(1, count + 1)])


def late(values: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Without the first part, in which an empty system fills."""
    return values[int(len(values) * share) :]
