"""What a report is made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from scenarios.record.marks import Mark
from validators.model import Judgement, Verdict


class Record(Protocol):
    """The facts of one run: `RunRecord` from the disk, or a `MemoryRecorder`."""

    @property
    def marks(self) -> Sequence[Mark]:
        """Return the facts in order of time."""
        ...

    def table(self, name: str) -> pa.Table:
        """Return the rows of a table (`scenarios.record.tables`)."""
        ...

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Return some columns of a table, a few rows at a time."""
        ...


class Trial(Protocol):
    """One of many trials (`scenarios.record.ensemble.Trial`): verdicts and values by objective."""

    @property
    def trial(self) -> int:
        """Return the number of the trial."""
        ...

    @property
    def results(self) -> Mapping[str, str | None]:
        """Return PASS, FAIL, INCONCLUSIVE or None by objective."""
        ...

    @property
    def values(self) -> Mapping[str, float | None]:
        """Return measured values by objective; None: never happened or unknown."""
        ...

    @property
    def phases(self) -> Mapping[str, Mapping[str, float]]:
        """Return seconds of each phase of the recovery by objective."""
        ...


@dataclass(frozen=True)
class Kept:
    """A trial whose full record is kept. `roles`: asked, worst, median; `result` and recovery are of that record."""

    trial: int
    roles: tuple[str, ...]
    fidelity: str
    folder: str  # the ensemble's and its own, as RUN takes it
    result: str
    recovery_s: float | None  # of the complete system; None: it did not recover, or nothing asked for it


@dataclass(frozen=True)
class Ensemble:
    """Many trials of the scenario and their judgement, which decides the headline."""

    trials: Sequence[Trial]
    judgement: Judgement
    met_in: float = 0.95  # share of trials that must meet an objective
    kept: Sequence[Kept] = ()


@dataclass(frozen=True)
class Report:
    """One run judged; `ensemble` when it was played many times. `head` is run.json, `judgement` that of `record`."""

    head: Mapping[str, Any]
    judgement: Judgement
    record: Record
    ensemble: Ensemble | None = None

    @property
    def deciding(self) -> Judgement:
        """Judgement that gives the headline and the exit code."""
        return self.ensemble.judgement if self.ensemble else self.judgement

    @property
    def scenario(self) -> Mapping[str, Any]:
        """Return the scenario as resolved."""
        found: Mapping[str, Any] = self.head.get("scenario", {})
        return found

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services of the topology, in its order."""
        return tuple((self.head.get("topology") or {}).get("services", ()))

    @property
    def title(self) -> str:
        """Return what was played, in words."""
        return str(self.scenario.get("title") or self.scenario.get("scenario") or "A run without a name")

    @property
    def evidence_class(self) -> str:
        """Return simulation, lab, DR environment, production or incident."""
        return str(self.head.get("evidence_class", "unknown"))

    @property
    def duration_s(self) -> float:
        """Return the end of the judged interval; that of the last fact when the run never closed."""
        if (known := self.head.get("duration_us")) is not None:
            return float(known) / 1e6
        return max((m.t_us for m in self.record.marks), default=0) / 1e6

    @property
    def fault_s(self) -> float | None:
        """Return the instant the first fault began; None: none did."""
        begun = [m.t_us for m in self.record.marks if m.kind == "injection_begun"]
        return min(begun) / 1e6 if begun else None

    @property
    def interrupted(self) -> bool:
        """Whether the run did not come to its own end."""
        return bool(self.head.get("termination") != "complete")


def step_title(head: Mapping[str, Any], procedure: str, step: str) -> str:
    """Return the title of a step where the procedure is known, else its id."""
    steps = (head.get("procedures") or {}).get(procedure, {}).get("steps", ())
    return next((str(s["title"]) for s in steps if s.get("id") == step and s.get("title")), step)


def phases(verdict: Verdict) -> dict[str, float]:
    """Seconds of detect, decide, act and converge, in that order, those that are known."""
    found = verdict.detail.get("phases") or {}
    return {name: float(found[name]) for name in PHASES if isinstance(found.get(name), int | float)}


def recovered(verdict: Verdict) -> bool:
    """Whether a recovery was seen; a measure that knows better says so in `detail`."""
    return verdict.detail.get("recovered") is not False


PHASES = ("detect", "decide", "act", "converge")
PHASE_WORDS = {
    "detect": "until somebody or something noticed",
    "decide": "until a person or the platform decided what to do",
    "act": "carrying out the procedure",
    "converge": "until users were served after the last step",
}
