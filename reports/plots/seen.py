"""What users saw: which service answered right, how many requests ended well, how long they took."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import series
from reports.model import Report
from reports.plots import frame
from reports.plots.svg import BLUE, GREEN, INK, LINE, MUTED, ORANGE, VERMILLION
from reports.story import Moment, drawn
from reports.words import duration, quantity, share

_ROW, _LATENCY = 22, 130


def plot(report: Report, story: list[Moment]) -> frame.Plot | None:
    """Return the plot, None when the record holds neither probes nor load."""
    bands, load = series.bands(report), series.load(report)
    if not bands and load is None:
        return None
    marks = drawn(story)
    summary = _summary(report, bands, load)
    title = "What users saw"
    return frame.both("seen", title, summary, lambda width: _draw(report, bands, load, marks, width), frame.key(marks))


def _draw(
    report: Report, bands: list[series.Band], load: series.Load | None, marks: list[Moment], width: int
) -> Figure:
    wide = width == frame.WIDE
    left, right, end_s = (72, 24, report.duration_s) if wide else (60, 14, report.duration_s)
    inner = width - left - right
    labels = frame.place(marks, end_s, inner, right, words=wide)
    heights = ([len(bands) * _ROW] if bands else []) + ([110, _LATENCY] if load is not None else [])
    height = labels.height + sum(heights) + 30 * len(heights) + 34
    figure = frame.canvas(width, height)
    panels, top = [], labels.height + 4
    for i, part in enumerate(heights):
        panels.append(frame.axes(figure, left, top, inner, part))
        frame.time_axis(panels[-1], end_s, inner, report.fault_s, labels=i == len(heights) - 1)
        top += part + 30
    rest = list(panels)
    if bands:
        _strips(rest.pop(0), bands)
    if load is not None:
        _availability(rest[0], load)
        _latency(rest[1], load)
    frame.draw_marks(panels, marks, labels)
    panels[-1].set_xlabel(frame.time_label(report), color=MUTED, fontsize=11)
    return figure


def _strips(at: Axes, bands: list[series.Band]) -> None:
    """One row a service: a thin line while answers are right, a thick bar while they are not."""
    for i, band in enumerate(bands):
        y = len(bands) - 1 - i
        for start, end, state in band.stretches:
            if state == "good":
                at.plot([start, end], [y, y], color=GREEN, linewidth=2.5, solid_capstyle="butt", zorder=2)
            else:
                fill, hatch = (VERMILLION, None) if state == "bad" else ("none", "////")
                style: dict[str, Any] = {
                    "facecolor": fill,
                    "edgecolor": VERMILLION,
                    "hatch": hatch,
                    "linewidth": 0.8,
                    "zorder": 2,
                }
                at.broken_barh([(start, end - start)], (y - 0.32, 0.64), **style)
    at.set_ylim(-0.6, len(bands) - 0.4)
    at.set_yticks(range(len(bands)), [b.service for b in reversed(bands)], color=INK)
    at.tick_params(axis="y", length=0)
    at.spines["left"].set_visible(False)


def _availability(at: Axes, load: series.Load) -> None:
    percent = load.availability * 100
    at.fill_between(load.t_s, percent, 100, color=VERMILLION, alpha=0.18, linewidth=0, step="mid")
    at.plot(load.t_s, percent, color=VERMILLION, linewidth=1.8, drawstyle="steps-mid")
    at.set_ylim(-4, 104)
    at.set_yticks([0, 50, 100], ["0 %", "50 %", "100 %"])
    at.grid(axis="y", color=LINE, linewidth=0.8)
    at.set_axisbelow(True)
    frame.heading(at, "requests that ended well")


def _latency(at: Axes, load: series.Load) -> None:
    for values, colour, style in ((load.p50_ms, BLUE, "-"), (load.p99_ms, ORANGE, (0, (5, 2)))):
        at.plot(load.t_s, np.where(np.isnan(values), np.nan, values), color=colour, linewidth=1.8, linestyle=style)
    at.set_yscale("log")
    known = np.concatenate([load.p50_ms, load.p99_ms])
    known = known[np.isfinite(known) & (known > 0)]
    if len(known):
        low, high = np.floor(np.log10(known.min())), np.ceil(np.log10(known.max()))
        at.set_ylim(10**low, 10 ** max(high, low + 1))
        powers = range(int(low), int(max(high, low + 1)) + 1)
        at.set_yticks([10.0**p for p in powers], [quantity(10.0**p / 1000, "s") for p in powers])
    at.minorticks_off()
    at.grid(axis="y", color=LINE, linewidth=0.8)
    at.set_axisbelow(True)
    frame.heading(at, "time to answer")
    offset = frame.text_width("time to answer") + 16
    frame.legend(at, [("p50", BLUE, "-"), ("p99", ORANGE, (0, (5, 2)))], left=offset, rise=_LATENCY + 5)


def _summary(report: Report, bands: list[series.Band], load: series.Load | None) -> str:
    parts = []
    bad = [b for b in bands if b.bad_s]
    if bad:
        words = ", ".join(f"{b.service} about {duration(b.bad_s)}" for b in bad)
        parts.append(f"Answers were wrong or missing: {words}.")
    elif bands:
        parts.append("Every service answered right throughout.")
    if load is not None:
        ended = load.ok + load.failed + load.unknown
        if total := float(ended.sum()):
            well, worst = share(float(load.ok.sum()) / total), share(float(np.nanmin(load.availability)))
            parts.append(f"{well} of all requests ended well; at worst {worst} within {duration(load.step_s)}.")
        before = load.t_s < (report.fault_s if report.fault_s is not None else report.duration_s)
        usual = "before the fault" if report.fault_s is not None else "in the median"
        for name, values in (("p50", load.p50_ms), ("p99", load.p99_ms)):
            if np.isfinite(values[before]).any():
                typical, most = (
                    quantity(float(v) / 1000, "s") for v in (np.nanmedian(values[before]), np.nanmax(values))
                )
                parts.append(f"{name} was {typical} {usual} and at most {most}.")
    return " ".join(parts)
