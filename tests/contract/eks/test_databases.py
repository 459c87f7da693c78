"""RDS, as far as moto plays it: it promotes without making a primary, and everything is ready at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from moto.rds.models import rds_backends

from experiments.platforms.eks import databases
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.verbs import do
from tests.contract.eks.conftest import ACCOUNT, REGION, Account

PRIMARY, REPLICA = "grandmodel-primary", "grandmodel-production"


@pytest.fixture
def instances(account: Account) -> None:
    """A primary, and the target's database as its replica."""
    account.rds.create_db_instance(
        DBInstanceIdentifier=PRIMARY,
        DBInstanceClass="db.r6g.large",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="operator",
        MasterUserPassword="not-a-password",
        BackupRetentionPeriod=7,
    )
    account.rds.create_db_instance_read_replica(DBInstanceIdentifier=REPLICA, SourceDBInstanceIdentifier=PRIMARY)


def _lags(account: Account, *seconds: float) -> None:
    now = datetime.now(UTC)
    data = [
        {
            "MetricName": "ReplicaLag",
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": REPLICA}],
            "Timestamp": now - timedelta(seconds=60 * age + 5),
            "Value": value,
        }
        for age, value in enumerate(seconds)
    ]
    account.cloudwatch.put_metric_data(Namespace="AWS/RDS", MetricData=data)


@pytest.mark.usefixtures("instances")
def test_describe(account: Account, aws: Aws) -> None:
    """State, role and the newest sample of the lag; without a sample the lag is unknown, not none."""
    assert "lag unknown" in do("describe_database", aws, {})
    _lags(account, 2.5, 90.0)
    state = databases.state(aws, REPLICA)
    assert (state.role, state.status, state.source, state.lag_s) == ("replica", "available", PRIMARY, 2.5)
    primary = databases.state(aws, PRIMARY)
    assert (primary.role, primary.lag_s) == ("primary", None)


@pytest.mark.usefixtures("instances")
def test_broken_replication_has_no_lag(account: Account, aws: Aws) -> None:
    """CloudWatch's -1 says that replication is broken: nothing is known about the lag."""
    _lags(account, -1.0)
    assert databases.state(aws, REPLICA).lag_s is None


@pytest.mark.proves("EKS: a promotion is done when RDS says primary, not when it takes the call")
@pytest.mark.usefixtures("instances")
def test_promote_is_not_done_when_the_call_is_taken(aws: Aws, confirmed: Confirmation) -> None:
    """moto answers OK, and the instance goes on saying whose replica it is."""
    with pytest.raises(AwsError, match=r"replica of grandmodel-primary.*primary that is available"):
        do("promote", aws, {"within_s": 0}, confirmed)
    assert not rds_backends[ACCOUNT][REGION].databases[REPLICA].is_replica  # it was called


@pytest.mark.usefixtures("instances")
def test_promote(aws: Aws, confirmed: Confirmation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where RDS says primary afterwards, which moto never does."""
    ask = databases.state
    backend = rds_backends[ACCOUNT][REGION]

    def as_rds_does(aws: Aws, identifier: str) -> databases.State:
        found = ask(aws, identifier)
        return found if backend.databases[identifier].is_replica else replace(found, source="")

    monkeypatch.setattr(databases, "state", as_rds_does)
    assert "is the primary; just before it had an unknown lag" in do("promote", aws, {}, confirmed)
    assert do("promote", aws, {}, confirmed).endswith("is a primary already")


@pytest.mark.usefixtures("instances")
def test_snapshots_and_restore(account: Account, aws: Aws, confirmed: Confirmation) -> None:
    """The newest snapshot is taken unless one is named; the copy stands beside, as large and in the same network."""
    with pytest.raises(AwsError, match="no snapshot"):
        do("restore_snapshot", aws, {}, confirmed)
    for name in ("first", "second"):
        account.rds.create_db_snapshot(DBInstanceIdentifier=REPLICA, DBSnapshotIdentifier=name)
    listed = [line.split()[0] for line in do("list_snapshots", aws, {}).splitlines()]
    assert sorted(listed) == ["first", "second"]
    assert f"snapshot {listed[0]} restored into {REPLICA}-restored" in do("restore_snapshot", aws, {}, confirmed)
    assert "snapshot first restored into other" in do(
        "restore_snapshot", aws, {"snapshot": "first", "into": "other"}, confirmed
    )
    found = {i["DBInstanceIdentifier"]: i for i in account.rds.describe_db_instances()["DBInstances"]}
    assert set(found) == {PRIMARY, REPLICA, f"{REPLICA}-restored", "other"}
    assert found["other"]["DBInstanceClass"] == "db.r6g.large"


@pytest.mark.usefixtures("instances")
def test_restore_to_a_point_in_time(account: Account, aws: Aws, confirmed: Confirmation) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
    database = rds_backends[ACCOUNT][REGION].databases[REPLICA]
    with pytest.raises(AwsError, match="a time with its offset"):
        do("restore_point_in_time", aws, {"to": "yesterday"}, confirmed)
    said = do("restore_point_in_time", aws, {"to": moment.isoformat()}, confirmed)
    assert f"{REPLICA} at {moment.isoformat()} restored into {REPLICA}-restored" in said
    assert database.db_instance_identifier == REPLICA
    late = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(AwsError, match="a time that logs reach"):
        do("restore_point_in_time", aws, {"to": late.isoformat(), "into": "late"}, confirmed)


def test_a_database_that_is_not_there(aws: Aws) -> None:
    with pytest.raises(AwsError, match=r"DBInstanceNotFound.*Look at the target"):
        do("describe_database", aws, {})
