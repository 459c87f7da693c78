"""The timeline: inject each fault when its time has come, see it land, and lift it when it is over.

Every kind of `scenarios.model.faults.FAULTS` is here, with what it hits (its blast radius) and how it is lifted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scenarios.model.scenario import Entry
from sim.control.cluster import Cluster
from sim.control.context import Context, Wait
from sim.data.commands import Command

LANDED_NS = 100_000_000  # the landed-probe looks ten times a second


@dataclass(frozen=True)
class Injection:
    """How to break it, and how to lift it. `inject` returns the subjects in the blast radius."""

    inject: Callable[[], list[str]]
    lift: Callable[[], None]


class Faults:
    """Plays the timeline of a scenario."""

    def __init__(self, context: Context, clusters: dict[str, Cluster]) -> None:
        self._context = context
        self._clusters = clusters
        self._timeline = context.resolved.scenario.timeline
        self._held: dict[int, Injection] = {}  # begun and not lifted
        self.pending = sum(1 for e in self._timeline if e.at_us is not None)  # entries still to come, and lifts

    def start(self) -> None:
        """Arm every entry of the timeline."""
        for number, entry in enumerate(self._timeline):
            self._context.env.process(self._play(number, entry))

    def _play(self, number: int, entry: Entry) -> Wait:
        context = self._context
        if entry.when is not None:
            yield from context.trigger(entry.when)
            self.pending += 1
        else:
            yield context.env.timeout((entry.at_us or 0) * 1_000)
        if entry.change is not None:
            self.pending -= 1
            yield from context.procedures.run(entry.change, "people")
            return
        assert entry.fault is not None, "an entry is a fault or a change"
        name = f"{entry.fault}:{number}"
        injection = self._injections()[entry.fault](entry)
        hit = injection.inject()
        self._held[number] = injection
        context.mark("injection_begun", name, fault=entry.fault, target=hit)
        yield context.env.timeout(LANDED_NS)
        context.mark("effect_seen", name, fault=entry.fault, hit=hit)
        if isinstance(entry.until, int):
            yield context.env.timeout(max(1, entry.until * 1_000 - LANDED_NS))
            self._lift(number, by="self")
        self.pending -= 1

    def _lift(self, number: int, *, by: str) -> None:
        entry, context = self._timeline[number], self._context
        name = f"{entry.fault}:{number}"
        context.mark("lift_begun", name, fault=entry.fault)
        self._held.pop(number).lift()
        context.mark("lifted", name, fault=entry.fault, by=by)
        context.mark("fault_gone", name, fault=entry.fault)

    def clean_up(self) -> None:
        """After the judged interval: what holds until the end is lifted."""
        for number in sorted(self._held):
            if self._timeline[number].until is not None:
                self._lift(number, by="clean-up")

    def _injections(self) -> dict[str, Callable[[Entry], Injection]]:
        return {
            "region-loss": self._region_loss,
            "pod-kill": self._pod_kill,
            "crash-loop": self._crash_loop,
            "node-loss": self._node_loss,
            "drop-table": self._drop_table,
            "database-failure": self._database_failure,
            "slow-pod": self._slow_pod,
            "partition": self._partition,
            "dns-api-down": lambda e: self._apis(["route53"]),
            "api-down": lambda e: self._apis([e.target["api"]]),
            "prometheus-down": self._prometheus_down,
            "replication-stalled": self._replication_stalled,
            "none": lambda e: Injection(list, _nothing),
        }

    def _region_loss(self, entry: Entry) -> Injection:
        region, context = entry.target["region"], self._context
        there = context.parameters.on("dns.control_plane_in_us_east_1")
        apis = context.apis.of_region(region, dns_there=there)

        def inject() -> list[str]:
            self._clusters[region].lose()
            context.database.lose(region)
            context.copies.lose(region)
            context.monitoring.lose(region)
            context.automation.lose(region)
            for api in apis:
                context.apis.set(api, up=False)
            return [region, *(f"{region}/{s}" for s in context.names.services)]

        def lift() -> None:
            for api in apis:
                context.apis.set(api, up=True)
            self._clusters[region].regain()
            context.database.regain(region)
            context.copies.regain(region)
            context.monitoring.regain(region)
            context.automation.regain(region)

        return Injection(inject, lift)

    def _service(self, entry: Entry) -> tuple[Cluster, str]:
        return self._clusters[entry.target["region"]], entry.target["service"]

    def _pod_kill(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        return Injection(lambda: cluster.kill(service, int(entry.options.get("count", 1))), _nothing)

    def _crash_loop(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)

        def inject() -> list[str]:
            hit = cluster.crash_loop(service, float(entry.options.get("share", 1.0)))
            return [f"{cluster.region}/{service}", *hit]

        return Injection(inject, lambda: cluster.mend(service))

    def _node_loss(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        lost: list[str] = []

        def inject() -> list[str]:
            node, pods = cluster.lose_node(service)
            lost.append(node)
            return [node, *pods]

        return Injection(inject, lambda: cluster.regain_node(lost[0]))

    def _drop_table(self, entry: Entry) -> Injection:
        def inject() -> list[str]:
            self._context.database.drop_table()
            return [f"{entry.target['region']}/database"]

        return Injection(inject, _nothing)

    def _database_failure(self, entry: Entry) -> Injection:
        region = entry.target["region"]

        def inject() -> list[str]:
            self._context.database.fail_primary(region)
            return [f"{region}/database"]

        return Injection(inject, _nothing)  # the standby, or the instance's own repair, ends it

    def _slow_pod(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        count, factor = int(entry.options.get("count", 1)), float(entry.options.get("factor", 2))
        chosen = [p for p in cluster.known() if p.service == service and p.ready][:count]

        def inject() -> list[str]:
            for pod in chosen:
                self._context.command(Command.SLOW, pod.place, round(factor * 1_000))
            return [p.name for p in chosen]

        def lift() -> None:
            for pod in chosen:
                self._context.command(Command.SLOW, pod.place, 1_000)

        return Injection(inject, lift)

    def _partition(self, entry: Entry) -> Injection:
        region, service = entry.target["region"], entry.target["service"]
        edge = self._context.names.edge[region, service]

        def inject() -> list[str]:
            self._context.command(Command.CUT, edge, 1)
            return [f"{region}/{service}"]

        return Injection(inject, lambda: self._context.command(Command.CUT, edge, 0))

    def _apis(self, names: list[str]) -> Injection:
        def inject() -> list[str]:
            for name in names:
                self._context.apis.set(name, up=False)
            return names

        def lift() -> None:
            for name in names:
                self._context.apis.set(name, up=True)

        return Injection(inject, lift)

    def _prometheus_down(self, entry: Entry) -> Injection:
        region, monitoring = entry.target["region"], self._context.monitoring

        def inject() -> list[str]:
            monitoring.lose(region)
            return [f"{region}/prometheus"]

        return Injection(inject, lambda: monitoring.regain(region))

    def _replication_stalled(self, entry: Entry) -> Injection:
        database = self._context.database

        def inject() -> list[str]:
            database.stall_replication(stalled=True)
            return [f"{entry.target['region']}/database"]

        return Injection(inject, lambda: database.stall_replication(stalled=False))


def _nothing() -> None:
    """Nothing to lift."""
