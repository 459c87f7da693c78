"""`gameday run --world eks`: the plan, what holds, what does not; without a typed name never a change."""

import json
import subprocess
from pathlib import Path

import pytest

from experiments.platforms.eks.targets import Target
from gameday.cli.main import run
from gameday.config import settings
from tests.contract.eks.conftest import REGION, Account
from tests.contract.eks.kube import Api
from tests.contract.eks.test_workloads import CONFIG

SCENARIO = """\
scenario: drill
title: A node is lost, and people restore the database
runbook: [Disaster Recovery / Disaster Recovery Plan / Recovery Time Objectives (RTO)]
topology: grandmodel
workload: {profile: steady, rate: 100/s, duration: until settled, at most: 30 min}
timeline:
  - {at: 2 min, fault: node-loss, target: {region: us-east-1, service: risk}, until: end}
  - {at: 3 min, fault: drop-table, target: {region: us-east-1}}
response: [RESPONSE]
worlds:
  twin: {trials: 10, met_in: 95 %}
  eks: {approval: required}
"""
WINDOW = "2000-01-01T00:00:00+00:00/2999-01-01T00:00:00+00:00"


@pytest.fixture
def place(account: Account, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario, and with a target in each region; that of the west is in another account."""
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    west = target.model_copy(update={"region": "us-west-2", "account": "210987654321"})
    lines = ['scenario_paths = ["gamedays"]']
    for name, each in (("east", target), ("west", west)):
        lines += [f"[targets.{name}]"]
        for key, value in each.model_dump().items():
            pairs = ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) if isinstance(value, dict) else ""
            lines.append(f"{key} = {{{pairs}}}" if isinstance(value, dict) else f"{key} = {json.dumps(value)}")
    lines += ["[production]", f'windows = ["{WINDOW}"]', 'executor = "me@example.com"']
    (tmp_path / "gameday.toml").write_text("\n".join(lines))
    scenarios = tmp_path / "gamedays" / "scenarios"
    scenarios.mkdir(parents=True)
    for response in ("restore-from-snapshot", "automatic-failover"):
        text = SCENARIO.replace("RESPONSE", response).replace("drill", f"drill-{response}")
        (scenarios / f"drill-{response}.yaml").write_text(text)
    return tmp_path


@pytest.mark.proves("gameday run --world eks changes nothing while a condition does not hold: exit code 2")
@pytest.mark.usefixtures("place")
def test_plan(account: Account, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    account.rds.create_db_instance(
        DBInstanceIdentifier="grandmodel-production", DBInstanceClass="db.r6g.large", Engine="postgres"
    )
    assert run(["run", "drill-restore-from-snapshot", "--world", "eks", "--yes"]) == 2
    out, err = capsys.readouterr()
    assert "us-east-1: grandmodel-production: primary, available" in out
    assert "us-west-2: grandmodel" not in out  # another account: it is not looked at
    assert "stop_node on us-east-1/grandmodel-production" in out
    assert "restore_snapshot on us-east-1/grandmodel-production [irreversible]" in out
    assert "calls rds RestoreDBInstanceFromDBSnapshot(DBInstanceIdentifier=grandmodel-production-restored" in out
    assert f"{REGION}: arn:aws:eks:us-east-1:123456789012:cluster/grandmodel-production, kube-system" in out
    assert "window: 2000-01-01" in out
    assert "a process on the runner's machine for node-loss in us-east-1: nobody lifts it while that machine" in out
    assert "a dry run: nothing was changed" in out
    for found in (
        "fault drop-table",
        "An error occurred (NoSuchHealthCheck)",
        "account 123456789012",
        "no such file",
        "no non-market sink",
        "no `context`",
        "no `edge`",
        "`dns` (none)",
        "no port of strategic, tactical, risk, copies, prometheus",
    ):
        assert f"found     {found}" in err
    assert "Traceback" not in err
    assert api.changed() == []
    instances = account.rds.describe_db_instances()["DBInstances"]
    assert [each["DBInstanceIdentifier"] for each in instances] == ["grandmodel-production"]


@pytest.mark.proves("EKS: on a target where trading is disabled no run starts, and the plan says since when")
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("value", "enabled"), [("true", True), (None, True), ("false", False)])
def test_disabled_trading(value: str | None, enabled: bool, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    if value is not None:
        fields = {"time": "2026-11-26T07:10:00Z", "fieldsV1": {"f:data": {"f:trading_enabled": {}}}}
        api.objects[CONFIG] = {"data": {"trading_enabled": value}, "metadata": {"managedFields": [fields]}}
    assert run(["run", "drill-automatic-failover", "--world", "eks"]) == 2
    out, err = capsys.readouterr()
    assert (f"{REGION}: trading is enabled" in out) == enabled
    assert ("found     trading is disabled since 2026-11-26 07:10:00 UTC" in err) == (not enabled)


def test_an_approval_is_for_one_image_of_the_reverter(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["run", "drill-automatic-failover", "--world", "eks", "--json"])
    (request,) = (place / "approvals").iterdir()
    assert json.loads(request.read_text())["reverter_image"] == ""
    with (place / "gameday.toml").open("a") as file:
        file.write('\nreverter_image = "reverter:1"\n')
    settings.cache_clear()
    run(["run", "drill-automatic-failover", "--world", "eks", "--json"])
    assert json.loads(request.read_text())["reverter_image"] == "reverter:1"
    assert "Traceback" not in capsys.readouterr().err


def test_approval_of_somebody_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is to be signed is written; the signature of somebody who may, over this very document, holds."""
    run(["run", "drill-automatic-failover", "--world", "eks", "--json"])
    (request,) = (place / "approvals").iterdir()
    key = place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().split()
    (place / "allowed_signers").write_text(f"other@example.com {public[0]} {public[1]}\n")
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "gameday-approval", "-f", str(key), str(request)]
    subprocess.run(sign, check=True, capture_output=True)
    capsys.readouterr()
    assert run(["run", "drill-automatic-failover", "--world", "eks", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert "approval: by other@example.com" in document["held"]
    steps = [item for item in document["items"] if item["group"] == "procedure automatic-failover, by automation"]
    assert {item["instead"] for item in steps} == {"the automation does it; gameday calls nothing"}
    assert [item["plan"]["verb"] for item in document["items"] if item["plan"]] == ["stop_node"]


def test_no_targets(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n')
    assert run(["run", "drill-automatic-failover", "--world", "eks"]) == 2
    assert "[targets.NAME] with region" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "found", "remedy"),
    [
        ('account = "123456789012"\n', "", "no `account`", "Add `account`"),
        ('account = "123456789012"', 'account = "1234"', "'1234'", "Change the value"),
        ("hosted_zone", "hosted_zoen", "unknown key `targets.east.hosted_zoen`", "Did you mean `hosted_zone`?"),
        ('"me@example.com"', '"me@example.com"\nlongest_undo = "4"', "'4'", "Change the value"),
    ],
    ids=["missing", "wrong", "unknown", "without a unit"],
)
def test_bad_settings(
    old: str, new: str, found: str, remedy: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "gameday.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    assert run(["run", "drill-automatic-failover", "--world", "eks"]) == 2
    err = capsys.readouterr().err
    assert f"found     {found}" in err
    assert remedy in err
