"""A target is the right one when account, cluster, certificate authority and kube-system say so, asked just now."""

import binascii

from experiments.platforms.eks.aws import Aws, answering
from experiments.platforms.eks.targets import Target
from experiments.safety.identity import WrongTargetError, fingerprint
from scenarios.errors import Problem

REMEDY = "Nothing was changed. Take the credentials of the declared account, or mend the target in gameday.toml."


def verify(aws: Aws) -> str:
    """Make sure that the credentials reach the declared target; return its identity in words.

    Raises:
        WrongTargetError: something else is reached.
        AwsError, KubeError: something does not answer.
    """
    with answering(f"identity of {aws.target.name}"):
        return _verified(aws, aws.target)


def _verified(aws: Aws, target: Target) -> str:
    account = str(aws.sts.get_caller_identity()["Account"])
    if account != target.account:
        raise _wrong(aws, "account", account, target.account)
    arn = str(aws.cluster["arn"])
    wanted = f"eks:{target.region}:{target.account}:cluster/{target.cluster}"
    if arn.split(":", 2)[-1] != wanted:
        raise _wrong(aws, "cluster", arn, wanted)
    try:
        authority = fingerprint(aws.authority)
    except (ValueError, binascii.Error):
        authority = "none"
    if authority != target.ca_sha256:
        raise _wrong(aws, "certificate authority", authority, target.ca_sha256)
    uid = str(aws.kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"])
    if uid != target.kube_system_uid:
        raise _wrong(aws, "kube-system", uid, target.kube_system_uid)
    return f"{arn}, kube-system {uid}"


def _wrong(aws: Aws, what: str, found: str, wanted: str) -> WrongTargetError:
    return WrongTargetError(Problem(f"target {aws.target.name}", f"{what} {found}", f"{what} {wanted}", REMEDY))
