"""Where the time of each recovery went: detect, decide, act, converge, against what was promised."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.model import PHASE_WORDS, PHASES, Report, phases
from reports.plots import frame
from reports.plots.svg import INK, LINE, MUTED, PAPER, VERMILLION
from reports.view import Row, View, longest_step
from reports.words import clock, duration
from validators.model import Result

_ROW, _BAR = 50, 20
# Fixed fills in both themes with the colour of text on them; the hatch tells them apart without colour.
_FILLS = {
    "detect": ("#56b4e8", "#111112", "----"),
    "decide": ("#e69f01", "#111112", "xxxx"),
    "act": ("#00659f", "#fffffe", ""),
    "converge": ("#007a5b", "#fffffe", "////"),
}


def plot(report: Report, seen: View) -> frame.Plot | None:
    """Return the waterfall, None when no recovery was split into stages."""
    every = [r for r in seen.rows if r.judged and r.name.startswith("rto.")]
    rows = [r for r in every if sum(phases(r.single).values()) > 0]
    if not rows:
        return None
    title = "Where the time of each recovery went"
    summary = "\n".join([*_late(every, rows), *_without(every, rows), *_longest(report, rows)])
    return frame.both("budget", title, summary, lambda width: _draw(rows, width))


def _draw(rows: list[Row], width: int) -> Figure:
    wide = width == frame.WIDE
    left, right = 16, 20
    inner, top = width - left - right, (34 if wide else 70)
    longest = max(sum(phases(r.single).values()) for r in rows)
    limits = [r.single.limit for r in rows if r.single.limit is not None and r.single.limit <= longest * 2.2]
    end = max([longest, *limits]) * 1.04
    figure = frame.canvas(width, top + len(rows) * _ROW + 44)
    at = frame.axes(figure, left, top, inner, len(rows) * _ROW)
    _legend(at, inner, len(rows) * _ROW, wide)
    at.set_xlim(0, end)
    at.set_ylim(len(rows) * _ROW, 0)
    for i, row in enumerate(rows):
        _row(at, row, i * _ROW, inner / end, end)
    step = next(s for s in (1, 5, 10, 30, 60, 120, 300, 600, 1200, 3600, 7200, 86400) if end / s * 52 <= inner)
    ticks = range(0, int(end) + 1, step)
    at.set_xticks(list(ticks), [clock(t) for t in ticks])
    at.set_yticks([])
    at.spines["left"].set_visible(False)
    at.set_xlabel("minutes since the fault", color=MUTED, fontsize=11)
    return figure


def _legend(at: Axes, inner: float, height: float, wide: bool) -> None:
    """Names of the stages and of the limit: one row, or three where there is no room."""
    x, row = 0.0, 0
    for i, name in enumerate((*PHASES, "promised")):
        if not wide:
            row, x = i // 2, i % 2 * inner / 2
        y = height + 12 + (0 if wide else 18 * (2 - row))
        if name == "promised":
            line: dict[str, Any] = {
                "arrowstyle": "-",
                "color": VERMILLION,
                "linewidth": 2.5,
                "shrinkA": 0,
                "shrinkB": 0,
            }
            ends = (x + 7, y - 3), (x + 7, y + 13)
            at.annotate("", *ends, xycoords="axes points", textcoords="axes points", arrowprops=line)
        else:
            _swatch(at, x, y, _FILLS[name][0], _FILLS[name][2])
        at.annotate(name, (x + 22, y + 1), xycoords="axes points", fontsize=11, color=INK, annotation_clip=False)
        x += 22 + frame.text_width(name, 11) + 20


def _swatch(at: Axes, x: float, y: float, fill: str, hatch: str) -> None:
    box = {"boxstyle": "square,pad=0", "facecolor": fill, "edgecolor": PAPER, "hatch": hatch, "linewidth": 0}
    at.annotate(" " * 4, (x, y + 1), xycoords="axes points", fontsize=11, bbox=box, annotation_clip=False)


def _row(at: Axes, row: Row, top: float, scale: float, end: float) -> None:
    found = phases(row.single)
    total, limit = sum(found.values()), row.single.limit
    name = row.name.removeprefix("rto.")
    at.text(0, top + 17, name, fontsize=12, fontweight="bold", color=INK)
    words = clock(total) if limit is None else f"{clock(total)} of {clock(limit)}"
    if limit is not None and total > limit:
        words += f", {clock(total - limit)} over"
    at.text((frame.text_width(name, 12) * 1.15 + 12) / scale, top + 17, words, fontsize=11, color=INK)
    at.axhline(top + 23 + _BAR, color=LINE, linewidth=0.8, zorder=0)
    start = 0.0
    for phase, seconds in found.items():
        fill, ink, hatch = _FILLS[phase]
        at.broken_barh([(start, seconds)], (top + 23, _BAR), facecolor=fill, edgecolor=PAPER, linewidth=0, hatch=None)
        label = f"{phase} {clock(seconds)}"
        if (x := _room(label, start * scale, (start + seconds) * scale, None if limit is None else limit * scale)) >= 0:
            at.text(x / scale, top + 37, label, fontsize=11, color=ink)
        elif hatch and seconds * scale > 3:
            at.broken_barh(
                [(start, seconds)], (top + 23, _BAR), facecolor="none", edgecolor=PAPER, linewidth=0, hatch=hatch
            )
        if start:
            at.plot([start, start], [top + 23, top + 23 + _BAR], color=PAPER, linewidth=1.5)
        start += seconds
    if limit is not None and limit <= end:
        at.plot([limit, limit], [top + 21, top + 26 + _BAR], color=PAPER, linewidth=5, solid_capstyle="butt")
        at.plot([limit, limit], [top + 21, top + 26 + _BAR], color=VERMILLION, linewidth=2.5, solid_capstyle="butt")


def _room(label: str, left: float, right: float, line: float | None) -> float:
    """Return where a label of a stage begins, in pixels, so that it is inside and no line crosses it; -1: nowhere."""
    width = frame.text_width(label, 11)
    for x in (left + 5, -1 if line is None else line + 6):
        clear = line is None or not x - 4 < line < x + width + 4
        if x > left and x + width + 5 < right and clear:
            return x
    return -1


def _late(every: list[Row], rows: list[Row]) -> list[str]:
    """By how much each recovery with stages missed its limit; that none did only where each of all was in time."""
    late = [r for r in rows if r.single.limit is not None and sum(phases(r.single).values()) > r.single.limit]
    parts = []
    for row in late:
        found = phases(row.single)
        assert row.single.limit is not None
        over = sum(found.values()) - row.single.limit
        stages = ", ".join(f"{name} {duration(s)}" for name, s in found.items())
        parts.append(
            f"{row.name.removeprefix('rto.')} is {duration(over)} over its {duration(row.single.limit)}: {stages}."
        )
    if all(r.single.result is Result.PASS for r in every):
        parts.append("Every recovery stayed within its limit.")
    return parts


def _without(every: list[Row], rows: list[Row]) -> list[str]:
    """Recoveries that took time and have no bar, because no fact on record says what happened in it."""
    bare = [r for r in every if r not in rows and r.single.value != 0]
    if not bare:
        return []
    return [f"No fact tells the stages of {', '.join(f'{r.name.removeprefix("rto.")} ({r.measured})' for r in bare)}."]


def _longest(report: Report, rows: list[Row]) -> list[str]:
    """Which recovery took longest, and what took most of it."""
    parts = []
    longest = max(rows, key=lambda r: sum(phases(r.single).values()))
    found = phases(longest.single)
    stage = max(found, key=lambda n: found[n])
    parts.append(
        f"The longest, {longest.name.removeprefix('rto.')}, took {duration(sum(found.values()))}; "
        f"most of it was “{stage}”: {PHASE_WORDS[stage]}."
    )
    if stage == "act" and (step := longest_step(report, longest.single)) is not None:
        parts.append(f"The step that took longest was “{step[0]}”, {duration(step[1])}.")
    return parts
