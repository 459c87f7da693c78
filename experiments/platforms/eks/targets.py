"""An allowed target: one region's cluster and what belongs to it, as `[targets.NAME]` of gameday.toml declares it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scenarios.errors import Problem, UsageError

Text = Annotated[str, StringConstraints(min_length=1)]

CLASSES = ("models", "configuration", "logs")


class Target(BaseModel):
    """One region. What identifies it is needed; the rest is needed by the verbs that touch it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(pattern=r"^\d{12}$", description="AWS account, 12 digits")
    region: Text = Field(description="AWS region; the topology's region has the same name")
    cluster: Text = Field(description="name of the EKS cluster")
    kube_system_uid: Text = Field(description="UID of the cluster's namespace kube-system")
    ca_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the certificate authority (DER), in hex")
    namespace: Text = "grandmodel"
    database: str = Field("", description="identifier of the region's RDS instance, primary or replica")
    hosted_zone: str = Field("", description="id of the Route 53 hosted zone")
    record: str = Field("", description="name that users resolve")
    endpoint: str = Field("", description="what the name leads to in this region: a load balancer's DNS name")
    endpoint_zone: str = Field("", description="hosted zone of the load balancer: the record is an alias then")
    health_check: str = Field("", description="id of the Route 53 health check of this region")
    kubeconfig: str = Field("", description="file that holds the context; else KUBECONFIG, else ~/.kube/config")
    context: str = Field("", description="kubectl context that reaches the cluster; its identity is what counts")
    api_for_pods: str = Field(
        "", description="https address of the API for another target's pods; empty: the context's"
    )
    edge: str = Field("", description="host at which the region's services are asked")
    database_at: str = Field("", description="HOST:PORT of the region's database; empty: behind the edge")
    function: str = Field("", description="name of the Lambda function that fails over to this region")
    buckets: dict[str, str] = Field(default_factory=dict, description="class: bucket/prefix that this region uses")
    backups: dict[str, str] = Field(default_factory=dict, description="class: bucket/prefix that it is copied from")

    @property
    def name(self) -> str:
        """What is typed to confirm: region and cluster.

        >>> Target.model_construct(region="us-east-1", cluster="grandmodel-production").name
        'us-east-1/grandmodel-production'
        """
        return f"{self.region}/{self.cluster}"

    def need(self, key: str) -> str:
        """Return a value that a verb needs. Raises UsageError when it was not declared."""
        value = getattr(self, key)
        if not value:
            raise self._missing(key, str(type(self).model_fields[key].description))
        return str(value)

    def place(self, kind: str, data: str) -> tuple[str, str]:
        """Bucket and prefix of a class of data; kind: buckets or backups. Raises UsageError."""
        value: Any = getattr(self, kind).get(data)
        if not value:
            raise self._missing(f"{kind}.{data}", "bucket/prefix")
        bucket, _, prefix = str(value).partition("/")
        return bucket, prefix

    def _missing(self, key: str, what: str) -> UsageError:
        remedy = f"Add `{key}` to the section under [targets] whose region is {self.region}."
        return UsageError(Problem(f"gameday.toml, target {self.name}", f"no `{key}`", what, remedy))


class Outside(BaseModel):
    """What is asked from outside while a game day is on: names, services, pages; and where orders may go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dns: str = Field("", description="HOST:PORT of the name server that is asked for the record, as users ask it")
    ports: dict[str, int] = Field(default_factory=dict, description="service: port of each region's edge")
    pages: str = Field("", description="HOST:PORT of a page receiver that lists what came; empty: there is none")
    sink: str = Field("", description="name of the non-market sink that rejects our orders")
    canary: str = Field("", description="URL that the canary order is sent to; empty: where orders go, by the name")
    canary_elsewhere: str = Field("", description="why it may be one that orders do not take; it is signed too")


def of_regions(targets: dict[str, Target], regions: tuple[str, ...]) -> dict[str, Target]:
    """The one target of each region. Raises UsageError, with a problem for each region that has none or several."""
    found: dict[str, Target] = {}
    problems = []
    for region in regions:
        named = {name: target for name, target in targets.items() if target.region == region}
        if len(named) == 1:
            found[region] = next(iter(named.values()))
            continue
        has = f"targets {', '.join(named)}" if named else "no target"
        remedy = "Keep one of them." if named else f'Add a section [targets.NAME] with region = "{region}".'
        problems.append(Problem(f"gameday.toml, region {region}", has, "one allowed target", remedy))
    if problems:
        raise UsageError(*problems)
    return found
