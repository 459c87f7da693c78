"""What of the testbed is there and well, looked at from outside."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.message
import dns.query
import psycopg
from kubernetes.client import AppsV1Api, CoreV1Api, V1Node

from experiments.platforms import trading
from experiments.platforms.direct import urlopen
from experiments.platforms.docker import inspected
from experiments.platforms.kube import TIMEOUT_S, KubernetesError, NoClusterError, asking, client_of
from experiments.platforms.shell import attempt
from experiments.testbed import clusters, doctor, layout, state
from experiments.testbed.connecting import connect
from experiments.testbed.layout import PLACES, Place
from experiments.testbed.plan import plan
from scenarios.errors import Problem

_PATIENCE_S = 2
_STATS = 3  # looks at Docker's statistics, each over about two seconds


@dataclass(frozen=True)
class Database:
    """What a database says of itself."""

    writable: bool  # out of recovery; the lease may still refuse
    timeline: int
    position: int
    replayed_at_us: int | None
    streaming_standbys: int


@dataclass(frozen=True)
class Workload:
    """Pods of a Deployment or StatefulSet."""

    wanted: int
    ready: int
    settled: bool  # every pod is of the newest template


@dataclass(frozen=True)
class Region:
    """A region as it is found."""

    nodes: dict[str, str]  # container -> running, paused, exited, cut, absent
    nodes_ready: int
    workloads: dict[str, Workload]
    database: Database | None
    prometheus: bool
    refused: str = ""  # why its API server tells us nothing; empty: it answers, and it is the one that was made
    trading_off: str = ""  # since when trading is disabled there, in words; empty: it is not


@dataclass(frozen=True)
class Use:
    """What all containers of the testbed use of the machine."""

    cpu_cores: float
    memory_gb: float


@dataclass(frozen=True)
class Status:
    """The whole testbed. `lacks` says in words what keeps it from being whole; empty: it is."""

    regions: dict[str, Region]
    containers: dict[str, str]
    dns: str | None  # the region that the name leads to
    lease: str | None  # the region that may write
    automation: dict[str, Any] | None
    lag_s: float | None  # age of what the standby has replayed while it is behind; 0: it has everything
    pending_failback: bool
    lacks: tuple[str, ...]
    use: Use | None = None

    @property
    def whole(self) -> bool:
        """One primary at home, standby streaming, DNS home, every pod of the plan ready."""
        return not self.lacks


def look(*, measure: bool = False) -> Status:
    """Look at everything; `measure` takes some seconds more, for what it uses of the machine.

    Raises:
        CommandError: Docker or kind cannot be asked.
    """
    with ThreadPoolExecutor(8) as pool:
        use = pool.submit(_use) if measure else None
        found = dict(zip(PLACES, pool.map(_region, PLACES.values()), strict=True))
        containers = pool.submit(_containers)
        name, lease = pool.submit(_dns), pool.submit(_lease)
        automation = pool.submit(_get, f"{_automation_place().url('automation')}/status")
        lag_s = _lag_s(found)
        parts = (found, containers.result(), name.result(), lease.result(), automation.result())
        lacks = tuple(_lacks(*parts))
        return Status(
            *parts, lag_s, _pending(found, name.result(), lease.result()), lacks, use.result() if use else None
        )


def database(place: Place) -> Database | None:
    """Ask the database of a region; nothing when it does not answer."""
    try:
        with connect(place, "prober", within_s=_PATIENCE_S, statement_s=_PATIENCE_S) as connection:
            row = connection.execute(
                "SELECT in_recovery, timeline, position, replayed_at_us, streaming_standbys FROM gameday_state()"
            ).fetchone()
    except psycopg.Error:
        return None
    return Database(not row[0], *row[1:]) if row else None


def name_leads_to() -> str | None:
    """Region that the name server answers with; nothing when it does not answer."""
    question = dns.message.make_query(layout.TRADE_NAME, "A")
    try:
        answer = dns.query.udp(question, layout.HOST, timeout=_PATIENCE_S, port=layout.DNS_PORT)
    except (dns.exception.DNSException, OSError):
        return None
    addresses = {item.to_text() for rows in answer.answer for item in rows}
    return next((place.region for place in PLACES.values() if place.address in addresses), None)


def _region(place: Place) -> Region:
    nodes, refused, ready, trading_off = clusters.node_states([place]), "", 0, ""
    workloads: dict[str, Workload] = {}
    try:
        workloads, ready = _workloads(place)
        trading_off = _trading_off(place)
        _insist_on_ours(place)
    except (KubernetesError, NoClusterError) as error:
        refused = error.problems[0].found
    prometheus = _answers(f"{place.url('prometheus')}/-/ready")
    return Region(nodes, ready, workloads, database(place), prometheus, refused, trading_off)


def _workloads(place: Place) -> tuple[dict[str, Workload], int]:
    """Pods by workload, and how many nodes are ready. Raises KubernetesError, NoClusterError."""
    with asking(place, "its workloads"):
        client = client_of(place)
        nodes = CoreV1Api(client).list_node(_request_timeout=TIMEOUT_S).items
        apps = AppsV1Api(client)
        items: list[Any] = [
            item
            for namespace in (layout.NAMESPACE, layout.MONITORING_NAMESPACE)
            for item in (
                *apps.list_namespaced_deployment(namespace, _request_timeout=TIMEOUT_S).items,
                *apps.list_namespaced_stateful_set(namespace, _request_timeout=TIMEOUT_S).items,
            )
        ]
    return {item.metadata.name: _workload(item) for item in items}, sum(map(_is_ready, nodes))


def _trading_off(place: Place) -> str:
    """Since when trading is disabled there; empty: it is not.

    Raises KubernetesError, NoClusterError.
    """
    with asking(place, "its configuration"):
        client = CoreV1Api(client_of(place))
        found = client.list_namespaced_config_map(
            layout.NAMESPACE, field_selector=f"metadata.name={trading.CONFIG}", _request_timeout=TIMEOUT_S
        )
        configs = client.api_client.sanitize_for_serialization(found.items)
    return next((since for config in configs if (since := trading.off_since(config))), "")


def _insist_on_ours(place: Place) -> None:
    """Raise KubernetesError when another cluster answers than the one that was remembered."""
    known = state.read().identities.get(place.region)
    found = clusters.identity(place)
    if known is not None and found != known:
        words = f"another cluster (kube-system {found.uid}, not {known.uid})"
        raise KubernetesError(Problem(place.cluster, words, "the one that was made", "Run `gameday testbed up`."))


def _is_ready(node: V1Node) -> bool:
    conditions = (node.status.conditions if node.status else None) or []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def _workload(item: Any) -> Workload:
    status, wanted = item.status, item.spec.replicas or 0
    newest = (status.observed_generation or 0) >= item.metadata.generation
    settled = newest and (status.updated_replicas or 0) == wanted == (status.replicas or 0)
    return Workload(wanted, status.ready_replicas or 0, settled)


def _containers() -> dict[str, str]:
    states = dict.fromkeys(layout.CONTAINERS, "absent")
    for document in inspected(*layout.CONTAINERS):
        states[document["Name"].lstrip("/")] = document["State"]["Status"]
    return states


def _dns() -> str | None:
    return name_leads_to()


def _lease() -> str | None:
    answer = _get(f"http://{layout.HOST}:{layout.OUTSIDE_PORT}/lease")
    return str(answer["region"]) if answer and answer.get("region") else None


def _automation_place() -> Place:
    automation = plan().topology.automation
    return PLACES[automation.region] if automation else plan().away


def _get(url: str) -> dict[str, Any] | None:
    try:
        with urlopen(url, timeout=_PATIENCE_S) as answer:  # our own addresses
            return dict(json.load(answer))
    except (OSError, ValueError):
        return None


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=_PATIENCE_S):
            return True
    except (OSError, ValueError):
        return False


def _lag_s(found: dict[str, Region]) -> float | None:
    """How old what the standby has replayed is; 0 when it has all that the primary had written."""
    home, away = found[plan().home.region].database, found[plan().away.region].database
    if home is None or away is None or away.writable:
        return None
    if away.position >= home.position:
        return 0.0
    return max(0.0, time.time() - away.replayed_at_us / 1e6) if away.replayed_at_us else None


def _pending(found: dict[str, Region], name: str | None, lease: str | None) -> bool:
    """Whether something of a failover still stands: the name, the lease or a primary is away from home."""
    away = found[plan().away.region].database
    region = plan().away.region
    return name == region or lease == region or (away is not None and away.writable)


def _lacks(
    found: dict[str, Region],
    containers: dict[str, str],
    name: str | None,
    lease: str | None,
    automation: dict[str, Any] | None,
) -> Iterator[str]:
    """All that keeps the testbed from being whole."""
    for place in PLACES.values():
        yield from _region_lacks(place, found[place.region])
    yield from (f"container {name} is {condition}" for name, condition in containers.items() if condition != "running")
    home = plan().home.region
    if name != home:
        yield f"DNS leads to {name or 'nowhere'}, not to {home}"
    if lease != home:
        yield f"the writer's lease is granted to {lease or 'nobody'}, not to {home}"
    if automation is None:
        yield "the failover automation does not answer"


def _region_lacks(place: Place, region: Region) -> Iterator[str]:
    for node, condition in region.nodes.items():
        if condition != "running":
            yield f"node {node} is {condition}{_why(place, node, condition)}"
    if region.refused:
        yield f"{place.region}: its API: {region.refused}"
    if region.workloads or not region.refused:
        yield from _pods_lack(place, region)
    yield from _database_lacks(place, region.database)
    if not region.prometheus:
        yield f"{place.region}: Prometheus is not ready"
    yield from trading.lacks(trading_off({place.region: region}))


def trading_off(regions: Mapping[str, Region]) -> dict[str, str]:
    """Where trading is disabled, and since when."""
    return {name: region.trading_off for name, region in regions.items() if region.trading_off}


def _why(place: Place, node: str, condition: str) -> str:
    """Who has the ports of a node that is there without them."""
    held = doctor.taken(place) if node == place.control_plane and condition in ("cut", "unpublished", "exited") else ""
    return f" ({held})" if held else ""


def _pods_lack(place: Place, region: Region) -> Iterator[str]:
    """What nodes and pods keep it from being whole."""
    if region.nodes_ready != len(place.nodes):
        yield f"{place.region}: {region.nodes_ready} of {len(place.nodes)} nodes ready"
    wanted = {**plan().replicas(place), "redis": 1, "copies": 1, "postgres": 1, "prometheus": 1}
    if place == _automation_place():
        wanted["failover-automation"] = 1
    for name, replicas in wanted.items():
        workload = region.workloads.get(name)
        if workload is None:
            yield f"{place.region}: no {name}"
        elif (workload.wanted, workload.ready, workload.settled) != (replicas, replicas, True):
            changing = "" if workload.settled else ", still changing"
            yield f"{place.region}: {name} has {workload.ready} of {replicas} pods ready{changing}"


def _database_lacks(place: Place, found: Database | None) -> Iterator[str]:
    home = place == plan().home
    if found is None:
        yield f"{place.region}: the database does not answer"
    elif found.writable != home:
        yield f"{place.region}: the database is {'a primary' if found.writable else 'a standby'}"
    elif home and found.streaming_standbys != 1:
        yield f"{place.region}: {found.streaming_standbys} standbys stream, not 1"


def _use() -> Use:
    """Mean over some looks at Docker's statistics."""
    names = [*layout.CONTAINERS, *(node for place in PLACES.values() for node in place.nodes)]
    looks = [_statistics(names) for _ in range(_STATS)]
    return Use(
        round(sum(cpu for cpu, _ in looks) / len(looks), 3), round(sum(memory for _, memory in looks) / len(looks), 2)
    )


def _statistics(names: list[str]) -> tuple[float, float]:
    running = set(attempt("docker", "ps", "--format", "{{.Names}}").lines)
    found = attempt("docker", "stats", "--no-stream", "--format", "{{json .}}", *(n for n in names if n in running))
    looks = [json.loads(line) for line in found.lines]
    rows = [row for row in looks if "--" not in row["CPUPerc"] + row["MemUsage"]]  # it has ended meanwhile
    cpu = sum(float(row["CPUPerc"].rstrip("%")) for row in rows) / 100
    return cpu, sum(_bytes(row["MemUsage"].partition("/")[0]) for row in rows) / 1e9


def _bytes(text: str) -> float:
    number = text.strip().rstrip("BiKMGkT")
    unit = text.strip()[len(number) :]
    return float(number) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
