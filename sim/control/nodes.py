"""Nodes of a region: room for pods, loss, the lease that tells of it, and the provisioner that makes more.

Source: CALIBRATION 1 (lease grace 50 s looked at each 5 s; Karpenter or the Cluster Autoscaler; launches that fail).
"""

from dataclasses import dataclass, field

import simpy

from sim.control.context import S, Context, Wait

SCAN_NS = 10 * S  # the autoscaler looks for pods without room


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

    def place(self, service: str) -> Node | None:
        """Take room for a pod on the living node with the most of it, None if no node has enough."""
        cpu = self._context.topology.services[service].cpu
        fitting = [n for n in self.nodes if n.alive and n.free_cpu >= cpu]
        if not fitting:
            return None
        node = max(fitting, key=lambda n: n.free_cpu)
        node.free_cpu -= cpu
        return node

    def free(self, node: Node, service: str) -> None:
        """Give a pod's room back."""
        node.free_cpu += self._context.topology.services[service].cpu

    def schedule(self, service: str) -> Wait:
        """Wait for room for a pod; the provisioner adds nodes one after the other, up to the quota."""
        while (node := self.place(service)) is None:
            if self._provisioning is None:
                full = sum(n.alive for n in self.nodes) >= self._size.node_quota
                if full or self._size.provisioner == "none":
                    yield self._context.env.timeout(SCAN_NS)
                    continue
                self._provisioning = self._context.env.process(self._provision())
            yield self._provisioning
        return node

    def _provision(self) -> Wait:
        """Launch one node; a launch that fails is tried again."""
        context, number = self._context, len(self.nodes)
        name = f"{self._region}/node-{number}"
        karpenter = self._size.provisioner == "karpenter"
        taken = "kubernetes.node_provision" if karpenter else "kubernetes.node_provision_cluster_autoscaler"
        for attempt in range(1_000):
            if context.on("node_provision"):
                yield context.env.timeout(context.draws.sample_ns(taken, name, attempt))
            yield from context.apis.wait((f"kubernetes:{self._region}",))
            if context.draws.uniform(name, "launch", attempt) >= context.parameters.number(
                "kubernetes.node_launch_failure"
            ):
                break
            yield context.env.timeout(context.ns("kubernetes.node_launch_retry"))
        self.nodes.append(Node(name, number % self._size.zones, self._size.node_cpu))
        context.mark("node_ready", name)
        self._provisioning = None

    def notice_loss_ns(self, name: str) -> int:
        """Time from a node's death until the control plane calls it NotReady."""
        context = self._context
        if not context.on("node_leases"):
            return 0
        period = context.ns("kubernetes.node_monitor_period")
        return context.ns("kubernetes.node_monitor_grace") + int(context.draws.uniform(name, "node monitor") * period)
