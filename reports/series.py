"""The numbers behind the plots, from the record's tables. Nothing here is a verdict."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reports.model import Report
from scenarios.record import histogram

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
POINTS = 360  # of a line over the whole run
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class Load:
    """Counts at the edge per second, means over bins of `step_s`; quantiles of the path in ms (NaN: nothing ended)."""

    t_s: F64
    step_s: int
    intended: F64
    sent: F64
    ok: F64
    failed: F64
    unknown: F64
    p50_ms: F64
    p99_ms: F64

    @property
    def availability(self) -> F64:
        """Return the share of requests that ended well, of those that ended; NaN where none ended."""
        ended = self.ok + self.failed + self.unknown
        return np.asarray(np.divide(self.ok, ended, out=np.full(len(ended), np.nan), where=ended > 0), dtype=np.float64)


def step_s(duration_s: float) -> int:
    """Return the width of a bin that keeps a line below `POINTS` points."""
    return next((s for s in _STEPS_S if duration_s / s <= POINTS), 3600)


def _is(table: pa.Table, column: str, value: str) -> pa.Table:
    return table.filter(pc.equal(pc.cast(table[column], pa.string()), value))


def _ints(table: pa.Table, column: str) -> I64:
    return np.asarray(table[column].to_numpy(), dtype=np.int64)


def load(report: Report) -> Load | None:
    """Return what was offered, sent and completed at the edge; None when the record has no such table."""
    table = _is(report.record.table("load"), "service", "edge")
    if not len(table):
        return None
    seconds = _ints(table, "second")
    step = step_s(max(report.duration_s, float(seconds.max() + 1)))
    bins = seconds // step
    n = int(bins.max()) + 1
    width = np.full(n, float(step))
    width[-1] = float(seconds.max()) + 1 - (n - 1) * step

    def rate(column: str) -> F64:
        return np.asarray(np.bincount(bins, weights=_ints(table, column), minlength=n) / width, dtype=np.float64)

    p50, p99 = _quantiles(table, bins, n, (0.5, 0.99))
    return Load(
        t_s=np.asarray((np.arange(n) + 0.5) * step, dtype=np.float64),
        step_s=step,
        intended=rate("intended"),
        sent=rate("sent"),
        ok=rate("ok"),
        failed=rate("failed"),
        unknown=rate("unknown"),
        p50_ms=p50,
        p99_ms=p99,
    )


def _quantiles(table: pa.Table, bins: I64, n: int, shares: tuple[float, ...]) -> list[F64]:
    """Quantiles of the path histograms in ms, by bin of time."""
    lists = table["path"].combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0) if lists.num_chunks else pa.array([], lists.type)
    lengths = np.nan_to_num(pc.list_value_length(lists).to_numpy(zero_copy_only=False)).astype(np.int64)
    flat = lists.flatten()
    rows = np.column_stack([np.asarray(flat.field(name).to_numpy(), dtype=np.int64) for name in ("bin", "count")])
    owner = np.repeat(bins, lengths)
    result = [np.full(n, np.nan) for _ in shares]
    order = np.argsort(owner, kind="stable")
    rows, owner = rows[order], owner[order]
    edges = np.searchsorted(owner, np.arange(n + 1))
    for i in range(n):
        merged = histogram.merge([rows[edges[i] : edges[i + 1]]])
        for out, q in zip(result, shares, strict=True):
            value = histogram.quantile_ns(merged, q)
            out[i] = np.nan if value is None else value / 1e6
    return result


@dataclass(frozen=True)
class Band:
    """Answers of a service's probes through DNS: stretches of equal state, and how long it was not all right."""

    service: str
    stretches: tuple[tuple[float, float, str], ...]  # from_s, to_s, "good" | "part" | "bad"
    bad_s: float


def bands(report: Report) -> list[Band]:
    """Return the state of each service over time. Good: at least 99 % of a bin's answers right; bad: none."""
    table = _is(report.record.table("probes"), "route", "dns")
    if not len(table):
        return []
    table = table.filter(pc.less(table["intended_us"], int(report.duration_s * 1e6)))
    names = pc.cast(table["service"], pa.string())
    order = ("strategic", "tactical", "risk", "database", "order", "page")
    found = sorted(pc.unique(names).to_pylist(), key=lambda s: order.index(s) if s in order else len(order))
    step = step_s(report.duration_s)
    return [_band(report, table.filter(pc.equal(names, name)), name, step) for name in found]


def _band(report: Report, table: pa.Table, service: str, step: int) -> Band:
    intended = np.sort(_ints(table, "intended_us"))
    spacing = float(np.median(np.diff(intended))) / 1e6 if len(intended) > 1 else 1.0
    step = max(step, int(np.ceil(spacing)))
    at = _ints(table, "intended_us") // (step * 1_000_000)
    n = int(at.max()) + 1 if len(at) else 0
    right = np.asarray(
        pc.equal(pc.cast(table["right"], pa.string()), "yes").to_numpy(zero_copy_only=False), dtype=float
    )
    asked = np.bincount(at, minlength=n)
    good = np.divide(np.bincount(at, weights=right, minlength=n), asked, out=np.full(n, np.nan), where=asked > 0)
    stretches: list[tuple[float, float, str]] = []
    for i, part in enumerate(good):
        state = "good" if part >= 0.99 else "bad" if part == 0 else "none" if np.isnan(part) else "part"
        start, end = float(i * step), min(float((i + 1) * step), report.duration_s)
        if stretches and stretches[-1][2] == state:
            stretches[-1] = (stretches[-1][0], end, state)
        else:
            stretches.append((start, end, state))
    known = tuple(s for s in stretches if s[2] != "none")
    return Band(service, known, sum(b - a for a, b, state in known if state != "good"))


@dataclass(frozen=True)
class Line:
    """One sampled quantity over time."""

    subject: str
    t_s: F64
    value: F64


def lags(report: Report) -> dict[str, list[Line]]:
    """Return true and observed replication lag by name of the sample, the greatest of each bin."""
    table = report.record.table("samples")
    names = pc.cast(table["name"], pa.string())
    result: dict[str, list[Line]] = {}
    for name in ("replication_lag_s", "replication_lag_observed_s"):
        rows = table.filter(pc.equal(names, name))
        subjects = pc.cast(rows["subject"], pa.string())
        for subject in sorted(pc.unique(subjects).to_pylist()):
            part = rows.filter(pc.equal(subjects, subject))
            values = np.asarray(part["value"].to_numpy(), dtype=np.float64)
            result.setdefault(name, []).append(_greatest(subject, _ints(part, "t_us") / 1e6, values, report.duration_s))
    return result


def _greatest(subject: str, t_s: F64, value: F64, duration_s: float) -> Line:
    known = np.isfinite(value) & (t_s <= duration_s)
    step = step_s(duration_s)
    at = (t_s[known] // step).astype(np.int64)
    if not len(at):
        return Line(subject, np.empty(0), np.empty(0))
    greatest = np.full(int(at.max()) + 1, -np.inf)
    np.maximum.at(greatest, at, value[known])
    kept = np.flatnonzero(np.isfinite(greatest))
    return Line(subject, np.asarray(kept * float(step), dtype=np.float64), greatest[kept])


@dataclass(frozen=True)
class Writes:
    """Acknowledged transactions around the fault, by bins of time; `lost`: not found on the surviving timeline."""

    edges_s: F64
    kept: I64
    lost: I64
    last_lost_s: float
    total_lost: int


def lost_writes(report: Report, bins: int = 48) -> Writes | None:
    """Return lost acknowledged transactions and their neighbours; None when nothing is lost or was read back."""
    timeline = report.head.get("surviving_timeline")
    done = _is(_is(report.record.table("writes_done"), "data_class", "transactions"), "outcome", "acked")
    back = _is(report.record.table("readback"), "data_class", "transactions")
    if timeline is not None:
        back = _is(back, "timeline", str(timeline))
    if not len(back) or not len(done):
        return None
    found = _ints(back.filter(pc.greater(back["copies"], 0)), "key")
    missing = ~np.isin(_ints(done, "key"), found)
    if not missing.any():
        return None
    t_s = _ints(done, "done_us") / 1e6
    first, last = float(t_s[missing].min()), float(t_s[missing].max())
    margin = max((last - first) * 0.5, 0.5)
    near = int(((t_s >= first - margin) & (t_s <= last + margin)).sum())
    edges = np.linspace(first - margin, last + margin, min(bins, max(8, near // 5)) + 1)
    counts = [np.histogram(t_s[chosen], edges)[0].astype(np.int64) for chosen in (~missing, missing)]
    return Writes(edges, counts[0], counts[1], last, int(missing.sum()))
