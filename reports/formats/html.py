"""The report as one HTML file: no network, no script, light and dark, for screen, paper and screen reader."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import story
from reports.environment import command
from reports.model import Report
from reports.plots.figures import figures
from reports.reconciliation import SHOWN, reconciliation
from reports.sentences import details, instants, missed_lines, trust
from reports.view import Row, headline, view
from reports.words import SYMBOLS, clock, plain

TEMPLATES = Path(__file__).parent.parent / "templates"
_MEANING = {
    "simulation": "This is a prediction by the twin, not a proof that the real system recovers.",
    "lab": "This was measured in a lab, not where customers are served.",
}
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|µs|min|h|%)(?![\w]))|(?<=[≤>]) (?=\d)")


def render(report: Report) -> str:
    """Return the page."""
    seen = view(report)
    told = story.tell(report)
    plots = figures(report, seen, told)
    orders = reconciliation(report)
    template = _environment().get_template("report.html.j2")
    page = template.render(
        report=report,
        seen=seen,
        story=told,
        plots=[_Plot(p) for p in plots],
        missed=seen.first[0],
        unclear=seen.first[1],
        unjudged=[r for r in seen.rows if not r.judged],
        named=[part for part in (report.scenario.get("scenario"), report.head.get("run_id")) if part],
        run_id=report.head.get("run_id"),
        tests=report.scenario.get("tests"),
        version=f" {version}" if (version := (report.head.get("versions") or {}).get("grandmodel-gameday")) else "",
        scope=headline(report).partition(", ")[2],
        meaning=_MEANING.get(report.evidence_class, ""),
        contents=_contents(bool(plots), bool(told), orders is not None),
        orders=orders,
        most_orders=SHOWN,
        instants=instants(report),
        trust=trust(seen),
        command=command(report),
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        lines=missed_lines,
        details=details,
        measured=_measured(report),
        fraction=_fraction,
        clock=clock,
    )
    return str(page)


class _Plot:
    """A plot whose SVG is ours and goes into the page as it is."""

    def __init__(self, plot: Any) -> None:
        self.name, self.title, self.summary, self.key = plot.name, plot.title, plot.summary, plot.key
        self.wide, self.narrow = Markup(plot.wide), Markup(plot.narrow)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_text,
    )
    made.globals |= {"symbols": SYMBOLS, "anchor": anchor}
    return made


def _text(value: object) -> object:
    """What a template prints: no control characters, a number never apart from its unit."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNIT.sub("\u00a0", plain(value))


def anchor(name: str) -> str:
    """Return the id of an objective's details."""
    return "objective-" + re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _measured(report: Report) -> str:
    """Return what the column of values holds."""
    if report.ensemble is None:
        return "Measured"
    return "Measured in the full trial" if report.record.marks else f"{report.ensemble.met_in:.0%} of trials kept to"


def _contents(plots: bool, told: bool, orders: bool) -> list[tuple[str, str]]:
    entries = [
        ("targets", "Promised and measured", True),
        ("plots", "Pictures", plots),
        ("story", "Moment by moment", told),
        ("orders", "Orders to reconcile", orders),
        ("objectives", "Each objective", True),
        ("unjudged", "Not judged", True),
        ("integrity", "Trust", True),
        ("environment", "Environment", True),
        ("again", "Play it again", True),
    ]
    return [(anchor_, title) for anchor_, title, shown in entries if shown]


def _fraction(row: Row) -> float | None:
    """Return the length of a bar in percent, the limit at 50; None where more is better or nothing was promised."""
    verdict = row.single
    if row.limit.startswith(">") or not verdict.limit or verdict.value is None:
        return None
    return round(min(verdict.value / verdict.limit, 2.0) * 50, 1)
