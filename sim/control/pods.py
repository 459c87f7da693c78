"""A pod's life: scheduled, image pulled, started, warmed up, found ready, listed; hung, crashed, lost, replaced.

Source: CALIBRATION 1. A steady readiness poll costs no happening: its next tick is found from its phase.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sim.control.context import Context, S, Wait
from sim.control.nodes import Node, Nodes
from sim.data.commands import Command, ReplicaState

NEVER_NS = -(1 << 61)


@dataclass(eq=False)
class Template:
    """What a deployment's pods run; another rollout has another one. `crashes`: its program ends while it starts."""

    image: str = "released"
    crashes: bool = False


@dataclass(eq=False)
class Pod:
    """One pod in a place of the data plane. `life` counts the pods of the place, so that old plans stop.

    `exists`: the API knows it; `wanted`: it counts for the plan (not one that is being deleted); `serving`: its process
    answers; `ready`: the kubelet says so; `listed`: callers are told.
    """

    region: str
    service: str
    place: int
    index: int
    template: Template
    node: Node | None = None
    exists: bool = False
    wanted: bool = False
    serving: bool = False
    ready: bool = False
    listed: bool = False
    slow_milli: int = 1_000
    life: int = 0
    restarts: int = 0
    moves: int = 0  # in and out of the endpoints, so far
    started_ns: int = 0
    deleted_ns: int = NEVER_NS
    base_ok: int = 0  # counters of its place when its process started
    base_failed: int = 0

    @property
    def name(self) -> str:
        """Return "region/service/index"."""
        return f"{self.region}/{self.service}/{self.index}"


class Pods:
    """All pods of a region. `ready` and `listed` are told of a service whose number of such pods changes."""

    def __init__(
        self,
        context: Context,
        region: str,
        nodes: Nodes,
        ready: Callable[[str], None],
        listed: Callable[[str], None],
    ) -> None:
        self._context = context
        self._nodes = nodes
        self._region = region
        self._ready_changed = ready
        self._listed_changed = listed
        self.alive = True  # the region itself

    # --- beginning

    def create(self, pod: Pod, template: Template) -> None:
        """Begin the life of a new pod in a free place."""
        pod.wanted = pod.exists = True
        pod.template, pod.node, pod.restarts = template, None, 0
        pod.life += 1
        self._context.command(Command.LOSE, pod.place, 1)  # nothing of the pod before it is left
        if pod.slow_milli != 1_000:
            self.slow(pod, 1_000)
        self._context.mark("pod_created", pod.name)
        self._context.env.process(self._begin(pod, pod.life))

    def _begin(self, pod: Pod, life: int) -> Wait:
        context = self._context
        node = yield from self._nodes.schedule(pod.service)
        if not self._current(pod, life):
            self._nodes.free(node, pod.service)
            return
        pod.node = node
        if context.on("image_pull"):
            cached = pod.service in node.images
            pull = "kubernetes.image_pull_cached" if cached else "kubernetes.image_pull_cold"
            yield context.env.timeout(context.draws.sample_ns(pull, f"{node.name}/{pod.service}", life))
        if node.alive:
            node.images.add(pod.service)
        yield from self._run(pod, life)

    def _run(self, pod: Pod, life: int) -> Wait:
        """Start the container until it stays up: 10 s back-off doubling to 300 s, from the second restart on."""
        context = self._context
        while self._runs(pod, life):
            n = life * 1_000 + pod.restarts
            yield context.env.timeout(context.draws.sample_ns("kubernetes.pod_start", pod.name, n))
            if not pod.template.crashes:
                if context.on("app_warm_up"):
                    yield context.env.timeout(context.draws.sample_ns("kubernetes.app_warm_up", pod.name, n))
                if self._runs(pod, life) and not pod.template.crashes:
                    self._serve(pod)
                    yield from self._become_ready(pod, life)
                    return
                continue
            yield context.env.timeout(context.draws.sample_ns("kubernetes.time_to_crash", pod.name, n))
            if self._runs(pod, life):
                yield context.env.timeout(self._back_off_ns(pod))

    def _back_off_ns(self, pod: Pod) -> int:
        """Note a crash; return how long the kubelet waits before it starts the container again."""
        context = self._context
        pod.restarts += 1
        wait = 1
        if pod.restarts > 1 and context.on("crash_back_off"):
            first, most = context.ns("kubernetes.crash_back_off_first"), context.ns("kubernetes.crash_back_off_max")
            wait = min(first << min(pod.restarts - 2, 16), most)
        context.mark("crashed", pod.name, restarts=pod.restarts, back_off_s=wait // S)
        return wait

    def _current(self, pod: Pod, life: int) -> bool:
        return pod.life == life and pod.wanted and self.alive

    def _runs(self, pod: Pod, life: int) -> bool:
        return self._current(pod, life) and pod.node is not None and pod.node.alive

    def _serve(self, pod: Pod) -> None:
        """The process in the pod answers from now on."""
        context = self._context
        pod.serving, pod.started_ns = True, context.now_ns
        counters = context.plane.counters()
        pod.base_ok, pod.base_failed = int(counters.replica_ok[pod.place]), int(counters.replica_failed[pod.place])
        context.command(Command.STATE, pod.place, ReplicaState.SERVING)
        warm_us = context.topology.services[pod.service].warm_up.duration_us
        context.command(Command.WARM, pod.place, context.now_ns + warm_us * 1_000)

    # --- readiness

    def _next_probe_ns(self, pod: Pod) -> int:
        """Time until the kubelet's next readiness probe of a pod; its probes come at a phase of their own."""
        context = self._context
        period = context.ns("kubernetes.readiness_period")
        phase = int(context.draws.uniform(pod.name, "readiness phase", pod.life) * period)
        return period - (context.now_ns - pod.started_ns - phase) % period

    def _become_ready(self, pod: Pod, life: int) -> Wait:
        context = self._context
        if context.on("readiness_probes"):
            more = int(context.parameters.number("kubernetes.readiness_successes")) - 1
            yield context.env.timeout(self._next_probe_ns(pod) + more * context.ns("kubernetes.readiness_period"))
        if not self._runs(pod, life) or not pod.serving or pod.ready:
            return
        self._set_ready(pod, ready=True)
        context.mark("pod_ready", pod.name)
        yield from self._propagate(pod)
        if self._current(pod, life) and pod.ready:
            self._list(pod, listed=True)

    def _find_hung(self, pod: Pod, life: int) -> Wait:
        """The kubelet finds that a pod does not answer: so many probes in a row, the last one until its timeout."""
        context = self._context
        if context.on("readiness_probes"):
            more = int(context.parameters.number("kubernetes.readiness_failures")) - 1
            rounds = self._next_probe_ns(pod) + more * context.ns("kubernetes.readiness_period")
            yield context.env.timeout(rounds + context.ns("kubernetes.readiness_timeout"))
        if self._runs(pod, life) and not pod.serving:
            self.unready(pod)

    def _set_ready(self, pod: Pod, *, ready: bool) -> None:
        pod.ready = ready
        self._ready_changed(pod.service)

    def _list(self, pod: Pod, *, listed: bool) -> None:
        if pod.listed != listed:
            pod.listed = listed
            self._context.command(Command.LIST, pod.place, int(listed))
            self._listed_changed(pod.service)

    def _propagate(self, pod: Pod) -> Wait:
        """Endpoints reach kube-proxy."""
        context = self._context
        pod.moves += 1
        if context.on("endpoint_propagation"):
            yield context.env.timeout(context.draws.sample_ns("kubernetes.endpoint_propagation", pod.name, pod.moves))

    def unready(self, pod: Pod) -> None:
        """Take it out of the endpoints, as fast as they propagate."""
        if pod.ready:
            self._set_ready(pod, ready=False)
            self._context.mark("pod_unready", pod.name)
        self._context.env.process(self._unlist(pod))

    def _unlist(self, pod: Pod) -> Wait:
        yield from self._propagate(pod)
        if not pod.ready and self.alive:
            self._list(pod, listed=False)

    # --- trouble

    def crash(self, pod: Pod) -> None:
        """The process ends: connections are reset, the pod is unready at once, the kubelet starts it again."""
        context = self._context
        context.command(Command.STATE, pod.place, ReplicaState.REFUSING)
        context.command(Command.LOSE, pod.place, 1)
        if context.now_ns - pod.started_ns >= context.ns("kubernetes.crash_back_off_reset"):
            pod.restarts = 0
        pod.serving = False
        self.unready(pod)
        context.env.process(self._start_again(pod, pod.life))

    def _start_again(self, pod: Pod, life: int) -> Wait:
        yield self._context.env.timeout(self._back_off_ns(pod))
        yield from self._run(pod, life)

    def hang(self, pod: Pod) -> None:
        """The process stops answering and says nothing; the kubelet's probes find out."""
        context = self._context
        context.command(Command.STATE, pod.place, ReplicaState.BLACK_HOLE)
        context.command(Command.LOSE, pod.place, 0)
        pod.serving = False
        context.env.process(self._find_hung(pod, pod.life))

    def unhang(self, pod: Pod) -> None:
        """It answers again, if it is still the same process."""
        pod.serving = True
        self._context.command(Command.STATE, pod.place, ReplicaState.SERVING)
        if not pod.ready:
            self._context.env.process(self._become_ready(pod, pod.life))

    def slow(self, pod: Pod, milli: int) -> None:
        """Its work takes so many thousandths of the usual."""
        pod.slow_milli = milli
        self._context.command(Command.SLOW, pod.place, milli)

    # --- ending

    def remove(self, pod: Pod) -> None:
        """Delete it. What it works on is finished within the grace; new connections are refused."""
        context = self._context
        pod.wanted = pod.exists = False
        pod.deleted_ns = context.now_ns
        if pod.serving:
            context.command(Command.STATE, pod.place, ReplicaState.REFUSING)
        pod.serving = False
        self.unready(pod)
        pod.life += 1
        if pod.node is not None:
            self._nodes.free(pod.node, pod.service)
        pod.node = None
        context.env.process(self._kill_at_last(pod, pod.life))

    def _kill_at_last(self, pod: Pod, life: int) -> Wait:
        yield self._context.env.timeout(self._context.ns("kubernetes.termination_grace"))
        if pod.life == life:
            self._context.command(Command.LOSE, pod.place, 1)

    def vanish(self, pod: Pod, reason: str) -> None:
        """Its machine is gone: nobody answers, nobody says so."""
        context = self._context
        context.command(Command.STATE, pod.place, ReplicaState.BLACK_HOLE)
        context.command(Command.LOSE, pod.place, 0)
        pod.serving = False
        context.mark("pod_lost", pod.name, reason=reason)

    def evict(self, pod: Pod) -> None:
        """Delete the object of a pod whose machine is gone: it stays `Terminating`, and does not count any more."""
        pod.wanted = False
        pod.life += 1

    def revive(self, pod: Pod) -> None:
        """Its machine is back: a pod that counts starts its container again, an evicted one is gone at last."""
        context = self._context
        self._set_ready(pod, ready=False)
        self._list(pod, listed=False)
        context.command(Command.STATE, pod.place, ReplicaState.REFUSING)
        if not pod.wanted:
            self.remove(pod)
            return
        pod.life += 1
        context.env.process(self._run(pod, pod.life) if pod.node is not None else self._begin(pod, pod.life))
