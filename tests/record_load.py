"""Seconds of load for a made-up record, with histograms of lognormal latencies."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.record import histogram
from scenarios.record.writer import batch

I64 = NDArray[np.int64]
SIGMA = 0.5
_POINTS = 100
_FACTORS = np.exp([SIGMA * NormalDist().inv_cdf((i + 0.5) / _POINTS) for i in range(_POINTS)])


@dataclass(frozen=True)
class Second:
    """A row of the load. Medians in ms; None: no histogram. `tail`: share of requests whose own time is `tail_ms`."""

    second: int
    region: str
    service: str
    intended: int
    sent: int
    ok: int
    failed: int
    unknown: int
    attempts: int
    own_ms: float | None = None
    caller_ms: float | None = None
    path_ms: float | None = None
    tail: float = 0.0
    tail_ms: float = 0.0


@cache
def steady_load(rate: int, seconds: int, down_s: tuple[int, int], regions: tuple[str, str]) -> tuple[Second, ...]:
    """Load at a constant rate; all of it fails in [from, to), then another region answers."""
    medians_ms = {"strategic": 0.6, "tactical": 0.3, "risk": 1.6, "database": 3.0}
    rows = []
    for second in range(seconds):
        ok = 0 if down_s[0] <= second < down_s[1] else rate
        rows.append(Second(second, "client", "edge", rate, rate, ok, rate - ok, 0, rate, path_ms=9.0))
        region = regions[second >= down_s[0]]
        for service, own_ms in medians_ms.items():
            rows.append(Second(second, region, service, 0, 0, ok, 0, 0, ok, own_ms=own_ms, caller_ms=3 * own_ms))
    return tuple(rows)


@cache
def _histogram(median_ms: float | None, count: int, tail: float = 0.0, tail_ms: float = 0.0) -> I64:
    if median_ms is None or count == 0:
        return np.zeros((0, 2), dtype=np.int64)
    slow = round(count * tail)
    each, rest = divmod(count - slow, _POINTS)
    values = np.repeat(median_ms * 1e6 * _FACTORS, each).astype(np.int64)
    more = np.concatenate([np.full(rest, round(median_ms * 1e6)), np.full(slow, round(tail_ms * 1e6))])
    return histogram.of(np.concatenate([values, more.astype(np.int64)]))


def _column(histograms: Sequence[I64]) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in histograms])]).astype(np.int32)
    rows = np.concatenate(histograms) if histograms else np.zeros((0, 2), dtype=np.int64)
    pairs = [pa.array(rows[:, 0].astype(np.int32)), pa.array(rows[:, 1])]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(pairs, names=["bin", "count"]))


def load_batch(rows: Sequence[Second]) -> pa.RecordBatch:
    """Rows of the load's table."""
    counts = ("intended", "sent", "ok", "failed", "unknown", "attempts")
    return batch(
        "load",
        {
            "second": np.array([r.second for r in rows], dtype=np.int32),
            "region": pa.array([r.region for r in rows]).dictionary_encode(),
            "service": pa.array([r.service for r in rows]).dictionary_encode(),
            **{c: np.array([getattr(r, c) for r in rows], dtype=np.int64) for c in counts},
            "own": _column([_histogram(r.own_ms, r.ok, r.tail, r.tail_ms) for r in rows]),
            "caller": _column([_histogram(r.caller_ms, r.ok) for r in rows]),
            "path": _column([_histogram(r.path_ms, r.ok + r.unknown) for r in rows]),
        },
    )
