"""The verdict as Markdown, for the summary of a CI step (at most 1 MiB there)."""

import re

from reports.environment import command
from reports.model import Report
from reports.sentences import instants, missed_lines, trust
from reports.view import Row, View, view
from reports.words import SYMBOLS, plain

MOST_BYTES = 1_000_000
_CELL = 400  # characters of a reason; more is in the other formats
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")


def render(report: Report) -> str:
    """Return the Markdown, never longer than `MOST_BYTES` in UTF-8."""
    seen = view(report)
    lines = [
        f"## {SYMBOLS[seen.word]} {text(seen.headline)}",
        "",
        f"**{text(report.title)}**",
        "",
        text(seen.summary),
        "",
    ]
    lines += _missed(seen)
    lines += _table(seen)
    lines += _unjudged(seen)
    lines += ["### Can the figures be trusted?", "", *(f"- {text(s)}" for s in trust(seen)), ""]
    lines += ["### Environment", "", *(f"- {text(label)}: {code(value)}" for label, value in seen.facts), ""]
    lines += ["### Play it again", "", *(f"    {line}" for line in plain(command(report)).splitlines()), ""]
    return _cut("\n".join(lines))


def text(words: str) -> str:
    """Return words that Markdown and HTML take as they are, in one line."""
    short = words if len(words) <= _CELL else words[: _CELL - 1] + "…"
    return (
        _SPECIAL.sub(r"\\\1", " ".join(plain(short).split()))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
        .replace("\\&", "&amp;")
    )


def code(value: str) -> str:
    """Return a value as code."""
    return "`" + " ".join(plain(value).replace("`", "'").split()) + "`"


def _missed(seen: View) -> list[str]:
    told, named = seen.first
    lines = []
    for row in told:
        measured = "" if row.trials else f", measured {text(row.measured)}"
        lines.append(f"- {SYMBOLS[row.word]} **{row.word}** {text(row.title)}: {text(row.promise)}{measured}")
        lines += [f"    - {text(line)}" for line in missed_lines(row) if line]
    if named:
        titles = ", ".join(text(row.title) for row in named)
        lines.append(f"- {SYMBOLS['INCONCLUSIVE']} **{len(named)} could not be decided**: {titles}")
    return [*lines, ""] if lines else []


def _table(seen: View) -> list[str]:
    many = seen.report.ensemble is not None
    head = ["Objective", "Promised", "Measured", *(["All trials"] if many else []), "Verdict", "Why"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for title, rows in seen.groups():
        lines.append(f"| **{text(title)}** |" + " |" * (len(head) - 1))
        lines += ["| " + " | ".join(_cells(row, many)) + " |" for row in rows]
    if counted := instants(seen.report):
        lines += ["", text(counted)]
    return [*lines, ""]


def _cells(row: Row, many: bool) -> list[str]:
    measured = " ".join(part for part in (row.measured, row.bounds) if part)
    trials = [text(row.trials or row.alone)] if many else []
    return [
        text(row.title),
        text(row.limit),
        text(measured),
        *trials,
        f"{SYMBOLS[row.word]} {row.word}",
        text(row.reason),
    ]


def _unjudged(seen: View) -> list[str]:
    rows = [row for row in seen.rows if not row.judged]
    if not rows:
        return []
    lines = [
        f"- {text(row.name)}, {row.word}: {text(row.reason or 'no reason was given')}"
        + (f"; measured: {text(row.shown)}" if row.shown else "")
        for row in rows
    ]
    return ["### Not judged and not exercised", "", *lines, ""]


def _cut(page: str) -> str:
    raw = page.encode("utf-8")
    if len(raw) <= MOST_BYTES:
        return page
    note = "\n\n… cut off here: the whole report is in the HTML file.\n"
    return raw[: MOST_BYTES - len(note.encode())].decode("utf-8", "ignore").rsplit("\n", 1)[0] + note
