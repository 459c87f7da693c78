"""Which objectives a run of a scenario would judge, said before it is played; after it, the record decides.

Every objective applies whose subject the topology contains and whose trigger the timeline contains. What only the run
can show (an alert's condition, a service that goes bad by itself) is said as a condition.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scenarios.files.resolved import Resolved
from scenarios.model.faults import blast_radius, data_hit
from scenarios.model.objective import Objective
from scenarios.model.scenario import Entry
from scenarios.model.units import duration

State = Literal["judged", "judged if", "not judged", "not exercised"]


@dataclass(frozen=True)
class Planned:
    """What becomes of one objective, and why."""

    objective: Objective
    state: State
    reason: str


def planned(resolved: Resolved, not_judged: Mapping[str, str]) -> list[Planned]:
    """Say of each objective whether it would be judged. `not_judged`: reasons of this world and this scenario."""
    topology = resolved.topology.model_dump(mode="json")
    result = []
    for objective in resolved.objectives:
        state, reason = _RULES[objective.kind](resolved, topology, objective)
        if state != "not exercised" and objective.objective in not_judged:
            state, reason = "not judged", not_judged[objective.objective]
        result.append(Planned(objective, state, reason))
    return result


def by_load(resolved: Resolved, objective: Objective) -> bool:
    """Whether a recovery time ends when queues let it: too much load is what makes the service bad, or may well be.

    So it is where the load is a burst, and where nothing in the timeline hits the service or what it calls.
    """
    if objective.kind != "recovery_time":
        return False
    scenario, topology = resolved.scenario, resolved.topology.model_dump(mode="json")
    if scenario.workload.profile == "opening-burst":
        return True
    if any(entry.change is not None for entry in scenario.timeline):
        return False
    hit = frozenset[str]().union(*(blast_radius(str(e.fault), e.target, topology) for e in _faults(resolved)))
    return not hit if objective.subject == "complete" else not hit & _reached(resolved, objective.subject)


def _reached(resolved: Resolved, service: str) -> set[str]:
    """A service and all that its calls lead to."""
    reached, waiting = set[str](), [service]
    while waiting:
        reached.add(at := waiting.pop())
        waiting += [c.callee for c in resolved.topology.calls if c.caller == at and c.callee not in reached]
    return reached


Rule = Callable[[Resolved, Mapping[str, Any], Objective], tuple[State, str]]


def _faults(resolved: Resolved) -> list[Entry]:
    return [e for e in resolved.scenario.timeline if e.fault is not None and e.fault != "none"]


def _recovery_time(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    parts, subject = {*topology["services"], "database", "page"}, objective.subject
    if subject != "complete" and subject not in parts:
        return "not exercised", f"the topology has no {subject}"
    members = parts if subject == "complete" else {subject}
    for entry in _faults(resolved):
        if blast_radius(str(entry.fault), entry.target, topology) & members:
            return "judged", f"{entry.fault} hits it"
    return "judged if", "it goes bad by itself; no fault hits it"


def _data_loss(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    subject = objective.subject
    if subject != "transactions" and subject not in topology["database"]["copies"]:
        return "not exercised", f"the topology copies no {subject}"
    for entry in _faults(resolved):
        if subject in data_hit(str(entry.fault), entry.target, topology):
            return "judged", f"{entry.fault} hits its region or database"
    if subject == "transactions":
        return "judged if", "an acknowledged order is lost although no fault hits the database"
    return "not exercised", f"no fault hits the region of {subject}"


def _latency(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    if objective.subject not in {*topology["services"], "database"}:
        return "not exercised", f"the topology has no {objective.subject}"
    return "judged", "there is load"


def _throughput(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    return "judged", f"there is load: {resolved.scenario.workload.rate_per_s:,.0f}/s are offered"


def _detection(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    rules = {rule.alert: rule for rule in resolved.topology.monitoring.alerts}
    if objective.subject not in rules:
        return "not exercised", f"the topology has no alert {objective.subject}"
    monitoring = resolved.topology.monitoring
    due_us = rules[objective.subject].for_us + monitoring.scrape_us + monitoring.evaluation_us
    return "judged if", f"its condition holds for {duration(due_us)}, or it fires without it"


def _response(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    return "judged if", f"somebody is paged for a {objective.subject}"


def _change(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    change = next((e.change for e in resolved.scenario.timeline if e.change is not None), None)
    if change is None:
        return "not exercised", "the timeline contains no change"
    return ("judged if", f"{change} is rolled back") if objective.subject == "rollback" else ("judged", change)


def _load_test(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    workload, rate, lasts = resolved.scenario.workload, objective.limit_per_s or 0.0, objective.lasts_us or 0
    if workload.profile != "steady" or isinstance(workload.duration, str) or _faults(resolved):
        return "not exercised", "a load test is a steady rate for a fixed time, and nothing breaks"
    if workload.rate_per_s < rate:
        return "not exercised", f"{workload.rate_per_s:,.0f}/s are offered, the test asks for {rate:,.0f}/s"
    if workload.duration < lasts:
        return "not exercised", f"the load lasts {duration(workload.duration)}, the test {duration(lasts)}"
    return "judged", "the workload is this test"


def _always(resolved: Resolved, topology: Mapping[str, Any], objective: Objective) -> tuple[State, str]:
    return "judged", "always"


_RULES: dict[str, Rule] = {
    "recovery_time": _recovery_time,
    "data_loss": _data_loss,
    "latency": _latency,
    "throughput": _throughput,
    "detection": _detection,
    "response": _response,
    "change": _change,
    "load_test": _load_test,
    "house_rule": _always,
    "integrity": _always,
}
