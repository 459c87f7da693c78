"""Kubernetes of one region: deployments that keep their plan, what people ask of them, and what faults do to them.

The methods up to `known` are what `kubectl` offers (`roles.ClusterApi`); the others are what happens to the region.
Sources: CALIBRATION 0.4, 0.7, 1.
"""

import math
from dataclasses import dataclass

from scenarios.errors import Problem, UsageError
from sim.build import initial_replicas
from sim.control.context import Context, Wait
from sim.control.nodes import Node, Nodes
from sim.control.pods import Pod, Pods, Template
from sim.control.series import Series
from sim.data.commands import Command


@dataclass
class Deployment:
    """Pods of one service in their places of the data plane, and how many are wanted."""

    service: str
    pods: list[Pod]
    plan: int
    template: Template
    previous: Template
    ready: Series
    planned: Series

    @property
    def wanted(self) -> list[Pod]:
        """Pods that count for the plan."""
        return [p for p in self.pods if p.wanted]

    @property
    def ready_now(self) -> int:
        """Number of ready pods."""
        return sum(p.ready for p in self.pods)

    @property
    def listed_now(self) -> int:
        """Number of pods that callers are told of."""
        return sum(p.listed for p in self.pods)

    def free(self, count: int) -> list[Pod]:
        """So many places without a pod, those that were never used or are longest empty first."""
        empty = sorted(
            (p for p in self.pods if not p.exists),
            key=lambda p: (-1 if p.deleted_ns is None else p.deleted_ns, p.index),
        )
        assert len(empty) >= count, f"{self.service} has {len(empty)} free places and needs {count}"
        return empty[: max(0, count)]


class Cluster:
    """Deployments of one region."""

    def __init__(self, context: Context, region: str) -> None:
        self._context = context
        self.region = region
        self.nodes = Nodes(context, region)
        self.pods = Pods(context, region, self.nodes, self._count, self._changed)
        self._discovered: list[Pod] = []
        self._database_url: str | None = None
        self._reads_database_url = next(c.caller for c in context.topology.calls if c.callee == "database")
        self.deployments = {service: self._start(service) for service in context.topology.services}

    def _start(self, service: str) -> Deployment:
        context, station = self._context, f"{self.region}/{service}"
        places = context.names.replicas[context.names.station[self.region, service]]
        plan = initial_replicas(context.resolved, self.region, service)
        template = Template()
        pods = [Pod(self.region, service, place, i, template) for i, place in enumerate(places)]
        for pod in pods[:plan]:
            pod.node = self._room_for(service)
            pod.ready = pod.serving = pod.wanted = pod.exists = pod.listed = True
            pod.node.images.add(service)
        ready = context.series(station, "replicas_ready", plan)
        planned = context.series(station, "replicas_planned", plan)
        return Deployment(service, pods, plan, template, template, ready, planned)

    def _room_for(self, service: str) -> Node:
        """Room for a pod that stands there at the start. Raises UsageError when what is free is in pieces too small."""
        node = self.nodes.place(service)
        if node is None:
            where, expected = f"regions.{self.region}.nodes", f"room on one of them for each pod of {service}"
            found = f"{len(self.nodes.nodes)} nodes on which no room is left"
            raise UsageError(Problem(where, found, expected, "Start with one node more, or with larger ones."))
        return node

    def _count(self, service: str) -> None:
        deployment = self.deployments[service]
        deployment.ready.set(deployment.ready_now)

    def _changed(self, service: str) -> None:
        listed = self.deployments[service].listed_now
        self._context.mark("endpoints_changed", f"{self.region}/{service}", ready=listed)

    # --- what the API offers

    def ready(self, service: str) -> tuple[int, int]:
        """Pods ready, and pods of the full plan."""
        return self.deployments[service].ready_now, self._context.topology.services[service].replicas

    def deploy(self) -> None:
        """Apply the full plan of every service."""
        for service, size in self._context.topology.services.items():
            self.scale(service, size.replicas)

    def scale(self, service: str, replicas: int) -> None:
        """Set a deployment's size; missing pods are created, superfluous ones removed, those not ready first."""
        deployment = self.deployments[service]
        deployment.plan = replicas
        deployment.planned.set(replicas)
        wanted = deployment.wanted
        for pod in deployment.free(replicas - len(wanted)):
            self.pods.create(pod, deployment.template)
        for pod in sorted(wanted, key=lambda p: p.ready)[: max(0, len(wanted) - replicas)]:
            self.pods.remove(pod)

    def wait_ready(self, services: list[str]) -> Wait:
        """Wait until every pod of the plan is ready (`kubectl rollout status`)."""
        while any(self._rolling(self.deployments[s]) for s in services):
            yield self._context.when("pod_ready")

    def _rolling(self, deployment: Deployment) -> bool:
        new = [p for p in deployment.wanted if p.template is deployment.template]
        return len(new) < deployment.plan or not all(p.ready for p in new)

    def restart(self, service: str) -> None:
        """Rollout restart: every pod is replaced and reads its configuration anew."""
        template = self.deployments[service].template
        self._roll_out(service, Template(template.image, template.crashes))

    def set_image(self, service: str, image: str, *, crashes: bool = False) -> None:
        """Roll out another image; one that `crashes` never becomes ready."""
        self._roll_out(service, Template(image, crashes))

    def rollout_undo(self, service: str) -> None:
        """Go back to the revision before; pods that never became ready are replaced at once."""
        deployment = self.deployments[service]
        self._roll_out(service, Template(deployment.previous.image))

    def _roll_out(self, service: str, template: Template) -> None:
        deployment = self.deployments[service]
        deployment.previous, deployment.template = deployment.template, template
        self._context.env.process(self._roll(deployment, template))

    def _roll(self, deployment: Deployment, template: Template) -> Wait:
        """Replace pods within the surge (rounded up) and the unavailability (rounded down) of the plan."""
        parameters = self._context.parameters
        surge = math.ceil(parameters.number("kubernetes.surge") * deployment.plan)
        unavailable = math.floor(parameters.number("kubernetes.unavailable") * deployment.plan)
        while deployment.template is template:
            old = [p for p in deployment.wanted if p.template is not template]
            spare = deployment.ready_now - (deployment.plan - unavailable)
            for pod in sorted(old, key=lambda p: p.ready):
                if not pod.ready or spare > 0:
                    spare -= pod.ready
                    self.pods.remove(pod)
            wanted = deployment.wanted
            new = [p for p in wanted if p.template is template]
            room = min(deployment.plan + surge - len(wanted), deployment.plan - len(new))
            for pod in deployment.free(room):
                self.pods.create(pod, template)
            if len(new) == len(wanted) and all(p.ready for p in deployment.wanted):
                break
            yield self._context.when("pod_ready")
        else:
            return
        if deployment.service == self._reads_database_url and self._database_url is not None:
            self._context.database.connect(self.region, self._database_url)

    def patch_config(self, key: str, value: str) -> None:
        """Patch the ConfigMap. `database_url` is an environment variable: pods read it when they start.

        `trading_enabled` is a file: every pod sees it within the kubelet's sync period.
        """
        if key == "database_url":
            self._database_url = value
        elif key == "trading_enabled":
            self._context.env.process(self._sync_trading(value == "true"))

    def _sync_trading(self, enabled: bool) -> Wait:
        """The last pod that takes orders has read it."""
        context = self._context
        entry = next(c.callee for c in context.topology.calls if c.caller == "client")
        delays = [1]
        if context.on("config_sync"):
            names = ("kubernetes.config_sync", "kubernetes.config_cache_delay")
            pods = self.deployments[entry].wanted
            delays += [sum(context.draws.sample_ns(n, p.name, context.now_ns) for n in names) for p in pods]
        yield context.env.timeout(max(delays))
        context.command(Command.TRADING, int(enabled))
        context.mark("trading_enabled" if enabled else "trading_disabled", f"{self.region}/{entry}")

    # --- what service discovery knows

    def known(self) -> list[Pod]:
        """Pods that are scrape targets: those on a machine, until discovery has noticed that they are deleted."""
        context = self._context
        if context.apis.up(f"kubernetes:{self.region}"):
            gone_ns = context.now_ns - context.ns("monitoring.discovery_delay")
            every = (p for d in self.deployments.values() for p in d.pods)
            self._discovered = [p for p in every if (p.exists and p.node is not None) or p.deleted_ns > gone_ns]
        return self._discovered

    # --- what faults aim at

    def ready_pods(self, service: str) -> list[Pod]:
        """Pods that the kubelet calls ready."""
        return [p for p in self.deployments[service].pods if p.ready]

    def share_of(self, service: str, share: float) -> list[Pod]:
        """A share of the pods of the plan, rounded up."""
        wanted = self.deployments[service].wanted
        return wanted[: math.ceil(share * len(wanted))]

    def node_of(self, service: str) -> Node | None:
        """Node of the service's first ready pod, None if there is none."""
        return next((p.node for p in self.ready_pods(service) if p.node is not None), None)

    def pods_on(self, node: Node) -> list[Pod]:
        """Pods on a node."""
        return [p for d in self.deployments.values() for p in d.pods if p.node is node]

    def settled(self, service: str) -> bool:
        """Whether every pod that is wanted is ready."""
        return all(p.ready for p in self.deployments[service].wanted)

    # --- what happens to it

    def kill(self, pods: list[Pod]) -> None:
        """Delete some pods at once; their deployments make others."""
        for pod in pods:
            self._context.command(Command.LOSE, pod.place, 1)
            self.pods.remove(pod)
        for service in dict.fromkeys(p.service for p in pods):
            self.scale(service, self.deployments[service].plan)

    def crash_loop(self, service: str, pods: list[Pod]) -> None:
        """Some pods crash now and at each start, as after a bad release."""
        deployment = self.deployments[service]
        deployment.previous, deployment.template = deployment.template, Template("bad", crashes=True)
        for pod in pods:
            pod.template = deployment.template
            self.pods.crash(pod)

    def mend(self, service: str) -> None:
        """Pods that crashed stay up from their next start on."""
        for pod in self.deployments[service].pods:
            pod.template.crashes = False

    def hang(self, pods: list[Pod]) -> None:
        """Processes of some pods stop answering."""
        for pod in pods:
            self.pods.hang(pod)

    def unhang(self, pods: list[Pod], lives: list[int]) -> None:
        """Those that are still in the life given go on."""
        for pod in self._still(pods, lives):
            self.pods.unhang(pod)

    def slow(self, pods: list[Pod], lives: list[int], milli: int) -> None:
        """Those that are still in the life given work slower (or at their own speed again: 1000)."""
        for pod in self._still(pods, lives):
            self.pods.slow(pod, milli)

    def _still(self, pods: list[Pod], lives: list[int]) -> list[Pod]:
        return [p for p, life in zip(pods, lives, strict=True) if p.life == life and p.exists and self.pods.alive]

    def lose_node(self, node: Node) -> None:
        """A node dies with what is on it."""
        self.nodes.lose(node)
        victims = self.pods_on(node)
        for pod in victims:
            self.pods.vanish(pod, "node lost")
        self._context.env.process(self._evict(node, node.losses, victims))

    def _evict(self, node: Node, loss: int, victims: list[Pod]) -> Wait:
        """NotReady after the grace, endpoints follow; after the toleration the pods are replaced elsewhere."""
        context = self._context
        yield context.env.timeout(max(1, self.nodes.notice_loss_ns(node)))
        if node.alive or node.losses != loss:
            return
        node.seen_lost = True
        context.mark("node_not_ready", node.name)
        for pod in victims:
            self.pods.unready(pod)
        evicted = False
        while not evicted:
            yield from self.nodes.eviction_turn(node)
            if context.on("toleration"):
                yield context.env.timeout(context.ns("kubernetes.toleration"))
            if node.alive or node.losses != loss or not self.pods.alive:
                return
            evicted = not self.nodes.cut_off  # else its taint was taken off again
        for pod in victims:
            self.pods.evict(pod)
        for service in dict.fromkeys(p.service for p in victims):
            self.scale(service, self.deployments[service].plan)

    def regain_node(self, node: Node) -> None:
        """The node is back, and what was on it."""
        self.nodes.regain(node)
        self._context.mark("node_ready", node.name)
        for pod in self.pods_on(node):
            self.pods.revive(pod)

    def lose(self) -> None:
        """The whole region is gone."""
        self.pods.alive = False
        for node in self.nodes.nodes:
            self.nodes.lose(node)
        lost = [p for d in self.deployments.values() for p in d.pods if p.exists]
        for pod in lost:
            self.pods.vanish(pod, "region lost")
            pod.ready = False
        for deployment in self.deployments.values():
            deployment.ready.set(0)

    def regain(self) -> None:
        """The region is back: its nodes start, and every pod on them."""
        self.pods.alive = True
        for node in self.nodes.nodes:
            self.nodes.regain(node)
        for pod in [p for d in self.deployments.values() for p in d.pods if p.exists]:
            self.pods.revive(pod)
