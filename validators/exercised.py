"""Which objectives a run exercises: only those are judged and counted; the others are listed with the reason.

Every objective applies whose subject the topology contains and whose trigger the timeline contains.
Source: DESIGN, The types that flow; What is measured, exactly (*Exercised*).
"""

from collections.abc import Callable, Mapping
from typing import Any

from scenarios.model.faults import blast_radius, data_hit
from validators.ledger import done, found
from validators.marks import faults, hits_data, never_injected
from validators.measures import change, detection, episodes, load_test, response
from validators.measures.goodness import series
from validators.model import Observations
from validators.packed import isin

Objective = Mapping[str, Any]


def why_not(observations: Observations, objective: Objective) -> str | None:
    """Return why an objective is not exercised, in words; None when it is."""
    return _RULES[str(objective["kind"])](observations, objective)


def _recovery_time(observations: Observations, objective: Objective) -> str | None:
    """A service is exercised when it is in a fault's blast radius, or went bad."""
    subject = str(objective["subject"])
    if subject != "complete" and subject != "database" and subject not in observations.topology["services"]:
        return f"the topology has no {subject}"
    members = episodes.members(observations, subject)
    if any(f.hits & set(members) for f in faults(observations)):
        return None
    if never_injected(observations, lambda k, t: bool(blast_radius(k, t, observations.topology) & {*members})):
        return None
    if any(s is not None and s.outages() for s in (series(observations, m) for m in members)):
        return None
    return "no fault hit it and it was never bad" if faults(observations) else "nothing broke and it was never bad"


def _data_loss(observations: Observations, objective: Objective) -> str | None:
    """A class of data is exercised when a fault hits its region or database, or a write of it was lost all the same."""
    data_class = str(objective["subject"])
    if data_class != "transactions" and data_class not in observations.topology["database"].get("copies", {}):
        return f"the topology copies no {data_class}"
    if any(data_class in hits_data(f, observations.topology) for f in faults(observations)):
        return None
    if never_injected(observations, lambda k, t: data_class in data_hit(k, t, observations.topology)):
        return None
    if data_class == "transactions" and _lost(observations):
        return None
    return f"no fault hit the region or the database of {data_class}"


def _lost(observations: Observations) -> bool:
    read = found(observations, "transactions", observations.surviving_timeline)
    return read.asked and not isin(done(observations, "transactions").acked_keys, read.keys).all()


def _latency(observations: Observations, objective: Objective) -> str | None:
    """Latency and throughput are exercised where there is load."""
    subject = str(objective["subject"])
    if subject not in ("edge", "database", *observations.topology["services"]):
        return f"the topology has no {subject}"
    return None if observations.scenario["workload"]["rate_per_s"] > 0 else "there is no load"


def _always(observations: Observations, objective: Objective) -> str | None:
    del observations, objective
    return None


_RULES: dict[str, Callable[[Observations, Objective], str | None]] = {
    "recovery_time": _recovery_time,
    "data_loss": _data_loss,
    "latency": _latency,
    "throughput": _latency,
    "load_test": load_test.why_not,
    "detection": detection.why_not,
    "response": response.why_not,
    "change": change.why_not,
    "house_rule": _always,
    "integrity": _always,
}
