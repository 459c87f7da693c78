"""What each kind of fault does to the system, how it is lifted, and how one sees it land and go.

A look asks what the fault aims at: probes its pods and databases, asks the Kubernetes API, reads what pods have worked.
Every kind of `scenarios.model.faults.FAULTS` that the twin plays is here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from scenarios.errors import Problem, UsageError
from scenarios.model.faults import FAULTS
from scenarios.model.scenario import Entry
from sim.control.cluster import Cluster
from sim.control.context import Context
from sim.control.dns import Dns
from sim.control.observed import Observations
from sim.control.pods import Pod
from sim.data.commands import Command

Act = Callable[[], object]
Look = Callable[[], bool]

ENOUGH_ANSWERS = 20  # of a pod, to say how fast it works


@dataclass(frozen=True)
class Injection:
    """How to break it, how to lift it, and whether each is seen. `target`: the subjects in the blast radius."""

    target: list[str]
    inject: Act
    lift: Act
    landed: Look
    gone: Look


def check(timeline: Iterable[Entry]) -> None:
    """Refuse a timeline with a fault that only a cluster can play. Raises UsageError."""
    can = [kind.name for kind in FAULTS.values() if "twin" in kind.worlds]
    problems = [
        Problem(
            f"timeline.{number}.fault",
            f"{entry.fault}, which the twin cannot play",
            f"one of {', '.join(can)}",
            "Play it on a cluster: `gameday run SCENARIO --world kind`.",
        )
        for number, entry in enumerate(timeline)
        if entry.fault is not None and entry.fault not in can
    ]
    if problems:
        raise UsageError(*problems)


def _nothing() -> None:
    """Nothing to do."""


def _always() -> bool:
    """There is nothing to see."""
    return True


def _never() -> bool:
    """There was nothing to hit."""
    return False


class Injections:
    """Makes the injection of a timeline's entry, at the time of its injection."""

    def __init__(self, context: Context, clusters: dict[str, Cluster], dns: Dns, observed: Observations) -> None:
        self._context = context
        self._clusters = clusters
        self._dns = dns
        self._observed = observed
        self._kinds: dict[str, Callable[[Entry], Injection]] = {
            "region-loss": self._region_loss,
            "pod-kill": self._pod_kill,
            "pod-hang": self._pod_hang,
            "crash-loop": self._crash_loop,
            "node-loss": self._node_loss,
            "drop-table": self._drop_table,
            "database-failure": self._database_failure,
            "slow-pod": self._slow_pod,
            "partition": self._partition,
            "dns-api-down": lambda e: self._api_down("route53"),
            "api-down": lambda e: self._api_down(e.target["api"]),
            "var-shock": self._var_shock,
            "prometheus-down": self._prometheus_down,
            "replication-stalled": self._replication_stalled,
            "none": lambda e: Injection([], _nothing, _nothing, _always, _always),
        }

    def of(self, entry: Entry) -> Injection:
        """The injection of a fault."""
        assert entry.fault is not None, "an entry is a fault or a change"
        return self._kinds[entry.fault](entry)

    # --- looks

    def _unanswered(self, *classes: str) -> Look:
        """A probe of each of these classes has failed since the first look was prepared; watched only until then."""
        watches = [self._observed.watch(c, 1, 1) for c in classes]

        def look() -> bool:
            if not all(w.failing for w in watches):
                return False
            for c in classes:
                self._observed.unwatch(c)
            return True

        return look

    def _silent(self, pods: list[Pod]) -> bool:
        """None of these pods answers; there are some."""
        return bool(pods) and not any(map(self._observed.answers, pods))

    def _whole(self, cluster: Cluster) -> bool:
        """The region's API answers, its nodes are there, and every pod that is wanted is ready."""
        up = self._context.apis.up(f"kubernetes:{cluster.region}")
        return up and all(n.alive for n in cluster.nodes.nodes) and all(map(cluster.settled, cluster.deployments))

    def _writes_in(self, region: str) -> bool:
        """The region's database says that it takes writes."""
        now_us = np.array([self._context.now_ns // 1_000])
        return self._context.database.timeline_of(region, now_us)[0] is not None

    def _received_us(self, region: str) -> int:
        """Time of the newest position that can be read in a region."""
        return int(self._context.database.as_of_us(region, np.array([self._context.now_ns // 1_000]))[0])

    # --- regions, nodes and pods

    def _region_loss(self, entry: Entry) -> Injection:
        region, context = entry.target["region"], self._context
        cluster = self._clusters[region]
        parts = (context.copies, context.monitoring, context.automation, self._dns)
        hosted = context.topology.dns.control_plane == region
        there = hosted and context.parameters.on("dns.control_plane_in_us_east_1")
        apis = context.apis.of_region(region, dns_there=there)
        services = context.names.services
        landed = self._unanswered(*(f"{s}/direct/{region}" for s in services))

        def inject() -> None:
            cluster.lose()
            context.database.lose(region)
            for part in parts:
                part.lose(region)
            for api in apis:
                context.apis.set(api, up=False)

        def lift() -> None:
            for api in apis:
                context.apis.set(api, up=True)
            cluster.regain()
            context.database.regain(region)
            for part in parts:
                part.regain(region)

        target = [region, *(f"{region}/{s}" for s in services)]
        return Injection(target, inject, lift, landed, lambda: self._whole(cluster))

    def _service(self, entry: Entry) -> tuple[Cluster, str]:
        return self._clusters[entry.target["region"]], entry.target["service"]

    def _pod_kill(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        pods = cluster.ready_pods(service)[: int(entry.options.get("count", 1))]
        lives = [p.life for p in pods]
        return Injection(
            _names(pods),
            lambda: cluster.kill(pods),
            _nothing,
            lambda: bool(pods) and all(p.life != life for p, life in zip(pods, lives, strict=True)),
            _always,
        )

    def _pod_hang(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        pods = cluster.ready_pods(service)[: int(entry.options.get("count", 1))]
        lives = [p.life for p in pods]
        return Injection(
            _names(pods),
            lambda: cluster.hang(pods),
            lambda: cluster.unhang(pods, lives),
            lambda: self._silent(pods),
            lambda: cluster.settled(service),
        )

    def _crash_loop(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        pods = cluster.share_of(service, float(entry.options.get("share", 1.0)))
        return Injection(
            [f"{cluster.region}/{service}", *_names(pods)],
            lambda: cluster.crash_loop(service, pods),
            lambda: cluster.mend(service),
            lambda: self._silent(pods) and all(p.restarts > 0 for p in pods),
            lambda: cluster.settled(service),
        )

    def _node_loss(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        node = cluster.node_of(service)
        if node is None:
            return Injection([], _nothing, _nothing, _never, _always)
        pods = cluster.pods_on(node)
        return Injection(
            [node.name, *_names(pods)],
            lambda: cluster.lose_node(node),
            lambda: cluster.regain_node(node),
            lambda: self._silent(pods),
            lambda: node.alive and all(map(cluster.settled, {p.service for p in pods})),
        )

    def _slow_pod(self, entry: Entry) -> Injection:
        cluster, service = self._service(entry)
        factor = float(entry.options.get("factor", 2))
        pods = cluster.ready_pods(service)[: int(entry.options.get("count", 1))]
        lives = [p.life for p in pods]
        places = [p.place for p in pods]
        before = self._context.plane.counters()
        usual_ns = self._context.topology.services[service].own.mean_us * 1_000

        def landed() -> bool:
            now = self._context.plane.counters()
            answers = (now.replica_ok + now.replica_failed - before.replica_ok - before.replica_failed)[places]
            work_ns = (now.work_ns - before.work_ns)[places]
            enough = answers >= ENOUGH_ANSWERS
            return bool(pods) and bool(enough.all() and (work_ns >= (1 + factor) / 2 * usual_ns * answers).all())

        return Injection(
            _names(pods),
            lambda: cluster.slow(pods, lives, round(factor * 1_000)),
            lambda: cluster.slow(pods, lives, 1_000),
            landed,
            lambda: all(p.slow_milli == 1_000 for p in pods),  # with no load to time it by, its limit is read back
        )

    # --- databases and what is between

    def _drop_table(self, entry: Entry) -> Injection:
        region, database = entry.target["region"], self._context.database
        return Injection(
            [f"{region}/database"], database.drop_table, _nothing, lambda: not self._writes_in(region), _always
        )

    def _database_failure(self, entry: Entry) -> Injection:
        region, database = entry.target["region"], self._context.database
        return Injection(
            [f"{region}/database"],
            lambda: database.fail_primary(region),
            lambda: database.start_again(region),  # unless the standby, or the instance's own repair, was faster
            self._unanswered(f"database/direct/{region}"),
            lambda: any(map(self._writes_in, self._clusters)),
        )

    def _replication_stalled(self, entry: Entry) -> Injection:
        region, database = entry.target["region"], self._context.database
        replica = self._context.topology.database.replica_region or region
        seen: list[tuple[int, int]] = []  # when, and what had been received

        def newer_within(interval_ns: int) -> bool | None:
            """Whether the replica has received anything in an interval before now; None: not looked for so long."""
            seen.append((self._context.now_ns, self._received_us(replica)))
            old = [r for t, r in seen if t <= self._context.now_ns - interval_ns]
            return seen[-1][1] > old[-1] if old else None

        return Injection(
            [f"{region}/database"],
            lambda: database.stall_replication(stalled=True),
            lambda: database.stall_replication(stalled=False),
            lambda: newer_within(2_000_000_000) is False,
            lambda: newer_within(1) is True,
        )

    def _partition(self, entry: Entry) -> Injection:
        region, service = entry.target["region"], entry.target["service"]
        edge = self._context.names.edge[region, service]
        through = self._observed.watch(f"order/look/{region}", 1, 1)
        return Injection(
            [f"{region}/{service}"],
            lambda: self._context.command(Command.CUT, edge, 1),
            lambda: self._context.command(Command.CUT, edge, 0),
            lambda: through.failing,
            lambda: not through.failing,
        )

    def _api_down(self, name: str) -> Injection:
        apis = self._context.apis
        return Injection(
            [name],
            lambda: apis.set(name, up=False),
            lambda: apis.set(name, up=True),
            lambda: not apis.up(name),
            lambda: apis.up(name),
        )

    def _var_shock(self, entry: Entry) -> Injection:
        region, service = entry.target["region"], entry.target["service"]
        exposure, factor = self._context.exposure, float(entry.options.get("factor", 1.6))
        usual = exposure.gauges(region, service)

        def moved() -> bool:
            """The service's pods show something else than before."""
            shown = [t.gauges for t in self._observed.scrape(region, region) if t.service == service and t.up]
            return bool(shown) and all(gauges != usual for gauges in shown)

        return Injection(
            [f"{region}/{service}"],
            lambda: exposure.shock(region, service, factor),
            lambda: exposure.shock(region, service, 1.0),
            moved,
            lambda: not moved(),
        )

    def _prometheus_down(self, entry: Entry) -> Injection:
        region, monitoring = entry.target["region"], self._context.monitoring
        return Injection(
            [f"{region}/prometheus"],
            lambda: monitoring.stop(region),
            lambda: monitoring.regain(region),
            lambda: not monitoring.healthy(region),
            lambda: monitoring.healthy(region),
        )


def _names(pods: list[Pod]) -> list[str]:
    return [p.name for p in pods]
