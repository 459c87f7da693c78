"""A scenario: what load runs, what breaks when, which procedure answers."""

from typing import Literal

from pydantic import Field

from scenarios.model.base import Duration, Model, Name, OptionValue, Plain, Rate, Share, Text, TimeOfDay, Whole

LONGEST_RUN_US = 7 * 86_400_000_000


class History(Model):
    """Numbered writes declared before the run, so that the loss of older data can be measured.

    One transaction each `spacing`, the last one spacing before the start, the first `covers` before it.
    """

    covers_us: Duration = Field(alias="covers", gt=0)
    spacing_us: Duration = Field(alias="spacing", ge=1_000)


class Workload(Model):
    """Offered load of new orders."""

    profile: Literal["steady", "diurnal", "opening-burst"] = "steady"
    rate_per_s: Rate = Field(
        alias="rate", gt=0, le=1e7, description="new orders a second; the base that a profile multiplies"
    )
    duration: Literal["until settled"] | Duration = Field(
        "until settled", description="a time, or until everything was good again for the sustain window"
    )
    at_most_us: Duration = Field(
        alias="at most", gt=0, le=LONGEST_RUN_US, description="the run ends then, settled or not"
    )
    starts_at_s: TimeOfDay | None = Field(None, alias="starts at", description="time of day (UTC) of the run's start")
    history: History | None = Field(None, description="writes declared before the run, to measure loss of older data")


class Trigger(Model):
    """A fact that starts a timeline entry: the first mark of this kind (and subject), plus a delay."""

    mark: str = Field(description="kind of fact, e.g. alert_firing")
    subject: str | None = Field(None, description="what it is about; nothing: the first of its kind")
    after_us: Duration = Field(0, alias="after", description="how long after the fact")


class Entry(Model):
    """One line of the timeline: a fault, or a change, at an instant or when a fact occurs."""

    at_us: Duration | None = Field(None, alias="at", description="time from the run's start")
    when: Trigger | None = Field(None, description="a fact that starts it, instead of a time")
    fault: str | None = Field(None, description="kind of fault: region-loss, pod-kill ...")
    change: str | None = Field(None, description="name of a procedure that is a change")
    target: dict[str, str] = Field(default_factory=dict, description="what the fault aims at: region, service, api")
    until: Literal["end"] | Duration | None = Field(
        None, description="how long it lasts; end: lifted after the judged interval; nothing: a procedure ends it"
    )
    options: dict[str, OptionValue] = Field(default_factory=dict, alias="with", description="numbers of the fault")


class TwinWorld(Model):
    """How the twin plays it."""

    trials: Whole = Field(200, ge=1, le=10_000_000)
    met_in: Share = Field(0.95, gt=0, lt=1, description="share of trials in which an objective must be met")


class ClusterWorld(Model):
    """How a cluster plays it."""

    topology: Text | None = None
    rate_per_s: Rate | None = Field(None, alias="rate", gt=0)
    at_most_us: Duration | None = Field(None, alias="at most")
    skips_us: Duration = Field(
        0,
        alias="skips",
        description="quiet time before the first fault that is left out: every `at` comes so much earlier",
    )
    users: Whole | None = Field(
        None,
        ge=1,
        le=100_000,
        exclude_if=lambda users: users is None,  # a scenario that does not say it keeps its digest
        description="users who send the load together, each waits for its answer before it sends again; "
        "nothing: orders are sent when they are due, whatever became of those before",
    )
    approval: Literal["required", "none"] = "none"


class Worlds(Model):
    """Worlds that may play it."""

    twin: TwinWorld | None = None
    kind: ClusterWorld | None = None
    eks: ClusterWorld | None = None


class Scenario(Model):
    """One scenario file: what load runs, what breaks when, which procedure answers, where it can be played."""

    scenario: Name
    title: Text
    runbook: tuple[Text, ...] = Field(description="paths of the runbook's sections that it exercises")
    topology: Text = Field(description="name or path of a topology")
    workload: Workload
    timeline: tuple[Entry, ...] = Field(description="faults and changes")
    response: tuple[Text, ...] = Field((), description="procedures that answer, by name")
    worlds: Worlds
    not_judged: dict[str, str] = Field(
        default_factory=dict, description="objective: why it is left out though it applies"
    )
    set: dict[str, Plain] = Field(default_factory=dict, description="changed parameters and sizes, as `--set`")
    tests: str = Field("", description="what it is about, in a sentence")
