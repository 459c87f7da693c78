"""What is deployed, read from the topology that describes the testbed to the twin and the judge."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from experiments.testbed.layout import PLACES, Place
from scenarios.files.load import defaults, find
from scenarios.files.parameters import overridden
from scenarios.files.parse import parse
from scenarios.files.yaml import read
from scenarios.model.parameters import Parameters
from scenarios.model.topology import Topology

TOPOLOGY = "testbed"


@dataclass(frozen=True)
class Plan:
    """The testbed's topology, and the parameters as they are in it."""

    topology: Topology
    parameters: Parameters

    @property
    def home(self) -> Place:
        """Where the primary is at first, and where users go."""
        return PLACES[self.topology.database.home]

    @property
    def away(self) -> Place:
        """Where the standby is at first."""
        return next(place for place in PLACES.values() if place != self.home)

    def replicas(self, place: Place) -> dict[str, int]:
        """Pods of each deployment at first: the full plan at home, none in the pilot light."""
        active = self.topology.regions[place.region].role == "active"
        return {service.deployment: service.replicas if active else 0 for service in self.topology.services.values()}

    def seconds(self, name: str) -> float:
        """A parameter that is a constant duration."""
        return self.parameters.duration_us(name) / 1e6


@cache
def plan() -> Plan:
    """Read the topology `testbed` of the library."""
    document = read(find(TOPOLOGY, "topologies"), sourced=True)
    topology = parse(Topology, document)
    known = defaults()
    changed: dict[str, Any] = {
        name: overridden(known[name], value) for name, value in topology.parameters.items() if name in known
    }
    return Plan(topology, Parameters({**known, **changed}))
