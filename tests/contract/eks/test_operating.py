"""What a game day does on AWS while it is on: steps of people, and the machine under a node that dies and is lifted."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from experiments.compile.compiler import compile_scenario
from experiments.faults import verbs
from experiments.faults.base import NothingToHitError
from experiments.faults.machines import machines
from experiments.operate.performing import performer
from experiments.platforms.eks.aws import AwsError
from experiments.platforms.eks.sites import site_of
from experiments.platforms.eks.targets import Outside, Target
from experiments.platforms.eks.undoing import see_trading
from experiments.platforms.platform import platform
from experiments.platforms.site import Site, at
from experiments.safety.identity import VARIABLE
from experiments.safety.journal import Journal
from experiments.safety.undo import Undone
from scenarios.errors import UsageError
from scenarios.files.load import load
from tests.contract.eks.conftest import REGION, Account
from tests.contract.eks.kube import Api
from tests.contract.eks.test_nodes import TAGS, _instance, _state
from tests.contract.eks.test_sites import PORTS
from tests.contract.eks.test_workloads import CONFIG

RISK = "/apis/apps/v1/namespaces/grandmodel/deployments/risk-deployment"


@pytest.fixture(autouse=True)
def there(
    target: Target, account: Account, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """This process works on one target, whose cluster is reached by a kubeconfig too."""
    zone = account.route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    declared = target.model_copy(
        update={"context": "east", "edge": "east.example.com", "database_at": "db:5432", "hosted_zone": zone}
    )
    found = site_of({REGION: declared}, Outside(dns="127.0.0.1:9", ports=PORTS))
    authority = base64.b64encode(api.authority.encode()).decode()
    name = found.places[REGION].context
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": api.host, "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": {"token": "made-up"}}],
    }
    (tmp_path / f"kubeconfig-{REGION}.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with at(found):
        yield found


# --- steps


def test_a_step_moves_the_name(account: Account, there: Site) -> None:
    said = performer().perform("switch_dns", {"region": REGION}, {"plan": {"risk": 8}})
    assert said.startswith("trade.example.com leads to east.example.com")
    zone = there.targets[REGION]["hosted_zone"]
    records = account.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    [record] = [each for each in records if each["Name"] == "trade.example.com."]
    assert record["ResourceRecords"] == [{"Value": "east.example.com"}]


def test_a_promotion_that_does_not_happen_is_a_failed_step(account: Account) -> None:
    """moto takes the call, and the instance goes on saying that it is a replica."""
    account.rds.create_db_instance(DBInstanceIdentifier="first", DBInstanceClass="db.m5.large", Engine="postgres")
    account.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="grandmodel-production", SourceDBInstanceIdentifier="first"
    )
    assert platform().writer() is None
    with pytest.raises(AwsError, match="primary that is available"):
        performer().perform("promote", {"region": REGION}, {"within_s": 0})


def test_who_writes_is_what_rds_calls_a_primary(account: Account) -> None:
    account.rds.create_db_instance(
        DBInstanceIdentifier="grandmodel-production", DBInstanceClass="db.m5.large", Engine="postgres"
    )
    assert platform().writer() == REGION


def test_a_step_scales_the_service_that_it_names(api: Api) -> None:
    api.objects[RISK] = {"spec": {"replicas": 8}}
    performer().perform("scale", {"region": REGION, "service": "risk"}, {"plan": {"risk": 8}, "replicas": 2})
    assert api.objects[RISK]["spec"]["replicas"] == 2
    assert performer().perform("notify", {}, {}) == "done"


@pytest.mark.proves("EKS: a procedure with a step that has no verb there is refused before anything is touched")
def test_a_step_without_a_verb(api: Api) -> None:
    api.called.clear()
    with pytest.raises(UsageError, match=r"verb `reseed`.*one that can be done here: assess, promote"):
        compile_scenario(load("failback-after-region-loss", world="kind"))
    assert api.called == []


# --- trading


@pytest.mark.proves("EKS: undo enables trading where a run has disabled it, and names what a person has disabled")
@pytest.mark.parametrize("by_a_run", [True, False])
def test_trading_is_enabled_again(
    by_a_run: bool, there: Site, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    api.objects[CONFIG] = {"data": {"trading_enabled": "true"}}
    performer().perform("disable_trading", {"region": REGION}, {})
    journal, done = Journal(), Undone()
    if by_a_run:
        journal.append("trading", "one", region=REGION, enabled=False)
    targets = {region: Target.model_validate(each) for region, each in there.targets.items()}
    see_trading(done, journal, targets)
    assert [(result.target, result.ok) for result in done.lifted] == ([(REGION, True)] if by_a_run else [])
    assert api.objects[CONFIG]["data"]["trading_enabled"] == ("true" if by_a_run else "false")
    assert [left.partition(" since")[0] for left in done.left] == (
        [] if by_a_run else [f"{REGION}: trading is disabled"]
    )
    see_trading(again := Undone(), journal, targets)
    assert again.lifted == []


# --- machines


@pytest.fixture
def instance(account: Account, api: Api) -> str:
    found = _instance(account, TAGS)
    api.add_node("one", found)
    return found


@pytest.mark.proves("EKS: a node's instance is stopped, and its stored lift starts it again")
def test_a_machine_dies_and_is_lifted(account: Account, instance: str, tmp_path: Path) -> None:
    """The lift is data, and is performed by whoever holds it: the reverter knows nothing else of the run."""
    here = machines()
    assert here.working(REGION, "one") == instance
    lift = here.started(REGION, "one", instance)
    assert verbs.from_json(lift.to_json()) == lift
    here.kill(REGION, "one", instance)
    assert _state(account, instance) == "stopped"
    assert not here.runs(REGION, "one", instance)
    with pytest.raises(NothingToHitError, match="stopped"):
        here.working(REGION, "one")
    lifter = platform().lifter(tmp_path, 10.0)
    for _ in range(2):  # done twice it does no harm
        assert lifter.perform_one(lift.to_json()).ok
        assert _state(account, instance) == "running"


def test_a_node_group_that_replaced_it_has_mended_the_fault(
    account: Account, instance: str, api: Api, tmp_path: Path
) -> None:
    here = machines()
    account.ec2.terminate_instances(InstanceIds=[instance])
    assert not here.has_successor(REGION, "one", instance), "the node is listed still"
    del api.objects["/api/v1/nodes/one"]
    api.add_node("two", _instance(account, TAGS))
    assert here.has_successor(REGION, "one", instance)
    lifted = platform().lifter(tmp_path, 10.0).perform_one(here.started(REGION, "one", instance).to_json())
    assert lifted.ok
    assert "its node group starts another" in lifted.detail


def test_a_lift_that_aws_refuses_is_said(tmp_path: Path) -> None:
    """Nothing is raised: the lifts after it are still tried."""
    lift = verbs.aws(REGION, "start_node", {"instance": "i-0123456789abcdef0"})
    result = platform().lifter(tmp_path, 10.0).perform_one(lift.to_json())
    assert not result.ok
    assert "i-0123456789abcdef0" in result.detail
