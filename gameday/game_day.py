"""Play a scenario on a cluster: locked, guarded, recorded, read back, and undone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.observe import settings as observing
from experiments.observe.clock import Origin
from experiments.observe.readback import Question, ReadBack, read_back, reconcile
from experiments.observe.settings import Where
from experiments.platforms.site import site
from experiments.run import quiet
from experiments.run.play import Ended, GameDay
from experiments.run.remains import lift_remains
from experiments.run.stopping import deferring
from experiments.run.warming import followed, warm_up
from experiments.safety import identity, pending
from experiments.safety.abort import AbortConditions
from experiments.safety.guard import Guard
from experiments.safety.journal import JournalError
from experiments.safety.lock import GameDayLock, on_this_machine
from experiments.safety.secrets import Redactor, of_this_process
from experiments.safety.tunnel import to_fenced_databases
from experiments.testbed import lifecycle
from experiments.testbed.errors import TestbedError
from gameday.cli.talk import listener, progress, say
from gameday.play import cluster_head, free_folder
from gameday.processes import executor, observers
from scenarios.errors import LeftBehindError, Problem, RecordError, UsageError
from scenarios.files.resolved import Resolved
from scenarios.record.reader import RunRecord
from scenarios.record.storage import problem_of
from scenarios.record.writer import RunWriter

Confirm = Callable[[str], None]
Ask = Callable[[Mapping[str, Any]], bool]
KEEPS = "`gameday undo` keeps every order, `gameday testbed reset` empties the data."
LOADING = ("probers", "sender")  # who is needed to see whether a load is carried
LOADING_S = 12.0  # from starting the processes of a run to its first second


@dataclass(frozen=True)
class PlayedOnCluster:
    """A game day that was played. `pending`: the failback that is still to be done, in words."""

    folder: Path
    stopped: str | None
    left_behind: tuple[str, ...]
    pending: str | None


@dataclass
class _Seen:
    """What the run's facts say that its parent must know afterwards."""

    promoted: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # timelines that were read before a step rewound them

    def take(self, message: Any) -> None:
        mark = message.get("mark")
        if mark and mark["kind"] in ("promoted", "readback_done"):
            known = self.promoted if mark["kind"] == "promoted" else self.read
            known.append(mark["detail"]["timeline"])


@dataclass(frozen=True)
class Stage:
    """A world as a game day needs it.

    `ready` raises when nothing may be broken there now, and returns what was not quiet. Within `targets` this process
    works there, on targets that were found to be the right ones; it yields region: identity, in words. Within `fenced`
    databases of regions that are cut off can be read. `sends` is asked just before the first order is sent,
    and `begins` last, before the clock starts: each raises when the run may not go on. `over` says why a run must end
    now; empty: it need not. `lifters` say who lifts when the runner falls silent, where that is not always the same.
    """

    world: str
    ready: Callable[[], quiet.Before]
    targets: Callable[[], AbstractContextManager[dict[str, str]]]
    fenced: Callable[[], AbstractContextManager[object]]
    sends: Callable[[], None] = lambda: None
    begins: Callable[[], None] = lambda: None
    over: Callable[[], str] = str
    lifters: tuple[str, ...] = ()


def play_on_kind(
    resolved: Resolved, runs: Path, *, confirm: Confirm | None, ask: Ask | None, observe: int | None
) -> PlayedOnCluster:
    """Play a scenario on the testbed and keep its record. As `play_on`."""
    stage = Stage("kind", _insist_on_whole, _targets, to_fenced_databases)
    if observe is not None:
        stage = Stage("kind", _as_it_is, lambda: nullcontext({}), to_fenced_databases)
    return play_on(stage, resolved, runs, confirm=confirm, ask=ask, observe=observe)


def play_on(
    stage: Stage, resolved: Resolved, runs: Path, *, confirm: Confirm | None, ask: Ask | None, observe: int | None
) -> PlayedOnCluster:
    """Play a scenario in a world and keep its record.

    Args:
        stage: the world.
        resolved: the scenario as this world plays it.
        runs: folder of records.
        confirm: is shown what will break, and raises when nobody agrees; None: agreed already, and it is only said.
        ask: asks the person at the terminal and returns the answer; None: people are scripted.
        observe: break nothing, and measure for so long, in microseconds; None: play the scenario.

    Raises UsageError when another run is under way, the system is not whole or a failback is pending: nothing was
    broken then. To observe, the system may be in any state.
    """
    if observe is not None:
        resolved = _observed(resolved, observe)
    operator = "live" if ask else "scripted"
    facts = cluster_head(resolved, stage.world, datetime.now(UTC), operator, observe)
    folder, run_id = free_folder(runs, facts["run_id"]), facts["run_id"]
    with ExitStack() as held:
        held.enter_context(on_this_machine(run_id))  # before anything is looked at: another run may be breaking it
        if observe is None:
            pending.refuse()
        facts["before"] = stage.ready().to_json()
        facts |= {"lifters": list(stage.lifters)} if stage.lifters else {}
        targets = held.enter_context(stage.targets())
        lock = GameDayLock(run_id)
        experiment: dict[str, Any] | None = None
        if observe is None:
            held.enter_context(lock)
            experiment = _experiment(resolved, targets, confirm)
        clean = of_this_process(place.kubeconfig for place in site().places.values())
        guard = Guard(run_id, record=folder)
        guarded = held.enter_context(ExitStack())
        if observe is None:
            guarded.enter_context(guard)  # it may refuse: then there is no record
        stage.sends()
        if observe is None:
            facts["before"] |= _insist_on_good(resolved, clean)
        stage.begins()
        origin = Origin.soon(LOADING_S)
        facts["started_at"] = origin.utc
        with clean.logging(), deferring(say), RunWriter(folder, clean.value(facts)) as writer:
            conditions = _conditions(stage, resolved, folder, guard, lock, observe=observe is not None)
            game = _Game(stage, resolved, writer, clean, folder, guard, guarded, origin)
            return _play(game, conditions, experiment, ask)


def _observed(resolved: Resolved, lasts_us: int) -> Resolved:
    """A scenario in which nothing is done for so long; with a pending failback, home is where the primary is now."""
    scenario, topology = resolved.scenario, resolved.topology
    workload = scenario.workload.model_copy(update={"duration": lasts_us, "at_most_us": lasts_us})
    scenario = scenario.model_copy(update={"timeline": (), "response": (), "workload": workload})
    if (still := pending.read()) is not None:
        database = topology.database.model_copy(update={"home": still.new, "replica_region": still.old})
        topology = topology.model_copy(update={"database": database})
    return replace(resolved, scenario=scenario, topology=topology)


def _as_it_is() -> quiet.Before:
    """Whatever state the testbed is in: say what is not as it should be."""
    with progress(1.0, "looking at the testbed"):
        found, before = lifecycle.status(measure=False), quiet.look()
    for words in (*found.lacks, *filter(None, [str(before)])):
        say(f"note: {words}")
    return before


def _insist_on_whole() -> quiet.Before:
    with progress(1.0, "looking at the testbed"):
        found = lifecycle.status(measure=False)
    if not found.whole:
        lacks = "; ".join(found.lacks)[:400]
        raise UsageError(
            Problem("testbed", lacks, "a whole one", f"Run `gameday testbed up` when it was never whole. {KEEPS}")
        )
    return insist_on_quiet()


def insist_on_quiet() -> quiet.Before:
    """Wait until no alert holds; say, and return, what is not quiet even so."""
    with progress(1.0, "waiting until all is quiet") as update:
        before = quiet.wait(update)
    for alert in before.alerts:
        say(f"note: {alert} still holds; what it does in this run says little")
    for region in before.silent:
        say(f"note: Prometheus of {region} does not answer; which alerts hold there is not known")
    return before


def _insist_on_good(resolved: Resolved, clean: Redactor) -> dict[str, Any]:
    """Send the load of the run until everything is good; return how that went.

    Raises UsageError when something stays bad and the scenario breaks something. Where nothing breaks the load itself
    is what is tried, and what is bad is measured.
    """
    scenario = resolved.scenario
    workload = scenario.workload.model_copy(update={"profile": "steady"})
    made = observers(replace(resolved, scenario=scenario.model_copy(update={"workload": workload})), Origin.soon())
    children = [made[name](0) for name in LOADING]
    for child in children:
        child.printed = _put(clean)()
    with progress(1.0, "the load of the run is sent until all is good") as update:
        warm = warm_up(children, followed(resolved), update)
    if warm.bad and scenario.timeline:
        found = f"after {warm.load_s:.0f} s of the run's load: {warm.bad}"
        remedy = "Nothing was broken. End other work on these machines, or look for what is slow, and run it again."
        raise UsageError(Problem("before the run", found, "users served well, or nothing is proved by a fault", remedy))
    if warm.bad:
        say(f"note: after {warm.load_s:.0f} s of the run's load: {warm.bad}")
    return warm.to_json()


@contextmanager
def _targets() -> Iterator[dict[str, str]]:
    """Make sure that the kubeconfigs reach what was made; yields region -> identity, in words."""
    from experiments.testbed import state

    with identity.used():
        yield {region: f"{known.cluster}, cluster {known.uid}" for region, known in state.read().identities.items()}


def _experiment(resolved: Resolved, targets: dict[str, str], confirm: Confirm | None) -> dict[str, Any]:
    """Compile the scenario, and say what will break; somebody has to agree, unless they have already."""
    from experiments.compile.compiler import compile_scenario
    from experiments.compile.radius import injections
    from experiments.safety.radius import describe, irreversible_steps

    (confirm or say)(describe(resolved, targets, injections(resolved), irreversible_steps(resolved)))
    return compile_scenario(resolved)


def _conditions(
    stage: Stage, resolved: Resolved, folder: Path, guard: Guard, lock: GameDayLock, *, observe: bool
) -> AbortConditions:
    """What stops the run: what the probers see, this machine, its time, the reverter lost, a target taken by another.

    What is only observed may be as bad as it is.
    """
    if observe:
        longer_us = resolved.scenario.workload.at_most_us + 1
        return AbortConditions(resolved, folder, others=(stage.over,), bad_for_us=longer_us)
    return AbortConditions(resolved, folder, others=(stage.over, lambda: guard.lost, lambda: lock.stolen))


@dataclass(frozen=True)
class _Game:
    """A game day that may begin. Leaving `guarded` leaves the guard, which lifts what is armed."""

    stage: Stage
    resolved: Resolved
    writer: RunWriter
    clean: Redactor
    folder: Path
    guard: Guard
    guarded: ExitStack
    origin: Origin


def _play(
    game: _Game, conditions: AbortConditions, experiment: dict[str, Any] | None, ask: Ask | None
) -> PlayedOnCluster:
    resolved, clean, folder, guard = game.resolved, game.clean, game.folder, game.guard
    recorder = clean.recorder(game.writer)
    origin, seen, left, run_id = game.origin, _Seen(), list[str](), guard.arms.run

    def watch(message: Any, stop: Any) -> None:
        seen.take(message)
        conditions(message, stop)

    at_most_us = resolved.scenario.workload.at_most_us
    operator = "live" if ask else "scripted"
    player = None if experiment is None else executor(experiment, folder, run_id, origin, operator)
    with progress(at_most_us, "starting the observers") as update:
        told = _words(update, clean)
        day = GameDay(
            resolved, recorder, origin, observers(resolved, origin), player, told, watch, ask or _nobody,
            _put(clean), lift=lambda mark: lift_remains(guard.arms, mark),
        )  # fmt: skip
        try:
            with game.guarded:
                ended = day.play()
        except (LeftBehindError, JournalError) as error:  # the latter: nobody can say whether it is lifted
            left += [problem.where for problem in error.problems]
            ended = Ended("interrupted", day.clock.now_us(), failed="something could not be lifted")
        left += day.left
        for what in left:
            day.mark("left_behind", what, what=what)
        try:
            still = _pending(resolved, seen, run_id, folder)  # before anything that may be interrupted
        except TestbedError as error:  # `gameday undo` finds it out by itself
            still, left = None, [*left, f"a failback that is pending and could not be noted: {error}"]
        kept = day.recorder
        if not kept.lost:  # else `gameday undo` reads, into the record that is there
            told(at_most_us, at_most_us, "reading back")
            with game.stage.fenced():
                read = read_back(
                    Where.of(observing.where()), day.clock, kept,
                    Question.of(observing.watchers(resolved, origin), seen.promoted, seen.read),
                ).each(clean.text)  # fmt: skip
            kept.try_to(lambda: _close(game, day, ended, read))
    why = clean.text("; ".join(dict.fromkeys(filter(None, (ended.stopped, ended.failed, kept.lost)))))
    return PlayedOnCluster(folder, why or None, tuple(map(clean.text, left)), still)


def _close(game: _Game, day: GameDay, ended: Ended, read: ReadBack) -> None:
    """Close the record, and list what lives only on losing timelines. Raises RecordError."""
    why = ended.stopped or ended.failed or ""
    head = {
        "duration_us": ended.end_us,
        **read.head(),
        "clock": {"bound_us": day.clock_bound_us},
        "torn_lines": day.torn,
        **({"why": why} if why else {}),
    }
    head = game.clean.value(head)
    termination = "aborted" if ended.stopped else "interrupted" if ended.failed else "complete"
    game.writer.close(termination, **head)
    try:
        reconcile(game.folder, {**head, "termination": termination}, read)
    except OSError as error:
        raise RecordError(problem_of(game.folder, error, "room for the list of orders")) from error


def _pending(resolved: Resolved, seen: _Seen, run_id: str, folder: Path) -> str | None:
    """Keep what is still to be done after a promotion; returns it in words."""
    home = resolved.topology.database.home
    now = seen.promoted[-1].partition("/")[0] if seen.promoted else home
    return None if now == home else str(pending.keep(home, now, run_id, folder))


def at_risk(folder: Path) -> str:
    """What would have been lost had the home region died at some second of a run, in words; empty: not sampled."""
    from reports.series import unsampled

    record = RunRecord(folder)
    samples = record.table("samples").to_pandas()
    traces = samples[samples["name"].isin(["at_risk_orders", "at_risk_s"])]
    if traces.empty:
        return ""
    worst, usual = (traces.groupby("name", observed=True)["value"].agg(how) for how in ("max", "median"))
    said = [f"{v['at_risk_orders']:.0f} orders and {v['at_risk_s']:.1f} s" for v in (usual, worst)]
    sampled_s = traces[traces["name"] == "at_risk_s"]["t_us"].to_numpy() / 1e6
    gaps = [f"from {a:.0f} s to {b:.0f} s" for a, b in unsampled(sampled_s, record.head["duration_us"] / 1e6)]
    unknown = f"; not known {', '.join(gaps)}: there it may have been more" if gaps else ""
    return f"lost, had the home region died at some second: {said[0]} by the median, {said[1]} at worst{unknown}"


def _nobody(question: Mapping[str, Any]) -> bool:
    """Nobody is asked when people are scripted."""
    raise AssertionError(question)


def _put(clean: Redactor) -> Callable[[], Callable[[str], None]]:
    """What prints, without credentials, what a process of the run prints; one for each process."""
    return lambda: clean.printer(listener.write)


def _words(update: Callable[..., None], clean: Redactor) -> Callable[[int, int, str], None]:
    def told(now_us: int, of_us: int, words: str) -> None:
        minutes, said = now_us / 60e6, clean.text(words)
        update(now_us, f"minute {minutes:.1f} of at most {of_us / 60e6:.0f}: {said}" if now_us else said)

    return told


__all__: Sequence[str] = ("PlayedOnCluster", "Stage", "insist_on_quiet", "play_on", "play_on_kind")
