"""Problems that several checks find."""

import difflib
from collections.abc import Iterable

from scenarios.errors import Problem
from scenarios.files.yaml import Document


def at(document: Document, dotted: str, found: str, expected: str, remedy: str) -> Problem:
    """Return the problem of the value at a dotted path of a document."""
    return Problem(document.where(dotted), found, expected, remedy)


def unknown(where: str, what: str, name: str, known: Iterable[str]) -> Problem:
    """Return the problem of a name that is not known, with the one that is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"Did you mean `{near[0]}`?" if near else "Use one of these, or add it."
    return Problem(where, f"{what} `{name[:80]}`", f"one of {', '.join(known) or 'none'}", remedy)
