"""Objectives: what was promised, with the section that promises it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from scenarios.model.base import Duration, Model, Name, Rate, Share, Text

ObjectiveKind = Literal[
    "recovery_time",
    "data_loss",
    "latency",
    "throughput",
    "detection",
    "response",
    "change",
    "load_test",
    "house_rule",
    "integrity",
]
OBJECTIVE_PATTERN = r"^[a-z_]+\.[A-Za-z0-9_-]+$"
ObjectiveName = Annotated[str, StringConstraints(pattern=OBJECTIVE_PATTERN, max_length=80)]

# Limits that a kind is judged by; a kind takes no others.
LIMITS: dict[ObjectiveKind, frozenset[str]] = {
    "recovery_time": frozenset({"limit"}),
    "data_loss": frozenset({"limit"}),
    "latency": frozenset({"limit", "quantile"}),
    "throughput": frozenset({"more than"}),
    "detection": frozenset({"limit"}),
    "response": frozenset({"limit"}),
    "change": frozenset({"limit"}),
    "load_test": frozenset({"more than", "lasts"}),
    "house_rule": frozenset(),
    "integrity": frozenset(),
}
# Subjects of the kinds that do not speak of a part of the topology; the judge knows these and no others.
SUBJECTS: dict[ObjectiveKind, tuple[str, ...]] = {
    "throughput": ("edge",),
    "response": ("P0", "P1", "P2", "P3"),
    "change": ("downtime", "rollback"),
    "house_rule": ("single_writer", "no_duplicate_order", "no_order_after_stop", "nothing_unwritten"),
    "integrity": ("flow", "order_of_times", "fault_landed", "fault_gone", "nothing_left"),
}


class Objective(Model):
    """One promise. Exactly the limits that its kind needs; a runbook section or a rationale."""

    objective: ObjectiveName = Field(description="GROUP.NAME: rto.risk, kpi.tactical, rule.single_writer")
    kind: ObjectiveKind
    subject: Name = Field(description="a service, complete, a class of data, an alert, a severity or a rule")
    title: Text
    limit_us: Duration | None = Field(None, alias="limit")
    limit_per_s: Rate | None = Field(None, alias="more than")
    quantile: Share | None = None
    lasts_us: Duration | None = Field(None, alias="lasts")
    runbook: Text | None = Field(None, description="path of the runbook's section that promises it")
    rationale: Text | None = Field(None, description="why we ask for it, when no runbook does")


class Objectives(Model):
    """A file of objectives."""

    objectives: tuple[Objective, ...] = Field(min_length=1)


class Suite(Model):
    """Scenarios played together and the objectives that must have been judged."""

    suite: Name
    title: Text
    scenarios: tuple[Text, ...] = Field(min_length=1)
    required: tuple[ObjectiveName, ...] = Field((), description="judged in at least one of them, else INCONCLUSIVE")
