"""Where everything of the testbed is: clusters, addresses, ports, names, images. Nobody else spells them out."""

import os
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "grandmodel"
MONITORING_NAMESPACE = "monitoring"
NETWORK = "kind"  # the Docker network that kind puts its nodes on
OWNER_LABEL = "app.kubernetes.io/managed-by=gameday-testbed"  # on every namespace and container that is ours

ZONE = "grandmodel.test"
TRADE_NAME = f"trade.{ZONE}"  # the one name that users go to
DNS_TTL_S = 5

SYSTEM_IMAGE = "grandmodel/testbed:1"  # every role of ours, chosen by its command
RISK_IMAGE = "grandmodel/risk-agent:v1.2.3"  # a second tag of the same image, as the runbook names it
POSTGRES_IMAGE = "postgres:15"
REDIS_IMAGE = "redis:7"
PROMETHEUS_IMAGE = "prom/prometheus:v2.42.0"
ALERTMANAGER_IMAGE = "prom/alertmanager:v0.25.0"
COREDNS_IMAGE = "coredns/coredns:1.12.1"
PYTHON_IMAGE = "python:3.12-slim"

# Node ports, the same in both regions. They are published on the region's loopback address under the same number.
PORTS = {
    "strategic": 30080,
    "tactical": 30081,
    "risk": 30082,
    "copies": 30084,
    "automation": 30085,
    "prometheus": 30090,
    "database": 30432,
}

# Node ports by which the other region's Prometheus always meets the same pod; on the Docker network only.
SCRAPE_PORTS = {"strategic": 30180, "tactical": 30181, "risk": 30182}

OUTSIDE = "gameday-outside"  # page receiver, DNS API, writer's lease (witness)
DNS_SERVER = "gameday-dns"  # CoreDNS, authoritative for ZONE
ALERTMANAGER = "gameday-alertmanager"
LINK = "gameday-link"  # TCP proxy between the regions: replication goes through it
REVERTER = "gameday-reverter"  # lifts faults when the runner falls silent
CONTAINERS = (OUTSIDE, DNS_SERVER, ALERTMANAGER, LINK, REVERTER)

HOST = "127.0.0.1"
OUTSIDE_PORT = 30500
LINK_ADMIN_PORT = 30501
REVERTER_PORT = 30502
DNS_PORT = 30553
ALERTMANAGER_PORT = 30593
LINK_REPLICATION_PORT = 5432  # on the Docker network: the standby's way to the primary


@dataclass(frozen=True)
class Place:
    """A region of the testbed: a kind cluster and the loopback address of its edge."""

    region: str
    address: str
    workers: int
    named: str = ""  # what it is called where kind has not made it

    @property
    def cluster(self) -> str:
        """Name that kind knows it by, or that it has elsewhere."""
        return self.named or f"gameday-{self.region}"

    @property
    def context(self) -> str:
        """Name of its kubectl context."""
        return self.named or f"kind-{self.cluster}"

    @property
    def control_plane(self) -> str:
        """Its control-plane container, which also publishes the edge's ports."""
        return f"{self.cluster}-control-plane"

    @property
    def worker_nodes(self) -> tuple[str, ...]:
        """Its worker containers, as kind names them."""
        return tuple(f"{self.cluster}-worker{n if n > 1 else ''}" for n in range(1, self.workers + 1))

    @property
    def nodes(self) -> tuple[str, ...]:
        """All its node containers."""
        return (self.control_plane, *self.worker_nodes)

    @property
    def kubeconfig(self) -> Path:
        """Its own kubeconfig, written by `testbed up`; never the user's. Within a run: the copy made at its start."""
        return kubeconfig_folder() / f"kubeconfig-{self.region}.yaml"

    def url(self, service: str) -> str:
        """Where a user who knows the region's address finds a service."""
        return f"http://{self.address}:{PORTS[service]}"


EAST = Place("us-east-1", "127.0.1.1", workers=2)
WEST = Place("us-west-2", "127.0.2.1", workers=1)
PLACES = {place.region: place for place in (EAST, WEST)}


def kubeconfig_folder() -> Path:
    """Where the regions' kubeconfigs are; a run and its processes use copies that were found to be the right ones."""
    return Path(os.environ.get("GAMEDAY_KUBECONFIGS") or state_folder())


def state_folder() -> Path:
    """Where the testbed keeps what it knows of itself: kubeconfigs, identities, the lock, the pending failback."""
    base = os.environ.get("GAMEDAY_STATE") or os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "gameday"
