"""What people do in an experiment: the answer to a page, the decision, and the steps of a procedure, one by one.

Scripted people take the medians of the scenario's parameters for everything. Nobody mistypes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.compile.activities import action, probe
from scenarios.files.resolved import Resolved
from scenarios.model.parameters import Parameters
from scenarios.model.procedure import Procedure, Step

_STEPS = "experiments.operate.steps"


def median_s(parameters: Parameters, name: str) -> float:
    """Median of a duration, in seconds."""
    parameter = parameters.by_name[name]
    middle = sum(parameter.values) / 2 if parameter.kind == "uniform" else parameter.values[0]
    return round(middle / 1e6, 3)


def respond(resolved: Resolved, procedures: Sequence[str], *, paged: bool = True) -> Iterator[dict[str, Any]]:
    """Activities of people who carry out procedures, one after the other.

    Args:
        resolved: the scenario.
        procedures: their names.
        paged: whether they wait for a page and decide; else the procedure is a change that was planned.
    """
    seconds = resolved.parameters
    if paged:
        yield action(
            "people answer a page", _STEPS, "answer_page",
            procedures=list(procedures),
            level=resolved.topology.people.levels[0],
            acknowledge_s=median_s(seconds, "people.acknowledge"),
            assemble_s=median_s(seconds, "people.assemble"),
            within_s=resolved.scenario.workload.at_most_us / 1e6,
        )  # fmt: skip
    for number, name in enumerate(procedures):
        procedure = resolved.procedures[name]
        if paged:
            yield action(
                f"decide on {name}", _STEPS, "decide",
                procedure=name,
                severity=procedure.severity,
                decide_s=median_s(seconds, "people.decide") if number == 0 else 0.0,
            )  # fmt: skip
        yield from _carried_out(resolved, procedure)


def _carried_out(resolved: Resolved, procedure: Procedure) -> Iterator[dict[str, Any]]:
    name = procedure.procedure
    yield action(f"{name} starts", _STEPS, "begin", procedure=name, change=procedure.change is not None)
    for step in procedure.steps:
        yield _step(resolved, name, step)
    yield probe(f"{name} has ended", _STEPS, "end", procedure=name, change=procedure.change is not None)


def _step(resolved: Resolved, procedure: str, step: Step) -> dict[str, Any]:
    plan = {name: service.replicas for name, service in resolved.topology.services.items()}
    limit = {} if step.timeout_us is None else {"within_s": step.timeout_us / 1e6}
    return action(
        f"{procedure}, {step.id}: {step.title}", _STEPS, "step",
        procedure=procedure,
        step=step.id,
        verb=step.verb,
        title=step.title,
        target=dict(step.target),
        options={"plan": plan, **step.options},
        takes_s=0.0 if step.takes is None else median_s(resolved.parameters, step.takes),
        **limit,
    )  # fmt: skip
