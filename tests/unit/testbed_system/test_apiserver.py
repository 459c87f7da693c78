"""A damaged kubeconfig is an error of its API server, so that the lifts after it are tried."""

from pathlib import Path

import pytest

from experiments.testbed.system.apiserver import ApiServerError, ApiServers

DAMAGED = {
    "no YAML": "clusters: [",
    "no text": "\x00\x01",
    "a list": "- 1\n",
    "a word": "damaged\n",
    "nothing": "",
    "no cluster": "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: []\nclusters: []\nusers: []\n",
    "a cluster that is a word": "current-context: a\ncontexts: [{name: a, context: word}]\nclusters: [word]\n",
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_kubeconfig_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig-us-east-1.yaml").write_text(text)
    with pytest.raises(ApiServerError, match="kubeconfig-us-east-1"):
        ApiServers(tmp_path).of("us-east-1")


def test_one_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ApiServerError, match="No such file"):
        ApiServers(tmp_path).of("us-east-1")
