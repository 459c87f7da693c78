"""Episodes: the faults of a run that ran into each other, and where the next of them begins.

Faults of which each was recovered from before the next began are episodes of their own. A fault concerns a service when
its blast radius holds it, or when the service went bad in the wake of that fault: after it, before the next that did
not run into it, and with no fault of the service's own to explain it. An outage before any fault is an episode from the
last right probe before it. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from validators.marks import Fault, faults, sustain_us
from validators.measures.goodness import Outage, Series, series
from validators.model import Observations


@dataclass(frozen=True)
class Episode:
    """One or more faults that ran into each other, and where the next episode begins."""

    begun_us: int
    seen_us: int | None
    end_us: int
    faults: tuple[Fault, ...]


def members(observations: Observations, subject: str) -> tuple[str, ...]:
    """Services that a recovery objective speaks of: one, or every one, an order read back, and a test page."""
    return (*observations.topology["services"], "database", "order", "page") if subject == "complete" else (subject,)


def episodes(observations: Observations, subject: str, probes: Sequence[Series]) -> list[Episode]:
    """Episodes of a service, or of the complete system, in order of time; none: it was never bad and nothing hit it."""
    outages = _outages(probes)
    groups = _groups(observations, _faults_on(observations, subject, outages), outages)
    starts = [group[0].begun_us for group in groups] + [observations.duration_us]
    found = [_by_itself(probes, starts[0])] if _before(observations, outages, groups) else []
    for group, until in zip(groups, starts[1:], strict=True):
        seen = [f.seen_us for f in group if f.seen_us is not None and f.seen_us <= until]
        found.append(Episode(group[0].begun_us, min(seen, default=None), until, tuple(group)))
    return found


def _outages(probes: Sequence[Series]) -> list[Outage]:
    return [outage for each in probes for outage in each.outages()]


def _groups(observations: Observations, among: Sequence[Fault], outages: Sequence[Outage]) -> list[list[Fault]]:
    """Faults that ran into each other, by these outages."""
    groups: list[list[Fault]] = []
    for fault in among:
        quiet_since = fault.begun_us - sustain_us(observations)
        disturbed = any(
            o.first_wrong_us < fault.begun_us and (o.back_us is None or o.back_us > quiet_since) for o in outages
        )
        recent = bool(groups) and groups[-1][-1].begun_us > quiet_since
        if groups and (disturbed or recent):
            groups[-1].append(fault)
        else:
            groups.append([fault])
    return groups


def _before(observations: Observations, outages: Sequence[Outage], groups: Sequence[Sequence[Fault]]) -> bool:
    """Whether it was bad by itself: before any fault, and never so late that the fault's own clock is in doubt."""
    if not groups:
        return bool(outages)
    begun_us = groups[0][0].begun_us
    mine = [o for o in outages if o.first_wrong_us < begun_us]
    quiet_since = begun_us - sustain_us(observations)
    return bool(mine) and all(o.back_us is not None and o.back_us <= quiet_since for o in mine)


def _by_itself(probes: Sequence[Series], until_us: int) -> Episode:
    """From the last right probe before the first outage; from its first wrong one when it was never right."""
    begun = []
    for each in probes:
        for outage in each.outages()[:1]:
            right = each.last_right_before(outage.first_wrong_us)
            begun.append(outage.first_wrong_us if right is None else right)
    return Episode(min(begun), None, until_us, ())


def _faults_on(observations: Observations, subject: str, outages: Sequence[Outage]) -> tuple[Fault, ...]:
    """Faults that concern a service, in order of time; all of them when none does (it was never bad)."""
    every = faults(observations)
    own = {f.name for f in every if subject in f.hits or subject == "complete"}
    wake = set[str]()
    for outage in outages:
        last: list[Fault] = []
        for group in _of_the_system(observations):
            if group[0].begun_us <= outage.first_wrong_us:
                last = [f for f in group if f.begun_us <= outage.first_wrong_us]
        if not own & {f.name for f in last}:
            wake |= {f.name for f in last}
    return tuple(f for f in every if f.name in own | wake) or (() if outages else every)


def _of_the_system(observations: Observations) -> list[list[Fault]]:
    """Faults of the run that ran into each other, by what was bad of the complete system."""

    def found() -> list[list[Fault]]:
        parts = [s for m in members(observations, "complete") if (s := series(observations, m)) is not None]
        return _groups(observations, faults(observations), _outages(parts))

    return observations.once("faults that ran into each other", found)
