"""The types that flow through judging."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from scenarios.record.marks import Mark

type Tables = Callable[[str], pa.Table]
type Parts = Callable[[str, Sequence[str]], Iterator[pa.Table]]


class Result(StrEnum):
    """FAIL outweighs INCONCLUSIVE outweighs PASS; nothing at all is INCONCLUSIVE."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Observations:
    """What a validator sees: facts and what was declared, without source, world, seed or fidelity.

    `scenario`, `topology`, `procedures` and `objectives` are the resolved documents of run.json. `tables` loads a
    table by name (`scenarios.record.tables`), `parts` some columns of one, a few rows at a time. `duration_us` is the
    end of the judged interval (readback comes after). `not_judged` gives the reason of each objective that was left out
    before the run.
    """

    scenario: Mapping[str, Any]
    topology: Mapping[str, Any]
    objectives: tuple[Mapping[str, Any], ...]
    marks: tuple[Mark, ...]
    tables: Tables
    parts: Parts
    duration_us: int
    complete: bool  # the run came to its own end
    not_judged: Mapping[str, str] = field(default_factory=dict)
    procedures: Mapping[str, Any] = field(default_factory=dict)
    surviving_timeline: str | None = None  # database timeline that counts after the run
    clock_bound_us: int = 0  # greatest error between any two clocks of the record
    _known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def once[T](self, key: Any, compute: Callable[[], T]) -> T:
        """Return what `compute` gives, computed when it is first asked for."""
        if key not in self._known:
            self._known[key] = compute()
        found: T = self._known[key]
        return found


@dataclass(frozen=True)
class Evidence:
    """Where in the record a value comes from."""

    table: str  # "marks", "probes", ...
    where: str  # what to look for, e.g. "service=risk, intended_us 300000000..420000000"
    t_us: int | None = None


@dataclass(frozen=True)
class Measurement:
    """A measured quantity. `low` and `high` bound the true value; None where unknown.

    `name` is the objective's, or that and a suffix for a row beside it that is never merged. A limit here replaces
    the objective's. `doubts` say why the evidence does not decide, `faults` what the instrument did wrong: either
    turns PASS and FAIL into INCONCLUSIVE, unless the violation is `proven` (a lost or doubled write in hand).
    """

    name: str  # "rto.risk", "rto.risk.from_detection"
    value: float | None
    low: float | None
    high: float | None
    unit: str  # s, ms, 1/s, 1, ...
    samples: int
    method: str
    evidence: tuple[Evidence, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)  # phases, relapses, rows beside it: plain JSON values
    faults: tuple[str, ...] = ()  # instrument faults that make it unusable, in words
    doubts: tuple[str, ...] = ()  # why it does not decide, in words
    proven: bool = False
    limit: float | None = None
    at_least: bool = False  # the objective asks for more than the limit
    bare: bool = False  # a row that has no limit of its own: shown without PASS or FAIL
    vacuous: bool = False  # there was nothing to look at, and that is in order: no samples are needed
    violated: bool = False  # missed in a way that no value expresses (an alert without a reason)
    says: str = ""  # the finding in words, without the limit


@dataclass(frozen=True)
class Verdict:
    """One objective judged. `merged` False: a row beside the verdict, shown and never merged."""

    objective: str  # "rto.risk"
    result: Result | None  # None: not exercised or not judged, see reason
    value: float | None
    limit: float | None
    unit: str
    low: float | None
    high: float | None
    samples: int
    method: str
    reason: str  # one sentence for a tired person
    evidence: tuple[Evidence, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""  # runbook section or rationale
    merged: bool = True
    state: str = "judged"  # judged | not_exercised | not_judged
    proven: bool = False  # a FAIL no instrument fault can take back
    at_least: bool = False  # the objective asks for more than the limit


@dataclass(frozen=True)
class Judgement:
    """All verdicts of one run (or of an ensemble) and their merge."""

    result: Result
    verdicts: tuple[Verdict, ...]
    judged: int
    applicable: int  # objectives exercised, judged or not: "9 of 12 judged"
    headline: str  # "PASS, 9 of 12 judged"
    trials: int = 1
