"""Nodes of a region: room for pods, loss, the lease that tells of it, evictions in turn, and the provisioner.

Source: CALIBRATION 0 and 1 (lease grace looked at each 5 s; evictions at 0.1 nodes/s, slower or not at all where much
of a zone is lost; Karpenter or the Cluster Autoscaler; launches that fail).
"""

from collections import Counter
from dataclasses import dataclass, field

from sim.control.context import Context, S, Wait

BATCH_NS = 1 * S  # Karpenter waits as long for more pods before it launches (its default)
SCAN_NS = 10 * S  # the Cluster Autoscaler looks for pods without room


@dataclass(eq=False)
class Node:
    """A machine. `images` and `pods` go by service; `seen_lost`: the control plane calls it NotReady."""

    name: str
    zone: int
    free_cpu: float
    alive: bool = True
    seen_lost: bool = False
    losses: int = 0  # so far
    images: set[str] = field(default_factory=set)
    pods: Counter[str] = field(default_factory=Counter)


class Nodes:
    """The nodes of one region."""

    def __init__(self, context: Context, region: str) -> None:
        self._context = context
        self._region = region
        self._size = context.topology.regions[region]
        self._waiting: list[str] = []  # services of pods without room, in order
        self._changed = context.env.event()  # there may be room
        self._deciding = False
        self._launching = 0
        self._next_eviction_ns: Counter[int] = Counter()  # by zone
        self.nodes: list[Node] = []
        for _ in range(self._size.nodes):
            self._add()

    def _add(self, number: int | None = None) -> Node:
        number = len(self.nodes) if number is None else number
        node = Node(f"{self._region}/node-{number}", number % self._size.zones, self._size.node_cpu)
        self.nodes.append(node)
        return node

    # --- room

    def place(self, service: str) -> Node | None:
        """Take room for a pod on a living node, None if none has enough.

        Spread over zones or nodes as the topology says; among equals the node with the most room.
        """
        wanted = self._context.topology.services[service]
        fitting = [n for n in self.nodes if n.alive and n.free_cpu >= wanted.cpu]
        if not fitting:
            return None
        in_zone: Counter[int] = Counter()
        if wanted.spread == "zones":
            for n in self.nodes:
                in_zone[n.zone] += n.pods[service]
        apart = wanted.spread != "none"
        node = min(fitting, key=lambda n: (in_zone[n.zone], n.pods[service] if apart else 0, -n.free_cpu))
        node.free_cpu -= wanted.cpu
        node.pods[service] += 1
        return node

    def free(self, node: Node, service: str) -> None:
        """Give a pod's room back."""
        node.free_cpu += self._context.topology.services[service].cpu
        node.pods[service] -= 1
        self.look_again()

    def look_again(self) -> None:
        """There may be room, or a need for it."""
        changed, self._changed = self._changed, self._context.env.event()
        changed.succeed()
        self._decide()

    def schedule(self, service: str) -> Wait:
        """Wait for room for a pod."""
        while (node := self.place(service)) is None:
            self._waiting.append(service)
            self._decide()
            yield self._changed
            self._waiting.remove(service)
        return node

    # --- the provisioner

    def _decide(self) -> None:
        if self._waiting and not self._deciding and self._size.provisioner != "none":
            self._deciding = True
            self._context.env.process(self._provision())

    def _provision(self) -> Wait:
        """Look at all pods without room together, and launch the nodes that they need, up to the quota."""
        yield self._context.env.timeout(BATCH_NS if self._size.provisioner == "karpenter" else SCAN_NS)
        yield from self._context.apis.wait((f"kubernetes:{self._region}",))
        self._deciding = False
        for _ in range(self._missing()):
            number = len(self.nodes) + self._launching
            self._launching += 1
            self._context.env.process(self._launch(number))

    def _missing(self) -> int:
        """Nodes to launch: what waits, packed into those on their way and then into new ones."""
        rooms = [self._size.node_cpu] * self._launching
        for service in self._waiting:
            cpu = self._context.topology.services[service].cpu
            if cpu > self._size.node_cpu:
                continue
            i = next((i for i, room in enumerate(rooms) if room >= cpu), None)
            if i is None:
                i = len(rooms)
                rooms.append(self._size.node_cpu)
            rooms[i] -= cpu
        standing = sum(n.alive for n in self.nodes) + self._launching
        return max(0, min(len(rooms) - self._launching, self._size.node_quota - standing))

    def _launch(self, number: int) -> Wait:
        """Launch one node; a launch that fails is tried again."""
        context, name = self._context, f"{self._region}/node-{number}"
        karpenter = self._size.provisioner == "karpenter"
        taken = "kubernetes.node_provision" if karpenter else "kubernetes.node_provision_cluster_autoscaler"
        failure = context.parameters.number("kubernetes.node_launch_failure")
        attempt = 0
        while True:
            if context.on("node_provision"):
                yield context.env.timeout(context.draws.sample_ns(taken, name, attempt))
            yield from context.apis.wait((f"kubernetes:{self._region}",))
            if context.draws.uniform(name, "launch", attempt) >= failure:
                break
            yield context.env.timeout(context.ns("kubernetes.node_launch_retry"))
            attempt += 1
        self._launching -= 1
        self._add(number)
        context.mark("node_ready", name)
        self.look_again()

    # --- loss

    def lose(self, node: Node) -> None:
        """A node dies."""
        node.alive = False
        node.losses += 1

    def regain(self, node: Node) -> None:
        """It is back."""
        node.alive, node.seen_lost = True, False
        self.look_again()

    def notice_loss_ns(self, node: Node) -> int:
        """Time from a node's death until the control plane calls it NotReady.

        The grace counts from the last renewal of the node's lease. The controller looks at all nodes now and then.
        """
        context = self._context
        if not context.on("node_leases"):
            return 0
        age = context.draws.uniform(node.name, "lease age", node.losses) * context.ns("kubernetes.node_lease_renewal")
        period = context.ns("kubernetes.node_monitor_period")
        phase = int(context.draws.uniform(f"{self._region}/node monitor", "phase") * period)
        old_ns = context.now_ns + context.ns("kubernetes.node_monitor_grace") - int(age)
        return old_ns + (phase - old_ns) % period - context.now_ns

    @property
    def cut_off(self) -> bool:
        """Whether all zones are seen as lost: then it is the control plane that is cut off, and nothing is evicted."""
        return all(n.seen_lost for n in self.nodes)

    def eviction_turn(self, node: Node) -> Wait:
        """Wait until it is this node's turn to have its pods evicted, or it is back."""
        context = self._context
        yield context.env.timeout(1)  # all nodes are looked at before the first is evicted
        while node.seen_lost:
            if rate := self._eviction_rate(node.zone):
                at_ns = max(context.now_ns, self._next_eviction_ns[node.zone])
                self._next_eviction_ns[node.zone] = at_ns + round(S / rate)
                yield context.env.timeout(at_ns - context.now_ns)
                return
            yield context.env.timeout(context.ns("kubernetes.node_monitor_period"))

    def _eviction_rate(self, zone: int) -> float:
        """Nodes a second whose pods may be evicted in a zone, by how much of it is seen as lost."""
        parameters = self._context.parameters
        lost, ready = Counter[int](), Counter[int]()
        for n in self.nodes:
            (lost if n.seen_lost else ready)[n.zone] += 1
        if self.cut_off:
            return 0.0
        if not ready[zone]:
            evicts = parameters.on("kubernetes.zone_loss_evicts")
            return parameters.number("kubernetes.eviction_rate_per_s") if evicts else 0.0
        size = lost[zone] + ready[zone]
        if lost[zone] > 2 and lost[zone] / size >= parameters.number("kubernetes.zone_unhealthy"):
            small = size <= parameters.number("kubernetes.zone_small_nodes")
            return 0.0 if small else parameters.number("kubernetes.eviction_rate_unhealthy_zone_per_s")
        return parameters.number("kubernetes.eviction_rate_per_s")
