"""drop-table: a table is dropped; the statement replicates. Nothing lifts it: only a restore mends it."""

from typing import Any

from experiments.faults import base, database
from experiments.testbed.layout import PLACES

TABLE = "orders"
_THERE = f"SELECT to_regclass('{TABLE}') IS NOT NULL"


def plan(region: str) -> base.Plan:
    """Plan to drop the orders."""
    pod = database.primary(region)
    radius = (
        f"the table {TABLE} of the primary in {region} is dropped with all its rows, and its replica drops it too. "
        "Nothing lifts that: `gameday testbed reset` makes the databases anew, empty."
    )
    return base.Plan("drop-table", (f"{region}/database",), radius, facts={"region": region, "pod": pod})


def inject(fault: str, region: str) -> dict[str, Any]:
    """Drop the table, as a superuser's mistake would."""
    drop = f"DROP TABLE {TABLE} CASCADE"
    return base.inject(fault, plan(region), lambda p: database.superuser(p.facts["pod"], drop))


def landed(fault: str) -> bool:
    """Whether the table is gone."""
    return base.look(fault, lambda p: database.superuser(p.facts["pod"], _THERE).strip() == "f", without=False)


def gone(fault: str) -> bool:
    """Whether a table of its name is there again, wherever rows can be written."""

    def see(planned: base.Plan) -> bool:
        for region in filter(database.writes, PLACES):
            with database.connect(region, "prober") as connection:
                row = connection.execute(_THERE).fetchone()
            return bool(row and row[0])
        return False

    return base.look(fault, see, without=True)
