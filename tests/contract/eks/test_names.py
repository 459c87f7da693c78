"""Route 53: moto has a change in sync at once, and knows no checkers."""

from typing import Any

import botocore.exceptions
import pytest

from experiments.platforms.eks import names
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.targets import Target
from experiments.platforms.eks.verbs import do, plan
from tests.contract.eks.conftest import Account

WEST = {"Name": "trade.example.com", "Type": "CNAME", "TTL": 7, "ResourceRecords": [{"Value": "west.example.com"}]}


@pytest.fixture
def zoned(account: Account, target: Target) -> Aws:
    zone = account.route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    return Aws(target.model_copy(update={"hosted_zone": zone.rpartition("/")[2]}))


def _put(account: Account, zone: str, record: dict[str, Any]) -> None:
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    account.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def test_switch(account: Account, zoned: Aws, confirmed: Confirmation) -> None:
    """The record leads here, its TTL is as it was, and no other record is touched."""
    zone = zoned.target.hosted_zone
    other = {**WEST, "Name": "trader.example.com"}
    for record in (WEST, other):
        _put(account, zone, record)
    assert names.leads_to(zoned) == "west.example.com"
    assert "for 7 s more" in do("switch_dns", zoned, {}, confirmed)
    assert names.leads_to(zoned) == "east.example.com"
    found = account.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    named = {each["Name"]: each for each in found}
    assert named["trade.example.com."]["TTL"] == 7
    assert named["trader.example.com."]["ResourceRecords"] == other["ResourceRecords"]


def test_switch_to_a_load_balancer(account: Account, zoned: Aws, confirmed: Confirmation) -> None:
    """With the load balancer's zone, the record is an alias."""
    target = zoned.target.model_copy(update={"endpoint_zone": "Z35SXDOTRQ7X7K"})
    assert names.leads_to(zoned) == ""
    do("switch_dns", Aws(target), {}, confirmed)
    assert names.leads_to(zoned) == "east.example.com"


def test_a_record_that_health_checks_move(account: Account, zoned: Aws, confirmed: Confirmation) -> None:
    """One of a set is left alone: changing it would break what moves the name by itself."""
    _put(account, zoned.target.hosted_zone, {**WEST, "SetIdentifier": "west", "Failover": "PRIMARY"})
    with pytest.raises(AwsError, match=r"one of a set.*invert_health_check"):
        do("switch_dns", zoned, {}, confirmed)
    assert names.leads_to(zoned) == "west.example.com"


@pytest.fixture
def checked(account: Account, target: Target) -> Aws:
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": "east.example.com", "Port": 443, "FailureThreshold": 3}
    found = account.route53.create_health_check(CallerReference="1", HealthCheckConfig=config)
    return Aws(target.model_copy(update={"health_check": found["HealthCheck"]["Id"]}))


@pytest.mark.parametrize(("verb", "key"), [("invert_health_check", "Inverted"), ("disable_health_check", "Disabled")])
def test_health_check(verb: str, key: str, account: Account, checked: Aws, confirmed: Confirmation) -> None:
    """It is changed, and changed back."""
    check = checked.target.health_check
    for value in (True, False):
        do(verb, checked, {"value": value}, confirmed)
        config = account.route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
        assert bool(config.get(key)) is value
    assert plan(verb, checked.target, {}).irreversible


def test_describe_health_check(account: Account, checked: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto has no checkers: what they see is given here, in the form of Route 53."""
    account.route53.update_health_check(HealthCheckId=checked.target.health_check, Inverted=True)
    seen = [{"StatusReport": {"Status": s}} for s in ("Success: HTTP Status Code 200, OK", "Failure: timed out")]
    monkeypatch.setattr(checked.route53, "get_health_check_status", lambda **_: {"HealthCheckObservations": seen})
    said = do("describe_health_check", checked, {})
    assert said == f"{checked.target.health_check}: 1 of 2 checkers see it healthy, inverted"


def test_a_zone_that_is_not_there(aws: Aws, confirmed: Confirmation) -> None:
    with pytest.raises(AwsError, match="NoSuchHostedZone") as caught:
        do("switch_dns", aws, {}, confirmed)
    assert isinstance(caught.value.__cause__, botocore.exceptions.ClientError)
