"""Kubernetes of one region: deployments that keep their plan, and what happens to them."""

from sim.build import initial_replicas
from sim.control.context import Context, Wait
from sim.control.nodes import Nodes
from sim.control.pods import Broken, Pod, Pods


class Cluster:
    """Deployments of one region."""

    def __init__(self, context: Context, region: str) -> None:
        self._context = context
        self.region = region
        self.nodes = Nodes(context, region)
        self.pods = Pods(context, region, self.nodes)
        self.by_service: dict[str, list[Pod]] = {}
        self.plan: dict[str, int] = {}
        self.broken: dict[str, Broken] = {s: Broken() for s in context.topology.services}
        for service in context.topology.services:
            self._start(service)

    def _start(self, service: str) -> None:
        station = self._context.names.station[self.region, service]
        places = self._context.names.replicas[station]
        self.plan[service] = initial_replicas(self._context.resolved, self.region, service)
        pods = [Pod(self.region, service, place, i) for i, place in enumerate(places)]
        for pod in pods[: self.plan[service]]:
            pod.node = self.nodes.place(self._context.topology.services[service].cpu)
            pod.ready = pod.serving = pod.wanted = True
            if pod.node is not None:
                pod.node.images.add(service)
        self.by_service[service] = pods

    def ready(self, service: str) -> tuple[int, int]:
        """Pods ready, and pods of the full plan."""
        return sum(p.ready for p in self.by_service[service]), self._context.topology.services[service].replicas

    def deploy(self) -> None:
        """Apply the full plan of every service."""
        for service, size in self._context.topology.services.items():
            self.scale(service, size.replicas)

    def scale(self, service: str, replicas: int) -> None:
        """Set a deployment's size; missing pods are created, superfluous ones removed."""
        self.plan[service] = replicas
        pods = self.by_service[service]
        wanted = [p for p in pods if p.wanted]
        for pod in [p for p in pods if not p.wanted][: max(0, replicas - len(wanted))]:
            self.pods.create(pod)
        for pod in wanted[replicas:]:
            self.pods.remove(pod)

    def wait_ready(self, services: list[str]) -> Wait:
        """Wait until every pod of the plan is ready."""
        while any(self.ready(s)[0] < min(self.plan[s], self.ready(s)[1]) or self.plan[s] == 0 for s in services):
            yield self._context.when("pod_ready")

    def restart(self, service: str) -> None:
        """Rollout restart: new pods take the free places; old ones go when a new one is ready (surge 25 %)."""
        self._context.env.process(self._roll(service))

    def _roll(self, service: str) -> Wait:
        old = [p for p in self.by_service[service] if p.wanted]
        step = max(1, -(-len(old) // 4))
        for first in range(0, len(old), step):
            batch = old[first : first + step]
            fresh = [p for p in self.by_service[service] if not p.wanted][: len(batch)]
            for pod in fresh:
                self.pods.create(pod)
            while not all(p.ready for p in fresh):
                yield self._context.when("pod_ready")
            for pod in batch:
                self.pods.remove(pod)

    def rollout_undo(self, service: str) -> None:
        """Go back to the last good template: crashing pods are replaced at once."""
        self.broken[service].is_so = False
        for pod in [p for p in self.by_service[service] if p.wanted and not p.ready]:
            self.pods.remove(pod)
            pod.wanted = False
            self.pods.create(pod)

    def crash_loop(self, service: str) -> None:
        """Every pod of the service crashes now and at each start."""
        self.broken[service].is_so = True
        for pod in [p for p in self.by_service[service] if p.wanted]:
            self.pods.crash(pod)
            self._context.env.process(self.pods.run_crash_loop(pod, self.broken[service]))

    def kill(self, service: str, count: int) -> None:
        """Some pods die; their places are filled by restarts after the first back-off."""
        for pod in [p for p in self.by_service[service] if p.ready][:count]:
            self.pods.crash(pod)
            self._context.env.process(self.pods.run_crash_loop(pod, Broken()))

    def lose_node(self, service: str) -> list[str]:
        """The node of the service's first ready pod dies. Returns the names of the pods lost."""
        first = next(p for p in self.by_service[service] if p.ready)
        assert first.node is not None, "a ready pod has a node"
        node = first.node
        node.alive = False
        victims = [p for pods in self.by_service.values() for p in pods if p.node is node and p.wanted]
        for pod in victims:
            self.pods.vanish(pod, "node lost")
        self._context.env.process(self._evict(node.name, victims))
        return [p.name for p in victims]

    def _evict(self, node: str, victims: list[Pod]) -> Wait:
        """NotReady after the grace, endpoints follow; after the toleration the pods are replaced elsewhere."""
        context = self._context
        yield context.env.timeout(max(1, self.nodes.notice_loss_ns(node)))
        context.mark("node_not_ready", node)
        for pod in victims:
            self.pods.unready(pod)
        if context.on("toleration"):
            yield context.env.timeout(context.ns("kubernetes.toleration"))
        for pod in victims:
            pod.wanted = False
            pod.node = None
            self.scale(pod.service, self.plan[pod.service])

    def lose(self) -> list[str]:
        """The whole region is gone. Returns what was lost."""
        self.pods.alive = False
        lost = [p for pods in self.by_service.values() for p in pods if p.wanted]
        for node in self.nodes.nodes:
            node.alive = False
        for pod in lost:
            self.pods.vanish(pod, "region lost")
            pod.ready = False
        return [p.name for p in lost]
