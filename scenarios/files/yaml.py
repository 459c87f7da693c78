"""YAML in: plain values, and for each its place in the file. Aliases, duplicate keys and odd files are errors.

The values are built from the parser's events, so that nothing of YAML's richer half (aliases, tags, merge keys,
dates, `no` as False) reaches a scenario.
"""

import contextlib
import math
import os
import re
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from scenarios.errors import InvalidFileError, Problem

BYTES_MAX = 1_000_000
DEPTH_MAX = 40
DIGITS_MAX = 18
_SOURCE = {"tag", "source", "range", "why"}  # beside `value`
_ENDS = (MappingEndEvent, SequenceEndEvent)
_WHOLE = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_HALF = re.compile("[\ud800-\udfff]")  # of a character beyond U+FFFF; alone it can be neither printed nor written
_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# What the parser complains of -> what was expected, remedy. The first that fits.
_COMPLAINTS = (
    (r"character '\\t'", "spaces at the beginning of a line", "Replace the tab by spaces."),
    (r"found character", "text in quotes, if it begins with such a sign", "Put the text into quotes."),
    (r"mapping values are not allowed", "one `key: value` in a line", "Put text with `: ` in it into quotes."),
    (
        r"could not find expected ':'",
        "`key: value`",
        "Add the `:` and a value, or indent what belongs to the line above.",
    ),
    (r"block end", "lines of one list or mapping that begin in one column", "Indent this line as its neighbours are."),
    (r"end of stream|document separator", "text whose quotes end", "Close the quotes that begin here."),
    (r"',' or '[\]}]'", "`,` between values, and a bracket that closes", "Add the comma or the bracket."),
    (r"expected the node content", "a value", "Write one, or close the brackets that are open above."),
    (r"escape", "an escape that YAML has", "Put text with backslashes into single quotes."),
    (r"", "lines of `key: value` and `- value`", "Write one; indent with spaces, and quote text that has signs."),
)


@dataclass(frozen=True)
class Document:
    """A file's plain values and where each stands: dotted path -> (line, column), both from 1.

    `origins` names where a value came from when it is not the file's own (`--set ...`).
    """

    path: Path
    values: dict[str, Any]
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    provenance: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def where(self, dotted: str) -> str:
        """Return "file:line:column (dotted)", of the nearest place that is known."""
        known = dotted
        while known and known not in self.places and known not in self.origins:
            known = known.rpartition(".")[0]
        if known in self.origins:
            origin = self.origins[known]
            return origin if origin.endswith(")") else f"{origin} ({dotted})"
        line, column = self.places.get(known, (1, 1))
        return f"{self.path}:{line}:{column}" + (f" ({dotted})" if dotted else "")


def read(path: Path, *, sourced: bool = False) -> Document:
    """Read a YAML file whose top level is a mapping. Raises InvalidFileError.

    With `sourced` (a topology), a value written as `{value: 32, tag: J, range: [16, 64]}` becomes 32 and the rest its
    provenance.
    """
    text = _text(path)
    reader = _Reader(path)
    tree = reader.tree(text)
    if not isinstance(tree, dict):
        raise _problem(f"{path}:1:1", _word(tree), "a mapping of keys to values", "Write `key: value` lines.")
    provenance: dict[str, dict[str, Any]] = {}
    values = _without_sources(tree, "", provenance) if sourced else tree
    return Document(path, values, reader.places, provenance)


def _text(path: Path) -> str:
    remedy = "Give the path of a YAML file that you can read."
    try:
        facts = os.stat(path)
        if stat.S_ISDIR(facts.st_mode):
            raise _problem(
                str(path), "a directory", "a YAML file", "Name a file in it, or use `gameday check DIRECTORY`."
            )
        if not stat.S_ISREG(facts.st_mode):
            raise _problem(str(path), "something that is not a plain file", "a YAML file", remedy)
        if facts.st_size > BYTES_MAX:
            raise _problem(
                str(path), f"{facts.st_size} bytes", f"at most {BYTES_MAX} bytes", "A scenario is a page of text."
            )
        with path.open("rb") as file:
            return file.read(BYTES_MAX).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _problem(
            f"{path}:{line}", f"a byte that is not UTF-8 (byte {error.start})", "UTF-8 text", "Save it as UTF-8."
        ) from error
    except OSError as error:
        raise _problem(str(path), (error.strerror or str(error)).lower(), "a readable YAML file", remedy) from error
    except ValueError as error:
        if isinstance(error, InvalidFileError):
            raise
        raise _problem(repr(str(path)), str(error), "the path of a YAML file", remedy) from error


class _Reader:
    """Builds plain values from the events of one file, and notes where each stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, tuple[int, int]] = {}
        self._documents = 0
        self._line = 1  # of the last event
        self._at = ""  # dotted path of what is being read

    def tree(self, text: str) -> Any:
        """Values of the text's only document; None if it is empty."""
        result = None
        with self._syntax(text), contextlib.closing(self._events(text)) as events:
            for event in events:
                result = self._value(event, events, "", 0)
        return result

    @contextlib.contextmanager
    def _syntax(self, text: str) -> Iterator[None]:
        """Turn what the parser raises into a problem."""
        try:
            yield
        except InvalidFileError:
            raise
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            found = f"the control character U+{ord(text[error.position]):04X}"
            raise _problem(f"{self.path}:{line}", found, "printable text", "Remove it.") from error
        except (YAMLError, ValueError, OverflowError) as error:  # the last two from escapes such as "\U99999999"
            if isinstance(error, MarkedYAMLError) and (mark := error.problem_mark) is not None:
                what = str(error.problem)
                if "end of stream" in what and error.context_mark is not None:
                    mark = error.context_mark  # where the quotes begin that never end
                where = f"{self.path}:{mark.line + 1}:{mark.column + 1}"
            else:
                where, what = f"{self.path}:{self._line}", "an escape that is no character"
            expected, remedy = next(words for sign, *words in _COMPLAINTS if re.search(sign, what))
            raise _problem(where, f"text that is not YAML ({what})", expected, remedy) from error

    def _events(self, text: str) -> Generator[Event]:
        for event in YAML(typ="safe", pure=True).parse(text):
            self._line = event.end_mark.line + 1
            if isinstance(event, DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._odd(event, "a second document", "one document a file", "Put it into a file of its own.")
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                raise self._odd(
                    event,
                    "an anchor or alias",
                    "plain values",
                    "Write the value out; a reader should see it where it counts.",
                )
            if getattr(event, "ctag", None):
                raise self._odd(event, f"the tag {event.ctag}", "plain values", "Remove the tag.")
            if isinstance(event, ScalarEvent) and _HALF.search(str(event.value)):
                remedy = "Write the whole character, or its escape of eight digits."
                raise self._odd(event, "an escape of half a character", "text of characters", remedy)
            if isinstance(
                event, ScalarEvent | MappingStartEvent | SequenceStartEvent | MappingEndEvent | SequenceEndEvent
            ):
                yield event

    def _odd(self, event: Event, found: str, expected: str, remedy: str) -> InvalidFileError:
        line, column = _place(event)
        key = f" ({self._at})" if self._at else ""
        return _problem(f"{self.path}:{line}:{column}{key}", found, expected, remedy)

    def _value(self, event: Event, events: Iterator[Event], dotted: str, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise self._odd(event, f"values nested more than {DEPTH_MAX} deep", "a flat file", "Nest less.")
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, dotted, depth)
        items: list[Any] = []
        while True:
            self._at = path = f"{dotted}.{len(items)}" if dotted else str(len(items))
            if isinstance(item := next(events), _ENDS):
                return items
            self.places[path] = _place(item)
            items.append(self._value(item, events, path, depth + 1))

    def _mapping(self, events: Iterator[Event], dotted: str, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while True:
            self._at = dotted
            if isinstance(event := next(events), _ENDS):
                return result
            if not isinstance(event, ScalarEvent):
                raise self._odd(event, "a key that is not a word", "a word", "Write `key: value` lines.")
            key = str(event.value)
            path = f"{dotted}.{key}" if dotted else key
            if key in result:
                line, column = _place(event)
                where = f"{self.path}:{line}:{column} ({path})"
                first = self.places[path][0]
                raise _problem(
                    where,
                    f"the key `{key[:80]}` again, first in line {first}",
                    "each key once",
                    "Remove one of the two.",
                )
            self.places[path] = _place(event)
            self._at = path
            result[key] = self._value(next(events), events, path, depth + 1)

    def _scalar(self, event: ScalarEvent) -> Any:
        text = str(event.value)
        if event.style:  # quoted, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.fullmatch(text):
            if len(text) > DIGITS_MAX:
                raise self._odd(
                    event, f"a number of {len(text)} digits", f"at most {DIGITS_MAX}", "Write a smaller number."
                )
            return int(text)
        if not _FLOAT.fullmatch(text):
            return text
        number = float(text)
        if math.isinf(number):
            raise self._odd(event, f"the number {text[:20]}", "a finite number", "Write a smaller number.")
        return number


def _place(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _without_sources(node: Any, dotted: str, provenance: dict[str, dict[str, Any]]) -> Any:
    if isinstance(node, dict) and dotted != "parameters":  # what stands there is read as the catalogue is
        if dotted and "value" in node and _SOURCE & set(node):
            provenance[dotted] = node
            return node["value"]
        return {k: _without_sources(v, f"{dotted}.{k}" if dotted else k, provenance) for k, v in node.items()}
    if isinstance(node, list):
        return [_without_sources(v, f"{dotted}.{i}" if dotted else str(i), provenance) for i, v in enumerate(node)]
    return node


def _word(value: object) -> str:
    words = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "nothing" if value is None else words[type(value)]


def _problem(where: str, found: str, expected: str, remedy: str) -> InvalidFileError:
    return InvalidFileError(Problem(where, found, expected, remedy))
