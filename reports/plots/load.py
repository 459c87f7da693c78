"""Offered, sent and completed load."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import series
from reports.model import Report
from reports.plots import frame
from reports.plots.svg import BLUE, GREEN, INK, LINE, MUTED, VERMILLION
from reports.story import Moment, drawn
from reports.words import quantity, share

_LINES = (
    ("offered", "intended", INK, (0, (1, 1.5))),
    ("sent", "sent", BLUE, (0, (6, 2))),
    ("completed", "ok", GREEN, "-"),
    ("failed or timed out", "", VERMILLION, (0, (3, 1.5, 1, 1.5))),
)


def plot(report: Report, story: list[Moment]) -> frame.Plot | None:
    """Return the plot, None when the record holds no load."""
    load = series.load(report)
    if load is None:
        return None
    marks = [m for m in drawn(story) if m.key in ("fault", "DNS switched", "recovered")]
    title, summary = "Offered, sent and completed load", _summary(load)
    return frame.both("load", title, summary, lambda width: _draw(report, load, marks, width), frame.key(marks))


def _draw(report: Report, load: series.Load, marks: list[Moment], width: int) -> Figure:
    wide = width == frame.WIDE
    left, right = (72, 24) if wide else (60, 14)
    inner, end_s = width - left - right, report.duration_s
    labels = frame.place(marks, end_s, inner, right, words=wide)
    rows = 1 if wide else 3
    top = labels.height + 10 + rows * 17
    figure = frame.canvas(width, top + 180 + 44)
    at = frame.axes(figure, left, top, inner, 180)
    _lines(at, load)
    entries = [(words, colour, style) for words, _, colour, style in _LINES]
    groups = [entries] if wide else [entries[:2], entries[2:3], entries[3:]]
    for i, group in enumerate(groups):
        frame.legend(at, group, left=0, rise=186 + labels.height + 17 * (len(groups) - 1 - i))
    frame.time_axis(at, end_s, inner, report.fault_s)
    at.set_xlabel(frame.time_label(report), color=MUTED, fontsize=11)
    frame.draw_marks([at], marks, labels)
    return figure


def _lines(at: Axes, load: series.Load) -> None:
    for _, name, colour, style in _LINES:
        values = getattr(load, name) if name else load.failed + load.unknown
        at.plot(load.t_s, values, color=colour, linewidth=1.8, linestyle=style)
    at.set_ylim(bottom=0)
    at.set_yticks(ticks := list(at.get_yticks())[:-1], [quantity(t, "1/s") for t in ticks])
    at.grid(axis="y", color=LINE, linewidth=0.8)
    at.set_axisbelow(True)


def _summary(load: series.Load) -> str:
    intended, sent, ok = (float(v.sum()) * load.step_s for v in (load.intended, load.sent, load.ok))
    if not intended:
        return "No load was offered."
    mean = float(load.intended.mean())
    ended = float((load.ok + load.failed + load.unknown).sum()) * load.step_s
    parts = [f"{quantity(mean, '1/s')} were offered on average; {share(sent / intended)} of them were sent."]
    if ended:
        parts.append(f"{share(min(ok / ended, 1.0))} of the requests that ended were completed.")
    lowest = int(load.ok.argmin())
    parts.append(f"The least completed was {quantity(float(load.ok[lowest]), '1/s')}, over {load.step_s} s.")
    return " ".join(parts)
