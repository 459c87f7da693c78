"""From a fresh shell: everything that a game day left is lifted, and the system is made whole again.

Faults first: what the reverter and the ledger still hold. When nobody was promoted that is all. When somebody was,
the failover is finished, both timelines are read into the record while the old primary is still fenced, and the old
primary is demoted. Only when it is asked for the primary comes home too, with all that was acknowledged elsewhere.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from experiments.faults import base
from experiments.operate.finishing import ENDS_WITHIN_S, follow
from experiments.operate.moments import moments
from experiments.operate.verbs import perform as perform_step
from experiments.platforms import trading
from experiments.platforms.platform import platform
from experiments.safety import pending
from experiments.safety.demotion import connect, demote, start_stopped
from experiments.safety.forgetting import forget
from experiments.safety.guard import settle
from experiments.safety.homecoming import as_planned, come_home, end, is_half_way, is_primary_instead
from experiments.safety.identity import refuse_others
from experiments.safety.journal import Journal
from experiments.safety.late import Late, is_unread, read_late
from experiments.safety.lifting import OUTSIDE_URL, Result, perform
from experiments.safety.lock import HostLock, this_process
from experiments.safety.reverter import Reverter, ReverterError
from experiments.safety.trading import enable_again
from experiments.safety.tunnel import to_fenced_databases
from experiments.testbed import clusters, outside, state, status
from experiments.testbed.layout import PLACES, Place
from experiments.testbed.plan import plan
from experiments.testbed.system.returning import writer
from scenarios.errors import AbortedError, GamedayError, LeftBehindError, Problem, RecordError, UsageError

Progress = Callable[[float, str], None]

LIFTS_WITHIN_S = 60.0
WHOLE_WITHIN_S = 240.0
ANSWERS_WITHIN_S = 60.0


@dataclass
class Undone:
    """What was undone, and what is left."""

    run: str = ""  # the last one that broke something
    lifted: list[Result] = field(default_factory=list)
    late: Late | None = None
    primary: str = ""
    standby: str = ""
    pending: str = ""
    left: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        lifted = [result.to_json() for result in self.lifted]
        return {**self.__dict__, "lifted": lifted, "late": self.late.__dict__ if self.late else None}


def undo(progress: Progress, *, home: bool, runs: Path) -> Undone:
    """Undo what the last game day left.

    Args:
        progress: is told the share done, and what is done now.
        home: bring the primary home too: a short second outage, and no acknowledged order is lost.
        runs: folder with the records.

    Raises:
        UsageError: there is no testbed, a game day is on, or something else answers in its place.
        LeftBehindError: it cannot be made whole; called again, it goes on.
        TestbedError: what the testbed has kept of itself is damaged; nothing was touched.
    """
    if not state.read().made_at:
        found, remedy = "no testbed on this machine", "There is nothing to undo. `gameday testbed up` makes one."
        raise UsageError(Problem("gameday undo", found, "a testbed", remedy))
    begun_s, done = time.monotonic(), Undone()
    lock = HostLock()
    lock.take(this_process("undo"))
    try:
        refuse_others(state.read().identities)
        progress(0.0, "faults")
        journal = Journal()
        done.run = journal.last_run()
        record = _record(journal, runs)
        with _said_as_left(plan().home):
            lift_left(done, journal)
            _publish()
            for place in PLACES.values():
                clusters.start_kubelets(place)
            old, new = _settled(progress, journal)
        if new is not old:
            with _said_as_left(new):
                _after_promotion(done, old, new, record, progress, finishing=not home)
        if new is not plan().home and home:
            with _said_as_left(plan().home):
                come_home(new, plan().home, lambda share, words: progress(0.5 + 0.35 * share, words))
            old = new = plan().home
            done.pending = ""
        elif new is plan().home and _on_its_way_home(new):
            with _said_as_left(new):
                done.late = _read_late(record)
                end(plan().away, new, lambda share, words: progress(0.5 + 0.35 * share, words))
        elif new is plan().home:
            with _said_as_left(new):
                as_planned()
                done.late = _read_at_leisure(record)
        with _said_as_left(new):
            done.lifted += enable_again(journal, status.trading_off(status.look().regions))
            _wait_until_whole(done, old, new, progress)
    finally:
        lock.give_back()
    done.took_s = round(time.monotonic() - begun_s, 1)
    return done


def _record(journal: Journal, runs: Path) -> Path | None:
    """Folder of the last run's record: where the run has kept it, or the newest in `runs` that is named after it."""
    run, kept = journal.last_run(), journal.last_record()
    if kept and (Path(kept) / "run.json").is_file():
        return Path(kept)
    found = sorted(runs.glob(f"{run}*/run.json"), key=lambda path: path.stat().st_mtime_ns) if run else []
    return found[-1].parent if found else None


# --- faults


def lift_left(done: Undone, journal: Journal) -> None:
    """Lift what the reverter holds, then what the ledger holds; what fails is tried again for a minute."""
    reverter = Reverter()
    tried: dict[str, Result] = {}

    def attempt() -> bool:
        for result in _reverter_lifts(reverter, journal):
            tried[f"{result.verb} {result.target}"] = result
        for held in reversed(journal.held()):
            for result in perform(held.lifts, "clean-up", reverter=reverter, journal=journal):
                tried[f"{result.verb} {result.target}"] = result
        return not journal.held() and all(result.ok for result in tried.values())

    moments.poll(attempt, LIFTS_WITHIN_S, every_s=3.0)
    done.lifted = list(tried.values())
    done.left = [f"{what}: {result.detail}" for what, result in tried.items() if not result.ok]
    if not done.left:
        base.forget_all()


def _reverter_lifts(reverter: Reverter, journal: Journal) -> list[Result]:
    try:
        held = reverter.plan()
        if held["lifts"]:
            held = reverter.lift(held["generation"], "clean-up")
    except ReverterError:
        return []  # what it holds is in the ledger too
    settle(reverter, journal)
    return [Result(**result) for result in held["results"]]


def _publish() -> None:
    """Give nodes their ports that came back without them. Raises TestbedError while another program has one."""
    for node, seen in clusters.node_states(list(PLACES.values())).items():
        if seen == "unpublished":
            clusters.publish(node)


# --- who is the primary now


def _settled(progress: Progress, journal: Journal) -> tuple[Place, Place]:
    """Let a failover that is under way come to its end; return the region of the primary before, and now.

    Raises LeftBehindError while nobody can say whether the other database was promoted: home must not write then.
    """
    waiting = pending.read()
    was = PLACES.get(waiting.old if waiting else journal.home(), plan().home)
    other = next(place for place in PLACES.values() if place is not was)
    progress(0.1, "the failover, if one is under way")
    moments.poll(lambda: not platform().failing_over(), ENDS_WITHIN_S, every_s=1.0)
    start_stopped(other)  # what is stopped cannot say whether it was promoted
    if is_primary_instead(other, was, writer(OUTSIDE_URL)):
        return was, other
    cut = _cut()
    if cut or writer(OUTSIDE_URL) != was.region:  # fenced or cut, and nobody was promoted: it may write again
        if status.database(other) is None:
            found, expected = "no answer", f"its word that it was not promoted, before {was.region} may write again"
            remedy = "Run `gameday undo` again once it answers, or `gameday testbed reset`: empty databases."
            raise LeftBehindError(Problem(f"the database in {other.region}", found, expected, remedy))
        connect(cut)
        outside.bring_home(was.region)
        _drop_plan()
    return was, was


def _on_its_way_home(home: Place) -> bool:
    """Whether the primary came home by halves: as a failback that was kept, or by one that a run played itself."""
    return pending.read() is not None or is_half_way(plan().away, home, writer(OUTSIDE_URL))


def _cut() -> dict[str, str]:
    """Nodes that are cut from the network, with their addresses: as the reverter, or this machine, kept them."""
    known = Journal().cut()
    with contextlib.suppress(ReverterError):
        known |= Reverter().plan()["cut"]
    states = clusters.node_states(list(PLACES.values()))
    return {node: address for node, address in known.items() if states.get(node) == "cut"}


def _drop_plan() -> None:
    reverter = Reverter()
    reverter.drop(reverter.plan()["generation"])


# --- after a promotion


@contextlib.contextmanager
def _said_as_left(new: Place) -> Iterator[None]:
    """Say what does not answer, or refuses, as something that is left: neither our bug nor wrong usage.

    Raises LeftBehindError.
    """
    try:
        yield
    except (UsageError, AbortedError, LeftBehindError):
        raise
    except GamedayError as error:  # a step, a program, the API or the ledger does not do what it should
        raise LeftBehindError(*error.problems) from error
    except (OSError, HTTPError, ApiException, psycopg.Error, LookupError) as error:
        remedy = "Run `gameday undo` again, or `gameday testbed reset`, which makes the databases anew, empty."
        found = f"{type(error).__name__}: {error}"[:300]
        raise LeftBehindError(Problem(f"the primary in {new.region}", found, "it whole", remedy)) from error


def _after_promotion(
    done: Undone, old: Place, new: Place, record: Path | None, progress: Progress, *, finishing: bool
) -> None:
    """Finish the failover, read both timelines, and make the old primary a standby.

    Without `finishing` only the lease follows: the services and the name go home next, and must not wait for a region
    whose services do not come up.
    """
    pending.keep(old.region, new.region, done.run, record)
    progress(0.15, f"the failover to {new.region} is finished")
    perform_step("promote", {"region": new.region}, {})
    if finishing:
        _finish_failover(new)
    progress(0.3, "both timelines are read")
    start_stopped(old)
    done.late = _read_late(record)
    _insist_read(done.late, (old.region,), "Run `gameday undo` again once its database answers. ")
    demote(old, new, _cut(), lambda share, words: progress(0.4 + 0.1 * share, words))
    _drop_plan()
    kept = pending.keep(old.region, new.region, done.run, record, demoted=True)
    done.pending = str(kept)


def _read_late(record: Path | None) -> Late | None:
    """Read both timelines into a killed run's record, before one of them is rewound."""
    if record is None:
        return None
    with to_fenced_databases():
        return read_late(record)


def _read_at_leisure(record: Path | None) -> Late | None:
    """Read what a killed run has not, when nothing is rewound any more: what has no room, or no sense, is only said."""
    try:
        return _read_late(record)
    except RecordError as error:
        return Late((), (), None, "", "; ".join(f"{problem.where}: {problem.found}" for problem in error.problems))


def save_unread(runs: Path) -> None:
    """Read what a reset of the testbed will destroy into the record of the last run, if that was killed.

    Raises LeftBehindError when a timeline cannot be read: the reset must not go on.
    """
    record = _record(Journal(), runs)
    if record is None or not is_unread(record):
        return
    moments.poll(lambda: all(status.database(place) for place in PLACES.values()), ANSWERS_WITHIN_S, every_s=1.0)
    _insist_read(_read_late(record), tuple(PLACES), "Run `gameday undo` first. ")


def _insist_read(late: Late | None, regions: tuple[str, ...], remedy: str) -> None:
    """Raise LeftBehindError when a database of one of these regions was not read: its orders would be destroyed."""
    unread = [region for region in late.unread if region in regions] if late is not None else []
    if unread:
        found = f"{', '.join(unread)} cannot be read into the record of the killed run"
        remedy += "`gameday testbed down`, then `up`, gives its orders up."
        raise LeftBehindError(Problem("what was not read back", found, "all of it, before it is destroyed", remedy))


def _finish_failover(new: Place) -> None:
    """Services and name follow the primary: an abort after a promotion finishes the failover."""
    replicas = {name: service.replicas for name, service in plan().topology.services.items()}
    outside.call("POST", f"{outside.OUTSIDE}/dns/block", {"blocked": False})
    follow(new.region, replicas, perform_step)


# --- the end


def _wait_until_whole(done: Undone, old: Place, new: Place, progress: Progress) -> None:
    """Wait until there is one primary with a standby that streams, the name leads to it, and every node is there."""
    other = next(place for place in PLACES.values() if place is not new)
    lacks: list[str] = []
    decided: list[str] = []  # by people: nothing that is waited for

    def whole() -> bool:
        found = status.look()
        decided[:] = trading.lacks(status.trading_off(found.regions))
        lacks[:] = found.lacks if new is plan().home else _lacks_away(found, new, other)
        lacks[:] = [words for words in lacks if words not in decided]
        progress(0.85, lacks[0] if lacks else "whole")
        return not lacks

    moments.poll(whole, WHOLE_WITHIN_S, every_s=2.0)
    done.left += lacks + decided
    done.primary, done.standby = new.region, other.region
    if not done.left and new is old and old is plan().home:
        forget()
    progress(1.0, "done")


def _lacks_away(found: status.Status, new: Place, old: Place) -> list[str]:
    """What keeps a system whose primary is not at home from being whole."""
    now, was = found.regions[new.region].database, found.regions[old.region].database
    lacks = [f"node {n} is {s}" for r in found.regions.values() for n, s in r.nodes.items() if s != "running"]
    if now is None or not now.writable or now.streaming_standbys < 1:
        lacks.append(f"{new.region}: no primary with a standby that streams")
    if was is None or was.writable:
        lacks.append(f"{old.region}: no standby")
    if (found.dns, found.lease) != (new.region, new.region):
        lacks.append(f"DNS leads to {found.dns}, the lease is granted to {found.lease}, not to {new.region}")
    return lacks
