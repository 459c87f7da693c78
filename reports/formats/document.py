"""The report as data: the shape behind the JSON format and its published schema."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Word = Literal["PASS", "FAIL", "INCONCLUSIVE"]
SCHEMA_ID = "https://gameday.example/schemas/report-1.json"


class Shape(BaseModel):
    """Closed: a name that is not declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Where(Shape):
    """Where in the record a value comes from."""

    table: str = Field(description="Table of the record: marks, probes, load, ...")
    where: str = Field(description="What to look for there.")
    t_us: int | None = Field(None, description="Microseconds from the start of the run.")


class Trials(Shape):
    """How an objective fared over all trials."""

    met: int
    of: int
    low: float | None = Field(description="Lower bound of the share that meets it; null: not judged over the trials.")
    high: float | None
    values: list[float | None] = Field(description="Measured values, ascending; null: never got there.")


class Beside(Shape):
    """A row that is shown and never merged."""

    name: str
    value: float | None
    unit: str
    result: Word | None


class Objective(Shape):
    """One objective. `value`, `low`, `high` are those of the trial with a full record; `result` is the deciding one."""

    objective: str
    title: str
    group: str
    state: Literal["judged", "not_judged", "not_exercised"]
    result: Word | None
    value: float | None
    limit: float | None
    unit: str
    low: float | None
    high: float | None
    samples: int
    method: str
    reason: str
    source: str
    gap: str = Field(description="By how much it is over or under the limit, in words.")
    phases_s: dict[str, float] = Field(description="Seconds of detect, decide, act, converge; empty where it has none.")
    trials: Trials | None
    evidence: list[Where]
    detail: dict[str, Any]
    beside: list[Beside]


class Moment(Shape):
    """One line of the story."""

    t_s: float
    since_fault_s: float | None
    words: str
    tone: str


class Checked(Shape):
    """How the kernel was compared with the reference on this topology."""

    requests: int
    differing: int


class Kept(Shape):
    """A trial whose full record is kept beside the others."""

    trial: int
    roles: list[Literal["asked", "worst", "median"]] = Field(
        description="asked for; worst and median by the time until the complete system recovered"
    )
    fidelity: str = Field(description="Level at which its record was played.")
    folder: str = Field(description="The ensemble's folder and its own inside: what commands take as RUN.")
    result: Word
    recovery_s: float | None = Field(description="Of the complete system; null: it did not recover, or was not judged.")


class Document(Shape):
    """A whole report."""

    schema_version: Literal[1] = 1
    headline: str
    result: Word
    judged: int
    applicable: int
    title: str
    scenario: str | None
    run_id: str | None
    source: str | None
    evidence_class: str
    termination: str | None
    seed: int | None
    trials: int | None = Field(description="Number of trials; null: one run.")
    met_in: float | None = Field(description="Share of trials that must meet an objective.")
    kept: list[Kept] = Field(description="Trials kept in full; none for one run.")
    duration_s: float
    summary: str
    objectives: list[Objective]
    story: list[Moment]
    checked: Checked | None
    environment: dict[str, str]
    command: str


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Document.model_json_schema(mode="serialization"),
    }
