"""A topology: regions, services, call graph, database, what is copied, who watches and who answers.

Sizes are structure and stand here; delays, rates and people are parameters (`scenarios.model.parameters`).
"""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from scenarios.model.base import Cpu, Duration, Flag, Model, Name, Number, Share, Text, TimeOfDay, Whole
from scenarios.model.units import UnusableError

SHORTEST_PERIOD_US = 100_000  # of something that polls
SHORTEST_SPACING_US = 1_000  # of probes and writes


class Region(Model):
    """A region and what stands ready in it."""

    role: Literal["active", "pilot-light", "warm"] = Field(
        description="active: the full plan serves users; warm: `warm_replicas` of each service; pilot-light: no pods"
    )
    zones: Whole = Field(3, ge=1, le=6)
    nodes: Whole = Field(ge=1, le=1000, description="ready at the start")
    node_cpu: Cpu
    node_quota: Whole = Field(ge=1, le=1000, description="nodes the provisioner may reach")
    provisioner: Literal["karpenter", "cluster-autoscaler", "none"] = "karpenter"
    warm_replicas: Whole = Field(0, ge=0, le=1000, description="pods of each service standing ready in a warm region")

    def standing(self, replicas: int) -> int:
        """Pods that stand ready here at the start, of a service whose full plan has so many."""
        return {"active": replicas, "warm": self.warm_replicas, "pilot-light": 0}[self.role]


class Lognormal(Model):
    """Own work of a service."""

    mean_us: Duration = Field(alias="mean", gt=0, description="mean time, without the calls it waits for")
    sigma: Number = Field(0.5, ge=0, le=3, description="log-standard-deviation; 0: always the mean")


class DrawnTime(Model):
    """A time that is drawn each time, from one of these distributions."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    exponential_us: Duration | None = Field(None, alias="exponential", gt=0, description="mean")
    lognormal: tuple[Annotated[Duration, Field(gt=0)], Annotated[Number, Field(ge=0, le=3)]] | None = Field(
        None, description="median and log-standard-deviation"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.exponential_us is None) == (self.lognormal is None):
            raise UnusableError("exactly one of `exponential` and `lognormal`", "Give one of them.")
        return self


FixedOrDrawn = Annotated[  # a mapping is a distribution, whatever is wrong with it
    Annotated[Duration, Tag("fixed time")] | Annotated[DrawnTime, Tag("drawn time")],
    Discriminator(lambda value: "drawn time" if isinstance(value, dict | DrawnTime) else "fixed time"),
]


class Queue(Model):
    """Waiting room of a pod."""

    capacity: Whole = Field(ge=0, le=1_000_000, description="requests that may wait")
    patience_us: FixedOrDrawn = Field(
        alias="patience",
        description="longest wait, then 503; 0: for ever. The same for all, or drawn for each request and service",
    )


class WarmUp(Model):
    """A pod that has just become ready works slower."""

    factor: Number = Field(1.0, ge=1, le=1000, description="how much slower at first; falls to 1 in a straight line")
    duration_us: Duration = Field(0, alias="duration")


class Probe(Model):
    """What a user asks of the service and what counts as a right answer."""

    asks: Literal["own", "chain", "write"] = Field(
        "own", description="own: answered by the service itself; chain: with its callees; write: a row is written"
    )
    spacing_us: Duration = Field(50_000, alias="spacing", ge=SHORTEST_SPACING_US)
    timeout_us: Duration = Field(1_000_000, alias="timeout", gt=0)
    greatest_age_us: Duration | None = Field(None, alias="greatest age", description="of the data in a right answer")
    serving: str = Field("", description="in words: what counts as serving")
    degraded: str = Field("", description="in words: what counts as degraded, which is not serving")


class Service(Model):
    """A stateless service; each region may hold a deployment of it."""

    deployment: Text = Field(description="its name in Kubernetes")
    replicas: Whole = Field(ge=1, le=1000, description="pods of the full plan")
    slots: Whole = Field(
        ge=1, le=100_000, description="requests a pod works on at once, those that wait for a callee too"
    )
    cpu: Cpu = Field(description="of a pod")
    own: Lognormal
    queue: Queue
    warm_up: WarmUp = WarmUp()
    probe: Probe = Probe()
    spread: Literal["nodes", "zones", "none"] = Field("zones", description="what its pods are spread over")
    value_at_risk: Share | None = Field(
        None,
        alias="value at risk",
        description="of a service that computes it: its gauge risk_var_current as a share of risk_var_limit",
    )


class Copy(Model):
    """A class of data copied to another region at an interval."""

    interval_us: Duration = Field(alias="interval", ge=SHORTEST_PERIOD_US)
    write_spacing_us: Duration = Field(
        alias="write spacing",
        ge=SHORTEST_SPACING_US,
        description="between writes to the source; at most a tenth of the RPO",
    )


class Database(Model):
    """The primary, its standby in the region, its replica in another, and its backups."""

    cpu: Cpu
    slots: Whole = Field(ge=1, le=100_000, description="connections that work at once")
    own: Lognormal
    queue: Queue
    probe: Probe = Probe()
    home: Name = Field(description="region of the primary at the start")
    multi_az: Flag = Field(True, description="a synchronous standby in another zone takes over when the primary dies")
    replica_region: Name | None = Field(None, description="region of the asynchronous replica")
    snapshot_at_s: TimeOfDay = Field(7200, alias="snapshot at", description="time of the nightly snapshot, UTC")
    log_upload_us: Duration = Field(
        300_000_000,
        alias="log upload",
        ge=SHORTEST_PERIOD_US,
        description="how often logs for point-in-time recovery go",
    )
    copies: dict[Name, Copy] = Field(default_factory=dict, description="models, configuration, logs")


class Breaker(Model):
    """Circuit breaker of a caller."""

    threshold: Share = Field(gt=0, description="opens at this share of failures in its window")
    window: Whole = Field(ge=1, le=100_000, description="last results that count")
    open_us: Duration = Field(alias="open", description="how long it stays open before it lets one call try")


class Call(Model):
    """An edge of the call graph. Pool: connections of each calling pod."""

    caller: Name = Field(alias="from", description="client, or a service")
    callee: Name = Field(alias="to", description="a service, or database")
    mode: Literal["sync", "async"] = Field(description="sync: the caller holds its slot until the answer")
    balancer: Literal["random", "round-robin", "least-connections", "power-of-two"] = "random"
    timeout_us: Duration = Field(0, alias="timeout", description="0: waits for ever")
    retries: Whole = Field(0, ge=0, le=6)
    back_off_us: Duration = Field(0, alias="back-off", description="base of the exponential back-off with full jitter")
    budget: Share | None = Field(None, description="retries as a share of calls; nothing: no budget")
    budget_burst: Whole = Field(10, ge=1, le=100_000, alias="budget burst", description="retries it may have saved up")
    breaker: Breaker | None = None
    pool: Whole = Field(0, ge=0, le=100_000, description="connections of each calling pod; 0: no pool")
    pool_queue: Whole = Field(
        200, ge=0, le=1_000_000, alias="pool queue", description="calls that may wait for a connection"
    )
    pool_patience_us: Duration = Field(50_000, alias="pool patience", description="how long they may; 0: for ever")
    why: str = ""


class Client(Model):
    """The senders of orders. Their call into the system is the call `client -> SERVICE` of the call graph."""

    count: Whole = Field(200, ge=1, le=1_000_000, description="each with a DNS cache, a retry budget and a breaker")
    ignore_ttl: Share = Field(0.03, description="share that keeps its first DNS answer for ever")


class Dns(Model):
    """How names lead to a region."""

    ttl_us: Duration = Field(alias="ttl")
    health_check_failover: Flag = Field(False, description="a Route 53 health check moves the name by itself")
    control_plane: Name | None = Field(
        None,
        alias="control plane",
        description="region whose loss takes away the API by which records are changed; default: none of them",
    )


class AlertRule(Model):
    """An alert as the runbook has it, in both readings."""

    alert: Name
    written: Text = Field(description="PromQL as the runbook writes it")
    intended: Text = Field(description="PromQL as it is meant; this reading is judged")
    for_us: Duration = Field(alias="for", description="how long the condition holds before it fires")
    severity: Text = "critical"


class Monitoring(Model):
    """Prometheus in each of these regions, each scraping all regions."""

    regions: tuple[Name, ...] = Field(min_length=1)
    scrape_us: Duration = Field(alias="scrape", ge=SHORTEST_PERIOD_US)
    evaluation_us: Duration = Field(alias="evaluation", ge=SHORTEST_PERIOD_US)
    fast_evaluation_us: Duration = Field(
        5_000_000,
        alias="fast evaluation",
        ge=SHORTEST_PERIOD_US,
        description="of the rules as intended whose `for` is shorter than `evaluation`",
    )
    group_wait_us: Duration = Field(30_000_000, alias="group wait", description="Alertmanager waits before it sends")
    alerts: tuple[AlertRule, ...]


class Automation(Model):
    """The failover automation."""

    region: Name = Field(description="where it runs; it dies with this region")
    poll_us: Duration = Field(alias="poll", ge=SHORTEST_PERIOD_US)
    failures: Whole = Field(3, ge=1, le=1000, description="polls in a row that must fail before it acts")
    procedure: Text = Field(description="name of the procedure it carries out")
    working: Flag = Field(True, description="false: it is broken and nobody knows")


class People(Model):
    """Who can act: each does one thing at a time. How long they need is in the parameters `people.*`."""

    incident_commanders: Whole = Field(1, ge=1, le=100, description="who decide")
    technical_leads: Whole = Field(1, ge=1, le=100, description="who type")
    levels: tuple[Text, ...] = Field(("L1", "L2", "L3"), min_length=1, description="paged in this order")


class Topology(Model):
    """One topology file: regions, services, call graph, database, monitoring, automation and people."""

    topology: Name
    title: Text
    regions: dict[Name, Region] = Field(min_length=1)
    services: dict[Name, Service] = Field(min_length=1)
    database: Database
    calls: tuple[Call, ...] = Field(description="the call graph: a chain from `client`")
    client: Client
    dns: Dns
    monitoring: Monitoring
    automation: Automation | None = None
    people: People = People()
    parameters: dict[str, object] = Field(default_factory=dict, description="parameters that are different here")
