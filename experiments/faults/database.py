"""The regions' databases as a fault sees them: at the region's own address, and inside their container."""

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from experiments.faults import cluster, inside
from experiments.faults.base import nothing
from experiments.platforms.site import site
from experiments.testbed import connecting

PART = "postgres"


@dataclass(frozen=True)
class State:
    """What a database says of itself. `behind_s`: age of the last commit that a standby has replayed."""

    in_recovery: bool
    standbys: int
    behind_s: float


def connect(region: str, user: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to a region's database at its own address. Raises psycopg.Error when it does not answer."""
    return connecting.connect_at(site().database(region), user)


def state(region: str) -> State | None:
    """State of a region's database; None: it does not answer."""
    try:
        with connect(region, "prober") as database:
            row = database.execute(
                "SELECT in_recovery, streaming_standbys, replayed_at_us FROM gameday_state()"
            ).fetchone()
    except psycopg.Error:
        return None
    if row is None:
        return None
    return State(bool(row[0]), int(row[1]), time.time() - float(row[2] or 0) / 1e6)


def writes(region: str) -> bool:
    """Whether a row can be written to a region's database and read back."""
    try:
        with connect(region, "prober") as database:
            row = database.execute("SELECT writable FROM gameday_probe(0, 0)").fetchone()
    except psycopg.Error:
        return False
    return bool(row and row[0])


def primary(region: str) -> dict[str, str]:
    """Pod of a region's primary, as a plan keeps it. Raises NothingToHitError when it is no primary."""
    pod = cluster.identities(cluster.ready_pods(region, PART, 1))[0]
    found = state(region)
    if found is None or found.in_recovery:
        words = "no answer" if found is None else "a standby"
        raise nothing(f"{region}/database", words, "a primary", "Name the region where it is.")
    return pod


def container_now(region: str) -> str:
    """Identity of the container that runs now; empty while none does."""
    found = cluster.pods(region, PART)
    return cluster.container_of(found[0]) if found else ""


def superuser(pod: dict[str, str], statement: str) -> str:
    """Run a statement as superuser inside the database's container; return what psql prints."""
    exec_id = f"gameday-{time.monotonic_ns()}"
    command = ["psql", "-U", "postgres", "-d", "grandmodel", "-Atqc", statement]
    return inside.run(pod["node"], inside.running(pod["container"], exec_id, command))
