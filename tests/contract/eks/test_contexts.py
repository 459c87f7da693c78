"""A target's context out of a person's kubeconfig: that one alone, standing by itself, readable by nobody else."""

import stat
from pathlib import Path

import pytest
import yaml

from experiments.platforms.eks.contexts import extract, given
from experiments.platforms.eks.targets import Target
from experiments.testbed.layout import Place
from scenarios.errors import UsageError

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "playground",
    "contexts": [
        {"name": "playground", "context": {"cluster": "playground", "user": "me"}},
        {"name": "production", "context": {"cluster": "arn", "user": "robot"}},
    ],
    "clusters": [
        {"name": "playground", "cluster": {"server": "https://playground"}},
        {"name": "arn", "cluster": {"server": "https://production", "certificate-authority": "ca.pem"}},
    ],
    "users": [
        {"name": "me", "user": {"token": "mine"}},
        {"name": "robot", "user": {"exec": {"command": "aws", "args": ["eks", "get-token"]}}},
    ],
}


@pytest.fixture
def production(target: Target, tmp_path: Path) -> Target:
    (tmp_path / "ca.pem").write_text("an authority")
    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    return target.model_copy(update={"kubeconfig": str(tmp_path / "config"), "context": "production"})


@pytest.mark.proves("EKS: of a kubeconfig only the target's context is used; its current context counts for nothing")
def test_one_context_alone(production: Target, tmp_path: Path) -> None:
    copy = extract(production, tmp_path / "copies")
    found = yaml.safe_load(copy.read_text())
    assert found["current-context"] == Place("us-east-1", "", 0, named=production.name).context
    assert [entry["name"] for entry in found["clusters"]] == ["arn"]
    assert found["clusters"][0]["cluster"] == {
        "server": "https://production",
        "certificate-authority-data": "YW4gYXV0aG9yaXR5",
    }
    assert found["users"] == [KUBECONFIG["users"][1]]
    assert "playground" not in copy.read_text()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"context": ""}, "no `context`"),
        ({"context": "prodcution"}, "contexts: playground, production"),
        ({"kubeconfig": "/nowhere/config"}, "No such file"),
    ],
    ids=["none", "unknown", "no file"],
)
def test_what_is_wrong_is_said(changes: dict[str, str], found: str, production: Target, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=found):
        extract(production.model_copy(update=changes), tmp_path / "copies")


def test_copies_are_gone_afterwards(production: Target, tmp_path: Path) -> None:
    with given({"us-east-1": production}, tmp_path / "copies") as expected:
        assert expected["us-east-1"].uid == production.kube_system_uid
        assert (tmp_path / "copies" / "kubeconfig-us-east-1.yaml").is_file()
    assert not (tmp_path / "copies").exists()
