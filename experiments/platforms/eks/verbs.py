"""Every verb of EKS: `plan` says what would be called and calls nothing; `do` does it, once it was confirmed.

What changes something is refused without a typed confirmation, asks once more whom it reaches, and can then call
nothing but what its plan named.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from experiments.platforms.eks import buckets, databases, functions, identity, names, nodes, workloads
from experiments.platforms.eks.aws import Aws, answering
from experiments.platforms.eks.plans import Confirmation, Options, Plan, insist
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem, UsageError


@dataclass(frozen=True)
class Verb:
    """A verb: what it would do, and the doing."""

    plan: Callable[[Target, Options], Plan]
    act: Callable[[Aws, Options], str]


VERBS: dict[str, Verb] = {
    "describe_database": Verb(databases.plan_describe, databases.describe),
    "list_snapshots": Verb(databases.plan_snapshots, databases.snapshots),
    "promote": Verb(databases.plan_promote, databases.promote),
    "restore_snapshot": Verb(databases.plan_restore_snapshot, databases.restore_snapshot),
    "restore_point_in_time": Verb(databases.plan_restore_point_in_time, databases.restore_point_in_time),
    "switch_dns": Verb(names.plan_switch_dns, names.switch_dns),
    "describe_health_check": Verb(names.plan_describe_health_check, names.describe_health_check),
    "invert_health_check": Verb(names.plan_invert_health_check, names.invert_health_check),
    "disable_health_check": Verb(names.plan_disable_health_check, names.disable_health_check),
    "invoke_failover": Verb(functions.plan_invoke, functions.invoke),
    "copy_data": Verb(buckets.plan_copy, buckets.copy),
    "list_nodes": Verb(nodes.plan_list, nodes.listed),
    "stop_node": Verb(nodes.plan_stop, nodes.stop),
    "start_node": Verb(nodes.plan_start, nodes.start),
    "terminate_node": Verb(nodes.plan_terminate, nodes.terminate),
    "cordon_node": Verb(nodes.plan_cordon, nodes.cordon),
    "uncordon_node": Verb(nodes.plan_uncordon, nodes.uncordon),
    "drain_node": Verb(nodes.plan_drain, nodes.drain),
    "scale": Verb(workloads.plan_scale, workloads.scale),
    "restart": Verb(workloads.plan_restart, workloads.restart),
    "wait_ready": Verb(workloads.plan_wait_ready, workloads.wait_ready),
    "set_image": Verb(workloads.plan_set_image, workloads.set_image),
    "rollout_undo": Verb(workloads.plan_rollout_undo, workloads.rollout_undo),
    "patch_config": Verb(workloads.plan_patch_config, workloads.patch_config),
    "disable_trading": Verb(*workloads.trading("false")),
    "enable_trading": Verb(*workloads.trading("true")),
}


def plan(verb: str, target: Target, options: Options) -> Plan:
    """What a verb would do. Calls nothing. Raises UsageError for what is not declared, or no such verb."""
    return replace(_verb(verb).plan(target, options), verb=verb)


def do(verb: str, aws: Aws, options: Options, confirmation: Confirmation | None = None) -> str:
    """Do what a verb says, to its end; return what was seen.

    Args:
        verb: its name.
        aws: the target.
        options: as of `plan`.
        confirmation: the target's name, typed; needed by what changes something.

    Raises:
        UsageError: it was not confirmed, or something is not declared: nothing was called.
        WrongTargetError: the credentials or the cluster are others: nothing was changed.
        AwsError, KubeError: it was refused, or did not have the effect that it should have.
    """
    planned = plan(verb, aws.target, options)
    insist(planned, confirmation)
    if planned.changes:
        identity.verify(aws)
    with answering(f"{verb} on {aws.target.name}"), aws.allowing(planned):
        return _verb(verb).act(aws, options)


def _verb(name: str) -> Verb:
    if name not in VERBS:
        problem = Problem("verb", f"`{name}`", f"one of {', '.join(VERBS)}", "EKS has no other verb.")
        raise UsageError(problem)
    return VERBS[name]
