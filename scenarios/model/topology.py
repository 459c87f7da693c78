"""A topology: regions, services, call graph, database, what is copied, who watches and who answers.

Sizes are structure and stand here; delays, rates and people are parameters (`scenarios.model.parameters`).
"""

from typing import Literal

from pydantic import Field

from scenarios.model.base import Cpu, Duration, Flag, Model, Name, Number, Share, Text, TimeOfDay, Whole


class Region(Model):
    """A region and what stands ready in it."""

    role: Literal["active", "pilot-light", "warm"]
    zones: Whole = Field(3, ge=1, le=6)
    nodes: Whole = Field(ge=1, le=1000, description="ready at the start")
    node_cpu: Cpu
    node_quota: Whole = Field(ge=1, le=1000, description="nodes the provisioner may reach")
    provisioner: Literal["karpenter", "cluster-autoscaler", "none"] = "karpenter"
    warm_replicas: Whole = Field(
        0, ge=0, le=1000, description="pods of each service standing ready when the role is warm"
    )


class Lognormal(Model):
    """Own work of a service: mean and log-standard-deviation."""

    mean_us: Duration = Field(alias="mean", gt=0)
    sigma: Number = Field(0.5, ge=0, le=3)


class Queue(Model):
    """Waiting room of a pod."""

    capacity: Whole = Field(ge=0, le=1_000_000)
    patience_us: Duration = Field(alias="patience")


class WarmUp(Model):
    """A pod that has just become ready works slower: factor falling linearly to 1."""

    factor: Number = Field(1.0, ge=1, le=1000)
    duration_us: Duration = Field(0, alias="duration")


class Probe(Model):
    """What a user asks of the service and what counts as a right answer."""

    asks: Literal["own", "chain", "write"] = "own"  # own: answered by the service itself
    spacing_us: Duration = Field(50_000, alias="spacing", gt=0)
    timeout_us: Duration = Field(1_000_000, alias="timeout")
    greatest_age_us: Duration | None = Field(None, alias="greatest age")
    serving: str = ""  # in words
    degraded: str = ""


class Service(Model):
    """A stateless service; each region may hold a deployment of it."""

    deployment: str
    replicas: Whole = Field(ge=1, le=1000)
    slots: Whole = Field(ge=1, le=100_000)
    cpu: Cpu
    own: Lognormal
    queue: Queue
    warm_up: WarmUp = WarmUp()
    probe: Probe = Probe()
    spread: Literal["nodes", "zones", "none"] = "zones"
    needs_database: Flag = False  # without it answers are not right


class Copy(Model):
    """A class of data copied to another region at an interval."""

    interval_us: Duration = Field(alias="interval", gt=0)
    write_spacing_us: Duration = Field(alias="write spacing", gt=0)


class Database(Model):
    """The primary, its standby in the region, its replica in another, and its backups."""

    cpu: Cpu
    slots: Whole = Field(ge=1, le=100_000)
    own: Lognormal
    queue: Queue
    probe: Probe = Probe()
    home: str  # region of the primary
    multi_az: Flag = True
    replica_region: str | None = None
    snapshot_at_s: TimeOfDay = Field(7200, alias="snapshot at")
    log_upload_us: Duration = Field(300_000_000, alias="log upload")
    copies: dict[str, Copy] = {}  # models, configuration, logs


class Breaker(Model):
    """Circuit breaker of a caller."""

    threshold: Share
    window: Whole = Field(ge=1, le=100_000)
    open_us: Duration = Field(alias="open")


class Call(Model):
    """An edge of the call graph."""

    caller: str = Field(alias="from")
    callee: str = Field(alias="to")
    mode: Literal["sync", "async"]
    balancer: Literal["random", "round-robin", "least-connections", "power-of-two"] = "random"
    timeout_us: Duration = Field(0, alias="timeout")
    retries: Whole = Field(0, ge=0, le=6)
    back_off_us: Duration = Field(0, alias="back-off")
    budget: Share | None = None
    budget_burst: Whole = Field(10, ge=1, le=100_000, alias="budget burst")  # retries a caller may have saved up
    breaker: Breaker | None = None
    pool: Whole = Field(0, ge=0, le=100_000)  # connections per calling pod, 0: no pool
    pool_queue: Whole = Field(200, ge=0, le=1_000_000, alias="pool queue")  # calls that may wait for a connection
    pool_patience_us: Duration = Field(50_000, alias="pool patience")
    why: str = ""


class Client(Model):
    """The senders of orders. Their call into the system is the call `client -> SERVICE` of the call graph."""

    count: Whole = Field(200, ge=1, le=1_000_000)
    ignore_ttl: Share = 0.03


class Dns(Model):
    """How names lead to a region."""

    ttl_us: Duration = Field(alias="ttl")
    health_check_failover: Flag = False  # Route 53 health check moves the name by itself


class AlertRule(Model):
    """An alert as the runbook has it, in both readings."""

    alert: str
    written: str  # PromQL as the runbook writes it
    intended: str
    for_us: Duration = Field(alias="for")
    severity: str = "critical"


class Monitoring(Model):
    """Prometheus in each of these regions, each scraping all regions."""

    regions: tuple[str, ...]
    scrape_us: Duration = Field(alias="scrape", gt=0)
    evaluation_us: Duration = Field(alias="evaluation", gt=0)
    fast_evaluation_us: Duration = Field(5_000_000, alias="fast evaluation", gt=0)  # rules of the group RiskLimitBreach
    group_wait_us: Duration = Field(30_000_000, alias="group wait")
    alerts: tuple[AlertRule, ...]


class Automation(Model):
    """The failover automation."""

    region: str
    poll_us: Duration = Field(alias="poll", gt=0)
    failures: Whole = Field(3, ge=1, le=1000)
    procedure: str
    working: Flag = True


class People(Model):
    """Who can act: each does one thing at a time. How long they need is in the parameters `people.*`."""

    incident_commanders: Whole = Field(1, ge=1, le=100)  # decide
    technical_leads: Whole = Field(1, ge=1, le=100)  # type
    levels: tuple[str, ...] = ("L1", "L2", "L3")  # paged in this order


class Topology(Model):
    """One topology file: regions, services, call graph, database, monitoring, automation and people."""

    topology: Name
    title: Text
    regions: dict[Name, Region] = Field(min_length=1)
    services: dict[Name, Service] = Field(min_length=1)
    database: Database
    calls: tuple[Call, ...]
    client: Client
    dns: Dns
    monitoring: Monitoring
    automation: Automation | None = None
    people: People = People()
    parameters: dict[str, object] = {}  # overrides of the catalogue
