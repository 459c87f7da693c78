"""Many trials: how recovery times are spread, against what was promised."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.model import Report
from reports.plots import frame
from reports.plots.svg import BLUE, INK, LINE, MUTED, VERMILLION
from reports.view import Row, View, spread, trial_bounds
from reports.words import clock, count, duration, share
from validators.words import percent

_HEIGHT, _GAP = 130, 84


def plot(report: Report, seen: View) -> frame.Plot | None:
    """Return the distributions, None for a single run."""
    if report.ensemble is None:
        return None
    rows = [r for r in seen.rows if r.name.startswith("rto.") and spread(report, r.name)]
    if not rows:
        return None
    title = f"Recovery times of {count(len(report.ensemble.trials), 'trial')}"
    summary = "\n".join(_words(report, row) for row in rows)
    return frame.both("trials", title, summary, lambda width: _draw(report, rows, width))


def _draw(report: Report, rows: list[Row], width: int) -> Figure:
    columns = min(3, len(rows)) if width == frame.WIDE else 1
    lines = math.ceil(len(rows) / columns)
    left, right, between = 44, 18, 52
    inner = (width - left - right - between * (columns - 1)) / columns
    figure = frame.canvas(width, lines * (_HEIGHT + _GAP) + 6)
    for i, row in enumerate(rows):
        x = left + i % columns * (inner + between)
        at = frame.axes(figure, x, 46 + i // columns * (_HEIGHT + _GAP), inner, _HEIGHT)
        _panel(at, report, row, inner, first=i % columns == 0)
    return figure


def _panel(at: Axes, report: Report, row: Row, inner: float, first: bool) -> None:
    assert report.ensemble is not None
    values = np.asarray(spread(report, row.name))
    known = values[np.isfinite(values)]
    limit = row.single.limit
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, limit or 1.0)
    near = limit is not None and limit <= high * 2.5
    end = max(high, limit if near and limit else 0.0) * 1.08
    start = max(0.0, min(low, limit if near and limit else low) * 0.8)
    x = np.concatenate([[start], known, [end]])
    y = np.concatenate([[0.0], np.arange(1, len(known) + 1), [len(known)]]) / len(values)
    at.set_xlim(start, end)
    at.set_ylim(0, 1.04)
    if limit is not None and near:
        at.axvspan(limit, end, color=VERMILLION, alpha=0.12, linewidth=0)
        at.axvline(limit, color=VERMILLION, linewidth=2)
    at.step(x, y, where="post", color=BLUE, linewidth=2)
    at.axhline(report.ensemble.met_in, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    at.set_yticks([0, 0.5, report.ensemble.met_in], ["0 %", "50 %", share(report.ensemble.met_in)])
    step = next((s for s in (5, 10, 30, 60, 120, 300, 600, 1200, 3600, 7200) if (end - start) / s * 46 <= inner), 14400)
    ticks = range(math.ceil(start / step) * step, int(end) + 1, step)
    at.set_xticks(list(ticks), [clock(t) for t in ticks])
    at.set_xlabel("minutes to recovery", color=MUTED, fontsize=11)
    at.grid(axis="y", color=LINE, linewidth=0.6)
    at.set_axisbelow(True)
    met = sum(t.results.get(row.name) == "PASS" for t in report.ensemble.trials)
    promise = "" if limit is None else f"  ≤ {clock(limit)}"
    where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "color": INK}
    at.annotate(row.name.removeprefix("rto.") + promise, (0, 1), (0, 24), fontsize=12, fontweight="bold", **where)
    words = f"met in {percent(met / len(values))}"
    if bounds := trial_bounds(report, row.name):
        words += f" [{percent(bounds[0], -1)}, {percent(bounds[1], 1)}]"
    at.annotate(words, (0, 1), (0, 8), fontsize=11, **where)


def _words(report: Report, row: Row) -> str:
    values = spread(report, row.name)
    never = sum(math.isinf(v) for v in values)
    quantiles = ", ".join(
        f"{share(q)} within {duration(v)}"
        if math.isfinite(v := values[max(0, math.ceil(q * len(values)) - 1)])
        else f"not {share(q)} at all"
        for q in (0.5, 0.95)
    )
    lost = f", {count(never, 'trial')} never" if never else ""
    return f"{row.name.removeprefix('rto.')}: {quantiles}{lost}; {row.trials or 'not judged over the trials'}."
