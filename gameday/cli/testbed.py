"""`gameday testbed`: the small real system in two kind clusters that game days break."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.arguments import AsJson
from gameday.cli.talk import progress, put_json, put_rows, say, then
from gameday.config import settings
from gameday.exit_codes import ExitCode

if TYPE_CHECKING:
    from experiments.testbed.status import Region, Status

EXAMPLE = "Example: `gameday testbed up`, then `gameday run region-loss-automatic --world kind --yes`"
HELP = """A small real trading system in two kind clusters, for game days on one machine.

It needs docker, kind, two cores and 4 GB; `gameday doctor` looks. Nothing but its own clusters, containers
and state folder is touched: not your kubeconfig, not your current context.
"""

HOME = "`gameday undo --home` brings the primary home with every order; `gameday testbed reset` would empty the data"
EMPTIES = (
    "`gameday undo` mends it and keeps every order; what it cannot mend, `gameday testbed reset` makes anew, empty"
)

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown")


@app.command(epilog="Example: `gameday testbed up`")
def up(as_json: AsJson = False) -> int:
    """Bring up what is missing of the testbed, and wait until it is whole (first about 5 minutes, then 2)."""
    from experiments.testbed import lifecycle

    found = _with_progress("testbed up", lifecycle.up)
    _show(found, as_json=as_json)
    then("gameday run region-loss-automatic --world kind --yes")
    return ExitCode.MET


@app.command(epilog="Example: `gameday testbed status --json`")
def status(as_json: AsJson = False) -> int:
    """Say what of the testbed is there and well, and what it uses; exit code 1 when it is not whole."""
    from experiments.testbed import lifecycle

    found = lifecycle.status()
    _show(found, as_json=as_json)
    then("gameday run region-loss-automatic --world kind" if found.whole else _mend(found))
    return ExitCode.MET if found.whole else ExitCode.MISSED


@app.command(epilog="Example: `gameday testbed reset`")
def reset(as_json: AsJson = False) -> int:
    """Bring it back to its beginning: faults lifted, one primary at home, standby streaming, its data empty."""
    from experiments.safety.undo import save_unread
    from experiments.testbed import lifecycle

    def saving() -> None:
        save_unread(settings().runs_folder)

    _show(_with_progress("testbed reset", lambda told: lifecycle.reset(told, saving)), as_json=as_json)
    then("gameday run region-loss-automatic --world kind --yes")
    return ExitCode.MET


@app.command(epilog="Example: `gameday testbed down`")
def down(as_json: AsJson = False) -> int:
    """Remove its clusters, containers and volumes, and what it remembers. Images stay."""
    from experiments.testbed import lifecycle

    _with_progress("testbed down", lifecycle.down)
    if as_json:
        put_json({"gone": True})
    then("gameday testbed up")
    return ExitCode.MET


def _with_progress[T](words: str, does: Callable[[Callable[[float, str], None]], T]) -> T:
    """Do it while no game day is on. Raises LockedError (exit code 2) while one is."""
    from experiments.safety.lock import HostLock, refuse_heard, this_process

    lock = HostLock()
    lock.take(this_process(words))
    try:
        refuse_heard()
        with progress(1.0, words) as update:
            return does(update)
    finally:
        lock.give_back()


def _mend(found: "Status") -> str:
    made = any(state != "absent" for region in found.regions.values() for state in region.nodes.values())
    if not made:
        return "gameday testbed up"
    return "gameday undo --home" if found.pending_failback else "gameday undo"


def _show(found: "Status", *, as_json: bool) -> None:
    if as_json:
        put_json(asdict(found) | {"whole": found.whole})
        return
    put_rows(_rows(found), ("what", "state"))
    for lack in found.lacks:
        say(f"lacks: {lack}")
    say("whole" if found.whole else "not whole")
    if found.pending_failback:
        say(f"pending: a failback; {HOME}")
    elif not found.whole:
        say(EMPTIES)


def _rows(found: "Status") -> list[tuple[str, str]]:
    rows = [(name, _region(region)) for name, region in found.regions.items()]
    rows += [("outside", _counts(found.containers.values())), ("name leads to", found.dns or "nowhere")]
    rows += [("writer's lease", found.lease or "nobody"), ("standby", _lag(found.lag_s))]
    rows.append(("automation", "does not answer" if found.automation is None else _automation(found.automation)))
    if found.use is not None:
        rows.append(("uses", f"{found.use.cpu_cores:.2f} cores, {found.use.memory_gb:.1f} GB"))
    return rows


def _region(region: "Region") -> str:
    ready, wanted = (sum(getattr(load, key) for load in region.workloads.values()) for key in ("ready", "wanted"))
    database = region.database
    role = "no database" if database is None else f"{'primary' if database.writable else 'standby'} on timeline "
    role += "" if database is None else str(database.timeline)
    nodes, prometheus = _counts(region.nodes.values()), "up" if region.prometheus else "down"
    return f"nodes {nodes}; pods {ready} of {wanted} ready; {role}; prometheus {prometheus}"


def _counts(states: Any) -> str:
    states = list(states)
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))


def _lag(lag_s: float | None) -> str:
    return "unknown" if lag_s is None else "has everything" if lag_s == 0 else f"{lag_s:.1f} s behind"


def _automation(answer: dict[str, Any]) -> str:
    return "working" if answer.get("working") else "answers, and does nothing"
