"""What can be seen from outside: scrapes of pods and watches over probes. Observers hold nothing else of the system."""

import simpy

from sim.control.cluster import Cluster
from sim.control.context import Context
from sim.control.pods import Pod
from sim.control.roles import Target
from sim.data.plane import Counters


class Watch:
    """So many probes of a class failed in a row, until so many in a row succeeded again."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self.failing = False
        self._turned = env.event()

    def fails(self) -> simpy.Event:
        """Event of the next time it begins to fail (at once if it fails already)."""
        return self._env.event().succeed() if self.failing else self._turned

    def recovers(self) -> simpy.Event:
        """Event of the next time it succeeds again (at once if it does not fail)."""
        return self._turned if self.failing else self._env.event().succeed()

    def fired(self) -> None:
        """The data plane has stopped for it."""
        self.failing = not self.failing
        turned, self._turned = self._turned, self._env.event()
        turned.succeed()


class Observations:
    """The outside view of one trial (`roles.Observed`)."""

    def __init__(self, context: Context, clusters: dict[str, Cluster]) -> None:
        self._context = context
        self._clusters = clusters
        self._watches: dict[int, tuple[tuple[int, int], Watch]] = {}
        self._counters: Counters | None = None

    def watch(self, probe_class: str, failures: int, successes: int) -> Watch:
        """Watch a class of probes; the same class can be watched twice only with the same counts."""
        number = self._context.names.class_number(probe_class)
        counts = (failures, successes)
        if number not in self._watches:
            self._watches[number] = (counts, Watch(self._context.env))
            self._context.plane.watch(number, failures, successes)
        known, watch = self._watches[number]
        assert known == counts, f"{probe_class} is watched for {known} already"
        return watch

    def unwatch(self, probe_class: str) -> None:
        """Watch a class no more."""
        number = self._context.names.class_number(probe_class)
        if self._watches.pop(number, None) is not None:
            self._context.plane.watch(number, 0, 0)

    def answers(self, pod: Pod) -> bool:
        """Whether a pod itself answers when it is asked, as a scrape does."""
        return pod.serving

    def watch_fired(self, number: int) -> None:
        """The data plane has stopped for this class."""
        if number in self._watches:
            self._watches[number][1].fired()

    def scrape(self, observer: str, region: str) -> tuple[Target, ...]:
        """Scrape every pod that service discovery knows in a region.

        Where the observer stands does not matter yet: no fault cuts regions from each other.
        """
        del observer
        if self._counters is None or self._counters.at_ns != self._context.now_ns:
            self._counters = self._context.plane.counters()
        counters = self._counters
        targets = []
        for pod in self._clusters[region].known():
            if not self.answers(pod):
                targets.append(Target(pod.name, pod.service, False, 0, 0))
                continue
            ok = int(counters.replica_ok[pod.place]) - pod.base_ok
            failed = int(counters.replica_failed[pod.place]) - pod.base_failed
            gauges = self._context.exposure.gauges(region, pod.service)
            targets.append(Target(pod.name, pod.service, True, ok, failed, gauges))
        return tuple(targets)
