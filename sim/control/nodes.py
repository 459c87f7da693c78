"""Nodes of a region: room for pods, loss, the lease that tells of it, and the provisioner that makes more.

Source: CALIBRATION 1 (lease grace 50 s looked at each 5 s; Karpenter).
"""

from dataclasses import dataclass, field

import simpy

from sim.control.context import Context, Wait


@dataclass
class Node:
    """A machine. `images` are the services whose image it holds."""

    name: str
    zone: int
    free_cpu: float
    alive: bool = True
    images: set[str] = field(default_factory=set)


class Nodes:
    """The nodes of one region."""

    def __init__(self, context: Context, region: str) -> None:
        self._context = context
        self._region = region
        self._size = context.topology.regions[region]
        self._provisioning: simpy.Event | None = None
        self.nodes = [
            Node(f"{region}/node-{i}", i % self._size.zones, self._size.node_cpu) for i in range(self._size.nodes)
        ]

    def place(self, cpu: float) -> Node | None:
        """Take room on the living node with the most of it, None if no node has enough."""
        fitting = [n for n in self.nodes if n.alive and n.free_cpu >= cpu]
        if not fitting:
            return None
        node = max(fitting, key=lambda n: n.free_cpu)
        node.free_cpu -= cpu
        return node

    def schedule(self, cpu: float, pod: str) -> Wait:
        """Wait for room; the provisioner adds nodes one after the other, up to the quota."""
        while (node := self.place(cpu)) is None:
            if self._provisioning is None:
                if len([n for n in self.nodes if n.alive]) >= self._size.node_quota:
                    yield self._context.env.timeout(10_000_000_000)  # the autoscaler's scan
                    continue
                self._provisioning = self._context.env.process(self._provision())
            yield self._provisioning
        return node

    def _provision(self) -> Wait:
        number = len(self.nodes)
        name = f"{self._region}/node-{number}"
        if self._context.on("node_provision"):
            yield self._context.env.timeout(self._context.draws.sample_ns("kubernetes.node_provision", name))
        yield from self._context.apis.wait((f"kubernetes:{self._region}",))
        self.nodes.append(Node(name, number % self._size.zones, self._size.node_cpu))
        self._context.mark("node_ready", name)
        self._provisioning = None

    def notice_loss_ns(self, name: str) -> int:
        """Time from a node's death until the control plane calls it NotReady."""
        context = self._context
        if not context.on("node_leases"):
            return 0
        period = context.ns("kubernetes.node_monitor_period")
        return context.ns("kubernetes.node_monitor_grace") + int(context.draws.uniform(name, "node monitor") * period)
