"""What the numbers of the data plane mean: stations, replicas, edges and request classes by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProbeClass:
    """A class of requests and what it stands for."""

    name: str
    client: str
    route: str  # dns | direct | stale | load | poll | health | look
    service: str  # order for the whole chain
    region: str | None  # of a direct probe
    spacing_ns: int


@dataclass(frozen=True)
class Names:
    """Lookups between names and numbers."""

    regions: tuple[str, ...]
    services: tuple[str, ...]  # stateless ones, then "database"
    station: dict[tuple[str, str], int]  # (region, service)
    replicas: dict[int, tuple[int, ...]]  # places of a station
    edge: dict[tuple[str, str], int]  # (region, caller)
    classes: tuple[ProbeClass, ...]  # class 0 is the load
    database: dict[str, int]  # region -> number

    def class_number(self, name: str) -> int:
        """Number of a request class."""
        return next(i for i, c in enumerate(self.classes) if c.name == name)
