"""Before a database is given up, all orders of its timeline are read into the record: afterwards they are nowhere."""

from dataclasses import dataclass, replace

from experiments.observe import settings as observing
from experiments.observe.clock import Clock
from experiments.observe.readback import NotReadError, Question, read_timeline
from experiments.observe.settings import Where
from experiments.safety.tunnel import to_database
from experiments.testbed.layout import Place
from scenarios.errors import Problem
from scenarios.record.writer import Recorder


@dataclass(frozen=True)
class Ledger:
    """Where what is read is kept: the run's record, its clock, and the key of its first order."""

    recorder: Recorder
    clock: Clock
    first_key: int


_ledgers: list[Ledger] = []  # at most one; none: nobody measures, and no order has a number


def keep_in(ledger: Ledger | None) -> None:
    """Have what is read kept there."""
    _ledgers[:] = [ledger] if ledger else []


def read_first(place: Place) -> None:
    """Read all orders that a region's database has written, wherever it is held. Nothing where no run measures.

    Raises:
        NotReadError: it does not answer to its end, or cannot be found: nothing may be rewound.
        CommandError, OSError: Docker or a node does not do what it is told.
    """
    for ledger in _ledgers:
        try:
            with to_database(place) as address:
                where = Where.of(observing.where())
                where = replace(where, databases={**where.databases, place.region: address})
                question = Question(place.region, ledger.first_key, (), ())
                read_timeline(where, ledger.clock, ledger.recorder, question, place.region)
        except LookupError as error:
            remedy = "Look at the pod postgres-0 there, then `gameday undo --home`."
            expected = "all its orders, before it is given up"
            raise NotReadError(Problem(f"database of {place.region}", str(error), expected, remedy)) from error
