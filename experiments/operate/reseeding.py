"""A region's database is given up and copied anew from the other's: a failback's way to redundancy.

What it has written is read into the record first, while it is still fenced.
"""

import contextlib
import time

import psycopg

from experiments.faults import database
from experiments.operate.moments import moments
from experiments.operate.rewinding import read_first
from experiments.safety.demotion import demote, follows, start_stopped
from experiments.safety.journal import Journal
from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed import clusters
from experiments.testbed.layout import PLACES
from scenarios.errors import GamedayError, Problem

CATCHES_UP_WITHIN_S = 120.0
_POSITION = 'SELECT "position" FROM gameday_state()'


class NotCaughtUpError(GamedayError, RuntimeError):
    """A standby does not get what the primary has."""


def reseed(region: str) -> str:
    """Make a region's database a standby of the other's, and connect its nodes if they are held outside.

    Raises:
        NotReadError: what it has written cannot be read: nothing was changed.
        CommandError, TestbedError, LeftBehindError: as `demote`.
    """
    other = next(place for place in PLACES.values() if place.region != region)
    begun, cut = time.monotonic(), _cut(region)
    if cut or not follows(PLACES[region], other):
        start_stopped(PLACES[region])
        read_first(PLACES[region])
    demote(PLACES[region], other, cut, lambda _, __: None)
    return f"{region} follows {other.region}, after {time.monotonic() - begun:.0f} s"


def _cut(region: str) -> dict[str, str]:
    """Nodes of a region that are held outside the network, with the addresses that they had."""
    known = Journal().cut()
    with contextlib.suppress(ReverterError):
        known |= Reverter().plan()["cut"]
    states = clusters.node_states([PLACES[region]])
    return {node: address for node, address in known.items() if states.get(node) == "cut"}


def catch_up(region: str) -> str:
    """Wait until a region's standby has replayed all that the primary elsewhere has written by now.

    Raises:
        NotCaughtUpError: it does not within the time.
        psycopg.Error: a database does not answer.
    """
    other = next(r for r in PLACES if r != region)
    wanted = _position(other)

    def look() -> bool:
        with contextlib.suppress(psycopg.Error):
            return _position(region) >= wanted
        return False

    if not moments.poll(look, CATCHES_UP_WITHIN_S, every_s=0.2):
        found = f"a standby before {wanted} after {CATCHES_UP_WITHIN_S:g} s"
        raise NotCaughtUpError(Problem(f"{region}/database", found, "it there", "Look whether it streams."))
    return f"{region} has all up to {wanted}"


def _position(region: str) -> int:
    with database.connect(region, "prober") as connection:
        row = connection.execute(_POSITION).fetchone()
    return int(row[0]) if row else 0
