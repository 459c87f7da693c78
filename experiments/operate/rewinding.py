"""Before a database is given up, all orders of its timeline are read into the record: afterwards they are nowhere."""

from dataclasses import dataclass, replace

from experiments.observe import settings as observing
from experiments.observe.clock import Clock
from experiments.observe.readback import NotReadError, Question, Timeline, read_timeline
from experiments.observe.settings import Where
from experiments.operate.moments import moments
from experiments.safety.tunnel import to_database
from experiments.testbed.layout import Place
from scenarios.errors import Problem
from scenarios.record.writer import Recorder

KEPT_WITHIN_S = 30.0


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
        NotReadError: it does not answer to its end, or cannot be found, or the record does not take it: nothing may
            be rewound.
        CommandError, OSError: Docker or a node does not do what it is told.
    """
    for ledger in _ledgers:
        try:
            with to_database(place) as address:
                where = Where.of(observing.where())
                where = replace(where, databases={**where.databases, place.region: address})
                question = Question(place.region, ledger.first_key, (), ())
                timeline = read_timeline(where, ledger.clock, ledger.recorder, question, place.region)
        except LookupError as error:
            remedy = "Look at the pod postgres-0 there, then `gameday undo --home`."
            expected = "all its orders, before it is given up"
            raise NotReadError(Problem(f"database of {place.region}", str(error), expected, remedy)) from error
        if timeline is not None and moments.parent:
            _insist_kept(timeline)


def _insist_kept(timeline: Timeline) -> None:
    """Wait until the parent has in the record what was sent to it: what only a pipe holds is lost with the parent."""
    if not moments.poll(lambda: ("readback_done", timeline.name) in moments.facts, KEPT_WITHIN_S):
        found, expected = "no word that its orders are in the record", "it, before they are given up"
        remedy = "`gameday undo --home` reads it, and brings the primary home."
        raise NotReadError(Problem(f"timeline {timeline.name}", found, expected, remedy))
