"""The numbers behind the plots, from the record's tables. Nothing here is a verdict."""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reports.model import Report
from reports.words import round_step
from scenarios.record import histogram
from validators import integrity
from validators.columns import histograms, names, real, whole
from validators.ledger import done, found
from validators.measures import copies
from validators.model import Observations
from validators.observe import observe
from validators.packed import isin

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
POINTS = 360  # of a line over the whole run
UNSAMPLED_S = 3.0  # longest time between samples of each second
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


def _rows(table: pa.Table, **wanted: str) -> I64:
    """Return the rows in which each of these columns holds that name."""
    chosen = np.ones(len(table), dtype=np.bool_)
    for column, name in wanted.items():
        chosen &= names(table, column).equal(name)
    return np.flatnonzero(chosen).astype(np.int64)


def load(report: Report) -> Load | None:
    """Return what was offered, sent and completed at the edge; None when the record has no such table."""
    table = report.record.table("load")
    rows = _rows(table, service="edge")
    rows = rows[whole(table, "second")[rows] < report.duration_s]  # what ends later is not judged
    if not len(rows):
        return None
    seconds = whole(table, "second")[rows]
    step = step_s(max(report.duration_s, float(seconds.max() + 1)))
    bins = seconds // step
    n = int(bins.max()) + 1
    width = np.full(n, float(step))
    width[-1] = float(seconds.max()) + 1 - (n - 1) * step

    def rate(column: str) -> F64:
        counted = np.bincount(bins, weights=whole(table, column)[rows], minlength=n)
        return np.asarray(counted / width, dtype=np.float64)

    p50, p99 = _quantiles(table, rows, bins, n, (0.5, 0.99))
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


def _quantiles(table: pa.Table, rows: I64, bins: I64, n: int, shares: tuple[float, ...]) -> list[F64]:
    """Quantiles of the path histograms in ms, by bin of time."""
    counted = histograms(table, "path", rows)
    result = [np.full(n, np.nan) for _ in shares]
    for i in range(n):
        merged = counted.total(bins == i)
        for out, share in zip(result, shares, strict=True):
            value = histogram.quantile_ns(merged, share)
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
    table = report.record.table("probes")
    rows = _rows(table, route="dns")
    intended = whole(table, "intended_us")
    rows = rows[intended[rows] < report.duration_s * 1e6]
    if not len(rows):
        return []
    services, right = names(table, "service"), names(table, "right").equal("yes")
    order = (*report.services, "database", "order", "page")
    found = sorted(services.seen(), key=lambda s: order.index(s) if s in order else len(order))
    mine = {name: rows[services.equal(name, rows)] for name in found}
    return [_band(report, intended[at], right[at], name) for name, at in mine.items() if len(at)]


def _band(report: Report, intended: I64, right: NDArray[np.bool_], service: str) -> Band:
    spacing = float(np.median(np.diff(np.sort(intended)))) / 1e6 if len(intended) > 1 else 1.0
    step = max(step_s(report.duration_s), int(np.ceil(spacing)))
    at = intended // (step * 1_000_000)
    n = int(at.max()) + 1
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
    subjects, t_s, values = names(table, "subject"), whole(table, "t_us") / 1e6, real(table, "value")
    result: dict[str, list[Line]] = {}
    for name in ("replication_lag_s", "replication_lag_observed_s"):
        rows = _rows(table, name=name)
        for subject in subjects.seen():
            mine = rows[subjects.equal(subject, rows)]
            if len(mine):
                line = _greatest(subject, t_s[mine], values[mine], report.duration_s)
                result.setdefault(name, []).append(line)
    return result


def recovery_points(report: Report) -> list[Line]:
    """Return how old what would be recovered was: of transactions what only the primary had, of copies their age."""
    seen = _observed(report)
    at_risk_us, at_risk_s = integrity.sample(seen, "at_risk_s")
    found = [("transactions", at_risk_us, at_risk_s)]
    for name in seen.topology.get("database", {}).get("copies", {}):
        _, t_us, age_us = copies.ages(seen, name)
        found.append((name, t_us, age_us / 1e6))
    lines = [_greatest(name, t_us / 1e6, np.maximum(value, 0.0), report.duration_s) for name, t_us, value in found]
    if len(at_risk_s):
        lines[0] = _broken(lines[0], unsampled(at_risk_us / 1e6, report.duration_s))
    return [line for line in lines if len(line.t_s)]


def unsampled(t_s: F64, duration_s: float) -> list[tuple[float, float]]:
    """Return the stretches of a run without a sample of what is sampled each second: there nobody knows."""
    edges = np.concatenate(([0.0], np.sort(t_s[t_s <= duration_s]), [duration_s]))
    wide = np.flatnonzero(np.diff(edges) > UNSAMPLED_S)
    return [(float(edges[i]), float(edges[i + 1])) for i in wide]


def recovery_point_unknown(report: Report) -> list[tuple[float, float]]:
    """Return when it was not known what only the primary had; empty too when that was never sampled."""
    t_us, _ = integrity.sample(_observed(report), "at_risk_s")
    return unsampled(t_us / 1e6, report.duration_s) if len(t_us) else []


def _broken(line: Line, gaps: list[tuple[float, float]]) -> Line:
    """Break a line where nobody knows, so that no value is drawn there."""
    middles = np.array([(begin + end) / 2 for begin, end in gaps])
    t_s = np.concatenate((line.t_s, middles))
    order = np.argsort(t_s, kind="stable")
    return Line(line.subject, t_s[order], np.concatenate((line.value, np.full(len(middles), np.nan)))[order])


def _observed(report: Report) -> Observations:
    """What the judge sees of the record; a head need not say what was planned."""
    head = {"scenario": {}, "topology": {}, "objectives": (), **report.head}
    return observe(head, report.record.marks, report.record.table, report.record.parts)


def sender_lag_us(report: Report) -> tuple[float, float] | None:
    """Return how late orders were sent, as the p99 of each second in microseconds: its median and its greatest."""
    table = report.record.table("samples")
    lags_us = real(table, "value")[_rows(table, subject="client", name="sender_lag_us_p99")]
    return (float(np.median(lags_us)), float(lags_us.max())) if len(lags_us) else None


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
    judged = [v.detail.get("lost") for v in report.judgement.verdicts if v.objective == "rpo.transactions"]
    if judged == [0]:  # the judge has read the ledger already: it is the largest part of a record
        return None
    seen = _observed(report)
    acked, read = done(seen, "transactions"), found(seen, "transactions", report.head.get("surviving_timeline")).keys
    if not len(read) or not len(acked.acked_keys):
        return None
    missing = ~isin(acked.acked_keys, read)
    if not missing.any():
        return None
    t_s = acked.acked_us.values() / 1e6
    first, last = float(t_s[missing].min()), float(t_s[missing].max())
    margin = max((last - first) * 0.5, 0.5)
    near = int(((t_s >= first - margin) & (t_s <= last + margin)).sum())
    step = round_step((last - first + 2 * margin) / min(bins, max(8, near // 5)))
    zero = report.fault_s or 0.0  # bins begin and end at whole steps from the fault
    low, high = math.floor((first - margin - zero) / step), math.ceil((last + margin - zero) / step)
    edges = np.asarray(zero + np.arange(low, high + 1) * step, dtype=np.float64)
    shown = (t_s >= edges[0]) & (t_s < edges[-1])
    counts = [np.histogram(t_s[shown & chosen], edges)[0].astype(np.int64) for chosen in (~missing, missing)]
    return Writes(edges, counts[0], counts[1], last, int(missing.sum()))
