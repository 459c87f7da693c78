"""Ensemble: many trials of one scenario in one folder, each with its verdicts and its facts.

ensemble.json is the head and there from the first instant on; trials.arrows grows by a row a trial and becomes
trials.parquet at closing. A trial is one row, so it is there as a whole or not at all. The few trials that are kept
in full are RunRecords in subfolders (`run_folder`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from scenarios.record.marks import Mark, parse_mark
from scenarios.record.storage import (
    Closing,
    damaged,
    digests,
    head_text,
    new_folder,
    read_head,
    replace_file,
)
from scenarios.record.stream import Stream, read_table

ENSEMBLE_SCHEMA_VERSION = 1
HEAD = "ensemble.json"
_TABLE = "trials"
_OBJECTIVES = pa.list_(
    pa.struct(
        [
            ("objective", pa.string()),
            ("result", pa.string()),
            ("value", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("phases", pa.map_(pa.string(), pa.float64())),
            ("reason", pa.string()),
        ]
    )
)
_MARKS = pa.list_(
    pa.struct(
        [
            ("t_us", pa.int64()),
            ("seq", pa.int64()),
            ("kind", pa.string()),
            ("subject", pa.string()),
            ("detail", pa.string()),
            ("source_t_us", pa.int64()),
        ]
    )
)
TRIALS: pa.Schema = pa.schema(
    [("trial", pa.int64()), ("seed", pa.int64()), ("objectives", _OBJECTIVES), ("marks", _MARKS)]
)
TRIAL_SAYS = {
    "trial": "number of the trial; with the seed it gives all draws",
    "seed": "seed of the ensemble",
    "objectives": "a verdict for each objective",
    "marks": "facts as in marks.jsonl, sorted; `detail` is JSON",
}
OBJECTIVE_SAYS = {
    "objective": "its name",
    "result": "PASS, FAIL, INCONCLUSIVE; null: not exercised or not judged",
    "value": "what was measured, in the unit of the objective; null: it never happened, or is unknown",
    "low": "lower bound of the true value",
    "high": "upper bound of the true value",
    "phases": "seconds of each stage of a recovery: detect, decide, act, converge",
    "reason": "the judge's sentence",
}


@dataclass(frozen=True)
class Trial:
    """One trial judged: verdicts and values by objective, in the objective's unit."""

    trial: int
    seed: int
    results: Mapping[str, str | None]  # PASS, FAIL, INCONCLUSIVE; None: not exercised or not judged
    values: Mapping[str, float | None]  # None: never happened or unknown
    low: Mapping[str, float | None] = field(default_factory=dict)  # bounds of the true value
    high: Mapping[str, float | None] = field(default_factory=dict)
    phases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # seconds of each stage of a recovery
    reasons: Mapping[str, str] = field(default_factory=dict)


def run_folder(folder: Path, trial: int) -> Path:
    """Folder of the full record of a trial, inside its ensemble's folder."""
    return folder / f"trial-{trial}"


class EnsembleWriter(Closing):
    """An ensemble on disk, from its first trial to its closing.

    The head should say scenario, topology, parameters, objectives, their digests, seed, fidelity, met_in, versions,
    `trials_asked` and `kept` (which trials are kept in full, by what they are).
    A trial is with the operating system when `add` returns: SIGKILL loses none. `close` rewrites
    the stream to Parquet and says how it ended and how many trials there are. Leaving the `with` block without it
    closes the ensemble as interrupted.

    Raises RecordError when the disk is full, read-only or gone; after that the writer takes nothing more, and what
    was written before stays readable as an interrupted ensemble.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        super().__init__(folder, {"schema_version": ENSEMBLE_SCHEMA_VERSION, "termination": "open", **head})
        self._stream = Stream(folder, _TABLE, TRIALS, order="trial")  # they end in any order
        self._trials: set[int] = set()
        with self._failure.reported("a new folder for the ensemble"):
            new_folder(folder, HEAD, self._head)

    def add(self, trial: Trial, marks: Sequence[Mark] = ()) -> None:
        """Append a trial that has ended, in any order; it is with the operating system when this returns."""
        assert trial.trial not in self._trials, f"trial {trial.trial} is added twice"
        row = pa.RecordBatch.from_pylist([_row(trial, marks)], schema=TRIALS)
        with self._failure.reported("room for a trial"):
            self._stream.append(row)
        self._trials.add(trial.trial)

    def close(self, termination: str, **more: Any) -> None:
        """Rewrite the stream to Parquet and say how the ensemble ended (complete, interrupted, aborted).

        Raises RecordError when something could not be rewritten. A stream that could not become Parquet stays and
        is read in its stead; an ensemble whose head could not be rewritten reads as interrupted.
        """
        self._end_streams(self._stream.close, "room to close the ensemble")
        self._head |= {"termination": termination, **more}
        self._each(
            [
                (
                    self.folder / "trials.parquet",
                    self._stream.to_parquet,
                    "room to rewrite the stream, which stays",
                ),
                (self.folder / HEAD, self._write_head, "room to say how the ensemble ended"),
            ]
        )

    def _write_head(self) -> None:
        self._head |= {"trials_done": self._stream.rows, "files": digests([self.folder / "trials.parquet"])}
        replace_file(self.folder / HEAD, head_text(self._head))

    def _release(self) -> None:
        self._stream.release()


class EnsembleRecord:
    """An ensemble on disk, closed or not. `head` is ensemble.json; trials and facts are read when asked for.

    One that was killed has the termination `interrupted` and all trials that had ended. Raises RecordError for a folder
    that is no ensemble, one of another schema version, or one that was damaged after it was closed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head: dict[str, Any] = read_head(folder / HEAD, ENSEMBLE_SCHEMA_VERSION, "an ensemble")

    @property
    def interrupted(self) -> bool:
        """Whether it did not come to its own end."""
        return bool(self.head["termination"] != "complete")

    @property
    def kept(self) -> dict[str, int]:
        """Trials kept in full by what they are: asked for, the worst, the median (the last two once it is complete)."""
        return dict(self.head.get("kept", {}))

    @cached_property
    def trials(self) -> list[Trial]:
        """Trials that ended, in order of their number."""
        rows = self._read(["trial", "seed", "objectives"]).to_pylist(maps_as_pydicts="strict")
        return sorted((_trial(row) for row in rows), key=lambda t: t.trial)

    @cached_property
    def _marks(self) -> pa.Table:
        return self._read(["trial", "marks"])

    def marks(self, trial: int) -> list[Mark]:
        """Facts of a trial in order of (t_us, seq). Raises KeyError for one that did not end."""
        rows = self._marks.filter(pc.equal(self._marks["trial"], trial)).to_pylist()
        if not rows:
            raise KeyError(trial)
        try:
            return [parse_mark(json.dumps({**m, "detail": json.loads(m["detail"])})) for m in rows[0]["marks"]]
        except ValueError as error:
            raise damaged(self.folder / "trials.parquet", "a line that is not a fact", "facts") from error

    def full_runs(self) -> dict[int, Path]:
        """Folders of the trials that were kept in full, by their number."""
        found = {f.name.removeprefix("trial-"): f for f in self.folder.glob("trial-*") if (f / "run.json").is_file()}
        return {int(number): found[number] for number in sorted(found, key=int)}

    def _read(self, columns: list[str]) -> pa.Table:
        table = read_table(self.folder, _TABLE, TRIALS, self.head, columns)
        done = self.head.get("trials_done")
        if done is not None and len(table) != done:
            raise damaged(self.folder / _TABLE, f"{len(table)} of {done} trials", "all trials that ended")
        return table


def is_ensemble(folder: Path) -> bool:
    """Whether a folder holds an ensemble (else a run, or neither)."""
    return (folder / HEAD).is_file()


def write_ensemble(folder: Path, head: Mapping[str, Any], trials: Iterable[Trial]) -> None:
    """Write a whole ensemble of trials without their facts. Raises RecordError."""
    with EnsembleWriter(folder, head) as writer:
        for trial in trials:
            writer.add(trial)
        writer.close("complete")


def read_ensemble(folder: Path) -> EnsembleRecord:
    """Read an ensemble. Raises RecordError."""
    return EnsembleRecord(folder)


def _row(trial: Trial, marks: Sequence[Mark]) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "seed": trial.seed,
        "objectives": [
            {
                "objective": name,
                "result": result,
                "value": trial.values.get(name),
                "low": trial.low.get(name),
                "high": trial.high.get(name),
                "phases": list(trial.phases.get(name, {}).items()),
                "reason": trial.reasons.get(name),
            }
            for name, result in trial.results.items()
        ],
        "marks": [
            {
                "t_us": m.t_us,
                "seq": m.seq,
                "kind": m.kind,
                "subject": m.subject,
                "detail": json.dumps(m.detail, sort_keys=True, separators=(",", ":")),
                "source_t_us": m.source_t_us,
            }
            for m in sorted(marks, key=lambda m: (m.t_us, m.seq))
        ],
    }


def _trial(row: Mapping[str, Any]) -> Trial:
    found = {o["objective"]: o for o in row["objectives"]}
    return Trial(
        trial=row["trial"],
        seed=row["seed"],
        results={name: o["result"] for name, o in found.items()},
        values={name: o["value"] for name, o in found.items()},
        low={name: o["low"] for name, o in found.items()},
        high={name: o["high"] for name, o in found.items()},
        phases={name: dict(o["phases"]) for name, o in found.items() if o["phases"]},
        reasons={name: o["reason"] for name, o in found.items() if o["reason"] is not None},
    )
