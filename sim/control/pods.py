"""A pod's life: scheduled, image pulled, started, warmed up, found ready, listed; crashed, lost, replaced.

Source: CALIBRATION 1. A steady readiness poll costs no happening: its next tick is found from its phase.
"""

from dataclasses import dataclass

from sim.control.context import Context, Wait
from sim.control.nodes import Node, Nodes
from sim.data.commands import Command, ReplicaState


@dataclass
class Pod:
    """One pod in a place of the data plane. `life` counts restarts of the place, so that old plans stop."""

    region: str
    service: str
    place: int
    index: int
    node: Node | None = None
    ready: bool = False
    serving: bool = False
    wanted: bool = False
    life: int = 0
    base_ok: int = 0  # counters of its place when its process started
    base_failed: int = 0

    @property
    def name(self) -> str:
        """Return "region/service/index"."""
        return f"{self.region}/{self.service}/{self.index}"


class Pods:
    """All pods of a region."""

    def __init__(self, context: Context, region: str, nodes: Nodes) -> None:
        self._context = context
        self._nodes = nodes
        self._region = region
        self.alive = True  # the region itself

    def create(self, pod: Pod) -> None:
        """Begin a pod's life."""
        pod.wanted = True
        pod.life += 1
        self._context.mark("pod_created", pod.name)
        self._context.env.process(self._begin(pod, pod.life))

    def _begin(self, pod: Pod, life: int) -> Wait:
        context = self._context
        service = context.topology.services[pod.service]
        node = yield from self._nodes.schedule(service.cpu, pod.name)
        pod.node = node
        if context.on("image_pull"):
            cached = pod.service in node.images
            pull = "kubernetes.image_pull_cached" if cached else "kubernetes.image_pull_cold"
            yield context.env.timeout(context.draws.sample_ns(pull, f"{node.name}/{pod.service}", life))
        node.images.add(pod.service)
        yield context.env.timeout(context.draws.sample_ns("kubernetes.pod_start", pod.name, life))
        if context.on("warm_up"):
            yield context.env.timeout(context.draws.sample_ns("kubernetes.app_warm_up", pod.name, life))
        if pod.life == life and pod.wanted and node.alive and self.alive:
            self.serve(pod)
            context.env.process(self._become_ready(pod, life))

    def serve(self, pod: Pod) -> None:
        """The process in the pod answers from now on."""
        context = self._context
        pod.serving = True
        counters = context.plane.counters()
        pod.base_ok, pod.base_failed = int(counters.replica_ok[pod.place]), int(counters.replica_failed[pod.place])
        context.command(Command.STATE, pod.place, ReplicaState.SERVING)
        warm_us = context.topology.services[pod.service].warm_up.duration_us
        context.command(Command.WARM, pod.place, context.now_ns + warm_us * 1_000)

    def _become_ready(self, pod: Pod, life: int) -> Wait:
        context = self._context
        if context.on("readiness_probes"):
            period = context.ns("kubernetes.readiness_period")
            yield context.env.timeout(1 + int(context.draws.uniform(pod.name, "readiness phase", life) * period))
        if not self._current(pod, life) or not pod.serving:
            return
        pod.ready = True
        context.mark("pod_ready", pod.name)
        yield from self._propagate(pod, life)
        if self._current(pod, life) and pod.ready:
            context.command(Command.LIST, pod.place, 1)

    def _current(self, pod: Pod, life: int) -> bool:
        return pod.life == life and pod.wanted and self.alive

    def _propagate(self, pod: Pod, life: int) -> Wait:
        """Endpoints reach kube-proxy."""
        yield self._context.env.timeout(
            self._context.draws.sample_ns("kubernetes.endpoint_propagation", pod.name, life)
        )

    def crash(self, pod: Pod) -> None:
        """The process ends: connections are reset, the pod is unready at once, endpoints follow."""
        context = self._context
        context.command(Command.STATE, pod.place, ReplicaState.REFUSING)
        context.command(Command.LOSE, pod.place, 1)
        pod.serving = False
        self.unready(pod)

    def unready(self, pod: Pod) -> None:
        """Take it out of the endpoints, as fast as they propagate."""
        if pod.ready:
            pod.ready = False
            self._context.mark("pod_unready", pod.name)
        self._context.env.process(self._unlist(pod, pod.life))

    def _unlist(self, pod: Pod, life: int) -> Wait:
        yield from self._propagate(pod, life)
        if not pod.ready and self.alive:
            self._context.command(Command.LIST, pod.place, 0)

    def vanish(self, pod: Pod, reason: str) -> None:
        """Its machine is gone: nobody answers, nobody says so."""
        context = self._context
        context.command(Command.STATE, pod.place, ReplicaState.BLACK_HOLE)
        context.command(Command.LOSE, pod.place, 0)
        pod.serving = False
        context.mark("pod_lost", pod.name, reason=reason)

    def remove(self, pod: Pod) -> None:
        """Delete it: it is no longer wanted, its room is free."""
        pod.wanted = False
        pod.life += 1
        if pod.node is not None and pod.node.alive:
            pod.node.free_cpu += self._context.topology.services[pod.service].cpu
        pod.node = None
        if pod.serving:
            self.crash(pod)
        elif pod.ready:
            self.unready(pod)

    def run_crash_loop(self, pod: Pod, broken: "Broken") -> Wait:
        """Restart with back-off, 10 s doubling to 300 s, as long as its template is broken."""
        context = self._context
        life = pod.life
        first, most = context.ns("kubernetes.crash_back_off_first"), context.ns("kubernetes.crash_back_off_max")
        restarts = 0
        while broken.is_so and self._current(pod, life):
            wait = min(first << restarts, most) if context.on("crash_back_off") else 1_000_000_000
            context.mark("crashed", pod.name, restarts=restarts, back_off_s=wait // 1_000_000_000)
            yield context.env.timeout(wait + context.draws.sample_ns("kubernetes.time_to_crash", pod.name, restarts))
            restarts = min(restarts + 1, 8)
        if self._current(pod, life):
            self.serve(pod)
            context.env.process(self._become_ready(pod, life))


@dataclass
class Broken:
    """Whether a deployment's template crashes at start."""

    is_so: bool = False
