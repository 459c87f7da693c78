"""RDS: what a database is now, promotion of a read replica, snapshots, and restores beside what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import botocore.exceptions as refused

from experiments.operate.moments import moments
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Options, Plan, change, look, option
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef

EVERY_S = 15.0
PROMOTED_WITHIN_S = 1_800.0
RESTORED_WITHIN_S = 7_200.0
LAG_WITHIN = timedelta(minutes=5)  # CloudWatch's samples come each minute, some late


@dataclass(frozen=True)
class State:
    """A database instance as RDS tells it. `lag_s`: CloudWatch's last sample, seconds; None: there is none."""

    identifier: str
    status: str
    source: str  # of a replica, its primary; else nothing
    lag_s: float | None
    restorable: datetime | None  # the latest time that a restore can reach

    @property
    def role(self) -> str:
        """`primary` or `replica`."""
        return "replica" if self.source else "primary"

    def __str__(self) -> str:
        """Return it in words."""
        words = f"{self.identifier}: {self.role}, {self.status}"
        if self.source:
            words += f", replica of {self.source}, " + (
                "lag unknown" if self.lag_s is None else f"lag {self.lag_s:g} s"
            )
        return words + (f", restorable until {self.restorable.isoformat()}" if self.restorable else "")


def state(aws: Aws, identifier: str) -> State:
    """Ask what a database is now."""
    found = _instance(aws, identifier)
    source = found.get("ReadReplicaSourceDBInstanceIdentifier", "")
    return State(
        identifier,
        found.get("DBInstanceStatus", "unknown"),
        source,
        _lag_s(aws, identifier) if source else None,
        found.get("LatestRestorableTime"),
    )


def _instance(aws: Aws, identifier: str) -> "DBInstanceTypeDef":
    return aws.rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]


def _lag_s(aws: Aws, identifier: str) -> float | None:
    now = datetime.now(UTC)
    points = aws.cloudwatch.get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="ReplicaLag",
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": identifier}],
        StartTime=now - LAG_WITHIN,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    last = max(points, key=lambda point: point["Timestamp"], default=None)
    return None if last is None or last["Maximum"] < 0 else float(last["Maximum"])  # -1: replication is broken


# --- looking


def plan_describe(target: Target, _: Options) -> Plan:
    """State, role and lag of the region's database."""
    identifier = target.need("database")
    calls = (
        look("rds", "DescribeDBInstances", DBInstanceIdentifier=identifier),
        look("cloudwatch", "GetMetricStatistics", MetricName="ReplicaLag"),
    )
    return Plan("describe_database", target.name, f"looks at {identifier}: state, role, replica lag", calls)


def describe(aws: Aws, _: Options) -> str:
    """State, role and lag in words."""
    return str(state(aws, aws.target.need("database")))


def plan_snapshots(target: Target, _: Options) -> Plan:
    """Snapshots of the region's database."""
    identifier = target.need("database")
    call = look("rds", "DescribeDBSnapshots", DBInstanceIdentifier=identifier)
    return Plan("list_snapshots", target.name, f"lists the snapshots of {identifier}", (call,))


def snapshots(aws: Aws, _: Options) -> str:
    """Snapshots, the newest first, one a line."""
    found = _snapshots(aws, aws.target.need("database"))
    return "\n".join(f"{name} {created.isoformat()}" for created, name in found) or "no snapshot that is available"


def _snapshots(aws: Aws, identifier: str) -> list[tuple[datetime, str]]:
    pages = aws.rds.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=identifier)
    found = (snapshot for page in pages for snapshot in page["DBSnapshots"])
    ready = ((s["SnapshotCreateTime"], s["DBSnapshotIdentifier"]) for s in found if s.get("Status") == "available")
    return sorted(ready, reverse=True)


# --- promotion


def plan_promote(target: Target, _: Options) -> Plan:
    """Promotion of the region's replica."""
    identifier = target.need("database")
    calls = (
        look("rds", "DescribeDBInstances", DBInstanceIdentifier=identifier),
        look("cloudwatch", "GetMetricStatistics", MetricName="ReplicaLag"),
        change("rds", "PromoteReadReplica", DBInstanceIdentifier=identifier),
    )
    words = f"promotes {identifier}: it takes writes, and follows no primary ever again"
    return Plan("promote", target.name, words, calls, irreversible=True)


def promote(aws: Aws, options: Options) -> str:
    """Promote the replica and wait until RDS says that it is a primary. One that is a primary already stays it."""
    identifier = aws.target.need("database")
    before = state(aws, identifier)
    if before.role == "primary":
        return f"{identifier} is a primary already"
    aws.rds.promote_read_replica(DBInstanceIdentifier=identifier)
    seen = [before]

    def promoted() -> bool:
        seen[0] = state(aws, identifier)
        return seen[0].role == "primary" and seen[0].status == "available"

    if not moments.poll(promoted, _within_s(options, PROMOTED_WITHIN_S), EVERY_S):
        expected, remedy = "a primary that is available", "It may still come: look with `describe_database`."
        raise AwsError(Problem(f"promote {identifier}", str(seen[0]), expected, remedy))
    lag = "an unknown lag" if before.lag_s is None else f"a lag of {before.lag_s:g} s"
    return f"{identifier} is the primary; just before it had {lag}"


# --- restores: always beside what is there


def _into(target: Target, options: Options) -> str:
    return str(options.get("into") or f"{target.need('database')}-restored")


def plan_restore_snapshot(target: Target, options: Options) -> Plan:
    """Restore from a snapshot into a new instance."""
    identifier, into = target.need("database"), _into(target, options)
    name = str(options.get("snapshot") or "(the newest one)")
    calls = (
        look("rds", "DescribeDBSnapshots", DBInstanceIdentifier=identifier),
        look("rds", "DescribeDBInstances", DBInstanceIdentifier=identifier),
        change("rds", "RestoreDBInstanceFromDBSnapshot", DBInstanceIdentifier=into, DBSnapshotIdentifier=name),
    )
    words = f"restores snapshot {name} of {identifier} into {into}; {identifier} stays as it is"
    return Plan("restore_snapshot", target.name, words, calls, irreversible=True)


def restore_snapshot(aws: Aws, options: Options) -> str:
    """Restore, and wait until the new instance is available. It gets the network and the class of the old one."""
    identifier, into = aws.target.need("database"), _into(aws.target, options)
    name = str(options.get("snapshot") or "")
    if not name:
        found = _snapshots(aws, identifier)
        if not found:
            remedy = "Restore to a point in time, or name a snapshot of another database."
            raise AwsError(Problem(f"restore_snapshot {identifier}", "no snapshot", "one that is available", remedy))
        name = found[0][1]
    aws.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=into, DBSnapshotIdentifier=name, **_alike(aws, identifier)
    )
    return _restored(aws, into, f"snapshot {name}", options)


def plan_restore_point_in_time(target: Target, options: Options) -> Plan:
    """Restore to a moment into a new instance."""
    identifier, into = target.need("database"), _into(target, options)
    moment = option(options, "to", "restore_point_in_time")
    calls = (
        look("rds", "DescribeDBInstances", DBInstanceIdentifier=identifier),
        change(
            "rds",
            "RestoreDBInstanceToPointInTime",
            SourceDBInstanceIdentifier=identifier,
            TargetDBInstanceIdentifier=into,
            RestoreTime=moment,
        ),
    )
    words = f"restores {identifier} as it was at {moment} into {into}; {identifier} stays as it is"
    return Plan("restore_point_in_time", target.name, words, calls, irreversible=True)


def restore_point_in_time(aws: Aws, options: Options) -> str:
    """Restore, and wait until the new instance is available. A time that no log reaches yet is refused."""
    identifier, into = aws.target.need("database"), _into(aws.target, options)
    moment = _moment(option(options, "to", "restore_point_in_time"))
    latest = _instance(aws, identifier).get("LatestRestorableTime")
    if latest is not None and moment > latest:
        found = f"{moment.isoformat()}, after {latest.isoformat()}"
        remedy = "Wait five minutes for the logs to be uploaded, or choose an earlier time."
        raise AwsError(Problem(f"restore_point_in_time {identifier}", found, "a time that logs reach", remedy))
    aws.rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=identifier,
        TargetDBInstanceIdentifier=into,
        RestoreTime=moment,
        **_alike(aws, identifier),
    )
    return _restored(aws, into, f"{identifier} at {moment.isoformat()}", options)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        expected, remedy = "a time with its offset", "Write it as 2026-03-01T02:00:00+00:00."
        raise AwsError(Problem("restore_point_in_time, to", f"`{text}`", expected, remedy))
    return moment.astimezone(UTC)


def _alike(aws: Aws, identifier: str) -> dict[str, Any]:
    """What a restore does not take over by itself: without it the copy stands in the default network."""
    found: Mapping[str, Any] = _instance(aws, identifier)
    group = found.get("DBSubnetGroup", {}).get("DBSubnetGroupName")
    security = [each["VpcSecurityGroupId"] for each in found.get("VpcSecurityGroups", [])]
    alike = {"DBInstanceClass": found.get("DBInstanceClass"), "MultiAZ": found.get("MultiAZ")}
    alike |= {"DBSubnetGroupName": group, "VpcSecurityGroupIds": security or None}
    return {name: value for name, value in alike.items() if value is not None}


def _restored(aws: Aws, into: str, what: str, options: Options) -> str:
    seen = ["nothing yet"]

    def available() -> bool:
        try:
            seen[0] = _instance(aws, into).get("DBInstanceStatus", "unknown")
        except refused.ClientError as error:
            if error.response["Error"].get("Code") not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
                raise
        return seen[0] == "available"

    if not moments.poll(available, _within_s(options, RESTORED_WITHIN_S), EVERY_S):
        remedy = "It may still come: look with `describe_database`."
        raise AwsError(Problem(f"restore into {into}", seen[0], "an instance that is available", remedy))
    address = _instance(aws, into).get("Endpoint", {}).get("Address", "no address")
    return f"{what} restored into {into}, {address}; nothing uses it until the configuration says so"


def _within_s(options: Options, usual_s: float) -> float:
    return float(options.get("within_s", usual_s))
