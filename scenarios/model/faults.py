"""The closed list of faults: what each aims at, what it hits, whether it is lifted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Hits = Literal["region", "service", "pod", "node", "database", "data", "dns", "monitoring", "none"]


@dataclass(frozen=True)
class Option:
    """A number under `with:` of a fault."""

    name: str
    default: float
    least: float
    most: float
    title: str
    whole: bool = False


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault. `hits` says what its blast radius is on the topology, given its target."""

    name: str
    target: tuple[str, ...]  # keys its target must have
    hits: Hits
    lifted: bool  # has a lift (else instantaneous)
    title: str
    options: tuple[Option, ...] = ()


_COUNT = Option("count", 1, 1, 1000, "how many pods", whole=True)
_SHARE = Option("share", 1.0, 0.01, 1.0, "share of the pods, e.g. 50 %")
_FACTOR = Option("factor", 2.0, 1.0, 1000.0, "how many times longer their work takes")

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
        FaultKind("pod-kill", ("region", "service"), "pod", False, "pods die at once; others replace them", (_COUNT,)),
        FaultKind("pod-hang", ("region", "service"), "pod", True, "pods stop answering and say nothing", (_COUNT,)),
        FaultKind(
            "crash-loop",
            ("region", "service"),
            "service",
            True,
            "pods of a service crash whenever they start",
            (_SHARE,),
        ),
        FaultKind("node-loss", ("region", "service"), "node", True, "the node that runs the service's first pod dies"),
        FaultKind("drop-table", ("region",), "data", False, "a table is dropped; the statement replicates"),
        FaultKind("database-failure", ("region",), "database", True, "the primary dies; the standby takes over"),
        FaultKind("slow-pod", ("region", "service"), "pod", True, "pods work slower", (_FACTOR, _COUNT)),
        FaultKind("partition", ("region", "service"), "service", True, "calls from a service to its callee hang"),
        FaultKind("dns-api-down", (), "dns", True, "DNS records cannot be changed"),
        FaultKind("api-down", ("api",), "none", True, "a control API does not answer"),
        FaultKind("prometheus-down", ("region",), "monitoring", True, "a Prometheus is down"),
        FaultKind("replication-stalled", ("region",), "database", True, "the replica receives nothing"),
        FaultKind("none", (), "none", False, "nothing breaks"),
    )
}


def blast_radius(kind: str, target: Mapping[str, str], topology: Mapping[str, Any]) -> frozenset[str]:
    """Services, "database" and "page" that a kind of fault hits by itself, on a resolved topology document.

    A region hits its services when users are served there (role active) and the database when it is its home.
    """
    hits = FAULTS[kind].hits if kind in FAULTS else "none"
    services, region, home = frozenset(topology["services"]), target.get("region"), topology["database"]["home"]
    active = topology["regions"].get(region, {}).get("role") == "active"
    database = frozenset({"database"}) if region in (None, home) else frozenset[str]()
    if hits == "region":
        return (services if active else frozenset()) | (database if region == home else frozenset())
    if hits in ("service", "pod", "node"):
        return frozenset({target.get("service", "")} & services) if active else frozenset()
    if hits in ("database", "data"):
        return database
    return frozenset({"page"}) if hits == "monitoring" else frozenset()


def data_hit(kind: str, target: Mapping[str, str], topology: Mapping[str, Any]) -> frozenset[str]:
    """Classes of data whose region or database a fault hits, on a resolved topology document."""
    hits, home = FAULTS[kind].hits if kind in FAULTS else "none", topology["database"]["home"]
    if hits == "region" and target.get("region") == home:
        return frozenset({"transactions", *topology["database"].get("copies", {})})
    if hits in ("database", "data") and target.get("region", home) == home:
        return frozenset({"transactions"})
    return frozenset()
