"""chaostoolkit-kubernetes is told which cluster, each time."""

import os

import pytest
import yaml

from experiments.platforms.chaos_kubernetes import secrets_for
from experiments.testbed.layout import EAST, WEST
from scenarios.errors import UsageError


@pytest.fixture
def kubeconfigs(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    monkeypatch.delenv("GAMEDAY_KUBECONFIGS", raising=False)
    for place, port in ((EAST, 6443), (WEST, 6444)):
        place.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "somebody-elses",
            "clusters": [{"name": "it", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": place.context, "context": {"cluster": "it", "user": "me"}}],
        }
        place.kubeconfig.write_text(yaml.safe_dump(document))


def test_the_client_goes_to_the_region_that_was_named(kubeconfigs, monkeypatch) -> None:
    from chaosk8s import create_k8s_api_client

    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    for place, port in ((EAST, 6443), (WEST, 6444)):
        with secrets_for(place) as secrets:
            assert create_k8s_api_client(secrets).configuration.host == f"https://127.0.0.1:{port}"
    assert os.environ["KUBECONFIG"] == "/nowhere"


def test_without_a_kubeconfig_nothing_is_called(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    monkeypatch.delenv("GAMEDAY_KUBECONFIGS", raising=False)
    with pytest.raises(UsageError, match="testbed up"), secrets_for(EAST):
        raise AssertionError("it must not come here")
