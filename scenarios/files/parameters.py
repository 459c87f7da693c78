"""The catalogue of parameters: read, override, and join with the provenance of a topology's sizes."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from scenarios.errors import InvalidFileError, Problem
from scenarios.files import words
from scenarios.files.findings import short
from scenarios.files.yaml import Document
from scenarios.model import units
from scenarios.model.parameters import Kind, Parameter, Tag
from scenarios.model.units import UnusableError

_FORMS = ("value", "uniform", "lognormal", "switch")
_KEYS = {*_FORMS, "tag", "source", "range", "why", "off"}
_UNITS = {
    "us": "a duration, e.g. 5 min",
    "1/s": "a rate, e.g. 100/s",
    "share": "a percentage, e.g. 3 %",
    "1": "a number",
    "vCPU": "a CPU size, e.g. 2 vCPU",
    "switch": "on or off",
}
_DIGITS = "Write it in digits, without a unit."


def catalogue(document: Document) -> dict[str, Parameter]:
    """All parameters of a catalogue file by name. Raises InvalidFileError."""
    result = {}
    for section, entries in document.values.items():
        if not isinstance(entries, dict):
            raise InvalidFileError(
                Problem(document.where(section), short(entries), "parameters by name", "Indent them below it.")
            )
        for name, entry in entries.items():
            result[f"{section}.{name}"] = described(document, f"{section}.{name}", entry)
    return result


def described(document: Document, dotted: str, entry: Any) -> Parameter:
    """One parameter from its mapping of value, tag, source and range. Raises InvalidFileError."""
    try:
        return _parameter(name_of(dotted), entry)
    except UnusableError as error:
        remedy = f"{error.remedy} A whole entry: {{value: 5 min, tag: J, source: ..., range: [2 min, 10 min]}}."
        raise InvalidFileError(Problem(document.where(dotted), short(entry), error.expected, remedy)) from error


def name_of(dotted: str) -> str:
    """Name of the value at a path of a topology: blanks of its keys become underscores."""
    return dotted.replace(" ", "_")


def _parameter(name: str, entry: Any) -> Parameter:
    if not isinstance(entry, dict):
        raise UnusableError("a mapping with value, uniform, lognormal or switch", "Say the value and its source.")
    if extra := sorted(set(entry) - _KEYS):
        near = difflib.get_close_matches(extra[0], _KEYS, n=1)
        remedy = f"Did you mean `{near[0]}`?" if near else "Remove it."
        raise UnusableError(f"no key `{extra[0][:80]}`, but {', '.join(sorted(_KEYS))}", remedy)
    if "switch" in entry:
        on = entry["switch"]
        if not isinstance(on, bool):
            raise UnusableError("switch: true or switch: false", "Write one of the two.")
        why = entry.get("why") or f"off: {entry.get('off', '')}"
        return Parameter(name, "switch", (float(on),), "switch", _tag(entry, "J"), entry.get("source", "ablation"), why)
    forms = [form for form in _FORMS if form in entry]
    if len(forms) != 1:
        raise UnusableError("exactly one of value, uniform, lognormal and switch", "Give one of them.")
    kind, values, unit = _distribution(forms[0], entry[forms[0]])
    tag, source = _tag(entry, None), entry.get("source")
    if not isinstance(source, str) or not source.strip():
        raise UnusableError("a source: where the value comes from", "Add `source:`.")
    parameter = Parameter(name, kind, values, unit, tag, source, entry.get("why", ""))
    return _with_range(parameter, entry.get("range"))


def _tag(entry: Mapping[str, Any], default: Tag | None) -> Tag:
    tags: dict[object, Tag] = {tag: tag for tag in get_args(Tag)}
    written = entry.get("tag", default)
    if not isinstance(written, str) or written not in tags:
        raise UnusableError(f"a tag of {', '.join(get_args(Tag))}", "Add `tag:` with one of them.")
    return tags[written]


def _with_range(parameter: Parameter, written: Any) -> Parameter:
    judged = parameter.tag in ("J", "F")
    if parameter.kind == "lognormal" and judged:
        median, sigma = parameter.values
        parameter = replace(
            parameter, low=median / 2, high=median * 2, sigma_low=max(0.0, sigma - 0.2), sigma_high=sigma + 0.2
        )
    if written is not None:
        if not isinstance(written, list) or len(written) != 2:
            raise UnusableError("a range [least, greatest]", "Write two values.")
        (low, unit), (high, unit_high) = (quantity(v) for v in written)
        if unit != parameter.unit or unit_high != parameter.unit:
            raise UnusableError(
                f"a range in the value's unit: {_UNITS[parameter.unit]}", "Give both the unit of the value."
            )
        parameter = replace(parameter, low=low, high=high)
    if judged and (parameter.low is None or parameter.high is None):
        raise UnusableError("a range [least, greatest]: a value of judgement or folklore has one", "Add `range:`.")
    if parameter.low is not None and parameter.high is not None:
        middle = sum(parameter.values) / 2 if parameter.kind == "uniform" else parameter.values[0]
        if not parameter.low <= middle <= parameter.high:
            raise UnusableError("a range that contains the value", "Widen the range, or change the value.")
    return parameter


def _distribution(form: str, written: Any) -> tuple[Kind, tuple[float, ...], str]:
    if form == "value":
        value, unit = quantity(written)
        return "constant", (value,), unit
    if not isinstance(written, list) or len(written) != 2:
        raise UnusableError("[least, greatest]" if form == "uniform" else "[median, log-sd]", "Write two values.")
    first, unit = quantity(written[0])
    second, unit_second = quantity(written[1])
    if form == "uniform":
        if unit_second != unit or second < first:
            raise UnusableError(
                "[least, greatest] in one unit", "Write the smaller one first, both with the same unit."
            )
        return "uniform", (first, second), unit
    if unit_second != "1" or second < 0 or first <= 0:
        raise UnusableError("[median, log-sd], e.g. [2 min, 0.6]", "Give a median above 0 and a number without a unit.")
    return "lognormal", (first, second), unit


def quantity(value: object) -> tuple[float, str]:
    """Return a number with its unit of storage: microseconds for times, per second for rates, a share for %.

    >>> quantity("5 min"), quantity("3 %"), quantity(7)
    ((300000000.0, 'us'), (0.03, 'share'), (7.0, '1'))
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return units.finite(float(value)), "1"
    if not isinstance(value, str) or not re.match(r"\s*[+-]?\.?[0-9]", value):
        raise UnusableError("a quantity such as 5 min, 100/s, 3 % or 7", "Write a number and its unit.")
    if "/" in value:
        return units.rate_per_s(value), "1/s"
    if value.strip().endswith("%"):
        return units.share(value), "share"
    if value.strip().endswith("vCPU"):
        return units.cpu(value), "vCPU"
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", value.strip(), re.ASCII):
        return units.finite(float(value)), "1"
    return float(units.duration_us(value)), "us"


_CALL = re.compile(r"(lognormal|uniform)\(([^,()]+),([^,()]+)\)")


def overridden(old: Parameter, value: object) -> Parameter:
    """Return a parameter with another value: `5 min`, `lognormal(2 min, 0.6)`, `uniform(1 s, 5 s)`, on or off.

    A file may write `{lognormal: [2 min, 0.6]}`, and with tag, source and range what a catalogue says; without them the
    value is set by hand and has no range. Raises UnusableError with what was expected.
    """
    if isinstance(value, dict) and set(value) & {"tag", "source", "range"}:
        new = _parameter(old.name, value)
    elif old.kind == "switch":
        word = str(value).lower()
        if word not in ("on", "off", "true", "false"):
            raise UnusableError("on or off", "Write one of the two.")
        new = _by_hand(old, "switch", (float(word in ("on", "true")),))
    else:
        form, content = _form(value)
        try:
            kind, values, unit = _distribution(form, content)
        except UnusableError as error:
            if form != "value":
                raise
            if old.unit == "1":
                raise UnusableError(_UNITS["1"], _DIGITS) from error
            raise UnusableError(_either(old, error.expected), error.remedy) from error
        new = replace(_by_hand(old, kind, values), unit=unit)
    if new.unit != old.unit:
        raise UnusableError(_UNITS[old.unit], _DIGITS if old.unit == "1" else "Write the value with its unit.")
    if new.unit == "share" and not all(0 <= v <= 1 for v in new.values):
        raise UnusableError("a percentage from 0 % to 100 %", "Give a share of the whole.")
    if old.kind != new.kind and new.kind != "constant" and old.kind == "constant":
        raise UnusableError(f"{_UNITS[old.unit]}: this one is a constant", "Give one value.")
    if any(v < 0 for v in new.values):
        raise UnusableError("a quantity that is not negative", "Give a number of 0 or more.")
    return new


def _either(old: Parameter, expected: str) -> str:
    """What is expected of a value, and where it is drawn, that a distribution can be written too."""
    return expected if old.kind == "constant" else f"{expected}, or {words.written(old)}"


def _by_hand(old: Parameter, kind: Kind, values: tuple[float, ...]) -> Parameter:
    return Parameter(old.name, kind, values, old.unit, "SET", f"set by hand; else {old.source}", old.why)


def _form(value: object) -> tuple[str, Any]:
    """Form and content of a value: of `lognormal(2 min, 0.6)` or of `{lognormal: [2 min, 0.6]}`, else a constant."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, dict) and len(text) == 1 and next(iter(text)) in _FORMS[:3]:
        return next(iter(text.items()))
    if isinstance(text, str) and (call := _CALL.fullmatch(text)):
        return call[1], [call[2].strip(), call[3].strip()]
    return "value", text


def provenance(document: Document) -> dict[str, Parameter]:
    """Sizes of a topology that carry their source, named by their dotted path. Raises InvalidFileError."""
    return {name_of(dotted): described(document, dotted, entry) for dotted, entry in document.provenance.items()}
