"""The timeline: inject each fault when its time has come, see it land, lift it when it is over, see it gone.

What a fault does, and how one sees it, is in `injections`. A look is taken ten times a second; nothing is seen because
time has passed.
"""

from scenarios.model.scenario import Entry
from sim.control.cluster import Cluster
from sim.control.context import Context, Wait
from sim.control.dns import Dns
from sim.control.injections import Injection, Injections, check
from sim.control.observed import Observations

LOOK_NS = 100_000_000
LANDS_WITHIN_NS = 60_000_000_000  # what has not been seen by then has not landed


class Faults:
    """Plays the timeline of a scenario. `going`: faults lifted and not yet seen to be gone."""

    def __init__(self, context: Context, clusters: dict[str, Cluster], dns: Dns, observed: Observations) -> None:
        check(context.resolved.scenario.timeline)
        self._context = context
        self._injections = Injections(context, clusters, dns, observed)
        self._timeline = context.resolved.scenario.timeline
        self._held: dict[int, Injection] = {}  # begun and not lifted
        self.going: set[str] = set()
        self.pending = sum(1 for e in self._timeline if e.at_us is not None)  # entries still to come, and lifts

    def start(self) -> None:
        """Arm every entry of the timeline."""
        for number, entry in enumerate(self._timeline):
            self._context.env.process(self._play(number, entry))

    def _play(self, number: int, entry: Entry) -> Wait:
        context = self._context
        if entry.when is not None:
            yield from context.fact(entry.when)
            self.pending += 1
            yield context.env.timeout(entry.when.after_us * 1_000)
        else:
            yield context.env.timeout((entry.at_us or 0) * 1_000)
        if entry.change is not None:
            self.pending -= 1
            yield from context.procedures.run(entry.change, "people")
            return
        yield from self._break(number, entry)
        self.pending -= 1

    def _name(self, number: int) -> str:
        return f"{self._timeline[number].fault}:{number}"

    def _break(self, number: int, entry: Entry) -> Wait:
        """Inject a fault, look until it has landed, and lift it if it lasts for a time."""
        context, name, begun_ns = self._context, self._name(number), self._context.now_ns
        injection = self._injections.of(entry)
        self._held[number] = injection
        context.mark("injection_begun", name, fault=entry.fault, target=injection.target)
        injection.inject()
        lasts_ns = entry.until * 1_000 if isinstance(entry.until, int) else None
        look_until_ns = begun_ns + min(LANDS_WITHIN_NS, lasts_ns or LANDS_WITHIN_NS)
        landed = False
        while not landed and context.now_ns < look_until_ns:
            yield context.env.timeout(min(LOOK_NS, look_until_ns - context.now_ns))
            landed = injection.landed()
        if landed:
            context.mark("effect_seen", name, fault=entry.fault, hit=injection.target)
        if lasts_ns is not None:
            yield context.env.timeout(max(0, begun_ns + lasts_ns - context.now_ns))
            self._lift(number, by="self")

    def _lift(self, number: int, *, by: str) -> None:
        context, name, fault = self._context, self._name(number), self._timeline[number].fault
        injection = self._held.pop(number)
        context.mark("lift_begun", name, fault=fault)
        injection.lift()
        context.mark("lifted", name, fault=fault, by=by)
        self.going.add(name)
        context.env.process(self._see_gone(name, fault, injection))

    def _see_gone(self, name: str, fault: str | None, injection: Injection) -> Wait:
        gone = False
        while not gone:
            yield self._context.env.timeout(LOOK_NS)
            gone = injection.gone()
        self.going.discard(name)
        self._context.mark("fault_gone", name, fault=fault)

    def clean_up(self) -> None:
        """After the judged interval: what holds until the end is lifted."""
        for number in sorted(self._held):
            if self._timeline[number].until is not None:
                self._lift(number, by="clean-up")
