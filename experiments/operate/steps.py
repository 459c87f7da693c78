"""People at work on a real system: they are paged, decide, and carry out the steps of a procedure, one at a time.

scripted: each takes the time that the scenario's parameters declare (their medians). live: the person at the terminal
is asked, does the step by hand, and says so; what is measured is that person's time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from urllib3.exceptions import HTTPError

from experiments.faults import base, report
from experiments.faults.cluster import KubernetesError
from experiments.operate import changing, verbs
from experiments.operate.moments import moments
from experiments.operate.performing import performer
from experiments.operate.watching import first_page, until_page
from scenarios.errors import GamedayError, Problem

ACTOR = "technical-lead"
LOOK_AGAIN_S = 5.0
TRIES_FOR_S = 1800.0  # how long a step waits for an API that does not answer, unless it says otherwise
_UNANSWERED = (*verbs.UNANSWERED, HTTPError)

Asker = Callable[[Mapping[str, Any]], bool]

_asker: list[Asker] = []  # at most one; none: scripted
_begun: set[str] = set()  # procedures
_changes: list[str] = []  # that were begun: a rollback undoes the last one
_undone: dict[str, str] = {}  # procedure: change that a step of it undoes
_failed: set[str] = set()  # procedures of which a step has failed: the steps after it are not done


def ask_with(asker: Asker | None) -> None:
    """Have people asked. An asker gets what is to be done, and returns whether the person says that it is."""
    _asker[:] = [asker] if asker else []


class NotDoneError(GamedayError, RuntimeError):
    """A step was not done."""


def answer_page(procedures: list[str], level: str, acknowledge_s: float, assemble_s: float, within_s: float) -> bool:
    """Wait for a page, acknowledge it and come together.

    Raises:
        NotDoneError: no page has arrived, or somebody said no; the procedures that answer it are not carried out.
    """
    if not until_page(within_s):
        _failed.update(procedures)
        found = "no page"
        raise NotDoneError(Problem("people", found, f"one within {within_s:g} s", "Look at the alerts."))
    alert = first_page()
    question = {"ask": "acknowledge", "title": f"A page has arrived: {alert}. Acknowledge it."}
    _ask_or_take(procedures, question, acknowledge_s)
    report.fact("acknowledged", level, alert=alert)
    together = "The incident commander, the technical lead and the communications lead are there."
    _ask_or_take(procedures, {"ask": "engage", "title": together}, assemble_s)
    for role in ("incident-commander", ACTOR, "communications-lead"):
        report.fact("engaged", role, role=role)
    return True


def decide(procedure: str, severity: str, decide_s: float) -> bool:
    """Declare the incident and decide on a procedure. Raises NotDoneError when nobody was paged, or one says no."""
    _insist(procedure, "decide")
    _ask_or_take([procedure], {"ask": "declare", "title": f"Declare the incident: severity {severity}."}, 0.0)
    report.fact("declared", "incident-commander", severity=severity)
    question = {"ask": "decide", "title": f"Decide: is {procedure} to be carried out now?"}
    _ask_or_take([procedure], question, decide_s)
    report.fact("decided", "incident-commander", procedure=procedure)
    return True


def begin(procedure: str, actor: str = ACTOR, change: bool = False) -> bool:
    """A procedure, or a change, starts. Raises NotDoneError when nobody was paged."""
    _insist(procedure, "begin")
    _begun.add(procedure)
    report.fact("procedure_started", procedure, actor=actor)
    if change:
        _changes.append(procedure)
        changing.begin(procedure)
        report.fact("change_started", procedure, change=procedure)
    return True


def end(procedure: str, change: bool = False) -> bool:
    """A procedure has ended. Returns whether every step of it did what it should."""
    ok = procedure in _begun and procedure not in _failed and not moments.told.is_set()
    if procedure in _undone:
        undone = _undone.pop(procedure)
        report.fact("rollback_finished", undone, change=undone)
    if procedure in _begun and change:
        changing.end(procedure, ok=ok)
        report.fact("change_finished", procedure, change=procedure, ok=ok)
    if procedure in _begun:
        report.fact("procedure_finished", procedure, ok=ok)
    return ok


def step(
    procedure: str,
    step: str,
    verb: str,
    title: str = "",
    target: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    takes_s: float = 0.0,
    within_s: float = TRIES_FOR_S,
    actor: str = ACTOR,
) -> str:
    """Carry out a step of a procedure.

    Args:
        procedure: name of the procedure that it belongs to.
        step: its id.
        verb: what is done.
        title: what is done, in words.
        target: region, and service.
        options: of the verb; `plan` are the pods of each service.
        takes_s: how long a person needs for it.
        within_s: how long an API that does not answer is tried.
        actor: who does it.

    Raises:
        NotDoneError: it was refused, or a step before it was.
    """
    if procedure in _failed or moments.told.is_set():
        found = "a step before it that failed" if procedure in _failed else "the end of the run"
        raise NotDoneError(
            Problem(f"{procedure}/{step}", found, "all steps before it done", "Look at the step before.")
        )
    report.fact("step_started", procedure, step=step, actor=actor)
    if verb == "rollout_undo" and _changes and procedure not in _undone:
        _undone[procedure] = _changes[-1]
        report.fact("rollback_started", _changes[-1], change=_changes[-1])
    try:
        if verb in changing.TRADING:
            base.note_trading(str((target or {}).get("region", "")), enabled=changing.TRADING[verb] == "true")
        seen = _do(procedure, step, verb, title, target or {}, options or {}, takes_s, within_s)
    except (GamedayError, *_UNANSWERED) as error:
        _failed.add(procedure)
        report.fact("step_finished", procedure, step=step, actor=actor, ok=False, why=str(error)[:300])
        found = str(error)[:300]
        raise NotDoneError(Problem(f"{procedure}/{step}", found, f"{verb} done", "Do it by hand.")) from error
    if verb == "notify":
        audience = str((options or {}).get("audience", "stakeholders"))
        report.fact("notified", "communications-lead", audience=audience)
    report.fact("step_finished", procedure, step=step, actor=actor, ok=True, seen=seen)
    return seen


def _do(
    procedure: str, step: str, verb: str, title: str, target: Mapping[str, str], options: Mapping[str, Any],
    takes_s: float, within_s: float,
) -> str:  # fmt: skip
    if _asker:
        changing.before(procedure, step, verb, target, options)
        if not _asker[0]({"ask": "step", "procedure": procedure, "step": step, "title": title, "verb": verb}):
            raise NotDoneError(Problem(f"{procedure}/{step}", "the answer no", "it done", "Look why."))
        return "the person says so"
    moments.rest(takes_s)
    deadline_s, waiting = moments.now_s() + within_s, False
    while True:
        try:
            changing.before(procedure, step, verb, target, options)
            return performer().perform(verb, target, options)
        except _UNANSWERED as error:
            if isinstance(error, KubernetesError) and 400 <= error.status < 500:
                raise
            if moments.now_s() >= deadline_s:
                raise
            if not waiting:
                report.fact("step_waiting", procedure, step=step, **{"for": str(error)[:200]})
                waiting = True
            if moments.told.wait(LOOK_AGAIN_S):
                raise


def _insist(procedure: str, step: str) -> None:
    """Raise NotDoneError when a step before this one failed, or the run was ended."""
    if procedure in _failed or moments.told.is_set():
        found = "a step before it that failed" if procedure in _failed else "the end of the run"
        remedy = "Look at the step before."
        raise NotDoneError(Problem(f"{procedure}/{step}", found, "all steps before it done", remedy))


def _ask_or_take(procedures: Sequence[str], question: Mapping[str, Any], seconds: float) -> None:
    """A person is asked, or needs so long.

    Raises NotDoneError when the answer is no, or the run has ended before: it did not happen, nor does what follows.
    """
    if _asker[0](question) if _asker else moments.rest(seconds):
        return
    _failed.update(procedures)
    found = "the end of the run" if moments.told.is_set() else "the answer no"
    raise NotDoneError(Problem(f"people, {question['ask']}", found, "yes", "Look why."))
