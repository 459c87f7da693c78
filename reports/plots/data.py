"""How far the copy lagged behind, and which acknowledged writes are gone."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import series
from reports.model import Report
from reports.plots import frame
from reports.plots.svg import BLUE, INK, LINE, MUTED, ORANGE, PAPER, VERMILLION
from reports.story import Moment, drawn
from reports.words import count, duration, round_step, short

_NAMES = {
    "replication_lag_s": ("true lag", BLUE, "-"),
    "replication_lag_observed_s": ("lag as observed", ORANGE, (0, (5, 2))),
}


def plot(report: Report, story: list[Moment]) -> frame.Plot | None:
    """Return the plot, None when the record holds neither lag nor lost writes."""
    lags, writes = series.lags(report), series.lost_writes(report)
    if not any(len(line.t_s) for lines in lags.values() for line in lines) and writes is None:
        return None
    marks = [m for m in drawn(story) if m.key in ("fault", "promoted", "restored", "recovered")]
    title, summary = "Replication lag and lost writes", _summary(report, lags, writes)
    return frame.both("data", title, summary, lambda width: _draw(report, lags, writes, marks, width), frame.key(marks))


def _draw(
    report: Report,
    lags: dict[str, list[series.Line]],
    writes: series.Writes | None,
    marks: list[Moment],
    width: int,
) -> Figure:
    wide = width == frame.WIDE
    left, right = (72, 24) if wide else (60, 14)
    inner, end_s = width - left - right, report.duration_s
    labels = frame.place(marks, end_s, inner, right, words=wide)
    rows = 1 if wide or len(lags) < 2 else 2
    lag_top = labels.height + 10 + rows * 17
    height = (lag_top + 150 + 44 if lags else 8) + (60 + 110 + 44 if writes is not None else 0)
    figure = frame.canvas(width, height)
    if lags:
        at = frame.axes(figure, left, lag_top, inner, 150)
        _lag(at, lags, wide, labels.height)
        frame.time_axis(at, end_s, inner, report.fault_s)
        at.set_xlabel(frame.time_label(report), color=MUTED, fontsize=11)
        frame.draw_marks([at], marks, labels)
    if writes is not None:
        _lost(frame.axes(figure, left, height - 110 - 44, inner, 110), writes, report, inner, wide)
    return figure


def _lag(at: Axes, lags: dict[str, list[series.Line]], wide: bool, labels: float) -> None:
    entries = []
    for name, lines in lags.items():
        words, colour, style = _NAMES[name]
        entries.append((words, colour, style))
        for line in lines:
            at.plot(line.t_s, line.value, color=colour, linewidth=1.8, linestyle=style)
    greatest = max((float(line.value.max()) for each in lags.values() for line in each if len(line.value)), default=0)
    frame.duration_axis(at, greatest, duration if wide else short)
    at.grid(axis="y", color=LINE, linewidth=0.8)
    at.set_axisbelow(True)
    if wide:
        frame.legend(at, entries, left=0, rise=156 + labels)
    else:
        for i, entry in enumerate(entries):
            frame.legend(at, [entry], left=0, rise=156 + labels + 17 * (len(entries) - 1 - i))


def _lost(at: Axes, writes: series.Writes, report: Report, inner: float, wide: bool) -> None:
    edges, kept, lost = writes.edges_s, writes.kept, writes.lost
    widths = edges[1:] - edges[:-1]
    at.bar(edges[:-1], kept, widths, align="edge", color=LINE, linewidth=0)
    at.bar(
        edges[:-1],
        lost,
        widths,
        bottom=kept,
        align="edge",
        color=VERMILLION,
        edgecolor=PAPER,
        hatch="////",
        linewidth=0,
    )
    at.set_xlim(edges[0], edges[-1])
    at.set_ylim(0, max(int((kept + lost).max()) * 1.15, 1))
    zero = report.fault_s or 0.0
    step = round_step((edges[-1] - edges[0]) / (8 if wide else 3))
    ticks = [k * step for k in range(math.ceil((edges[0] - zero) / step), math.floor((edges[-1] - zero) / step) + 1)]
    at.set_xticks([zero + t for t in ticks], [_apart(t) for t in ticks])
    at.set_yticks([])
    if edges[0] <= zero <= edges[-1] and report.fault_s is not None:
        at.axvline(zero, color=INK, linewidth=1.0)
        at.annotate(
            "fault",
            (zero, 1),
            (4, -12),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=11,
            color=INK,
        )
    frame.heading(at, f"acknowledged transactions in each {duration(round(float(widths[0]), 9))}")
    _key(at)
    at.set_xlabel("time of acknowledgement, from the fault", color=MUTED, fontsize=11)


def _apart(seconds: float) -> str:
    """Return an instant before or after the fault."""
    if abs(seconds) < 1e-9:
        return "0 s"
    return ("+" if seconds > 0 else "−") + (f"{abs(seconds):g} s" if abs(seconds) < 120 else duration(abs(seconds)))


def _key(at: Axes) -> None:
    x = 0.0
    for words, colour, hatch in (("kept", LINE, ""), ("lost", VERMILLION, "////")):
        box = {"boxstyle": "square,pad=0", "facecolor": colour, "edgecolor": PAPER, "hatch": hatch, "linewidth": 0}
        at.annotate(" " * 4, (x, 134), xycoords="axes points", fontsize=11, bbox=box, annotation_clip=False)
        at.annotate(words, (x + 20, 134), xycoords="axes points", fontsize=11, color=INK, annotation_clip=False)
        x += 20 + frame.text_width(words, 11) + 16


def _summary(report: Report, lags: dict[str, list[series.Line]], writes: series.Writes | None) -> str:
    parts = []
    for name, lines in lags.items():
        for line in lines:
            if len(line.value):
                words = _NAMES[name][0]
                parts.append(f"The {words} of {line.subject} was at most {duration(float(line.value.max()))}.")
    if writes is not None:
        when = ""
        if report.fault_s is not None:
            apart = writes.last_lost_s - report.fault_s
            when = f", the last {duration(abs(apart))} {'before' if apart < 0 else 'after'} the fault"
        are = "is" if writes.total_lost == 1 else "are"
        parts.append(
            f"{count(writes.total_lost, 'acknowledged transaction')} {are} not on the surviving timeline{when}."
        )
    else:
        parts.append("The record shows no acknowledged transaction missing from the surviving timeline.")
    return " ".join(parts)
