"""Nodes of an EKS cluster: listed, cordoned and drained through its API; stopped, started, ended through EC2.

A managed node group does not leave a stopped instance alone: its Auto Scaling group takes it for unhealthy, ends it
and starts another. Then there is nothing to start again, and the group has mended the fault itself.
"""

from functools import partial
from typing import Any

from experiments.operate.moments import moments
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.kube import KubeError
from experiments.platforms.eks.plans import Call, Options, Plan, change, look
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem, UsageError

GROUP = "eks.amazonaws.com/nodegroup"
EVERY_S = 2.0
DRAINED_WITHIN_S = 600.0
_MIRROR = "kubernetes.io/config.mirror"
_LIST, _PODS = look("kubernetes", "GET nodes"), look("kubernetes", "GET pods")
_INSTANCES = look("ec2", "DescribeInstances")


def _which(options: Options) -> str:
    """The node in words. Raises UsageError when nothing says which."""
    if options.get("node") or options.get("instance"):
        return str(options.get("node") or options["instance"])
    if options.get("service"):
        return f"the node that runs the first pod of {options['service']}"
    problem = Problem(
        "verbs of nodes", "neither `node`, `instance` nor `service`", "one of them", "Say which node is meant."
    )
    raise UsageError(problem)


def _node(aws: Aws, options: Options) -> str:
    if options.get("node"):
        return str(options["node"])
    _which(options)
    pods = aws.kube.get(
        f"/api/v1/namespaces/{aws.target.namespace}/pods", labelSelector=f"component={options['service']}"
    )["items"]
    placed = sorted((p["metadata"]["name"], p["spec"]["nodeName"]) for p in pods if p["spec"].get("nodeName"))
    if not placed:
        where, remedy = f"{aws.target.name}, {options['service']}", "Look with `list_nodes`, and name a node."
        raise AwsError(Problem(where, "no pod on any node", "a pod", remedy))
    return str(placed[0][1])


# --- looking


def plan_list(target: Target, options: Options) -> Plan:
    """Nodes of the cluster, or of one node group."""
    group = options.get("group")
    words = "lists the nodes" + (f" of node group {group}" if group else "")
    return Plan("list_nodes", target.name, words, (_LIST, _INSTANCES))


def listed(aws: Aws, options: Options) -> str:
    """Nodes with their group, whether they are ready, and the state of their instance, one a line."""
    query = {"labelSelector": f"{GROUP}={options['group']}"} if options.get("group") else {}
    found = aws.kube.get("/api/v1/nodes", **query)["items"]
    instances = [instance for instance in map(_instance_behind, found) if instance]
    states = states_of(aws, instances) if instances else {}
    return "\n".join(_line(node, states) for node in found) or "no node"


def _line(node: Any, states: dict[str, str]) -> str:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
    group = node["metadata"].get("labels", {}).get(GROUP, "no group")
    words = ["ready" if ready else "not ready", *(["cordoned"] if node["spec"].get("unschedulable") else [])]
    instance = _instance_behind(node)
    behind = f"{instance} {states.get(instance, 'unknown')}" if instance else "no EC2 instance"
    return f"{node['metadata']['name']} {group} {', '.join(words)}, {behind}"


def _instance_behind(node: Any) -> str:
    """Instance of a node; empty for one of Fargate, or of no cloud."""
    provider, _, instance = str(node["spec"].get("providerID", "")).rpartition("/")
    return instance if provider.startswith("aws://") and instance.startswith("i-") else ""


def instance_of(node: Any) -> str:
    """Instance of a node. Raises AwsError when there is none behind it."""
    instance = _instance_behind(node)
    if not instance:
        where, found = f"node {node['metadata']['name']}", node["spec"].get("providerID", "no instance")
        raise AwsError(Problem(where, str(found), "an EC2 instance", "Choose a node of a node group of EC2."))
    return instance


def states_of(aws: Aws, instances: list[str]) -> dict[str, str]:
    """State of each instance. Raises AwsError for one that is not this cluster's: it must not be touched."""
    pages = aws.ec2.get_paginator("describe_instances").paginate(InstanceIds=instances)
    found = [each for page in pages for group in page["Reservations"] for each in group["Instances"]]
    cluster = aws.target.cluster
    for each in found:
        tags = {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])}
        if tags.get("eks:cluster-name") != cluster and f"kubernetes.io/cluster/{cluster}" not in tags:
            remedy = "Nothing was changed. Tag it, if it is this cluster's."
            where = f"instance {each['InstanceId']}"
            raise AwsError(Problem(where, "no tag of this cluster", f"eks:cluster-name = {cluster}", remedy))
    return {each["InstanceId"]: each["State"]["Name"] for each in found}


# --- instances


def _plan_instance(verb: str, call: str, words: str, irreversible: bool, target: Target, options: Options) -> Plan:
    node = _which(options)
    calls: tuple[Call, ...] = (_PODS, _LIST, _INSTANCES, change("ec2", call, InstanceIds=f"that of {node}"))
    return Plan(verb, target.name, f"{words} {node}", calls, irreversible)


def plan_stop(target: Target, options: Options) -> Plan:
    """Stop the instance of a node; `start_node` lifts it, unless its group has replaced it."""
    words = "stops, without warning to its pods,"
    return _plan_instance("stop_node", "StopInstances", words, False, target, options)


def plan_start(target: Target, options: Options) -> Plan:
    """Start the instance of a node again."""
    return _plan_instance("start_node", "StartInstances", "starts again", False, target, options)


def plan_terminate(target: Target, options: Options) -> Plan:
    """End the instance of a node for good."""
    return _plan_instance("terminate_node", "TerminateInstances", "ends for good", True, target, options)


def _instance(aws: Aws, options: Options) -> tuple[str, str]:
    """A node's name and its instance, of which it is sure that it is this cluster's."""
    if options.get("instance"):
        name = instance = str(options["instance"])
    else:
        name = _node(aws, options)
        instance = instance_of(aws.kube.get(f"/api/v1/nodes/{name}"))
    states_of(aws, [instance])
    return name, instance


def stop(aws: Aws, options: Options) -> str:
    """Stop it at once, as a machine that dies: the operating system is not asked."""
    name, instance = _instance(aws, options)
    aws.ec2.stop_instances(InstanceIds=[instance], Force=True)
    return f"{name}: {instance} stops"


def start(aws: Aws, options: Options) -> str:
    """Start it again; one that runs is left alone, one that has ended is its node group's to replace."""
    name, instance = _instance(aws, options)
    state = states_of(aws, [instance])[instance]
    if state in ("running", "pending"):
        return f"{name}: {instance} was running"
    if state in ("shutting-down", "terminated"):
        return f"{name}: {instance} has ended: its node group starts another"
    aws.ec2.start_instances(InstanceIds=[instance])
    return f"{name}: {instance} starts"


def terminate(aws: Aws, options: Options) -> str:
    """End it."""
    name, instance = _instance(aws, options)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    return f"{name}: {instance} ends"


# --- cordon and drain

_CORDON = change("kubernetes", "PATCH nodes")


def plan_cordon(target: Target, options: Options) -> Plan:
    """No new pods on a node; `uncordon_node` lifts it."""
    return Plan("cordon_node", target.name, f"lets no new pod onto {_which(options)}", (_PODS, _CORDON))


def plan_uncordon(target: Target, options: Options) -> Plan:
    """New pods on a node again."""
    return Plan("uncordon_node", target.name, f"lets new pods onto {_which(options)} again", (_PODS, _CORDON))


def plan_drain(target: Target, options: Options) -> Plan:
    """No new pods on a node, and those that are there move away; `uncordon_node` lifts it."""
    calls = (_PODS, _CORDON, change("kubernetes", "POST eviction"))
    words = f"lets no new pod onto {_which(options)}, and has its pods evicted as their disruption budgets allow"
    return Plan("drain_node", target.name, words, calls)


def _schedulable(value: bool, aws: Aws, options: Options) -> str:
    name = _node(aws, options)
    aws.kube.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": not value}}, "merge")
    return f"{name} is {'open' if value else 'cordoned'}"


cordon = partial(_schedulable, False)
uncordon = partial(_schedulable, True)


def drain(aws: Aws, options: Options) -> str:
    """Cordon, then evict until nothing is left but what belongs to the node. A budget's refusal is tried again."""
    name = _node(aws, options)
    _schedulable(False, aws, {"node": name})
    asked: set[str] = set()
    left: list[str] = []

    def empty() -> bool:
        left[:] = []
        for pod in _movable(aws, name):
            key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            left.append(key)
            if "deletionTimestamp" not in pod["metadata"] and _evicted(aws, pod):
                asked.add(key)
        return not left

    if not moments.poll(empty, float(options.get("within_s", DRAINED_WITHIN_S)), EVERY_S):
        found = f"still there: {', '.join(left)[:200]}"
        remedy = "A disruption budget forbids it. The node stays cordoned: `uncordon_node` opens it."
        raise AwsError(Problem(f"drain_node {name}", found, "every pod moved", remedy))
    return f"{name} is drained of {len(asked)} pods, and cordoned"


def _movable(aws: Aws, node: str) -> list[Any]:
    pods = aws.kube.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")["items"]
    return [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and _MIRROR not in pod["metadata"].get("annotations", {})
        and not any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", []))
    ]


def _evicted(aws: Aws, pod: Any) -> bool:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    try:
        aws.kube.post(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)
    except KubeError as error:
        if error.status not in (404, 429):  # gone already; not now, says a budget
            raise
        return error.status == 404
    return True
