"""Machines of EKS: each node is an instance of EC2, and belongs to a node group that may replace it."""

from experiments.faults import cluster, verbs
from experiments.faults.base import nothing
from experiments.faults.verbs import Lift
from experiments.platforms.eks import nodes
from experiments.platforms.eks.aws import Aws, answering
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.platform import target_of
from experiments.platforms.eks.verbs import do


def working(region: str, node: str) -> str:
    """Identity of a node's instance. Raises NothingToHitError when it does not run, AwsError when it is not ours."""
    aws = Aws(target_of(region))
    with answering(f"node {node}"):
        instance = nodes.instance_of(aws.kube.get(f"/api/v1/nodes/{node}"))
        state = nodes.states_of(aws, [instance])[instance]
    if state != "running":
        raise nothing(f"{region}/{node}", f"instance {instance}, {state}", "one that runs", "Look with `list_nodes`.")
    return instance


def runs(region: str, node: str, identity: str) -> bool:
    """Whether the instance runs."""
    return _state(region, identity) == "running"


def is_fenced(region: str, node: str, identity: str) -> bool:
    """Never: nothing of ours cuts an instance from its network."""
    return False


def has_successor(region: str, node: str, identity: str) -> bool:
    """Whether the instance has ended, and every node that the cluster lists is ready: its group has started another."""
    if _state(region, identity) not in ("terminated", "shutting-down"):
        return False
    listed = cluster.get(region, "/api/v1/nodes")["items"]
    return node not in map(cluster.name_of, listed) and all(map(cluster.is_ready, listed))


def kill(region: str, node: str, identity: str) -> None:
    """Stop the instance by force. Raises AwsError, WrongTargetError; the person who confirmed the run confirmed it."""
    _do(region, "stop_node", identity)


def started(region: str, node: str, identity: str) -> Lift:
    """Start the instance again; nothing is to be done once its group has replaced it."""
    return verbs.aws(region, "start_node", {"instance": identity})


def _do(region: str, verb: str, identity: str) -> str:
    target = target_of(region)
    return do(verb, Aws(target), {"instance": identity}, Confirmation(frozenset({target.name})))


def _state(region: str, identity: str) -> str:
    aws = Aws(target_of(region))
    with answering(f"instance {identity}"):
        return nodes.states_of(aws, [identity])[identity]
