"""`gameday run`: break a real cluster, measure it from outside, judge it, undo it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gameday.cli.arguments import AsJson, ScenarioName, Sets, overrides
from gameday.cli.talk import progress, put, put_json, say, then
from gameday.config import settings
from gameday.exit_codes import ExitCode, worst
from scenarios.errors import AbortedError, Problem, UsageError

if TYPE_CHECKING:
    from scenarios.files.resolved import Resolved

EXAMPLE = "Example: `gameday run region-loss-automatic --world kind --yes`"
WORLDS = ("kind", "eks")
OPERATORS = ("scripted", "live")

World = Annotated[
    str,
    typer.Option(
        "--world",
        help="kind: the testbed on this machine; eks: a dry run, which prints the plan and which conditions hold, and "
        "changes nothing. On eks nothing is broken, measured or judged yet",
        autocompletion=lambda: list(WORLDS),
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask before the first fault")]
Operator = Annotated[
    str,
    typer.Option(
        "--operator",
        help="scripted: people's steps happen after declared delays; live: you are asked, and your time is measured",
        autocompletion=lambda: list(OPERATORS),
    ),
]
Observe = Annotated[bool, typer.Option("--observe", help="break nothing: measure, and show what would be lost now")]


def run(
    scenario: ScenarioName,
    world: World = "kind",
    yes: Yes = False,
    operator: Operator = "scripted",
    observe: Observe = False,
    sets: Sets = None,
    as_json: AsJson = False,
) -> int:
    """Play a scenario on a real cluster, judge it against the runbook's objectives, undo what it did.

    What will break is shown before, and asked for unless --yes. Ctrl-C lifts every fault. The record is kept whatever
    happens. A failback that is still to be done is said at the end; `gameday undo` does it.
    """
    _one_of("--world", world, WORLDS)
    _one_of("--operator", operator, OPERATORS)
    with progress(1.0, "reading the scenario"):
        from scenarios.files.load import load

        resolved = load(scenario, paths=settings().scenario_paths, overrides=overrides(sets), world=world)
    if world == "eks":
        _plan_on_eks(resolved, as_json=as_json)
    from gameday.game_day import at_risk, play_on_kind

    _refuse_second()
    played = play_on_kind(
        resolved,
        settings().runs_folder,
        confirm=None if yes else _confirm,
        ask=_ask if operator == "live" else None,
        observe=observe,
    )
    code = _show(played.folder, as_json=as_json)
    if observe and (words := at_risk(played.folder)):
        say(words)
    if played.left_behind:
        say(f"left behind: {', '.join(played.left_behind)}")
        then("gameday undo")
    elif played.pending:
        say(f"pending: {played.pending}")
        then("gameday undo --home")
    if played.stopped:
        say(f"stopped: {played.stopped}")
    left = ExitCode.LEFT_BEHIND if played.left_behind else ExitCode.MET
    return worst([code, left, ExitCode.ABORTED if played.stopped else ExitCode.MET])


def _refuse_second() -> None:
    """Refuse while another game day is on: to it the testbed is broken, and must not be mended. Raises LockedError."""
    from experiments.safety.lock import HostLock, this_process

    lock = HostLock()
    lock.take(this_process("run"))
    lock.give_back()


def _plan_on_eks(resolved: "Resolved", *, as_json: bool) -> NoReturn:
    """Print the plan, then refuse with every condition that does not hold. Raises UsageError always."""
    from gameday.aws_day import plan_on_eks

    day = plan_on_eks(resolved, settings())
    if as_json:
        put_json(day.to_json())
    else:
        put(day.text())
    raise UsageError(*day.problems)


def _one_of(flag: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise UsageError(Problem(flag, f"`{found}`", f"one of {', '.join(allowed)}", "Choose one."))


def _confirm(radius: str) -> None:
    """Show what will break, and ask. Raises AbortedError when the answer is no, UsageError when nobody can answer."""
    say(radius)
    if not os.isatty(0):
        found, expected = "no terminal to answer on", "a yes before anything is broken"
        raise UsageError(Problem("gameday run", found, expected, "Add --yes when you mean it."))
    if not typer.confirm("Break this now?", err=True):
        raise AbortedError(Problem("gameday run", "the answer no", "yes", "Nothing was broken."))


def _ask(question: Mapping[str, Any]) -> bool:
    """Ask the person at the terminal; the time until the answer is what is measured."""
    say("")
    say(str(question.get("title") or question["ask"]))
    for key in ("procedure", "step", "verb"):
        if key in question:
            say(f"  {key}: {question[key]}")
    return bool(typer.confirm("Done?", default=True, err=True))


def _show(folder: Path, *, as_json: bool) -> ExitCode:
    from gameday.judging import present

    return present(folder, as_json=as_json, say=say)
