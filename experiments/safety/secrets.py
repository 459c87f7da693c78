"""Credentials never reach what is written: record, journal, log, report.

Two nets. What is known to be secret here is replaced wherever it appears: values of environment variables that are
named like a credential, passwords of URLs in it, the keys and tokens of the kubeconfigs, and those that AWS's own file
of credentials holds. What looks like a credential is replaced too,
whoever brought it. Both work on text, on JSON values, on a record's facts and rows, and on what this process and its
children print.
"""

import base64
import binascii
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from scenarios.record.writer import Column, Recorder

REDACTED = "[redacted]"
NAMES = 4096  # of a record's columns that are remembered
KEY_LINES = 200  # no key is longer
SHORTEST = 8  # shorter values are words that occur everywhere
_NAMED = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|api_?key|private_?key|access_?key|session_?key", re.I
)
_KUBECONFIG = re.compile(r"^\s*(?:client-key-data|token|password):\s*[\"']?([^\s\"']+)", re.M)
_AWS_FILE = re.compile(r"^\s*aws_(?:secret_access_key|session_token)\s*=\s*(\S+)", re.M)
# A URL with a password; without a user too, and with a `/` or `@` in it that nobody has escaped. A port is none.
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:(?!\d{1,5}[/?#])([^\s\"'<>]+)@", re.I)

# Each: a pattern, and which group is the credential (0: all of it).
_LOOKS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), 0),
    (re.compile(r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b"), 0),  # AWS ids
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), 0),  # JWT
    (re.compile(r"\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[abprs]-[\w-]{10,}"), 0),
    (re.compile(r"\bk8s-aws-v1\.[\w-]{20,}"), 0),
    (_URL, 1),
    (re.compile(r"\bX-Amz-Signature=(\w{8,})", re.I), 1),  # of a URL that lets whoever has it in
    (re.compile(r"--[a-z-]*(?:password|secret|token)\s+([^\s\"']{3,})", re.I), 1),  # of a command
    (re.compile(r"\b(?:bearer|basic)\s+([\w.~+/=-]{8,})", re.I), 1),
    (
        re.compile(
            r"(?:pass(?:word|wd|phrase)|secret(?:[_-]?access)?(?:[_-]?key)?|[a-z_-]*token|api[_-]?key|private[_-]?key"
            r"|client-key-data)[\"']?\s*[:=]\s*[\"']?([^\s\"',;&}]{3,})",
            re.I,
        ),
        1,
    ),
)


@dataclass(frozen=True)
class Redactor:
    """Replaces credentials by `[redacted]`."""

    known: frozenset[str] = field(default_factory=frozenset)

    def text(self, text: str) -> str:
        """Return text without credentials."""
        for value in sorted(self.known, key=len, reverse=True):
            text = text.replace(value, REDACTED)
        for pattern, group in _LOOKS:
            text = pattern.sub(partial(_without, group), text)
        return text

    def value(self, value: Any, name: str = "") -> Any:
        """Return a JSON value without credentials, in keys' values and in texts."""
        if isinstance(value, str):
            return REDACTED if value and _NAMED.search(name) else self.text(value)
        if isinstance(value, Mapping):
            return {str(key): self.value(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner, name) for inner in value]
        return value

    def recorder(self, recorder: Recorder) -> Recorder:
        """Return a recorder that lets no credential through to this one."""
        return _CleanRecorder(recorder, self)

    def printer(self, put: Callable[[str], object]) -> Callable[[str], None]:
        """Return what takes lines that another process printed, and puts them without credentials.

        A key of several lines is put as one text, for only as a whole it looks like one. An empty line is the end.
        """
        held: list[str] = []

        def take(line: str) -> None:
            held.append(line)
            text = "".join(held)
            if line and "PRIVATE KEY-----" in text and "-----END" not in text and len(held) < KEY_LINES:
                return
            held.clear()
            put(self.text(text))

        return take

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Within it, what libraries log in this process is printed without credentials."""
        clean, last = _CleanLog(self), logging.lastResort
        assert last is not None, "Python's own handler"
        last.addFilter(clean)
        try:
            yield
        finally:
            last.removeFilter(clean)


def of_this_process(kubeconfigs: Iterable[Path] = ()) -> Redactor:
    """A redactor that knows what is secret here: in the environment, the kubeconfigs, and AWS's file of credentials."""
    known = {value for name, value in os.environ.items() if _NAMED.search(name)}
    known |= {password for value in os.environ.values() for password in _URL.findall(value)}
    for path in kubeconfigs:
        for value in _KUBECONFIG.findall(_text(path)):
            known |= {value, *_lines(value)}
    aws = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    known |= {*_AWS_FILE.findall(_text(Path(aws)))}
    return Redactor(frozenset(value for value in known if len(value) >= SHORTEST))


def _text(path: Path) -> str:
    """Text of a file; empty when it cannot be read: there is nothing in it to leak."""
    try:
        return path.expanduser().read_text(encoding="utf-8", errors="replace")
    except (OSError, RuntimeError):  # the latter: nobody's home
        return ""


def _lines(encoded: str) -> set[str]:
    """Lines of a key that is base64 in a kubeconfig: programs print keys as they are, too."""
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return set()
    return {line for line in text.splitlines() if len(line) > 20 and "-----" not in line}


def _without(group: int, match: re.Match[str]) -> str:
    begin, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match.group()[:begin] + REDACTED + match.group()[end:]


class _CleanRecorder:
    def __init__(self, recorder: Recorder, redactor: Redactor) -> None:
        self._recorder, self._redactor = recorder, redactor
        self._names: dict[str, str] = {}  # name: without credentials

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact without credentials."""
        clean = {name: self._redactor.value(value, name) for name, value in detail.items()}
        self._recorder.mark(t_us, kind, self._redactor.text(subject), source_t_us=source_t_us, **clean)

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows without credentials: a pod's name is what an answer's header said."""
        self._recorder.append(table, {name: self._column(column) for name, column in columns.items()})

    def _column(self, column: Column) -> Column:
        if isinstance(column, str):
            return self._redactor.text(column)
        array = column if isinstance(column, pa.Array) else pa.array(column)
        if isinstance(array, pa.DictionaryArray):
            names = array.dictionary.to_pylist()
            return array if names == [*map(self._name, names)] else self._column(array.cast(pa.string()))
        if not pa.types.is_string(array.type):
            return column
        return pa.array([None if v is None else self._name(v) for v in array.to_pylist()]).dictionary_encode()

    def _name(self, name: str) -> str:
        """Clean a name; the same few come again and again."""
        if name not in self._names:
            if len(self._names) >= NAMES:
                self._names.clear()
            self._names[name] = self._redactor.text(name)
        return self._names[name]


class _CleanLog(logging.Filter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a line; let it through."""
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = record.exc_text and self._redactor.text(record.exc_text)
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        return True
