"""Verdicts as a file: verdicts.json of a record, in one canonical form, so that the same facts give the same bytes.

It can be rebuilt from the rest of the record at any time.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenarios.errors import Problem, RecordError
from scenarios.record.storage import replace_file
from validators.model import Evidence, Judgement, Result, Verdict

FILE = "verdicts.json"
VERSION = 1


def to_json(judged: Judgement) -> dict[str, Any]:
    """Return a judgement as JSON values.

    Raises ValueError for a number that JSON has no word for: a measure gives None for what it does not know.
    """
    return {
        "schema_version": VERSION,
        "result": judged.result.value,
        "headline": judged.headline,
        "judged": judged.judged,
        "applicable": judged.applicable,
        "trials": judged.trials,
        "verdicts": [_verdict(v) for v in judged.verdicts],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    plain = {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}
    evidence = [{"table": e.table, "where": e.where, "t_us": e.t_us} for e in verdict.evidence]
    result = verdict.result.value if verdict.result is not None else None
    document = {n: _plain(v) for n, v in plain.items() if n not in ("evidence", "result")}
    return document | {"evidence": evidence, "result": result}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; numpy's numbers become Python's."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"found {value}; expected a number, or None for what is not known")
    return value


def from_json(document: Mapping[str, Any]) -> Judgement:
    """Return the judgement of a document that `to_json` made."""
    verdicts = []
    for one in document["verdicts"]:
        fields = dict(one)
        fields["result"] = Result(fields["result"]) if fields["result"] is not None else None
        fields["evidence"] = tuple(Evidence(e["table"], e["where"], e["t_us"]) for e in fields["evidence"])
        verdicts.append(Verdict(**fields))
    return Judgement(
        Result(document["result"]), tuple(verdicts), document["judged"], document["applicable"], document["headline"],
        document["trials"],
    )  # fmt: skip


def text(judged: Judgement) -> str:
    """Return a judgement in its canonical form: sorted keys, no white space, a line at the end."""
    return (
        json.dumps(to_json(judged), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"
    )


def write(folder: Path, judged: Judgement, name: str = FILE) -> Path:
    """Write a judgement into a record's folder, whole or not at all. Raises OSError when the disk does not take it."""
    path = folder / name
    replace_file(path, text(judged).encode())
    return path


def read(folder: Path, name: str = FILE) -> Judgement:
    """Read the judgement in a record's folder. Raises RecordError when there is none that can be read."""
    path = folder / name
    remedy = "Judge the run again: `gameday judge` writes it from the rest of the record."
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return from_json(document)
    except FileNotFoundError as error:
        raise RecordError(Problem(str(path), "no such file", "the verdicts of a run", remedy)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(Problem(str(path), "something else", "the verdicts of a run", remedy)) from error
