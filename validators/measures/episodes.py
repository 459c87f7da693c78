"""Episodes: the faults of a run that ran into each other, and where the next of them begins.

Faults of which each was recovered from before the next began are episodes of their own. An outage without a fault is an
episode from the last right probe before it. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from validators.marks import Fault, faults, sustain_us
from validators.measures.goodness import Outage, Series
from validators.model import Observations


@dataclass(frozen=True)
class Episode:
    """One or more faults that ran into each other, and where the next episode begins."""

    begun_us: int
    seen_us: int | None
    end_us: int
    faults: tuple[Fault, ...]


def episodes(observations: Observations, probes: Sequence[Series], among: Sequence[Fault]) -> list[Episode]:
    """Episodes of the faults given; one from the last right probe when there is no fault but an outage."""
    end = observations.duration_us
    if not among:
        begun = [_right_before(s, o[0]) for s in probes if (o := s.outages())]
        return [Episode(min(begun), None, end, ())] if begun else []
    outages = [o for s in probes for o in s.outages()]
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
    starts = [g[0].begun_us for g in groups[1:]] + [end]
    found = []
    for group, until in zip(groups, starts, strict=True):
        seen = [f.seen_us for f in group if f.seen_us is not None and f.seen_us <= until]
        found.append(Episode(group[0].begun_us, min(seen, default=None), until, tuple(group)))
    return found


def _right_before(probes: Series, outage: Outage) -> int:
    """The last right probe before an outage: it began after that. Its first wrong one when it was never right."""
    right = probes.last_right_before(outage.first_wrong_us)
    return outage.first_wrong_us if right is None else right


def faults_on(observations: Observations, subject: str) -> tuple[Fault, ...]:
    """Faults whose blast radius holds a service; all of them when none does (it went bad with the rest)."""
    every = faults(observations)
    return tuple(f for f in every if subject in f.hits) or every
