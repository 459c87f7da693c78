"""Which pods there are, and what each may do: what lifts need, and no more. What only one machine lifts is said."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from experiments.faults import base, cluster, nodes
from experiments.platforms.eks.platform import can_break
from experiments.platforms.eks.postings import LIFTED_BY, Right, postings, who_lifts
from experiments.platforms.eks.targets import Target
from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from scenarios.model.faults import FAULTS
from tests.conftest import ROOT

EAST, WEST = "us-east-1", "us-west-2"
DEPLOYMENT = {
    "spec": {
        "replicas": 2,
        "strategy": {"type": "RollingUpdate"},
        "template": {"spec": {"containers": [{"name": "risk", "image": "risk:1"}]}},
    }
}
POD = {"metadata": {"name": "risk-1", "uid": "1"}, "spec": {"containers": [{"name": "risk"}]}, "status": {}}
FACTS = {"region": EAST, "node": "one", "targets": [f"{EAST}/one"], "pods": [], "asked": [], "id": "i-1"}


@pytest.fixture
def targets(target: Target) -> dict[str, Target]:
    return {EAST: target, WEST: target.model_copy(update={"region": WEST})}


def _scenario(*faults: tuple[str, str]) -> Resolved:
    """A scenario with these faults, each in a region."""
    resolved = load("pod-kill-strategic", world="kind")
    [first] = [entry for entry in resolved.scenario.timeline if entry.fault]
    timeline = tuple(first.model_copy(update={"fault": f, "target": {**first.target, "region": r}}) for f, r in faults)
    return replace(resolved, scenario=resolved.scenario.model_copy(update={"timeline": timeline}))


def test_one_for_each_region_that_is_hit_in_the_other_s_cluster(targets: dict[str, Target]) -> None:
    scenario = _scenario(("crash-loop", EAST), ("cordon-drain", EAST), ("crash-loop", EAST), ("redis-loss", WEST))
    east, west = postings(scenario, targets, "image:1")
    assert (east.hit, east.holder, west.hit, west.holder) == (EAST, WEST, WEST, EAST)
    assert east.rights == (LIFTED_BY["crash-loop"], LIFTED_BY["cordon-drain"])
    assert west.rights == (LIFTED_BY["redis-loss"],)
    third = {**targets, "eu-west-1": targets[WEST]}
    assert [p.holder for p in postings(scenario, third, "image:1")] == [WEST, "eu-west-1"]


@pytest.mark.proves("EKS: who lifts when the runner dies is said before, and what only this machine lifts")
@pytest.mark.parametrize(
    ("regions", "image", "fault", "said"),
    [
        (2, "image:1", "crash-loop", "a pod in us-west-2 for us-east-1, where it may get and patch deployments in"),
        (2, "", "crash-loop", "a process on the runner's machine for crash-loop in us-east-1: nobody lifts it while"),
        (1, "image:1", "crash-loop", "nobody lifts it while that machine is dead"),
        (2, "image:1", "node-loss", "a process on the runner's machine for node-loss in us-east-1: nobody lifts it"),
        (2, "image:1", "pod-kill", "no fault is to be lifted"),
    ],
)
def test_it_is_said(regions: int, image: str, fault: str, said: str, targets: dict[str, Target]) -> None:
    some, scenario = dict(list(targets.items())[:regions]), _scenario((fault, EAST))
    [words] = who_lifts(scenario, postings(scenario, some, image))
    assert words.startswith(said) or words.endswith(said)


def test_both_are_said(targets: dict[str, Target]) -> None:
    scenario = _scenario(("crash-loop", EAST), ("node-loss", EAST))
    pod, process = who_lifts(scenario, postings(scenario, targets, "image:1"))
    assert pod.startswith("a pod in us-west-2")
    assert "node-loss in us-east-1" in process
    assert "crash-loop" not in process


@pytest.mark.proves(
    "EKS: a reverter's pod may do in the cluster that is hit what lifts of its faults need, and no more"
)
@pytest.mark.parametrize("kind", sorted(can_break()))
def test_rights_are_those_that_lifts_need(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind that has a form on EKS is planned, and its lifts are compared with the right that the pod gets."""
    monkeypatch.setattr(cluster, "get", lambda _, path: {"spec": {}} if "/nodes/" in path else DEPLOYMENT)
    monkeypatch.setattr(cluster, "ready_pods", lambda *_: [POD])
    monkeypatch.setattr(nodes, "facts_of", lambda *_: FACTS)
    of: Mapping[str, Any] = {"region": EAST} | ({"service": "risk"} if "service" in FAULTS[kind].target else {})
    lifts = base.module_of(kind).plan(**of).lifts
    needed = {_needed(lift.arguments) for lift in lifts if lift.verb == "kube-patch"}
    assert len(needed) <= 1
    assert needed == ({LIFTED_BY[kind]} if kind in LIFTED_BY else set())
    assert all(lift.target == EAST for lift in lifts if lift.verb == "kube-patch")


def test_the_page_says_what_a_pod_may_do() -> None:
    rows = (ROOT / "docs" / "how-to" / "eks.md").read_text(encoding="utf-8").splitlines()
    for kind, right in LIFTED_BY.items():
        assert [row for row in rows if row.startswith("| `") and f"`{kind}`" in row and row.endswith(f"| {right} |")]


def _needed(arguments: Mapping[str, Any]) -> Right:
    """A patch needs `patch`; a JSON patch that did not apply also looks."""
    parts = arguments["path"].strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace, resource = (rest[1], rest[2]) if rest[0] == "namespaces" else ("", rest[0])
    return Right(group, resource, ("get", "patch") if arguments["type"] == "json" else ("patch",), namespace)
