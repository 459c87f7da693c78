"""When the reverter lifts: when it is told to, and when the runner has fallen silent."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .engine import EngineError
from .lifting import Lifter, address_of, call_url
from .plan import EMPTY, Keeper, Plan, PlanError
from .returning import carry_out, facts

SILENT_S = 20.0  # without a heartbeat: it lifts
TICK_S = 1.0
OWN_PAUSE_S = 5.0  # no tick for this long: it was paused itself, and a heartbeat may have been missed
GRACE_S = 5.0  # after a pause of its own, the runner has this long to be heard
STALLED_S = 60.0  # no tick for this long (a tick that lifts takes a while): it cannot be trusted with a fault
RETRY_S = 5.0  # between attempts at what could not be lifted
CONTAINERS = re.compile(r"gameday-[a-zA-Z0-9_.-]+")  # names of containers that it may touch

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that must not be served now; the words say why."""


def boot_time_s() -> float:
    """Seconds since the machine started; those in which it was suspended too, where the kernel counts them (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _begun(store: Keeper) -> Plan:
    """The plan to begin with; nothing when its file is damaged. The ledger of faults holds every lift too."""
    try:
        return store.read()
    except PlanError:
        _log.exception("begun with nothing to lift: run `gameday undo`, which lifts what the ledger of faults holds")
        store.set_aside()
        return EMPTY


class Watch:
    """Holds the plan of the run that is on, listens for its heartbeats, lifts when they stop.

    A plan is taken only when its generation is one more than the one that is held: of two writers one is refused.
    Another run's plan is taken only when nothing is left to lift. A run whose lifts were performed because it fell
    silent gets no further plan: it must not break anything again.
    """

    def __init__(
        self,
        store: Keeper,
        lifter: Lifter,
        outside_url: str,
        *,
        silent_s: float = SILENT_S,
        now_s: Callable[[], float] = boot_time_s,
    ) -> None:
        self._store, self._lifter, self._outside_url = store, lifter, outside_url
        self._silent_s, self._now_s = silent_s, now_s
        self._lock = threading.RLock()
        self._plan = _begun(store)
        self._heard_s = self._ticked_s = now_s()
        self._tried_s = -RETRY_S

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""
        return self._plan

    def silence_s(self) -> float:
        """How long nothing was heard of the runner, in seconds."""
        return self._now_s() - self._heard_s

    def put(self, document: Any) -> Plan:
        """Take a plan; return it as it was stored. Raises PlanError and RefusedError."""
        plan = Plan.of(document)
        for lift in plan.lifts:
            if str(lift["verb"]).startswith("docker-") and not CONTAINERS.fullmatch(str(lift["target"])):
                raise PlanError(f"{lift['target']} is no container of the testbed")
        with self._lock:
            held = self._plan
            if plan.run != held.run and not held.done:
                raise RefusedError(f"run {held.run} has faults that are not lifted; `gameday undo` lifts them")
            cut = held.cut if plan.run == held.run else self._still_cut()
            if plan.run != held.run and cut:
                raise RefusedError(f"{', '.join(cut)}: cut from the network; `gameday undo` brings them back")
            if plan.run != held.run and held.run and not held.lifted_by and self.silence_s() < self._silent_s:
                raise RefusedError(f"run {held.run} is on: it was heard {self.silence_s():.0f} s ago")
            if plan.run == held.run and held.lifted_by == "silence":
                raise RefusedError(f"run {held.run} was silent for {self._silent_s:g} s, and its faults were lifted")
            if plan.generation != held.generation + 1:
                raise RefusedError(f"generation {plan.generation}, and {held.generation} is held")
            self._keep(replace(plan, stored_us=time.time_ns() // 1000, cut=cut, results=(), lifted_by=""))
            self._heard_s = self._now_s()
            return self._plan

    def _still_cut(self) -> dict[str, str]:
        """Nodes that were cut and that nobody has connected since."""
        cut = {}
        for node, address in self._plan.cut.items():
            try:
                if address_of(self._lifter.engine.inspect(node), self._plan.network) is None:
                    cut[node] = address
            except EngineError:
                continue  # it is gone: its cluster was removed
        return cut

    def heard(self, run: str) -> Plan:
        """Take a heartbeat. Raises RefusedError when the plan is another run's, or when nobody would see a silence."""
        if run != self._plan.run:
            raise RefusedError(f"the plan is of run {self._plan.run or '(none)'}")
        if self._now_s() - self._ticked_s > STALLED_S:
            raise RefusedError(f"the watch has not looked for {self._now_s() - self._ticked_s:.0f} s")
        self._heard_s = self._now_s()
        return self._plan

    def lift(self, generation: int, *, by: str, only: Sequence[Mapping[str, Any]] | None = None) -> Plan:
        """Lift now, everything or only some of the lifts that are held; what `only` names leaves the plan when done.

        Raises RefusedError when another generation is held.
        """
        with self._lock:
            held = self._plan
            if generation != held.generation:
                raise RefusedError(f"generation {generation}, and {held.generation} is held")
            if only is None:
                return self._lift(by)
            some = [lift for lift in held.lifts if lift in only]
            results = self._carry_out(some)
            done = [lift for lift, result in zip(some, results, strict=True) if result["ok"]]
            rest = tuple(lift for lift in held.lifts if lift not in done)
            self._keep(replace(self._plan, generation=generation + 1, lifts=rest))
            return replace(self._plan, results=tuple(results))

    def drop(self, generation: int) -> Plan:
        """Forget lifts and cut nodes, because the system was made whole otherwise. Raises RefusedError."""
        with self._lock:
            if generation != self._plan.generation:
                raise RefusedError(f"generation {generation}, and {self._plan.generation} is held")
            self._keep(replace(EMPTY, generation=generation + 1, stored_us=time.time_ns() // 1000))
            return self._plan

    def tick(self) -> None:
        """Look once: was it paused itself, is the runner silent, is something still to be lifted."""
        now_s = self._now_s()
        paused = now_s - self._ticked_s > OWN_PAUSE_S
        self._ticked_s = now_s
        with self._lock:
            if paused:
                self._plan = self._newest()
                self._heard_s = max(self._heard_s, now_s - self._silent_s + GRACE_S)
            if self._plan.done or now_s - self._heard_s < self._silent_s or now_s - self._tried_s < RETRY_S:
                return
            stored = self._newest()
            if stored is not self._plan:  # another reverter took a plan since
                self._plan, self._heard_s = stored, now_s
                return
            _log.warning("run %s is silent for %.0f s: lifting", self._plan.run, now_s - self._heard_s)
            self._lift("silence")

    def _lift(self, by: str) -> Plan:
        results = self._carry_out(self._plan.lifts)
        self._keep(replace(self._plan, results=tuple(results), lifted_by=by))
        return self._plan

    def _carry_out(self, lifts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        self._tried_s = self._now_s()
        before = dict(self._plan.cut)
        results = carry_out(lifts, self._plan, self._lifter, outside_url=self._outside_url, keep=self._keep_cut)
        for result in results:
            _log.warning("%s", json.dumps(result))
        for fact in facts(self._plan, before, results):
            call_url(f"{self._outside_url}/facts", "POST", {**fact, "t_us": time.time_ns() // 1000}, timeout_s=2.0)
        return results

    def _keep_cut(self, cut: Mapping[str, str]) -> None:
        self._keep(replace(self._plan, cut=dict(cut)))

    def _newest(self) -> Plan:
        """The plan that is held, unless a newer one is on the disk. A damaged file is none."""
        try:
            stored = self._store.read()
        except PlanError:
            _log.exception("the plan that is held is lifted")
            return self._plan
        return stored if stored.generation > self._plan.generation else self._plan

    def _keep(self, plan: Plan) -> None:
        self._store.write(plan)
        self._plan = plan

    def run(self) -> None:
        """Tick for ever."""
        while True:
            try:
                self.tick()
            except Exception:  # nothing may end the watch: a fault would stay for ever
                _log.exception("the watch goes on")
            time.sleep(TICK_S)
