"""Recovery point: what would be lost of each class of data, had its region died at that instant."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import series
from reports.model import Report
from reports.plots import frame
from reports.plots.svg import BLUE, GREEN, LINE, MUTED, ORANGE, VERMILLION
from reports.story import Moment, drawn
from reports.words import clock, duration, short

_LOOKS = (
    (VERMILLION, "-"),
    (BLUE, (0, (6, 2))),
    (GREEN, (0, (3, 1.5, 1, 1.5))),
    (ORANGE, (0, (1, 1.5))),
)  # transactions, then each copied class


def plot(report: Report, story: list[Moment]) -> frame.Plot | None:
    """Return the plot, None when the record holds no recovery point."""
    lines = series.recovery_points(report)[: len(_LOOKS)]
    if not lines:
        return None
    marks = [m for m in drawn(story) if m.key in ("fault", "promoted", "restored", "recovered")]
    parts = [f"{line.subject} {duration(float(np.nanmax(line.value)))}" for line in lines]
    summary = f"Had the region died at the worst instant, this much would have been lost: {', '.join(parts)}."
    zero_s = report.fault_s or 0.0
    gaps = [f"from {clock(a - zero_s)} to {clock(b - zero_s)}" for a, b in series.recovery_point_unknown(report)]
    if gaps:
        summary += (
            f" Of transactions it is not known {', '.join(gaps)}: nothing was sampled, and it may have been more."
        )
    title = "Recovery point: data at risk"
    return frame.both(
        "recovery-point", title, summary, lambda width: _draw(report, lines, marks, width), frame.key(marks)
    )


def _draw(report: Report, lines: list[series.Line], marks: list[Moment], width: int) -> Figure:
    wide = width == frame.WIDE
    left, right = (72, 24) if wide else (60, 14)
    inner, end_s = width - left - right, report.duration_s
    labels = frame.place(marks, end_s, inner, right, words=wide)
    entries = [(line.subject, *look) for line, look in zip(lines, _LOOKS, strict=False)]
    groups = [entries] if wide else [entries[:2], entries[2:]]
    top = labels.height + 10 + len(groups) * 17
    figure = frame.canvas(width, top + 150 + 44)
    at = frame.axes(figure, left, top, inner, 150)
    _lines(at, lines, wide)
    for i, group in enumerate(groups):
        frame.legend(at, group, left=0, rise=156 + labels.height + 17 * (len(groups) - 1 - i))
    frame.time_axis(at, end_s, inner, report.fault_s)
    at.set_xlabel(frame.time_label(report), color=MUTED, fontsize=11)
    frame.draw_marks([at], marks, labels)
    return figure


def _lines(at: Axes, lines: list[series.Line], wide: bool) -> None:
    for line, (colour, style) in zip(lines, _LOOKS, strict=False):
        at.plot(line.t_s, line.value, color=colour, linewidth=1.8, linestyle=style)
    frame.duration_axis(at, max(float(np.nanmax(line.value)) for line in lines), duration if wide else short)
    at.grid(axis="y", color=LINE, linewidth=0.8)
    at.set_axisbelow(True)
