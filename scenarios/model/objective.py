"""Objectives: what was promised, with the section that promises it."""

from typing import Literal

from pydantic import Field

from scenarios.model.base import Duration, Model, Rate, Share

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


class Objective(Model):
    """One promise. Exactly the limit that its kind needs; a runbook section or a rationale."""

    objective: str  # rto.risk, rpo.transactions, kpi.tactical, kpi.throughput, alert.StrategicAgentDown, response.P0, change.downtime, load.stress, rule.single_writer, integrity.load
    kind: ObjectiveKind
    subject: str  # service, "complete", data class, alert, severity, rule name
    title: str
    limit_us: Duration | None = Field(None, alias="limit")
    limit_per_s: Rate | None = Field(None, alias="more than")
    quantile: Share | None = None
    lasts_us: Duration | None = Field(None, alias="lasts")
    runbook: str | None = None  # section path
    rationale: str | None = None


class Objectives(Model):
    """A file of objectives."""

    objectives: tuple[Objective, ...]


class Suite(Model):
    """Scenarios played together and the objectives that must have been judged."""

    suite: str
    title: str
    scenarios: tuple[str, ...]
    required: tuple[str, ...] = ()
