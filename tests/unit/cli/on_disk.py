"""Made-up runs put on disk, as a world would have left them."""

from dataclasses import replace
from pathlib import Path

from scenarios.record.ensemble import EnsembleWriter, Trial, run_folder
from scenarios.record.writer import RunWriter
from tests.records import Run
from validators.ensemble import trial_of
from validators.judge import judge

_AT_CLOSING = ("termination", "duration_us", "surviving_timeline", "clock")


def put(folder: Path, run: Run, *, killed: bool = False) -> Path:
    """Write a run's record; `killed` leaves it as SIGKILL would."""
    head = {name: value for name, value in run.head.items() if name not in _AT_CLOSING}
    writer = RunWriter(folder, {"run_id": folder.name, **head})
    for mark in run.marks:
        writer.mark(mark.t_us, mark.kind, mark.subject, source_t_us=mark.source_t_us, **mark.detail)
    for name in ("probes", "load", "samples", "writes_sent", "writes_done", "readback"):
        for rows in run.table(name).to_batches():
            writer.append(name, {column: rows.column(column) for column in rows.schema.names})
    if not killed:
        closing = {name: run.head[name] for name in _AT_CLOSING[1:]}
        writer.close(run.head["termination"], **closing)
    return folder


def put_ensemble(folder: Path, run: Run, results: list[str], *, killed: bool = False) -> Path:
    """Write an ensemble whose trials are one run over again, but for the result of rto.risk."""
    like = trial_of(judge(run.observations()), 0, 7)
    head = {"run_id": folder.name, "met_in": 0.95, "trials_asked": len(results), "seed": 7, "kept": {"asked": 0}}
    writer = EnsembleWriter(folder, head)
    put(run_folder(folder, 0), run)
    for number, result in enumerate(results):
        writer.add(_with(like, number, result), run.marks)
    if not killed:
        writer.close("complete")
    return folder


def _with(trial: Trial, number: int, result: str) -> Trial:
    return replace(trial, trial=number, results={**trial.results, "rto.risk": result})
