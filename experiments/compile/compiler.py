"""Compile a scenario to an ordinary Chaos Toolkit experiment, which `chaos run` plays by itself.

Rollbacks run always, whatever happens (`runtime.rollbacks.strategy`). Every probe answers true or false and is looked
at with the tolerance true: chaoslib reads [200, 404] as a range and skips its rollbacks for a None.
"""

from collections.abc import Iterator
from typing import Any

from experiments.compile.activities import action, probe
from experiments.compile.people import respond
from experiments.operate import watching
from experiments.operate.performing import performer
from experiments.platforms.platform import platform
from experiments.platforms.site import site
from scenarios.errors import Problem, UsageError
from scenarios.files.resolved import Resolved
from scenarios.model.faults import FAULTS
from scenarios.model.scenario import Entry

SUSTAIN_S = 60.0
LANDS_WITHIN_S = watching.LANDS_WITHIN_S
_WATCHING = "experiments.operate.watching"

Activity = dict[str, Any]


def compile_scenario(resolved: Resolved) -> dict[str, Any]:
    """The experiment of a scenario, as JSON values.

    Raises:
        UsageError: a fault, a step or a trigger cannot be played on a cluster.
    """
    if problems := [*_timeline_problems(resolved), *_step_problems(resolved)]:
        raise UsageError(*problems)
    scenario = resolved.scenario
    return {
        "version": "1.0.0",
        "title": scenario.title,
        "description": scenario.tests or scenario.title,
        "tags": ["gameday", scenario.scenario],
        "runtime": {"rollbacks": {"strategy": "always"}, "hypothesis": {"strategy": "default"}},
        "extensions": [
            {
                "name": "gameday",
                "scenario": scenario.scenario,
                "scenario_digest": resolved.scenario_digest,
                "topology_digest": resolved.topology_digest,
            }
        ],
        "steady-state-hypothesis": _steady_state(resolved),
        "method": [*_method(resolved)],
        "rollbacks": [*_rollbacks(resolved)],
    }


def faults(resolved: Resolved) -> list[tuple[str, str, dict[str, Any]]]:
    """Faults of a scenario: name in the timeline, kind, arguments of its injection."""
    return [
        (_name(number, entry), entry.fault, arguments(entry))
        for number, entry in enumerate(resolved.scenario.timeline)
        if entry.fault not in (None, "none")
    ]


def arguments(entry: Entry) -> dict[str, Any]:
    """Arguments of a fault's injection: its target and its options, whole numbers as such."""
    options = {
        name: int(value) if isinstance(value, float) and value.is_integer() and name in _whole(entry) else value
        for name, value in entry.options.items()
    }
    return {**entry.target, **options}


def _whole(entry: Entry) -> set[str]:
    return {option.name for option in FAULTS[entry.fault or "none"].options if getattr(option, "whole", False)}


def _name(number: int, entry: Entry) -> str:
    return f"{entry.fault}:{number}"


# --- what a cluster cannot play


def _timeline_problems(resolved: Resolved) -> list[Problem]:
    problems, can = [], platform().can_break()
    for number, entry in enumerate(resolved.scenario.timeline):
        where = f"{resolved.scenario.scenario}: timeline.{number}"
        if entry.fault not in (None, "none", *can):
            expected = f"a fault for a cluster of {site().world}: {', '.join(can)}"
            problems.append(Problem(f"{where}.fault", str(entry.fault), expected, "Simulate it."))
    return problems


def _step_problems(resolved: Resolved) -> list[Problem]:
    return [
        Problem(
            f"procedure {name}, step {step.id}",
            f"the verb `{step.verb}`",
            f"one that can be done here: {', '.join(performer().known())}",
            "Simulate it, or leave the step out.",
        )
        for name in _by_people(resolved)
        for step in resolved.procedures[name].steps
        if step.verb not in performer().known()
    ]


def _by_people(resolved: Resolved) -> list[str]:
    """Procedures that people carry out in this scenario: those that answer, and changes."""
    changes = [entry.change for entry in resolved.scenario.timeline if entry.change is not None]
    return [n for n in (*resolved.scenario.response, *changes) if resolved.procedures[n].actor == "people"]


# --- the parts of an experiment


def _services(resolved: Resolved) -> list[str]:
    return [*resolved.topology.services, "database"]


def _steady_state(resolved: Resolved) -> dict[str, Any]:
    probes = [
        {**probe(f"{service} gives a right answer", _WATCHING, "is_good", service=service), "tolerance": True}
        for service in _services(resolved)
    ]
    return {"title": "every service gives right answers where the name leads to", "probes": probes}


def _method(resolved: Resolved) -> Iterator[Activity]:
    topology, workload = resolved.topology, resolved.scenario.workload
    yield action("the experiment starts", "experiments.operate.moments", "start")
    if platform().PREPARES:
        yield action(
            "the testbed is as the scenario wants it",
            "experiments.operate.preparation",
            "prepare",
            region=topology.database.home,
            plan={name: service.replicas for name, service in topology.services.items()},
            automation=_automation(resolved),
        )
    people = _answering(resolved)
    yield from _timeline(resolved, beside=bool(people))
    if people:
        yield from respond(resolved, people)
    at_most_s = workload.at_most_us / 1e6
    if workload.duration == "until settled":
        yield probe(
            "hold until every service is good again",
            _WATCHING,
            "until_good",
            services=_services(resolved),
            at_most_s=at_most_s,
            sustain_s=max(SUSTAIN_S, 2 * topology.dns.ttl_us / 1e6),
        )
    else:
        yield probe("hold", _WATCHING, "until_over", at_s=workload.duration / 1e6)


def _automation(resolved: Resolved) -> dict[str, Any]:
    """Where the testbed's automation stands, and whether it may act: one that is lost with its region does not."""
    automation, lost = resolved.topology.automation, _lost_regions(resolved)
    works = automation is not None and automation.working and automation.region not in lost
    return {"region": resolved.topology.database.replica_region, "works": works}


def _lost_regions(resolved: Resolved) -> set[str]:
    return {e.target["region"] for e in resolved.scenario.timeline if e.fault == "region-loss"}


def _answering(resolved: Resolved) -> list[str]:
    """Procedures with which people answer a page."""
    return [n for n in _by_people(resolved) if resolved.procedures[n].starts == "page-answered"]


def _timeline(resolved: Resolved, *, beside: bool) -> Iterator[Activity]:
    """The timeline in order. What happens beside people's answer, or when a fact occurs, is in the background."""
    entries = list(enumerate(resolved.scenario.timeline))
    timed = sorted(((n, e) for n, e in entries if e.at_us is not None), key=lambda found: found[1].at_us or 0)
    first = next((n for n, e in timed if e.fault is not None), None)
    for number, entry in entries:
        if entry.when is not None:
            yield _in_background(resolved, number, entry)
    moments: list[tuple[float, int, list[Activity]]] = []  # when, order, what
    for number, entry in timed:
        at_s = (entry.at_us or 0) / 1e6
        if entry.change is not None:
            moments.append((at_s, number, [*respond(resolved, [entry.change], paged=False)]))
        elif beside and number != first:
            yield _in_background(resolved, number, entry)
        elif entry.fault != "none":
            moments.append((at_s, number, _injected(number, entry)))
            if isinstance(entry.until, int):
                ends_s = at_s + entry.until / 1e6
                moments.append((at_s if beside else ends_s, number, [_lifted_at(number, entry, ends_s, beside)]))
    for at_s, _, activities in sorted(moments, key=lambda moment: moment[:2]):
        yield probe(f"wait until {at_s:g} s", "experiments.operate.moments", "wait_until", at_s=at_s)
        yield from activities


def _injected(number: int, entry: Entry) -> list[Activity]:
    assert entry.fault is not None, "a fault"
    name, module = _name(number, entry), _module(entry.fault)
    return [
        action(f"inject {name}", module, "inject", fault=name, **arguments(entry)),
        probe(
            f"{name} has landed",
            _WATCHING,
            "until_landed",
            fault=name,
            kind=entry.fault,
            within_s=min(LANDS_WITHIN_S, entry.until / 1e6) if isinstance(entry.until, int) else LANDS_WITHIN_S,
        ),
    ]


def _lifted_at(number: int, entry: Entry, at_s: float, background: bool) -> Activity:
    name = _name(number, entry)
    found = action(f"lift {name} at {at_s:g} s", _WATCHING, "lift_at", fault=name, kind=entry.fault, at_s=at_s)
    return {**found, "background": True} if background else found


def _in_background(resolved: Resolved, number: int, entry: Entry) -> Activity:
    assert entry.fault is not None, "a change happens at a time, by itself"
    name, when = _name(number, entry), entry.when
    found = action(
        f"{name}, beside the rest",
        "experiments.operate.entries",
        "play",
        fault=name,
        kind=entry.fault,
        arguments=arguments(entry),
        at_s=None if entry.at_us is None else entry.at_us / 1e6,
        when=None if when is None else {"mark": when.mark, "subject": when.subject or ""},
        after_s=0.0 if when is None else when.after_us / 1e6,
        lasts_s=entry.until / 1e6 if isinstance(entry.until, int) else None,
        at_most_s=resolved.scenario.workload.at_most_us / 1e6,
    )
    return {**found, "background": True}


def _rollbacks(resolved: Resolved) -> Iterator[Activity]:
    """Take back changes that have not ended, lift every fault, and only then see that each is gone: that is slow."""
    if any(entry.change is not None for entry in resolved.scenario.timeline):
        yield action("changes that have not come to their end", "experiments.operate.changing", "take_back")
    lifted = [(name, kind) for name, kind, _ in faults(resolved) if FAULTS[kind].lifted][::-1]
    for name, kind in lifted:
        yield action(f"lift {name}", _module(kind), "lift", fault=name, by="clean-up")
    for name, kind in lifted:
        yield probe(f"{name} is gone", _WATCHING, "until_gone", fault=name, kind=kind)
    if platform().PREPARES:
        yield action("the testbed as it was", "experiments.operate.preparation", "put_back")


def _module(kind: str) -> str:
    return f"experiments.faults.{kind.replace('-', '_')}"
