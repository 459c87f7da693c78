"""A connection to a region's database, at the region's own address."""

from typing import Any

import psycopg

from experiments.testbed.layout import PORTS, Place


def connect(
    place: Place, user: str, *, within_s: int = 2, statement_s: int = 10
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the database behind a region's edge. As `connect_at`."""
    return connect_at((place.address, PORTS["database"]), user, within_s=within_s, statement_s=statement_s)


def connect_at(
    address: tuple[str, int], user: str, *, within_s: int = 2, statement_s: int = 10
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect as one of its roles (`app`, `prober`, `operator`; password = name); each statement is its own commit.

    Args:
        address: host and port.
        user: the role.
        within_s: how long connecting may take, in seconds; 2 or more.
        statement_s: how long a statement may take, in seconds.

    Raises:
        psycopg.Error: it does not answer, or refuses.
    """
    return psycopg.connect(
        host=address[0],
        port=address[1],
        user=user,
        password=user,
        dbname="grandmodel",
        connect_timeout=within_s,
        autocommit=True,
        options=f"-c statement_timeout={statement_s * 1000}",
    )
