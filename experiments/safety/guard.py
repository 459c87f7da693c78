"""What stands between a run and a fault: no injection before its lift is stored outside the blast radius.

The parent of a run enters `Guard`: it claims the reverter, and says each 2 s that it is alive. Its children hold
`Arms`, by the run's name. Either arms a fault before it is injected, and lifts it after. When the parent dies the
heartbeats stop, and the reverter lifts by itself.
"""

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.faults.verbs import Lift, from_json
from experiments.platforms.platform import platform
from experiments.platforms.site import site
from experiments.safety.counter import Counters
from experiments.safety.journal import Held, Journal
from experiments.safety.lifting import Result, perform
from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed import layout
from scenarios.errors import AbortedError, LeftBehindError, Problem, UsageError

HEARTBEAT_S = 2.0
LOST_AFTER_S = 10.0  # without an answer of the reverter: the run must stop
_ATTEMPTS = 5  # at a plan, when parent and child store one at the same moment


@dataclass(frozen=True)
class Arms:
    """The armed faults of a run, in the ledger and in the reverter; every process of the run may hold one."""

    run: str
    reverter: Reverter = field(default_factory=Reverter)
    journal: Journal = field(default_factory=Journal)
    counters: Counters = field(default_factory=Counters)

    def arm(self, fault: str, lifts: Sequence[Lift]) -> None:
        """Store how a fault is lifted, in the ledger and in the reverter, which echoes it. Then it may be injected.

        Args:
            fault: its name in the timeline, "region-loss:0"; armed again, it gets the lifts given last.
            lifts: what undoes it, in order; doing so twice does no harm.

        Raises:
            AbortedError: the reverter did not echo it. It must not be injected.
            JournalError: the ledger has no room. It must not be injected.
        """
        self.journal.append("armed", self.run, fault, lifts)
        try:
            stored = self._store(fault, lifts)
            if missing := [str(lift) for lift in lifts if lift.to_json() not in stored["lifts"]]:
                found, remedy = f"an echo without {', '.join(missing)}", "Run `gameday testbed status`."
                raise ReverterError(Problem(layout.REVERTER, found, "every lift echoed", remedy))
        except ReverterError as error:
            self.journal.append("lifted", self.run, fault, by="self", why=["it was never injected"])
            raise AbortedError(*error.problems) from error
        self.journal.append("counted", self.run, fault, counts=self.counters.count(self.run, fault))

    def held(self) -> list[Held]:
        """Faults of this run that may still be there, in the order in which they were armed."""
        return [held for held in self.journal.held() if held.run == self.run]

    def lift(self, fault: str, by: str = "clean-up") -> list[Result]:
        """Lift one fault; nothing happens when it is not armed. What is not ok stays armed."""
        lifts = [lift for held in self.held() if held.fault == fault for lift in held.lifts]
        return perform(lifts, by, reverter=self.reverter, journal=self.journal) if lifts else []

    def release(self, fault: str) -> None:
        """Give a fault's lift up without lifting it: it is armed no longer, and stays as it is.

        Raises:
            ReverterError: the reverter may still hold its lift; it stays in the ledger too.
            JournalError: the ledger has no room.
        """
        self._store(fault)
        self.journal.append("lifted", self.run, fault, by="self", why=["it came to its end, and stays"])
        self._store(fault)  # who armed another one just before has read it in the ledger, and stored it once more

    def note_trading(self, region: str, *, enabled: bool) -> None:
        """Note that a step of the run is about to switch trading: `gameday undo` undoes no person's decision.

        Raises JournalError: the ledger has no room. It must not be done.
        """
        self.journal.append("trading", self.run, region=region, enabled=enabled)

    def lift_all(self, by: str = "clean-up") -> list[Result]:
        """Lift every fault of the run that is armed, the last one first. What is not ok stays armed."""
        lifts = [lift for held in reversed(self.held()) for lift in held.lifts]
        return perform(lifts, by, reverter=self.reverter, journal=self.journal) if lifts else []

    def _store(self, fault: str, lifts: Sequence[Lift] = ()) -> dict[str, Any]:
        """Put a fault's lifts, before those of the others, into the plan of this run.

        Another fault may be armed at the same moment, by another thread or process. What it has stored stood in the
        ledger before, so the ledger is read at each attempt, after the plan whose generation is taken.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            plan = self.reverter.plan()
            if plan["run"] != self.run:
                found, remedy = f"the plan of run {plan['run'] or '(none)'}", f"Run `{site().undo}`."
                raise ReverterError(Problem(layout.REVERTER, found, f"that of run {self.run}", remedy))
            kept = {key: plan[key] for key in ("run", "home", "nodes", "network")}
            others = [lift for held in reversed(self.held()) if held.fault != fault for lift in held.lifts]
            stored = [lift.to_json() for lift in (*lifts, *others)]
            document = {**kept, "generation": plan["generation"] + 1, "lifts": stored}
            try:
                return self.reverter.put(document)
            except ReverterError:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")


class Guard:
    """The parent's hold on a run: `with Guard(run) as guard:`.

    Entering it claims the reverter for the run; heartbeats follow from a thread. Leaving it lifts what is armed.
    `record` is where the run's record grows: `gameday undo` may be called from any folder, and must find it.

    Raises:
        UsageError: on entering: the reverter does not answer or guards another run, faults of an earlier run are
            still there, or no region holds the writer's lease.
        LeftBehindError: on leaving: something could not be lifted.
    """

    def __init__(
        self,
        run: str,
        *,
        record: Path | None = None,
        reverter: Reverter | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.arms = Arms(run, reverter or Reverter(), journal or Journal())
        self._record = str(record.absolute()) if record else ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeats")
        self._answered_s = time.monotonic()
        self._refused = ""

    def arm(self, fault: str, lifts: Sequence[Lift]) -> None:
        """See `Arms.arm`."""
        self.arms.arm(fault, lifts)

    def lift_all(self, by: str = "clean-up") -> list[Result]:
        """See `Arms.lift_all`."""
        return self.arms.lift_all(by)

    @property
    def lost(self) -> str:
        """Why nobody would lift if this process died now; empty: all is well. A run must stop when it is not."""
        if self._refused:
            return self._refused
        silent_s = time.monotonic() - self._answered_s
        return f"{layout.REVERTER} has not answered for {silent_s:.0f} s" if silent_s > LOST_AFTER_S else ""

    def __enter__(self) -> Self:
        run, journal = self.arms.run, self.arms.journal
        settle(self.arms.reverter, journal)
        if left := journal.held():
            found = ", ".join(f"{held.fault} of run {held.run}" for held in left)
            raise UsageError(Problem("faults of an earlier run", found, "none", f"Run `{site().undo}`."))
        home = self._home()
        document = {**platform().fencing(home), "run": run, "lifts": []}
        try:
            held = self.arms.reverter.plan()
            self.arms.reverter.put({**document, "generation": held["generation"] + 1})
        except ReverterError as error:
            raise UsageError(*error.problems) from error
        journal.append("opened", run, home=home, record=self._record)
        self._answered_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            failed = [result for result in self.lift_all() if not result.ok]
        finally:
            self._over.set()
            self._thread.join(HEARTBEAT_S)
        if failed:
            raise LeftBehindError(*map(left_behind, failed))
        self._release()

    def _release(self) -> None:
        """Tell the reverter that the run is over, so that the next one need not wait for its silence."""
        try:
            plan = self.arms.reverter.plan()
            if plan["run"] == self.arms.run:
                self.arms.reverter.lift(plan["generation"], "clean-up")
        except ReverterError:
            return  # it holds nothing of this run; after 20 s of silence it takes another's plan

    def _home(self) -> str:
        here = platform()
        home = here.writer()
        if home in site().places:
            return str(home)
        found, expected = f"{home or 'nobody'}", "a region whose database may write"
        raise UsageError(Problem("the writer", found, expected, here.REMEDY))

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_S):
            try:
                plan = self.arms.reverter.heartbeat(self.arms.run)
            except ReverterError as error:
                if "409" in error.problems[0].found:
                    self._refused = error.problems[0].found
                continue
            self._answered_s = time.monotonic()
            if plan["lifted_by"] == "silence":
                self._refused = f"{layout.REVERTER} heard nothing for long, and lifted every fault of this run"


def settle(reverter: Reverter, journal: Journal) -> None:
    """Strike off the ledger what the reverter has lifted since the run that armed it died."""
    with contextlib.suppress(ReverterError):
        plan = reverter.plan()
        results = [Result(**result) for result in plan["results"]]
        journal.strike([from_json(lift) for lift in plan["lifts"][: len(results)]], results, str(plan["lifted_by"]))


def left_behind(result: Result) -> Problem:
    """What could not be lifted, as a person reads it."""
    return Problem(f"{result.verb} {result.target}", result.detail, "the fault lifted", f"Run `{site().undo}`.")
