"""What a compiled scenario will break, in words, for whoever has to agree before anything is."""

from experiments.compile.compiler import faults
from experiments.faults import base
from experiments.safety.radius import Injection
from scenarios.files.resolved import Resolved
from scenarios.model.faults import FAULTS
from scenarios.model.scenario import Entry
from scenarios.model.units import duration


def injections(resolved: Resolved) -> list[Injection]:
    """Every fault of a scenario as it would be done now. Raises GamedayError when one finds nothing to hit."""
    entries = {f"{entry.fault}:{n}": entry for n, entry in enumerate(resolved.scenario.timeline)}
    return [
        Injection(name, _when(entries[name]), base.planned(kind, arguments).radius, _lift(kind, entries[name]))
        for name, kind, arguments in faults(resolved)
    ]


def _when(entry: Entry) -> str:
    if entry.when is None:
        return f"at {duration(entry.at_us or 0)}"
    fact = f"when {entry.when.mark.replace('_', ' ')}" + (f" of {entry.when.subject}" if entry.when.subject else "")
    return f"{duration(entry.when.after_us)} after {fact}" if entry.when.after_us else fact


def _lift(kind: str, entry: Entry) -> str:
    if not FAULTS[kind].lifted:
        return "mends itself, or not at all"
    if isinstance(entry.until, int):
        return f"is lifted after {duration(entry.until)}"
    return "is lifted at the end"
