"""Route 53: the record that users resolve, and the health check that can move it.

Both are changed through Route 53's control plane, which is in us-east-1 whatever the region: when us-east-1 is lost,
neither may work. Only what Route 53's data plane does by itself, because a checked endpoint fails, does not need it.
"""

from typing import TYPE_CHECKING, Any

from experiments.operate.moments import moments
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Options, Plan, change, look
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef, ResourceRecordSetTypeDef

TTL_S = 60  # of a record that is new
EVERY_S = 5.0
IN_SYNC_WITHIN_S = 300.0


def plan_switch_dns(target: Target, _: Options) -> Plan:
    """The name leads to this region by its record."""
    zone, record, endpoint = target.need("hosted_zone"), target.need("record"), target.need("endpoint")
    calls = (
        look("route53", "ListResourceRecordSets", HostedZoneId=zone, StartRecordName=record),
        change("route53", "ChangeResourceRecordSets", HostedZoneId=zone, Action="UPSERT", Name=record, Value=endpoint),
        look("route53", "GetChange"),
    )
    words = f"changes the record {record} to {endpoint}, through the control plane in us-east-1"
    return Plan("switch_dns", target.name, words, calls, irreversible=True)


def switch_dns(aws: Aws, options: Options) -> str:
    """Change the record and wait until every name server of Route 53 has it. Its TTL stays as it was."""
    target = aws.target
    zone, record, endpoint = target.need("hosted_zone"), target.need("record"), target.need("endpoint")
    before = _record(aws, zone, record)
    if before is not None and "SetIdentifier" in before:
        found = f"{record} is one of a set of records ({before['SetIdentifier']})"
        remedy = "Use `invert_health_check` on the region that is left."
        raise AwsError(Problem(f"switch_dns {record}", found, "one simple record", remedy))
    wanted = _wanted(target, record, endpoint, before)
    answer = aws.route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Comment": "gameday", "Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]},
    )
    number = answer["ChangeInfo"]["Id"]
    within_s = float(options.get("within_s", IN_SYNC_WITHIN_S))
    if not moments.poll(
        lambda: aws.route53.get_change(Id=number)["ChangeInfo"]["Status"] == "INSYNC", within_s, EVERY_S
    ):
        remedy = "It may still come: ask the name servers of the zone."
        raise AwsError(Problem(f"switch_dns {record}", "PENDING", "INSYNC", remedy))
    return f"{record} leads to {endpoint}; resolvers may keep the old answer for {_ttl_s(before)} s more"


def _record(aws: Aws, zone: str, record: str) -> "ResourceRecordSetOutputTypeDef | None":
    found = aws.route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName=record, MaxItems="10")
    named = [r for r in found["ResourceRecordSets"] if r["Name"].rstrip(".") == record.rstrip(".")]
    return next((r for r in named if r["Type"] in ("CNAME", "A")), None)


def _ttl_s(record: "ResourceRecordSetOutputTypeDef | None") -> int:
    return TTL_S if record is None else record.get("TTL", TTL_S)


def _wanted(
    target: Target, record: str, endpoint: str, before: "ResourceRecordSetOutputTypeDef | None"
) -> "ResourceRecordSetTypeDef":
    if target.endpoint_zone:
        alias: Any = {"HostedZoneId": target.endpoint_zone, "DNSName": endpoint, "EvaluateTargetHealth": False}
        return {"Name": record, "Type": "A", "AliasTarget": alias}
    return {"Name": record, "Type": "CNAME", "TTL": _ttl_s(before), "ResourceRecords": [{"Value": endpoint}]}


def leads_to(aws: Aws) -> str:
    """Where the record leads now, in words; nothing when there is none."""
    found = _record(aws, aws.target.need("hosted_zone"), aws.target.need("record"))
    if found is None:
        return ""
    if "AliasTarget" in found:
        return found["AliasTarget"]["DNSName"].rstrip(".")
    return ", ".join(value["Value"] for value in found.get("ResourceRecords", []))


# --- health checks


def plan_describe_health_check(target: Target, _: Options) -> Plan:
    """What the region's health check says."""
    check = target.need("health_check")
    calls = (
        look("route53", "GetHealthCheck", HealthCheckId=check),
        look("route53", "GetHealthCheckStatus", HealthCheckId=check),
    )
    return Plan("describe_health_check", target.name, f"looks at the health check {check}", calls)


def describe_health_check(aws: Aws, _: Options) -> str:
    """Whether it is inverted or disabled, and what the checkers see."""
    check = aws.target.need("health_check")
    config = aws.route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
    seen = aws.route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    good = sum(each.get("StatusReport", {}).get("Status", "").startswith("Success") for each in seen)
    words = [word for word in ("Inverted", "Disabled") if config.get(word)]
    return f"{check}: {good} of {len(seen)} checkers see it healthy{''.join(f', {word.lower()}' for word in words)}"


def _plan_update(verb: str, key: str, on: str, off: str, target: Target, options: Options) -> Plan:
    check, value = target.need("health_check"), bool(options.get("value", True))
    calls = (
        look("route53", "GetHealthCheck", HealthCheckId=check),
        change("route53", "UpdateHealthCheck", HealthCheckId=check, **{key: value}),
    )
    words = f"{on if value else off} (health check {check}), through the control plane in us-east-1"
    return Plan(verb, target.name, words, calls, irreversible=True)


def plan_invert_health_check(target: Target, options: Options) -> Plan:
    """Have a healthy region count as unhealthy, so that names leave it; value: false takes it back."""
    on, off = f"has {target.region} count as the opposite of what it is: names leave it", "has it count as it is"
    return _plan_update("invert_health_check", "Inverted", on, off, target, options)


def plan_disable_health_check(target: Target, options: Options) -> Plan:
    """Have a region count as healthy whatever the checkers see; value: false has it checked again."""
    on, off = f"has {target.region} count as healthy, checked or not: names may come to it", "has it checked again"
    return _plan_update("disable_health_check", "Disabled", on, off, target, options)


def invert_health_check(aws: Aws, options: Options) -> str:
    """Invert it, or take that back."""
    check, value = aws.target.need("health_check"), bool(options.get("value", True))
    version = aws.route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckVersion"]
    aws.route53.update_health_check(HealthCheckId=check, HealthCheckVersion=version, Inverted=value)
    return f"{check} is {'inverted' if value else 'as it was'}"


def disable_health_check(aws: Aws, options: Options) -> str:
    """Disable it, or take that back."""
    check, value = aws.target.need("health_check"), bool(options.get("value", True))
    version = aws.route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckVersion"]
    aws.route53.update_health_check(HealthCheckId=check, HealthCheckVersion=version, Disabled=value)
    return f"{check} is {'disabled' if value else 'checked again'}"
