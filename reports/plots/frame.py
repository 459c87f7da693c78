"""What the plots share: size, axes placed in pixels, time axis, marks with labels that never overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from reports.model import Report
from reports.plots.svg import INK, LINE, MUTED, render
from reports.story import Moment
from reports.words import clock

WIDE, NARROW = 880, 330  # px; the page shows one of the two
LANE = 16  # px of a row of labels
_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400)
_MEASURE = TextToPath()


@dataclass(frozen=True)
class Plot:
    """A plot in both sizes, with its words. `key`: the numbered marks in it."""

    name: str
    title: str
    summary: str
    wide: str
    narrow: str
    key: tuple[tuple[int, str, str], ...] = ()  # number, time, words


def both(
    name: str, title: str, summary: str, draw: Callable[[int], Figure], key: tuple[tuple[int, str, str], ...] = ()
) -> Plot:
    """Return the plot drawn at both widths."""
    wide, narrow = (
        render(draw(w), f"{name}-{size}", title, summary) for size, w in (("wide", WIDE), ("narrow", NARROW))
    )
    return Plot(name, title, summary, wide, narrow, key)


def canvas(width: float, height: float) -> Figure:
    """Return a transparent figure whose points are CSS pixels."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_alpha(0)
    return figure


def time_label(report: Report) -> str:
    """Return what an axis of time counts from, and where that is on the clock of the sentences."""
    if report.fault_s is None:
        return "minutes since the start"
    return f"minutes since the fault ({clock(report.fault_s)} of the run)"


def axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place in pixels from the upper left."""
    full_width, full_height = figure.get_size_inches() * 72
    place = (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    made = figure.add_axes(place)
    made.patch.set_alpha(0)
    for side in ("top", "right"):
        made.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        made.spines[side].set_color(LINE)
    made.tick_params(colors=MUTED, length=3, labelsize=11, color=LINE)
    return made


def text_width(text: str, size: float = 12) -> float:
    """Return the width of a text in pixels (in a wide font, so that a page's own font fits)."""
    width, _, _ = _MEASURE.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width)


def heading(at: Axes, text: str) -> None:
    """Write what axes show above their upper left corner."""
    at.annotate(text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=INK, fontsize=12)


def time_axis(at: Axes, end_s: float, width: float, fault_s: float | None, labels: bool = True) -> None:
    """Set a time axis that counts from the fault (from the start when there was none)."""
    zero = fault_s or 0.0
    step = next((s for s in _STEPS_S if end_s / s * 58 <= width), 28800)
    first = -int(zero // step) * step
    ticks = [t for t in range(first, int(end_s - zero) + 1, step)]
    at.set_xlim(0, end_s)
    at.set_xticks([zero + t for t in ticks], [clock(t) for t in ticks] if labels else [""] * len(ticks))


def duration_axis(at: Axes, greatest_s: float, words: Callable[[float], str]) -> None:
    """Set an axis of durations from 0, its ticks whole seconds, minutes or hours, written by `words`."""
    step = next((s for s in (0.01, 0.1, 1, 5, *_STEPS_S) if greatest_s / s <= 5), 28800)
    ticks = [k * step for k in range(int(greatest_s / step) + 1)]
    at.set_ylim(0, max(greatest_s * 1.08, step))
    at.set_yticks(ticks, [words(t) for t in ticks])


@dataclass(frozen=True)
class Labels:
    """Where the labels of marks go: text and lane (0 is the lowest)."""

    texts: tuple[str, ...]
    lanes: tuple[int, ...]

    @property
    def height(self) -> float:
        """Return the pixels they need above the axes."""
        return LANE * (max(self.lanes, default=-1) + 1) + 4


def place(marks: Sequence[Moment], end_s: float, width: float, room: float, words: bool) -> Labels:
    """Place labels so that none overlaps another or is crossed by a line; numbers alone where words do not fit.

    A label stands right of its line. A later line inside its span ends in a lower lane, so it never crosses the label.
    """
    xs = [m.t_s / end_s * width for m in marks]
    for texts in ([f"{m.number} {m.key}" for m in marks], [str(m.number) for m in marks]):
        lanes = [0] * len(marks)
        ends = [x + 4 + text_width(text, 11) for x, text in zip(xs, texts, strict=True)]
        for i in reversed(range(len(marks))):
            inside = [lanes[j] for j in range(i + 1, len(marks)) if xs[j] < ends[i] + 4]
            lanes[i] = max(inside, default=-1) + 1
        if not words and any(" " in t for t in texts):
            continue
        if max(ends, default=0) <= width + room and max(lanes, default=0) < 7:
            break
    return Labels(tuple(texts), tuple(lanes))


def draw_marks(panels: Sequence[Axes], marks: Sequence[Moment], labels: Labels) -> None:
    """Draw a line for each mark through all panels, its label above the first."""
    for mark, text, lane in zip(marks, labels.texts, labels.lanes, strict=True):
        style = {"fault": "-", "back": "-"}.get(mark.tone, (0, (3, 3)))
        for panel in panels:
            panel.axvline(mark.t_s, color=INK, linewidth=1.0, linestyle=style, zorder=1.5)
        rise = 4 + lane * LANE
        where: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        panels[0].annotate(text, (mark.t_s, 1), (4, rise), fontsize=11, color=INK, **where)
        arrow: dict[str, Any] = {
            "arrowstyle": "-",
            "color": INK,
            "linewidth": 1.0,
            "shrinkA": 0,
            "shrinkB": 0,
            "linestyle": style,
        }
        panels[0].annotate("", (mark.t_s, 1), (0, rise + LANE - 4), arrowprops=arrow, **where)


def key(marks: Sequence[Moment]) -> tuple[tuple[int, str, str], ...]:
    """Return the marks in words: number, time since the fault, what."""
    return tuple((m.number, clock(m.since_fault_s if m.since_fault_s is not None else m.t_s), m.words) for m in marks)


def legend(at: Axes, entries: Sequence[tuple[str, str, object]], left: float = 0, rise: float = 6) -> None:
    """Write names of lines above axes, each after a piece of its line: (text, colour, line style)."""
    x = left
    for text, colour, style in entries:
        at.annotate(
            "",
            (x, rise + 4),
            (x + 22, rise + 4),
            xycoords=("axes points", "axes points"),
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 2.0,
                "linestyle": style,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            annotation_clip=False,
        )
        at.annotate(
            text, (x + 27, rise), xycoords=("axes points", "axes points"), fontsize=11, color=INK, annotation_clip=False
        )
        x += 27 + text_width(text, 11) + 14
