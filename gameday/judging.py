"""From a folder on disk to a judged report: what simulate, judge and report share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from gameday.cli.arguments import run_name
from gameday.cli.talk import progress, put, say, stage, then
from gameday.exit_codes import ExitCode, of_result
from reports.model import Ensemble, Kept, Report
from scenarios.errors import RecordError
from scenarios.record.ensemble import EnsembleRecord, Trial, is_ensemble, read_ensemble
from scenarios.record.marks import Mark
from scenarios.record.reader import RunRecord
from scenarios.record.storage import problem_of, replace_file
from scenarios.record.tables import TABLES
from validators.merge import merge
from validators.model import Judgement, Result

DEFAULT_MET_IN = 0.95  # share of trials that must meet an objective, when an ensemble's head does not say


class NoRecord:
    """Stands where an ensemble was killed before the trial that is kept in full had begun."""

    marks: Sequence[Mark] = ()

    def table(self, name: str) -> pa.Table:
        """No rows."""
        return TABLES[name].empty_table()

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """No rows."""
        return iter(())


def load_report(folder: Path) -> Report:
    """Judge what a folder holds, a run or an ensemble, from its facts alone. Raises RecordError."""
    return _of_ensemble(read_ensemble(folder)) if is_ensemble(folder) else _of_run(RunRecord(folder))


def _of_run(record: RunRecord) -> Report:
    from validators.judge import judge
    from validators.observe import observe

    return Report(record.head, judge(observe(record.head, record.marks, record.table, record.parts)), record)


def _of_ensemble(ensemble: EnsembleRecord) -> Report:
    """The ensemble decides; the trial in full illustrates it, and judges what the others' fidelity cannot."""
    from validators.ensemble import judge_ensemble

    asked = ensemble.full_runs().get(ensemble.kept.get("asked", -1))
    full = _of_run(RunRecord(asked)) if asked else None
    met_in = float(ensemble.head.get("met_in", DEFAULT_MET_IN))
    trials = _without_gaps(ensemble.trials) if ensemble.interrupted else ensemble.trials
    alone = full.judgement if full else None
    judged = judge_ensemble(
        trials, met_in, full=alone, peeking=ensemble.interrupted, objectives=ensemble.head.get("objectives", ()),
        left_out=ensemble.head.get("not_judged", {}), owed=_owed(ensemble.head),
    )  # fmt: skip
    if ensemble.interrupted:
        judged = _cut_short(judged, len(trials), ensemble.head.get("trials_asked"))
    many = Ensemble(trials, judged, met_in, _kept(ensemble, full))
    own = {"ensemble": _told(ensemble), "command": ensemble.head.get("command")}
    if full is None:
        return Report({**ensemble.head, **own}, judged, NoRecord(), many)
    head = {**full.head, **own, "run_id": ensemble.head.get("run_id", full.head.get("run_id"))}
    if ensemble.interrupted:
        head["termination"] = ensemble.head["termination"]
    return Report(head, full.judgement, full.record, many)


def _owed(head: Mapping[str, Any]) -> list[str]:
    """Objectives that the level of the trials cannot judge, and that a trial in full can.

    A simulation never judges how fast people answer, nor what its scenario leaves out.
    """
    answers = {o["objective"] for o in head.get("objectives", ()) if o["kind"] == "response"}
    never = answers | set(head.get("scenario", {}).get("not_judged", {}))
    return [name for name in head.get("not_judged", {}) if name not in never]


def _kept(ensemble: EnsembleRecord, asked: Report | None) -> tuple[Kept, ...]:
    """Trials whose records are kept. One at the level of the trials was judged with them, any other is judged anew."""
    from validators.ensemble import COMPLETE, trial_of

    known = {t.trial: t for t in ensemble.trials}
    roles: dict[int, list[str]] = {}
    for role, number in ensemble.kept.items():
        roles.setdefault(number, []).append(role)
    found = []
    for number, folder in ensemble.full_runs().items():
        record = RunRecord(folder)
        level = str(record.head.get("fidelity", ""))
        if asked is not None and asked.head.get("trial") == number:
            trial = trial_of(asked.judgement, number, 0)
        elif level == ensemble.head.get("fidelity") and number in known:
            trial = known[number]
        else:
            trial = trial_of(_of_run(record).judgement, number, 0)
        result = merge(Result(r) for r in trial.results.values() if r is not None)
        names = tuple(roles.get(number, ()))
        found.append(
            Kept(
                number, names, level, f"{ensemble.folder.name}/{folder.name}", result.value, trial.values.get(COMPLETE)
            )
        )
    return tuple(found)


def _without_gaps(trials: Sequence[Trial]) -> Sequence[Trial]:
    """Trials before the first that had not ended: those that end early are not typical of all."""
    return [t for number, t in enumerate(trials) if t.trial == number]


def _cut_short(judged: Judgement, done: int, asked: object) -> Judgement:
    """Nothing passes in what did not come to its own end."""
    from validators.merge import judgement

    why = f" This does not decide: it was interrupted after {done} of {asked} trials."
    verdicts = [
        replace(v, result=Result.INCONCLUSIVE, reason=v.reason + why) if v.result is Result.PASS and v.merged else v
        for v in judged.verdicts
    ]
    return judgement(verdicts, done)


def _told(ensemble: EnsembleRecord) -> dict[str, Any]:
    """What a report says of the trials as a whole."""
    head = ensemble.head
    told = {name: head.get(name) for name in ("fidelity", "seed", "trials_asked", "met_in", "termination")}
    return told | {"trials_done": len(ensemble.trials)}


def keep_verdicts(folder: Path, report: Report) -> None:
    """Write verdicts.json beside the facts; for an ensemble also that of its trial in full. Raises RecordError."""
    from validators import files

    with _writing(folder / files.FILE):
        files.write(folder, report.deciding)
        if report.ensemble and isinstance(report.record, RunRecord):
            files.write(report.record.folder, report.judgement)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordError(problem_of(path, error, "a folder that can be written to")) from error


def judged(folder: Path) -> Report:
    """Judge a folder, with a bar on a terminal, and keep the verdicts; a folder that is read-only keeps none.

    The verdict does not depend on verdicts.json, so what cannot be written is said and the verdict still counts.
    """
    stage("judging")
    with progress(1.0, "judging"):
        report = load_report(folder)
    try:
        keep_verdicts(folder, report)
    except RecordError as error:
        say(f"note: verdicts.json is not kept: {error}")
    return report


def show(report: Report, *, as_json: bool) -> ExitCode:
    """Print the verdict to stdout, as a table or as JSON; return the exit code that it means."""
    if as_json:
        from reports.formats.json import render

        put(render(report))
    else:
        from reports.formats.terminal import show as table

        table(report)
    return of_result(report.deciding.result.value)


def present(folder: Path, *, as_json: bool, say: Callable[[str], None] = say) -> ExitCode:
    """Judge a new record, write its page beside it, print the verdict and where the page is."""
    from reports.formats.html import render

    report = judged(folder)
    page = folder / "report.html"
    with progress(1.0, "writing the report"), _writing(page):
        replace_file(page, render(report).encode())
    code = show(report, as_json=as_json)
    say(f"report: {page}")
    then(f"gameday report {run_name(folder)} --open")
    return code
