"""Who holds the lifts of a run: pods in clusters that the fault does not touch, and a process of this machine.

A lift on a cluster's API is held by the pod in another target's cluster, if there is one. What a pod cannot do, the
process holds. All are told everything, so that their generations go in step and each hears that the run is alive.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from experiments.testbed.system.mailbox import CAN_LIFT
from experiments.testbed.system.plan import Plan
from experiments.testbed.system.watch import RefusedError, Watch

Document = Mapping[str, Any]


class Holder(Protocol):
    """What holds lifts: a watch of this process, or a pod's."""

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""

    def put(self, document: Document) -> Plan:
        """Take a plan; return it as it was stored."""

    def heard(self, run: str) -> Plan:
        """Take a heartbeat; return the plan."""

    def lift(self, generation: int, *, by: str, only: Sequence[Document] | None = None) -> Plan:
        """Lift now, everything or some; return the plan with results."""

    def drop(self, generation: int) -> Plan:
        """Forget."""

    def silence_s(self) -> float:
        """How long nothing was heard of the runner, in seconds."""


class Holders:
    """All holders of a run behind one face. Raises what they raise.

    Args:
        here: of this process.
        pods: by the region whose faults each lifts.
    """

    def __init__(self, here: Watch, pods: Mapping[str, Holder]) -> None:
        self._here, self._pods = here, dict(pods)
        self._all: tuple[Holder, ...] = (*self._pods.values(), here)
        self._lock = threading.RLock()

    @property
    def plan(self) -> Plan:
        """What all hold; what was lifted comes first, as its results do."""
        return _merged(self._each(lambda holder: holder.plan))

    def silence_s(self) -> float:
        """How long nothing was heard of the runner, in seconds."""
        return self._here.silence_s()

    def put(self, document: Any) -> Plan:
        """Have each take its lifts of a plan; return the whole as it was stored."""
        plan = Plan.of(document)
        with self._lock:
            if plan.generation != (held := self.plan.generation) + 1:
                raise RefusedError(f"generation {plan.generation}, and {held} is held")
            shares = {id(holder): [x for x in plan.lifts if self._holder_of(x) is holder] for holder in self._all}

            def take(holder: Holder) -> Plan:
                return holder.put({**document, "generation": holder.plan.generation + 1, "lifts": shares[id(holder)]})

            return replace(_merged(self._each(take)), lifts=plan.lifts)

    def heard(self, run: str) -> Plan:
        """Pass a heartbeat on to each."""
        return _merged(self._each(lambda holder: holder.heard(run)))

    def lift(self, generation: int, *, by: str, only: Sequence[Document] | None = None) -> Plan:
        """Have each lift what it holds, or what it holds of `only`."""
        with self._lock:
            self._insist(generation)
            if only is None:
                return _merged(self._each(lambda holder: holder.lift(holder.plan.generation, by=by)))
            held = self.plan.lifts
            order = [lift for lift in only if lift in held]  # results are in the order in which they were asked for

            def some(holder: Holder) -> tuple[list[Document], Plan]:
                its = holder.plan
                mine = [lift for lift in its.lifts if lift in only]
                return mine, holder.lift(its.generation, by=by, only=mine)

            found = self._each(some)
            results = [(lift, result) for mine, plan in found for lift, result in zip(mine, plan.results, strict=True)]
            wanted = [next(result for lift, result in results if lift == each) for each in order]
            return replace(_merged(plan for _, plan in found), results=tuple(wanted))

    def drop(self, generation: int) -> Plan:
        """Have each forget."""
        with self._lock:
            self._insist(generation)
            return _merged(self._each(lambda holder: holder.drop(holder.plan.generation)))

    def _insist(self, generation: int) -> None:
        held = self.plan.generation
        if generation != held:
            raise RefusedError(f"generation {generation}, and {held} is held")

    def _holder_of(self, lift: Document) -> Holder:
        pod = self._pods.get(str(lift["target"])) if lift["verb"] in CAN_LIFT else None
        return pod or self._here

    def _each[T](self, does: Callable[[Holder], T]) -> list[T]:
        """Do it with all at once, for each pod answers in its own time; raises what the first one raises."""
        if not self._pods:
            return [does(self._here)]
        with ThreadPoolExecutor(len(self._all)) as pool:
            return list(pool.map(does, self._all))


def _merged(plans: Iterable[Plan]) -> Plan:
    held = sorted(plans, key=lambda plan: not plan.results)
    by = [plan.lifted_by for plan in held if plan.lifted_by]
    named = next((plan for plan in held if plan.lifts), held[-1])
    return replace(
        named,
        generation=max(plan.generation for plan in held),
        lifts=tuple(lift for plan in held for lift in plan.lifts),
        results=tuple(result for plan in held for result in plan.results),
        lifted_by="silence" if "silence" in by else next(iter(by), ""),
    )
