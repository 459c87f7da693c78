"""The verdict for a terminal: readable at 80 columns, without colour, at 3 a.m."""

import errno
import io
import os
import sys
import textwrap
from typing import Literal, TextIO

from rich.console import Console
from rich.text import Text

from reports.environment import checked
from reports.model import PHASES, Report, phases
from reports.reconciliation import reconciliation
from reports.sentences import instants, kept, levels
from reports.view import Row, View, view
from reports.words import ASCII_SYMBOLS, SYMBOLS, ascii_only, clock, count, duration, plain

_STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow"}
_BLOCKS = {"detect": "░", "decide": "▒", "act": "█", "converge": "▓"}
_WIDE = 118  # columns from which the reason of a PASS is shown too
_VERDICT, _LIMIT, _MEASURED = 15, 10, 23


def render(report: Report, *, width: int = 80, colour: bool = False, unicode: bool = True) -> str:
    """Return the table as text."""
    file = io.StringIO()
    _console(file, width, colour).print(_page(view(report), width, SYMBOLS if unicode else ASCII_SYMBOLS))
    text = "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
    return text if unicode else ascii_only(text)


def show(report: Report, file: TextIO | None = None) -> None:
    """Print the table; colour only on a terminal and never when NO_COLOR is set.

    A reader may go away (`| head`, a closed terminal): the rest goes nowhere, and that changes no exit code.
    """
    console = _Patient(file=file, highlight=False)
    try:
        if (console.encoding or "ascii").lower().startswith("utf"):
            console.print(_page(view(report), console.width, SYMBOLS))
        else:
            console.file.write(render(report, width=console.width, unicode=False))
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        console.on_broken_pipe()


class _Patient(Console):
    """A console that does not end the process when its reader goes away."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console(file: TextIO, width: int, colour: bool) -> Console:
    system: Literal["standard"] | None = "standard" if colour else None
    return Console(
        file=file,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system=system,
        highlight=False,
        _environ={},
    )


def _page(seen: View, width: int, symbols: dict[str, str]) -> Text:
    """Return the whole page; lines are wrapped here, so that the console has nothing to decide."""
    verdict = (f"{symbols[seen.word]} {plain(seen.headline)}", _STYLES[seen.word])
    lines = [Text(*verdict), *_wrap(seen.report.title, width), Text("")]
    lines += _missed(seen, width, symbols)
    lines += _budget(seen, width)
    lines += _table(seen, width, symbols)
    lines += _unjudged(seen, width, symbols)
    lines += _trust(seen, width)
    lines.append(Text(*verdict))
    return Text("\n").join(lines)


def _wrap(text: str, width: int, indent: int = 0, style: str = "") -> list[Text]:
    pad = " " * indent
    wrapped = textwrap.wrap(plain(text), width, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False)
    return [Text(line, style=style) for line in wrapped]


def _missed(seen: View, width: int, symbols: dict[str, str]) -> list[Text]:
    """What was missed, by how much, and which stage took the time."""
    lines: list[Text] = []
    for row in seen.of("FAIL"):
        if row.trials:
            lines += _wrap(f"{symbols['FAIL']} {row.title}: {row.promise}", width, style="bold")
            details = [row.trials, row.spread, row.stage and f"in the trial shown {row.stage}"]
        else:
            promise = f"{symbols['FAIL']} {row.title}: {row.measured}, {row.promise}"
            lines += _wrap(promise, width, style="bold")
            details = [row.gap or row.reason, row.stage]
        for detail in details:
            lines += _wrap(detail, width, 4)
    if open_ := seen.of("INCONCLUSIVE"):
        text = f"{symbols['INCONCLUSIVE']} Could not be decided: {', '.join(r.name for r in open_)}"
        lines += _wrap(text, width, style="bold")
    return [*lines, *_wrap(seen.summary, width), Text("")]


def _budget(seen: View, width: int) -> list[Text]:
    """The stages of each recovery as a bar; the longest recovery fills the width."""
    rows = [(r, phases(r.single)) for r in seen.rows if r.judged and r.name.startswith("rto.")]
    rows = [(r, found) for r, found in rows if any(found.values())]
    if not rows:
        return []
    longest = max(sum(found.values()) for _, found in rows)
    room = min(width, 100) - 36
    legend = "  ".join(f"{_BLOCKS[n]} {n}" for n in PHASES)
    lines = [Text(f"{'Where the time went':<20}{legend:<{room}}{'total':>8}{'limit':>8}", style="bold")]
    for row, found in rows:
        at, bar = 0.0, ""
        for name, seconds in found.items():
            at += seconds
            bar += _BLOCKS[name] * (round(at / longest * (room - 1)) - len(bar))
        limit = clock(row.single.limit) if row.single.limit is not None else "–"
        over = _STYLES["FAIL"] if row.word == "FAIL" else ""
        lines.append(Text(f"{plain(row.name):<20}{bar:<{room}}{clock(sum(found.values())):>8}{limit:>8}", style=over))
    return [*lines, Text("")]


def _table(seen: View, width: int, symbols: dict[str, str]) -> list[Text]:
    """One table, its groups under headings of their own; reasons run beneath, over the whole width."""
    room = max(20, min(width, 110) - _VERDICT - _LIMIT - _MEASURED - 2)
    header = f"{'verdict':<{_VERDICT}}{'objective':<{room}}{'limit':>{_LIMIT}}  measured [interval]"
    lines = [Text(header, style="bold"), Text("─" * min(width, len(header) + 4), style="dim")]
    for title, rows in seen.groups():
        lines.append(Text(title, style="bold"))
        for row in rows:
            lines += _row(row, room, width, symbols)
    if alone := ", ".join(r.name for r in seen.alone):
        told = "Judged on the full trial only" if seen.report.record.marks else "Not decided, the full trial is missing"
        lines += [Text(""), *_wrap(f"{told}: {alone}", width)]
    if counted := instants(seen.report):
        lines += [Text(""), *_wrap(counted, width, style="dim")]
    return [*lines, Text("")]


def _row(row: Row, room: int, width: int, symbols: dict[str, str]) -> list[Text]:
    name, *more = textwrap.wrap(plain(row.title), room - 1) or [row.name]
    limit, measured, bounds = (plain(row.tight[name]) for name in ("limit", "measured", "bounds"))
    if in_all := _in_all(row):
        measured, bounds = f"{measured}, {in_all:,} of {in_all:,} trials", ""
    beneath = bounds if len(f"{measured} {bounds}") > width - room - _VERDICT - _LIMIT - 2 else ""
    first = Text().append(f"{symbols[row.word] + ' ' + row.word:<{_VERDICT}}", style=_STYLES[row.word])
    first.append(f"{name:<{room}}{limit:>{_LIMIT}}  {measured}")
    lines = [first if beneath or not bounds else first.append(f" {bounds}")]
    lines += [Text(" " * _VERDICT + part) for part in more]
    if beneath:
        lines.append(Text(f"{beneath:>{width}}"))
    if row.trials and not in_all:
        lines += _wrap(row.trials, width, _VERDICT, "dim")
    elif not row.trials and (row.word != "PASS" or width >= _WIDE):
        lines += _wrap(row.reason, width, _VERDICT, "italic" if row.word != "PASS" else "dim")
    return lines


def _in_all(row: Row) -> int:
    """Number of trials when none of them found what must not be; 0 when there is more to say."""
    met, trials = (row.verdict.detail.get(name, 0) for name in ("met", "trials"))
    clean = row.word == "PASS" and row.single.limit == 0 and not row.single.value
    return int(trials) if row.trials and clean and met == trials else 0


def _unjudged(seen: View, width: int, symbols: dict[str, str]) -> list[Text]:
    lines: list[Text] = []
    for word in ("not judged", "not exercised"):
        rows = seen.of(word)
        if not rows:
            continue
        lines.append(Text(f"{symbols[word]} {word.capitalize()} ({len(rows)})", style="bold"))
        reasons: dict[str, list[str]] = {}
        for row in rows:
            reasons.setdefault(row.reason or "no reason was given", []).append(row.name)
        for reason, names in reasons.items():
            lines += _wrap(f"{', '.join(names)}: {reason}", width, 2)
        for row in rows:
            lines += _wrap(f"{row.name}: {row.shown}", width, 4, "dim") if row.shown else []
    return [*lines, Text("")] if lines else []


def _full(report: Report) -> str:
    """What there is beside the verdicts: the facts of the run, or of the trial that was kept with all of them."""
    if not report.record.marks:
        return "No trial was kept in full."
    drawn = [f"{name} {report.head[name]}" for name in ("seed", "trial") if report.head.get(name) is not None]
    facts = f"{count(len(report.record.marks), 'fact')} over {duration(report.duration_s)}"
    return ", ".join([f"Full record: {facts}", *drawn])


def _trust(seen: View, width: int) -> list[Text]:
    report = seen.report
    orders = reconciliation(report)
    lines = [orders.words if orders else "", checked(report), *levels(seen)[:1], *kept(report)]
    lines.append(_full(report))
    if report.interrupted:
        lines.append(f"The run did not come to its own end ({report.head.get('termination', 'interrupted')}).")
    return [text for line in lines for text in _wrap(line, width, style="dim")] + [Text("")]
