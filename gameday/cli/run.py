"""`gameday run`: break a real cluster, measure it from outside, judge it, undo it."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.arguments import WORLDS, AsJson, ScenarioName, Sets, one_of, overrides, scenario_folders
from gameday.cli.talk import progress, put, put_json, say, then
from gameday.config import settings
from gameday.exit_codes import ExitCode, worst
from scenarios.errors import AbortedError, Problem, RecordError, UsageError
from scenarios.model.units import duration_us

if TYPE_CHECKING:
    from gameday.game_day import PlayedOnCluster
    from scenarios.files.resolved import Resolved

EXAMPLE = "Example: `gameday run region-loss-automatic --world kind --yes`"
OPERATORS = ("scripted", "live")
ANSWERS = {"": True, "y": True, "yes": True, "n": False, "no": False}
SECOND_US = 1_000_000

World = Annotated[
    str,
    typer.Option(
        "--world",
        help="kind: the testbed on this machine; eks: your clusters on AWS. On eks the plan and the conditions are "
        "printed, a dry run; it is played when all hold and you type the targets' names, which --yes cannot do",
        autocompletion=lambda: list(WORLDS),
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="say what will break, and do not ask")]
Operator = Annotated[
    str,
    typer.Option(
        "--operator",
        help="scripted: people's steps happen after declared delays; live: you are asked, and your time is measured",
        autocompletion=lambda: list(OPERATORS),
    ),
]
Observe = Annotated[
    bool,
    typer.Option(
        "--observe", help="break nothing: measure, and show what would be lost now; whatever state the system is in"
    ),
]
Lasts = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="how long --observe lasts; Ctrl-C ends it before [10m]")
]
OBSERVED = "10 min"


def run(
    scenario: ScenarioName,
    world: World = "kind",
    yes: Yes = False,
    operator: Operator = "scripted",
    observe: Observe = False,
    lasts: Lasts = None,
    sets: Sets = None,
    as_json: AsJson = False,
) -> int:
    """Play a scenario on a real cluster, judge it against the runbook's objectives, undo what it did.

    What will break is shown before, and asked for unless --yes. Ctrl-C lifts every fault. The record is kept whatever
    happens. A failback that is still to be done is said at the end; `gameday undo` does it.
    """
    one_of("--world", world, WORLDS)
    one_of("--operator", operator, OPERATORS)
    if operator == "live" and not os.isatty(0):
        found, expected = "no terminal to answer on", "a person at a terminal"
        raise UsageError(Problem("--operator live", found, expected, "Run it on a terminal, or leave it out."))
    observed_us = _observed_us(lasts, observe=observe)
    with progress(1.0, "reading the scenario"):
        from scenarios.files.load import load

        resolved = load(scenario, paths=scenario_folders(), overrides=overrides(sets), world=world)
    from gameday.game_day import at_risk, play_on_kind

    _refuse_second()
    person = _ask if operator == "live" else None
    if world == "eks":
        played = _on_eks(resolved, ask=person, observe=observed_us, as_json=as_json)
    else:
        runs = settings().runs_folder
        played = play_on_kind(resolved, runs, confirm=None if yes else _confirm, ask=person, observe=observed_us)
    code = _judged(played, as_json=as_json)
    if observe and (words := at_risk(played.folder)):
        say(words)
    if played.left_behind:
        say(f"left behind: {', '.join(played.left_behind)}")
        then("gameday undo" if world == "kind" else f"gameday undo --world {world}")
    elif played.pending:
        say(f"pending: {played.pending}")
        then("gameday undo --home" if world == "kind" else f"gameday undo --world {world}")
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


def _observed_us(lasts: str | None, *, observe: bool) -> int | None:
    """How long to observe; None: play the scenario. Raises UsageError."""
    if not observe:
        if lasts is not None:
            raise UsageError(Problem("--for", lasts, "it with --observe", "A scenario says itself how long it lasts."))
        return None
    text = OBSERVED if lasts is None else re.sub(r"m$", "min", lasts.strip())
    try:
        found = duration_us(text)
    except ValueError as error:
        raise UsageError(Problem("--for", f"`{lasts}`", str(error), "Give one, as in `--for 10m`.")) from error
    if found < SECOND_US:
        raise UsageError(Problem("--for", f"`{lasts}`", "at least a second", "Give more, as in `--for 10m`."))
    return found


def _on_eks(
    resolved: "Resolved", *, ask: Callable[[Mapping[str, Any]], bool] | None, observe: int | None, as_json: bool
) -> "PlayedOnCluster":
    """Print the plan; play it when every condition holds and the targets' names are typed. Raises UsageError."""
    from gameday.aws_day import plan_on_eks

    day = plan_on_eks(resolved, settings())
    if as_json:
        put_json(day.to_json())
    else:
        put(day.text())
    if day.problems:
        raise UsageError(*day.problems)
    if not os.isatty(0):
        found, expected = "no terminal to type on", "the name of each target, typed"
        remedy = "This was the dry run, and nothing was changed. To play it, run it on a terminal."
        raise UsageError(Problem("gameday run --world eks", found, expected, remedy))
    from gameday.aws_play import play_on_eks

    return play_on_eks(day, resolved, settings(), question=_typed, ask=ask, observe=observe)


def _typed(question: str) -> str:
    """Have something typed."""
    return str(typer.prompt(question, err=True, default="", show_default=False))


def _confirm(radius: str) -> None:
    """Show what will break, and ask. Raises AbortedError when the answer is no, UsageError when nobody can answer."""
    say(radius)
    if not os.isatty(0):
        found, expected = "no terminal to answer on", "a yes before anything is broken"
        raise UsageError(Problem("gameday run", found, expected, "Add --yes when you mean it."))
    if not typer.confirm("Break this now?", err=True):
        raise AbortedError(Problem("gameday run", "the answer no", "yes", "Nothing was broken."))


def _ask(question: Mapping[str, Any]) -> bool:
    """Ask the person at the terminal; the time until the answer is what is measured. No answer at all is a no."""
    say("")
    say(str(question.get("title") or question["ask"]))
    for key in ("procedure", "step", "verb"):
        if key in question:
            say(f"  {key}: {question[key]}")
    say("Done? [Y/n]")
    # Past Python's own reader: its lock, held by a thread that waits for an answer, would abort the end of the process.
    while line := os.read(0, 1024):
        word = line.decode(errors="replace").strip().lower()
        if word in ANSWERS:
            return ANSWERS[word]
        say("y or n?")
    return False


def _judged(played: "PlayedOnCluster", *, as_json: bool) -> ExitCode:
    """Judge a run, and show it. One that was stopped says why, also when nothing can be written beside its record."""
    try:
        return _show(played.folder, as_json=as_json)
    except RecordError as error:
        if not played.stopped:
            raise
        say(f"note: {error}")
        return ExitCode.INCONCLUSIVE


def _show(folder: Path, *, as_json: bool) -> ExitCode:
    from gameday.judging import present

    return present(folder, as_json=as_json, say=say)
