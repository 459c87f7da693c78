"""A scenario: what load runs, what breaks when, which procedure answers."""

from typing import Literal

from pydantic import Field

from scenarios.model.base import Duration, Model, Name, Plain, Rate, Share, Text, TimeOfDay, Whole


class History(Model):
    """Numbered writes declared before the run, so that the loss of older data can be measured.

    One transaction each `spacing`, the last one spacing before the start, the first `covers` before it.
    """

    covers_us: Duration = Field(alias="covers")
    spacing_us: Duration = Field(alias="spacing", gt=0)


class Workload(Model):
    """Offered load of new orders."""

    profile: Literal["steady", "diurnal", "opening-burst"] = "steady"
    rate_per_s: Rate = Field(alias="rate", description="new orders a second; the base that a profile multiplies")
    duration: Literal["until settled"] | Duration = "until settled"
    at_most_us: Duration = Field(alias="at most", gt=0, description="the run ends then, settled or not")
    starts_at_s: TimeOfDay | None = Field(None, alias="starts at", description="time of day (UTC) of the run's start")
    history: History | None = None


class Trigger(Model):
    """A fact that starts a timeline entry: the first mark of this kind (and subject), plus a delay."""

    mark: str
    subject: str | None = None
    after_us: Duration = Field(0, alias="after")


class Entry(Model):
    """One line of the timeline: a fault, or a change, at an instant or when a fact occurs."""

    at_us: Duration | None = Field(None, alias="at")
    when: Trigger | None = None
    fault: str | None = Field(
        None, description="kind of fault, `gameday scenarios --faults`"
    )  # scenarios.model.faults.FAULTS
    change: str | None = None  # name of a procedure that is a change
    target: dict[str, str] = {}  # region / service / pod / node / database / zone
    # length, "end": lifted in the clean-up, None: instantaneous or ended by a procedure
    until: Literal["end"] | Duration | None = None
    options: dict[str, Plain] = Field({}, alias="with")


class TwinWorld(Model):
    """How the twin plays it."""

    trials: Whole = Field(200, ge=1, le=10_000_000)
    met_in: Share = Field(0.95)


class ClusterWorld(Model):
    """How a cluster plays it."""

    topology: str | None = None
    rate_per_s: Rate | None = Field(None, alias="rate")
    at_most_us: Duration | None = Field(None, alias="at most")
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
    runbook: tuple[str, ...]
    topology: str
    workload: Workload
    timeline: tuple[Entry, ...]
    response: tuple[str, ...] = ()  # procedures that answer, by name
    worlds: Worlds
    not_judged: dict[str, str] = {}  # objective: reason
    set: dict[str, Plain] = {}  # overrides of parameters and topology, as --set
    tests: str = ""  # what it is about, in a sentence
