"""The closed list of faults: what each aims at, what it hits, whether it is lifted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault. `hits` says what its blast radius is on the topology, given its target."""

    name: str
    target: tuple[str, ...]  # keys its target must have
    hits: str  # "region" | "service" | "pod" | "node" | "database" | "data" | "dns" | "monitoring" | "none"
    lifted: bool  # has a lift (else instantaneous)
    title: str
    options: tuple[str, ...] = ()


FAULTS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            "region-loss",
            ("region",),
            "region",
            True,
            "a whole region is lost: nodes, database, control plane and its monitoring",
        ),
        FaultKind("pod-kill", ("region", "service"), "pod", False, "one pod dies at once", ("count",)),
        FaultKind(
            "crash-loop", ("region", "service"), "service", True, "every pod of a service crashes at start", ("share",)
        ),
        FaultKind("node-loss", ("region", "service"), "node", True, "the node that runs the service's first pod dies"),
        FaultKind("drop-table", ("region",), "data", False, "a table is dropped; the statement replicates"),
        FaultKind("database-failure", ("region",), "database", True, "the primary dies; the standby takes over"),
        FaultKind("slow-pod", ("region", "service"), "pod", True, "pods work slower", ("factor", "count")),
        FaultKind("partition", ("region", "service"), "service", True, "calls from a service to its callee hang"),
        FaultKind("dns-api-down", (), "dns", True, "DNS records cannot be changed"),
        FaultKind("api-down", ("api",), "none", True, "a control API does not answer"),
        FaultKind("prometheus-down", ("region",), "monitoring", True, "a Prometheus is down"),
        FaultKind("replication-stalled", ("region",), "database", True, "the replica receives nothing"),
        FaultKind("none", (), "none", False, "nothing breaks"),
    )
}
