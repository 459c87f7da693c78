"""`gameday undo`: make the system whole after a game day, from a fresh shell."""

from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.arguments import WORLDS, AsJson, one_of
from gameday.cli.talk import progress, put, put_json, say, then
from gameday.config import settings
from gameday.exit_codes import ExitCode
from scenarios.errors import Problem, UsageError

if TYPE_CHECKING:
    from experiments.safety.undo import Progress, Undone

EXAMPLE = "Example: `gameday undo`, or `gameday undo --home`"

World = Annotated[str, typer.Option("--world", help="where the game day was played: kind or eks")]
Home = Annotated[
    bool,
    typer.Option("--home", help="bring the primary home too, with every order; nothing is written for some seconds"),
]


def undo(home: Home = False, world: World = "kind", as_json: AsJson = False) -> int:
    """Lift what a game day left, and make the system whole: one primary, a standby that streams, DNS leading to it.

    After a promotion the failover is finished, both timelines are read into the record while the old primary is still
    fenced, and the old primary becomes the standby. With --home it then becomes the primary again, once it has all that
    was written elsewhere. It takes up to ten minutes, and may be called again. The exit code is 5 when something is
    still there.
    """
    one_of("--world", world, WORLDS)
    with progress(1.0, "looking") as update:
        done = _on_eks(update, home=home) if world == "eks" else _on_kind(update, home=home)
    if as_json:
        put_json(done.to_json())
    else:
        _show(done)
    for what in done.left:
        say(f"left behind: {what}")
    if done.left and world == "kind":
        say("`gameday undo` may be called again; `gameday testbed reset` makes the databases anew, empty")
    if done.pending:
        say(f"pending: {done.pending}")
    then(_next(done) if world == "kind" else "gameday run SCENARIO --world eks")
    return ExitCode.LEFT_BEHIND if done.left else ExitCode.MET


def _on_kind(update: "Progress", *, home: bool) -> "Undone":
    from experiments.safety.undo import undo as undo_all

    return undo_all(update, home=home, runs=settings().runs_folder)


def _on_eks(update: "Progress", *, home: bool) -> "Undone":
    """Lift on the declared targets. Raises UsageError for --home: a promoted database is failed back by people."""
    from experiments.platforms.eks.undoing import undo as undo_all
    from gameday.aws_day import declared

    if home:
        remedy = "`gameday undo --world eks` lifts every fault and says where the primary is."
        raise UsageError(Problem("gameday undo", "--home on eks", "a failback by people", remedy))
    there, targets = declared(settings())
    return undo_all(update, there, targets)


def _show(done: "Undone") -> None:
    for result in done.lifted:
        put(f"{result.verb} {result.target}: {result.detail}")
    if not done.lifted:
        put("nothing was left to lift")
    if done.late is not None:
        put(f"read into the record: {', '.join(done.late.read) or 'nothing'}")
        if done.late.unread:
            put(f"not read: {', '.join(done.late.unread)}")
        if done.late.list_of_them:
            put(f"orders only on a losing timeline: {done.late.only_there} ({done.late.list_of_them})")
        if done.late.unlisted:
            put(f"no list of the orders that live only on a losing timeline: {done.late.unlisted}")
    put(f"primary {done.primary}, standby {done.standby}, in {done.took_s:g} s")


def _next(done: "Undone") -> str:
    if done.left:
        return "gameday testbed reset"
    return "gameday undo --home" if done.pending else "gameday testbed status"
