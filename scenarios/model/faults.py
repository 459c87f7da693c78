"""The closed list of faults: what each aims at, what it hits, whether it is lifted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Hits = Literal["region", "service", "pod", "node", "database", "data", "dns", "monitoring", "none"]
World = Literal["twin", "kind"]


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
class Choice:
    """A word under `with:` of a fault, from a list."""

    name: str
    default: str
    words: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault. `hits` says what its blast radius is on the topology, given its target."""

    name: str
    target: tuple[str, ...]  # keys its target must have
    hits: Hits
    lifted: bool  # has a lift (else instantaneous)
    title: str
    options: tuple[Option | Choice, ...] = ()
    worlds: tuple[World, ...] = ("twin", "kind")  # which can play it


_COUNT = Option("count", 1, 1, 1000, "how many pods", whole=True)
_SHARE = Option("share", 1.0, 0.01, 1.0, "share of the pods, e.g. 50 %")
_FACTOR = Option("factor", 2.0, 1.0, 1000.0, "how many times longer their work takes")
_LOST_BY = Choice(
    "by",
    "pause",
    ("pause", "stop", "cut"),
    "how a cluster loses it: it hangs and comes back as it was, stops, or is cut from the network; the twin's is gone",
)
_CRASHES_BY = Choice("by", "config", ("config", "image"), "on a cluster: a configuration or an image that is bad")
_DELAY = Option("delay_ms", 200, 1, 60_000, "milliseconds added to each answer", whole=True)
_LAG = Option("delay_ms", 5_000, 100, 600_000, "milliseconds that the replica is behind", whole=True)
_LOST = Option("share", 0.1, 0.01, 0.99, "share of the packets that are lost")
_MEMORY = Option("share", 0.8, 0.1, 0.95, "share of the container's memory limit that is in use")
_CPU = Option("cpu", 0.05, 0.01, 4, "vCPU that the database is left with")

_SHOCK = Option("factor", 1.6, 0.1, 100.0, "how many times what it usually is")

_SERVICE = ("region", "service")
_TWIN: tuple[World, ...] = ("twin",)
_KIND: tuple[World, ...] = ("kind",)

_KINDS = (
    FaultKind(
        "region-loss",
        ("region",),
        "region",
        True,
        "a whole region is lost: nodes, database, control plane and its monitoring",
        (_LOST_BY,),
    ),
    FaultKind("pod-kill", _SERVICE, "pod", False, "pods die at once; others replace them", (_COUNT,)),
    FaultKind("pod-hang", _SERVICE, "pod", True, "pods stop answering and say nothing", (_COUNT,)),
    FaultKind(
        "crash-loop", _SERVICE, "service", True, "pods of a service crash whenever they start", (_SHARE, _CRASHES_BY)
    ),
    FaultKind(
        "bad-rollout", _SERVICE, "service", True, "a release that crashes is rolled out; old pods serve on", (), _KIND
    ),
    FaultKind("node-loss", _SERVICE, "node", True, "the node that runs the service's first pod dies"),
    FaultKind(
        "node-pause", _SERVICE, "node", True, "the node that runs the service's first pod hangs, and goes on", (), _KIND
    ),
    FaultKind(
        "cordon-drain", _SERVICE, "node", True, "the node that runs the service's first pod is drained", (), _KIND
    ),
    FaultKind("drop-table", ("region",), "data", False, "a table is dropped; the statement replicates"),
    FaultKind(
        "database-failure",
        ("region",),
        "database",
        True,
        "the primary dies; a standby takes over, or it is started again",
    ),
    FaultKind("slow-database", ("region",), "database", True, "the primary is short of CPU", (_CPU,), _KIND),
    FaultKind("disk-full", ("region",), "database", True, "the disk of the write-ahead log is full", (), _KIND),
    FaultKind("slow-pod", _SERVICE, "pod", True, "pods work slower", (_FACTOR, _COUNT), _TWIN),
    FaultKind("cpu-pressure", _SERVICE, "pod", True, "something uses all CPU of the pods' limit", (_COUNT,), _KIND),
    FaultKind(
        "memory-pressure", _SERVICE, "pod", True, "something uses memory of the pods' limit", (_COUNT, _MEMORY), _KIND
    ),
    FaultKind("partition", _SERVICE, "service", True, "calls from a service to its callee hang"),
    FaultKind("packet-loss", _SERVICE, "service", True, "packets to and from a service are lost", (_LOST,), _KIND),
    FaultKind("added-latency", _SERVICE, "service", True, "every answer of a service is delayed", (_DELAY,), _KIND),
    FaultKind("redis-loss", ("region",), "none", True, "the cache is gone", (), _KIND),
    FaultKind("dns-api-down", (), "dns", True, "DNS records cannot be changed"),
    FaultKind("api-down", ("api",), "none", True, "a control API does not answer", (), _TWIN),
    FaultKind(
        "var-shock",
        _SERVICE,
        "none",
        True,
        "the market moves: the value at risk that a service computes is another",
        (_SHOCK,),
        _TWIN,
    ),
    FaultKind("prometheus-down", ("region",), "monitoring", True, "a Prometheus is down"),
    FaultKind("replication-stalled", ("region",), "database", True, "the replica receives nothing"),
    FaultKind("replication-delayed", ("region",), "database", True, "the replica receives late", (_LAG,), _KIND),
    FaultKind("region-partition", ("region",), "none", True, "a region and the others lose each other", (), _KIND),
    FaultKind("none", (), "none", False, "nothing breaks"),
)
FAULTS: dict[str, FaultKind] = {kind.name: kind for kind in _KINDS}
WORDS = frozenset(w for kind in _KINDS for option in kind.options if isinstance(option, Choice) for w in option.words)


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
