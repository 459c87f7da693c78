"""What is sampled of the databases each second: who writes, how far each has come, the true and the observed lag."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.control.context import Context
from sim.control.observed_lag import ObservedLag
from sim.control.roles import DatabaseTruth

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class Databases(DatabaseTruth, Protocol):
    """What is sampled, and when what is declared as the replica is a primary."""

    def leads(self, region: str, at_us: I64) -> NDArray[np.bool_]:
        """Whether a region's instance was a primary, or had been the last one here, at each instant."""
        ...


def sample(context: Context, databases: Databases, observed: ObservedLag | None) -> None:
    """Have the primary and the replica that the topology declares sampled."""
    declared = context.topology.database
    home, replica = declared.home, declared.replica_region
    for region in filter(None, (home, replica)):
        context.sampler(f"{region}/database", "writable", _writable(databases, region))
    context.sampler(f"{home}/database", "wal_position", _position(context, context.names.database[home]))
    if replica is None or observed is None:
        return
    subject = f"{replica}/database"
    context.sampler(subject, "replayed_position", _replayed(context, databases, home, replica))
    context.sampler(subject, "replication_lag_s", _lag(databases, replica))
    context.sampler(subject, "replication_lag_observed_s", _observed(databases, observed, replica))


def _writing(databases: DatabaseTruth, region: str, instants_ns: I64) -> NDArray[np.bool_]:
    names = databases.timeline_of(region, instants_ns // 1_000).tolist()
    return np.array([name is not None for name in names], dtype=np.bool_)


def _writable(databases: DatabaseTruth, region: str) -> Callable[[I64], NDArray[np.bool_]]:
    return lambda instants_ns: _writing(databases, region, instants_ns)


def _position(context: Context, number: int) -> Callable[[I64], I64]:
    """Rows that a database had committed before each instant."""
    at = context.plane.wal_position_at
    return lambda instants_ns: np.array([at(number, int(t)) for t in instants_ns], dtype=np.int64)


def _replayed(context: Context, databases: Databases, home: str, replica: str) -> Callable[[I64], I64]:
    """Rows that the replica holds; once it is a primary those that it has committed itself too."""
    at = context.plane.wal_position_at
    of_home, of_replica = context.names.database[home], context.names.database[replica]

    def values(instants_ns: I64) -> I64:
        own = databases.leads(replica, instants_ns // 1_000)
        found = np.empty(len(instants_ns), dtype=np.int64)
        found[own] = [at(of_replica, t) for t in instants_ns[own].tolist()]
        as_of_us = np.maximum(databases.as_of_us(replica, instants_ns[~own] // 1_000), 0)
        distinct, which = np.unique(as_of_us, return_inverse=True)  # one that stands still is asked for once
        found[~own] = np.array([at(of_home, t * 1_000) for t in distinct.tolist()], dtype=np.int64)[which]
        return found

    return values


def _lag(databases: Databases, replica: str) -> Callable[[I64], F64]:
    """How old the newest position is that the replica holds; 0 once it is a primary."""

    def values(instants_ns: I64) -> F64:
        age_s = (instants_ns // 1_000 - databases.as_of_us(replica, instants_ns // 1_000)) / 1e6
        return np.where(databases.leads(replica, instants_ns // 1_000), 0.0, age_s)

    return values


def _observed(databases: Databases, observed: ObservedLag, replica: str) -> Callable[[I64], F64]:
    """What its metric shows; 0 once it is a primary."""

    def values(instants_ns: I64) -> F64:
        return np.where(databases.leads(replica, instants_ns // 1_000), 0.0, observed.many_s(instants_ns))

    return values
