"""What pydantic finds at a place of a file, in the words of the files: found, expected, remedy.

The list of findings is closed: `KINDS` holds each that a model of a file can have, and a test looks whether it does.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.model import units
from scenarios.model.base import NAME_PATTERN
from scenarios.model.objective import OBJECTIVE_PATTERN

Words = tuple[str, str, str]  # found, expected, remedy

BOUNDS = {
    "greater_than_equal": ("ge", "at least", "larger"),
    "greater_than": ("gt", "more than", "larger"),
    "less_than_equal": ("le", "at most", "smaller"),
    "less_than": ("lt", "less than", "smaller"),
}
_SCALARS = {
    "int_type": ("a whole number", "Write it as 3 is written: no unit, no quotes, no fraction."),
    "float_type": ("a number", "Write it as 0.5 is written: no unit, no quotes."),
    "finite_number": ("a number that is not infinite", "Write one that can be counted with, as 0.5."),
    "bool_type": ("true or false", "Write true or false, without quotes."),
}


@dataclass(frozen=True)
class Finding:
    """One finding: pydantic's kind of error, the value as written, what the error knows, the last part of its place.

    `keys` tells which keys a mapping at the place may have, or below it.
    """

    kind: str
    value: object
    known: Mapping[str, Any]
    last: int | str
    keys: Callable[..., list[str]]

    def words(self) -> Words:
        """Return what was found, what was expected, and how to mend it."""
        return KINDS[self.kind](self)


def short(value: object) -> str:
    """Return a value as an error shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, dict):
        text = f"a mapping of {', '.join(map(str, value))}" if value else "an empty mapping"
    else:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _scalar(finding: Finding) -> Words:
    return short(finding.value), *_SCALARS[finding.kind]


def _text(finding: Finding) -> Words:
    value = finding.value
    if value is None:
        remedy = "Write some."
    elif isinstance(value, dict | list):
        remedy = "Write one text, in quotes if it has signs such as `: ` or `[`."
    else:
        remedy = f"Put it into quotes: '{short(value)}'."
    return short(value), "text", remedy


def _mapping(finding: Finding) -> Words:
    keys = finding.keys()
    expected = f"a mapping with keys of {', '.join(sorted(keys))}" if keys else "a mapping, {name: value}"
    return short(finding.value), expected, f"Write `{keys[0] if keys else 'name'}: ...` below it, further to the right."


def _list(finding: Finding) -> Words:
    keys = finding.keys("0")
    expected = f"a list of mappings with keys of {', '.join(sorted(keys))}" if keys else "a list, [a, b]"
    example = f"- {keys[0]}: ..." if keys else "- a"
    return short(finding.value), expected, f"Write it as a list, `{example}` below it, also if there is only one."


def _missing(finding: Finding) -> Words:
    if isinstance(finding.last, int):
        return short(finding.value), f"at least {finding.last + 1} values", "Add what is missing."
    return f"no `{finding.last}`", f"the key `{finding.last}`", f"Add `{finding.last}:`."


def _unusable(finding: Finding) -> Words:
    error = finding.known["error"]
    assert isinstance(error, units.UnusableError), "models raise no other"
    return short(finding.value), error.expected, error.remedy


def _bound(finding: Finding) -> Words:
    key, words, direction = BOUNDS[finding.kind]
    limit = _in_unit_of(finding.value, finding.known[key])
    return short(finding.value), f"{words} {limit}", f"Give a {direction} value."


def _in_unit_of(written: object, bound: float) -> str:
    """Return a bound in the unit that was written."""
    text = written.strip() if isinstance(written, str) else ""
    if re.fullmatch(units.DURATION, text):
        return units.duration(bound)
    if text.endswith("%"):
        return f"{bound * 100:g} %"
    if "/" in text:
        return f"{bound:,.0f}/s"
    return f"{bound:g} vCPU" if text.endswith("vCPU") else f"{bound:.15g}"


def _choice(finding: Finding) -> Words:
    allowed = finding.known["expected"].replace("'", "`")
    written = finding.value if isinstance(finding.value, str) else ""
    near = difflib.get_close_matches(written, allowed.split("`")[1::2], n=1)
    return short(finding.value), allowed, f"Did you mean `{near[0]}`?" if near else "Choose one of them."


def _name(finding: Finding) -> Words:
    if finding.known["pattern"] == OBJECTIVE_PATTERN:
        return short(finding.value), "GROUP.NAME, e.g. rto.risk", "Choose another name, with one dot in it."
    mended = re.sub(r"[^A-Za-z0-9_-]+", "-", str(finding.value)).strip("-_")[:40]
    remedy = f"Choose another name, e.g. `{mended}`." if mended else "Choose another name."
    return short(finding.value), _PATTERNS[finding.known["pattern"]], remedy


_PATTERNS = {NAME_PATTERN: "a name of letters, digits, - and _ that begins with a letter or a digit"}


def _too_short(finding: Finding) -> Words:
    if isinstance(finding.value, str):
        return "empty text", "text", "Write some."
    return short(finding.value), f"at least {finding.known['min_length']} in the list", "Add what is missing."


def _too_long(finding: Finding) -> Words:
    most = finding.known["max_length"]
    if isinstance(finding.value, str):
        return f"text of {len(finding.value)} characters", f"at most {most} characters", "Write less."
    return short(finding.value), f"at most {most} values", "Remove the others."


KINDS: dict[str, Callable[[Finding], Words]] = {
    **dict.fromkeys(_SCALARS, _scalar),
    **dict.fromkeys(BOUNDS, _bound),
    "string_type": _text,
    "dict_type": _mapping,
    "model_type": _mapping,
    "tuple_type": _list,
    "missing": _missing,
    "value_error": _unusable,
    "literal_error": _choice,
    "string_pattern_mismatch": _name,
    "too_short": _too_short,
    "string_too_short": _too_short,
    "too_long": _too_long,
    "string_too_long": _too_long,
}
