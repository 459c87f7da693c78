"""Credentials never reach what is written: record, journal, log, report.

Two nets. What is known to be secret here is replaced wherever it appears: values of environment variables that are
named like a credential, and the keys and tokens of the kubeconfigs. What looks like a credential is replaced too,
whoever brought it. Both work on text, on JSON values, on files, on log lines and on a record's facts.
"""

import base64
import binascii
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scenarios.record.writer import Column, Recorder

REDACTED = "[redacted]"
SHORTEST = 8  # shorter values are words that occur everywhere
_NAMED = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|api_?key|private_?key|access_?key|session_?key", re.I
)
_KUBECONFIG = re.compile(r"^\s*(?:client-key-data|token|password):\s*[\"']?([^\s\"']+)", re.M)

# Each: a pattern, and which group is the credential (0: all of it).
_LOOKS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), 0),
    (re.compile(r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b"), 0),  # AWS ids
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), 0),  # JWT
    (re.compile(r"\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[abprs]-[\w-]{10,}"), 0),
    (re.compile(r"\bk8s-aws-v1\.[\w-]{20,}"), 0),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:([^\s/@]+)@", re.I), 1),  # URL with a password
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

    def file(self, path: Path) -> bool:
        """Rewrite a file without credentials; JSON as JSON. Return whether something was replaced."""
        before = path.read_text(encoding="utf-8", errors="surrogateescape")
        try:
            document = json.loads(before)
        except ValueError:
            after = self.text(before)
        else:
            clean = self.value(document)
            after = before if clean == document else json.dumps(clean, indent=2, default=str) + "\n"
        if after == before:
            return False
        new = path.with_name(path.name + ".new")
        new.write_text(after, encoding="utf-8", errors="surrogateescape")
        new.replace(path)
        return True

    def recorder(self, recorder: Recorder) -> Recorder:
        """Return a recorder that lets no credential through to this one."""
        return _CleanRecorder(recorder, self)

    def filter(self) -> logging.Filter:
        """Return a filter for a log's handlers."""
        return _CleanLog(self)


def of_this_process(kubeconfigs: Iterable[Path] = ()) -> Redactor:
    """A redactor that knows what is secret here: the environment's credentials and the kubeconfigs' keys."""
    known = {value for name, value in os.environ.items() if _NAMED.search(name)}
    for path in kubeconfigs:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue  # there is nothing in it to leak
        for value in _KUBECONFIG.findall(text):
            known |= {value, *_lines(value)}
    return Redactor(frozenset(value for value in known if len(value) >= SHORTEST))


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

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact without credentials."""
        clean = {name: self._redactor.value(value, name) for name, value in detail.items()}
        self._recorder.mark(t_us, kind, self._redactor.text(subject), source_t_us=source_t_us, **clean)

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows; tables hold numbers and names of things that we know."""
        self._recorder.append(table, columns)


class _CleanLog(logging.Filter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a line; let it through."""
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        return True
