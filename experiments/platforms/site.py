"""Where a game day is played: its regions, and what leads to them from outside.

A process works at one site. That is the testbed of this machine, unless the process is told another one at its start:
whoever starts a process of a run hands the site down with its settings.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from experiments.testbed import layout
from experiments.testbed.layout import Place

Address = tuple[str, int]  # host and port


@dataclass(frozen=True)
class Site:
    """Where everything is.

    `ports` are those of each region's edge, by service. `databases` are those that are not behind the edge, by region.
    `outside` is the page receiver, to which actors report too; None: there is none. `targets` are the declared targets
    of AWS, by region, as JSON values.
    """

    world: str
    places: Mapping[str, Place]
    ports: Mapping[str, int]
    databases: Mapping[str, Address]
    dns: Address
    name: str  # that users go to
    outside: Address | None
    reverter: str  # URL
    targets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """Folder of what is known of this site between commands: faults, a pending failback, kubeconfigs."""
        return layout.state_folder() if self.world == "kind" else layout.state_folder() / self.world

    def url(self, region: str, service: str) -> str:
        """Where a user who knows the region's address finds a service."""
        return f"http://{self.places[region].address}:{self.ports[service]}"

    def database(self, region: str) -> Address:
        """Where a region's database is asked."""
        return self.databases.get(region) or (self.places[region].address, self.ports["database"])

    @property
    def outside_url(self) -> str:
        """Where the page receiver answers; empty: there is none."""
        return "" if self.outside is None else f"http://{self.outside[0]}:{self.outside[1]}"

    @property
    def undo(self) -> str:
        """The command that makes it whole after a game day."""
        return "gameday undo" if self.world == "kind" else f"gameday undo --world {self.world}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, as a process of a run is told it."""
        return asdict(self)


def from_json(document: Mapping[str, Any]) -> Site:
    """Inverse of Site.to_json."""
    outside = document["outside"]
    return Site(
        world=document["world"],
        places={region: Place(**place) for region, place in document["places"].items()},
        ports=dict(document["ports"]),
        databases={region: _address(found) for region, found in document["databases"].items()},
        dns=_address(document["dns"]),
        name=document["name"],
        outside=None if outside is None else _address(outside),
        reverter=document["reverter"],
        targets=dict(document["targets"]),
    )


def _address(found: Any) -> Address:
    host, port = found
    return str(host), int(port)


TESTBED = Site(
    world="kind",
    places=layout.PLACES,
    ports=layout.PORTS,
    databases={},
    dns=(layout.HOST, layout.DNS_PORT),
    name=layout.TRADE_NAME,
    outside=(layout.HOST, layout.OUTSIDE_PORT),
    reverter=f"http://{layout.HOST}:{layout.REVERTER_PORT}",
)

_here: list[Site] = [TESTBED]  # the last one counts


def site() -> Site:
    """Where this process works."""
    return _here[-1]


@contextmanager
def at(there: Site) -> Iterator[Site]:
    """Within it this process works at another site."""
    _here.append(there)
    try:
        yield there
    finally:
        _here.remove(there)


def enter(document: Mapping[str, Any] | None) -> None:
    """Work at the site that this process's settings name, to its end; nothing: at the testbed."""
    if document is not None:
        _here.append(from_json(document))
