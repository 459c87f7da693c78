"""The stretches of a run in which latency and throughput are judged: before the first fault, after the last recovery.

After a recovery they are judged once it has been sustained: until then the names that clients hold expire. Without a
fault the whole run is one stretch. Source: DESIGN, What is measured, exactly (latency, throughput).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from validators import integrity
from validators.columns import I64, Bool, names, whole
from validators.marks import faults, never_injected, of_kind, sustain_us
from validators.measures.episodes import members
from validators.measures.goodness import blind, series
from validators.model import Observations
from validators.words import at

SECOND_US = 1_000_000
WINDOW_S = 60


@dataclass(frozen=True)
class Stretch:
    """Whole seconds [from_s, to_s) of the run."""

    name: str  # "before the fault"
    from_s: int
    to_s: int
    to_end: bool = False  # whole windows are counted from its end: the last one before a fault is whole

    def windows(self, length_s: int) -> list[tuple[int, int]]:
        """Whole windows of a length that follow one another."""
        count = (self.to_s - self.from_s) // length_s
        first = self.to_s - count * length_s if self.to_end else self.from_s
        return [(first + i * length_s, first + (i + 1) * length_s) for i in range(count)]


@dataclass(frozen=True)
class Stretches:
    """What is judged, what is only shown, and why a stretch that ought to be judged is not there."""

    judged: tuple[Stretch, ...]
    during: Stretch | None
    missing: str = ""


def stretches(observations: Observations) -> Stretches:
    """Stretches of at least one whole 60 s window with load."""
    return observations.once("stretches", lambda: _stretches(observations))


def _stretches(observations: Observations) -> Stretches:
    first, last = _loaded(observations)
    every = faults(observations)
    if unseen := never_injected(observations, lambda kind, target: True):
        return Stretches((), Stretch("over the run", first, last), unseen[0])
    if not every:
        return _kept([Stretch("over the run", first, last)], None)
    begun = min(f.begun_us for f in every)
    before = Stretch("before the fault", first, min(last, begun // SECOND_US), to_end=True)
    if unseen := recovery_unseen(observations):
        found = _kept([before], Stretch("from the fault on", begun // SECOND_US, last))
        return Stretches(found.judged, found.during, "; ".join(filter(None, (found.missing, unseen[0]))))
    back = recovered_us(observations)
    if back is None:
        during = Stretch("during the fault", begun // SECOND_US, last)
        found = _kept([before], during)
        return Stretches(found.judged, during, found.missing or "the system did not recover, so nothing came after it")
    since = _settled_s(observations, -(-back // SECOND_US), last)
    during = Stretch("from the fault until it had settled", begun // SECOND_US, since)
    return _kept([before, Stretch("after recovery", since, last)], during)


def _settled_s(observations: Observations, back_s: int, last_s: int) -> int:
    """Second from which it is judged again: once the recovery has been sustained; at the latest the last whole minute.

    The names that clients hold expire in that time. A run settles one whole minute after it (DESIGN, *Settled*).
    """
    return max(back_s, min(back_s + sustain_us(observations) // SECOND_US, last_s - WINDOW_S))


def _kept(found: list[Stretch], during: Stretch | None) -> Stretches:
    short = [s.name for s in found if s.to_s - s.from_s < WINDOW_S]
    missing = f"there is no whole minute with load {' or '.join(short)}" if short else ""
    shown = during if during is not None and during.to_s > during.from_s else None
    return Stretches(tuple(s for s in found if s.name not in short), shown, missing)


def _loaded(observations: Observations) -> tuple[int, int]:
    """Whole seconds in which the load was on."""
    started, stopped = of_kind(observations, "load_started"), of_kind(observations, "load_stopped")
    first = started[0].t_us if started else 0
    last = min(stopped[-1].t_us, observations.duration_us) if stopped else observations.duration_us
    return -(-first // SECOND_US), last // SECOND_US


def recovery_unseen(observations: Observations) -> tuple[str, ...]:
    """Why it is not known when the complete system was good again: who was not probed after the last fault began."""
    since, end = max((f.begun_us for f in faults(observations)), default=0), observations.duration_us
    words: list[str] = []
    for member in members(observations, "complete"):
        probes = series(observations, member)
        if probes is None:
            words.append(f"there are no probes of {member} through DNS that say when it was good again")
        else:
            words += integrity.unseen(observations, probes, since, end, probes.outages())
    return tuple(words)


def recovered_us(observations: Observations) -> int | None:
    """Instant from which the complete system is good to the end, not before the last fault; None: never.

    As far as it was probed: `recovery_unseen` says what was not.
    """
    since = max((f.begun_us for f in faults(observations)), default=0)
    for member in members(observations, "complete"):
        probes = series(observations, member)
        for outage in probes.outages() if probes is not None else ():
            if outage.back_us is None:
                return None
            since = max(since, outage.back_us)
    return since


@dataclass(frozen=True)
class Counts:
    """Rows of one service of the load's table: the sender's side is `edge`."""

    rows: I64  # in the table
    second: I64


def counts(observations: Observations, service: str) -> Counts:
    """Rows of a service in all regions."""
    return observations.once(("load", service), lambda: _counts(observations, service))


def _counts(observations: Observations, service: str) -> Counts:
    table = observations.tables("load")
    rows = np.flatnonzero(observations.once("load services", lambda: names(table, "service")).equal(service))
    return Counts(rows, observations.once("load seconds", lambda: whole(table, "second"))[rows])


def column(observations: Observations, service: str, name: str) -> I64:
    """Counts of a service, one for each of its rows."""
    known = observations.once(("load column", name), lambda: whole(observations.tables("load"), name))
    return np.asarray(known[counts(observations, service).rows])


def inside(second: I64, stretch: Stretch) -> Bool:
    """Rows of a stretch."""
    return np.asarray((second >= stretch.from_s) & (second < stretch.to_s))


def weaknesses(observations: Observations, judged: Sequence[Stretch], *services: str) -> tuple[str, ...]:
    """What the instrument did wrong in the judged stretches: seconds that were not counted, jumps of its clock."""
    words = [w for service in services for w in _uncounted(observations, judged, service)]
    for stretch in judged:
        words += integrity.clock_steps(observations, stretch.from_s * SECOND_US, stretch.to_s * SECOND_US)
    for a, b in blind(observations, "load"):
        if any(a < s.to_s * SECOND_US and b > s.from_s * SECOND_US for s in judged):
            words.append(f"{_why_unseen(observations, a)} from {at(a)} to {at(b)}")
    return tuple(dict.fromkeys(words))


def _why_unseen(observations: Observations, from_us: int) -> str:
    """What the observer says of its gap; users who were held up did not offer what was declared."""
    gaps = (m.detail for m in of_kind(observations, "observer_gap") if int(m.detail["from_us"]) == from_us)
    return next((str(d["why"]) for d in gaps if "why" in d), "the load was not observed")


def _uncounted(observations: Observations, judged: Sequence[Stretch], service: str) -> list[str]:
    seen = np.unique(counts(observations, service).second)
    words = []
    for stretch in judged:
        wanted = np.arange(stretch.from_s, stretch.to_s)
        lost = wanted[~np.isin(wanted, seen)]
        if len(lost):
            first = at(int(lost[0]) * SECOND_US)
            words.append(f"{len(lost):,} s of {service} {stretch.name} were not counted, first at {first}")
    return words
