"""What stands before a change: a plan, a confirmation, the identity of the target, a gate; and what AWS may say."""

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from experiments.platforms.eks.aws import Aws, AwsError, NotPlannedError, answering
from experiments.platforms.eks.kube import KubeError
from experiments.platforms.eks.plans import Confirmation, typed
from experiments.platforms.eks.targets import Target, of_regions
from experiments.platforms.eks.verbs import VERBS, do, plan
from experiments.safety.identity import WrongTargetError
from gameday.exit_codes import ExitCode, of_error
from scenarios.errors import AbortedError, UsageError
from tests.contract.eks.kube import Api
from tests.contract.eks.test_policy import OPTIONS


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("AWS was called")


@pytest.mark.proves("EKS: without a typed confirmation nothing is called")
@pytest.mark.parametrize("verb", VERBS)
def test_dry_run(verb: str, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the plan nor an unconfirmed call reaches AWS; another target's name confirms nothing."""
    monkeypatch.setattr("botocore.endpoint.Endpoint.make_request", _refuse)
    planned = plan(verb, target, OPTIONS)
    assert planned.target == "us-east-1/grandmodel-production"
    assert planned.to_json()["calls"]
    if planned.changes:
        for confirmation in (None, Confirmation(frozenset({"us-west-2/grandmodel-production"}))):
            with pytest.raises(UsageError, match="Nothing was called"):
                do(verb, Aws(target), OPTIONS, confirmation)


def test_irreversible_verbs(target: Target) -> None:
    marked = {verb for verb in VERBS if plan(verb, target, OPTIONS).irreversible}
    assert marked == {
        "promote",
        "restore_snapshot",
        "restore_point_in_time",
        "switch_dns",
        "invert_health_check",
        "disable_health_check",
        "invoke_failover",
        "terminate_node",
    }


def test_typing(target: Target) -> None:
    assert typed([target.name], lambda question: f"{target.name} ").targets == {target.name}
    for answer in ("", "y", "yes", target.cluster, target.name.upper()):
        with pytest.raises(AbortedError, match="Nothing was changed"):
            typed([target.name], lambda question, answer=answer: answer)


@pytest.mark.proves("EKS: a call that the confirmed plan does not name is not made")
def test_gate(aws: Aws, target: Target, api: Api) -> None:
    """Whatever a verb's code would call: the client refuses it before anything leaves the process."""
    with pytest.raises(NotPlannedError, match="PromoteReadReplica"):
        aws.rds.promote_read_replica(DBInstanceIdentifier="any")
    with aws.allowing(plan("cordon_node", target, OPTIONS)):
        with pytest.raises(NotPlannedError, match="TerminateInstances"):
            aws.ec2.terminate_instances(InstanceIds=["i-1"])
        with pytest.raises(NotPlannedError, match="POST eviction"):
            aws.kube.post("/api/v1/namespaces/grandmodel/pods/risk-1/eviction", {})
    with pytest.raises(NotPlannedError, match="PATCH nodes"):  # the confirmation ends with the verb
        aws.kube.patch("/api/v1/nodes/one", {}, "merge")
    assert api.changed() == []


@pytest.mark.proves("EKS: other credentials, another cluster or another authority change nothing")
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"account": "210987654321"}, "account 123456789012"),
        ({"kube_system_uid": "another"}, "kube-system 11111111"),
        ({"ca_sha256": "0" * 64}, "certificate authority"),
    ],
)
def test_wrong_target(change: dict[str, str], found: str, aws: Aws, target: Target, api: Api) -> None:
    other = target.model_copy(update=change)
    with pytest.raises(WrongTargetError, match=rf"found {found}.*Nothing was changed"):
        do("disable_trading", Aws(other), {}, Confirmation(frozenset({other.name})))
    assert api.changed() == []


def test_identity_is_asked_before_each_change(
    aws: Aws, target: Target, api: Api, confirmed: Confirmation, identified: list[str]
) -> None:
    assert do("list_nodes", aws, {}) == "no node"  # a look
    api.objects["/api/v1/nodes/one"] = {"spec": {}}
    do("cordon_node", aws, {"node": "one"}, confirmed)
    do("uncordon_node", aws, {"node": "one"}, confirmed)
    assert len(identified) == 2
    assert all(token.startswith("Bearer k8s-aws-v1.") for token in api.tokens)


def test_a_cluster_that_refuses(aws: Aws, confirmed: Confirmation) -> None:
    with pytest.raises(KubeError, match="404") as caught:
        do("cordon_node", aws, {"node": "none"}, confirmed)
    assert of_error(caught.value) is ExitCode.USAGE


# --- what AWS may say

SAID: list[tuple[str, str]] = [
    ("ExpiredToken", "Get new ones"),
    ("InvalidClientTokenId", "the target's account"),
    ("AccessDenied", "docs/how-to/eks.md"),
    ("Throttling", "Wait a minute"),
    ("InvalidDBInstanceState", "Look at the target"),
]


def _missing(*_: object) -> None:
    raise botocore.exceptions.NoCredentialsError


def _silent(*_: object) -> None:
    raise botocore.exceptions.ConnectTimeoutError(endpoint_url="https://sts")


def _logged_out(*_: object) -> None:
    raise botocore.exceptions.UnauthorizedSSOTokenError


def _says(code: str) -> Callable[..., Any]:
    def answer(*_: object) -> None:
        raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetCallerIdentity")

    return answer


@pytest.mark.parametrize(
    ("raises", "remedy"),
    [
        *((_says(code), remedy) for code, remedy in SAID),
        (_missing, "as boto3 finds them"),
        (_silent, "reached from here"),
        (_logged_out, "Log in again"),
    ],
    ids=[*(code for code, _ in SAID), "no credentials", "no answer", "logged out"],
)
def test_what_aws_says_has_a_remedy(raises: Callable[[], None], remedy: str) -> None:
    """Each is exit code 2, with what was said."""
    with pytest.raises(AwsError) as caught, answering("promote"):
        raises()
    assert remedy in caught.value.problems[0].remedy
    assert of_error(caught.value) is ExitCode.USAGE


def test_no_credential_in_what_aws_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-of-a-test")
    message = "signed with AKIAABCDEFGHIJKLMNOP and planted-secret-of-a-test"
    error = {"Error": {"Code": "SignatureDoesNotMatch", "Message": message}}
    with pytest.raises(AwsError, match="signed with") as caught, answering("promote"):
        raise botocore.exceptions.ClientError(error, "PromoteReadReplica")
    assert "AKIA" not in str(caught.value)
    assert "planted" not in str(caught.value)


def test_no_credentials_at_all(aws: Aws, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user meets it: by the whole way of a verb."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsError, match="AWS credentials"):
        do("describe_database", Aws(target), {})
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")
    with pytest.raises(AwsError, match="of-nobody"):
        Aws(target)


def test_one_target_a_region(target: Target) -> None:
    with pytest.raises(UsageError) as caught:
        of_regions({"a": target, "b": target}, ("us-east-1", "us-west-2"))
    assert [problem.found for problem in caught.value.problems] == ["targets a, b", "no target"]
    assert of_regions({"a": target}, ("us-east-1",)) == {"us-east-1": target}
