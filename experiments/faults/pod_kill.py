"""pod-kill: pods die at once; others replace them."""

from typing import Any

from chaosk8s.pod.actions import terminate_pods

from experiments.faults import base, cluster
from experiments.platforms.chaos_kubernetes import secrets_for
from experiments.platforms.site import site
from experiments.testbed.layout import NAMESPACE


def plan(region: str, service: str, count: int = 1) -> base.Plan:
    """Plan to kill the first `count` ready pods of a service."""
    pods = cluster.ready_pods(region, service, int(count))
    names = [cluster.name_of(pod) for pod in pods]
    facts = {"region": region, "service": service, "pods": cluster.identities(pods)}
    radius = f"{len(names)} of the pods of {service} in {region} die: {base.listed(names)}. Kubernetes replaces them."
    return base.Plan("pod-kill", cluster.subjects(region, service, pods), radius, facts=facts)


def inject(fault: str, region: str, service: str, count: int = 1) -> dict[str, Any]:
    """Delete pods without any grace, those that were planned and no others of their names."""
    return base.inject(fault, plan(region, service, count), _act)


def _act(planned: base.Plan) -> None:
    region, service = planned.facts["region"], planned.facts["service"]
    there = {cluster.uid_of(pod) for pod in cluster.pods(region, service)}
    with secrets_for(site().places[region]) as secrets:
        for pod in planned.facts["pods"]:
            if pod["uid"] in there:
                terminate_pods(name_pattern=f"^{pod['name']}$", grace_period=0, ns=NAMESPACE, secrets=secrets)


def landed(fault: str) -> bool:
    """Whether none of these pods is there any more."""

    def see(planned: base.Plan) -> bool:
        there = {cluster.uid_of(p) for p in cluster.pods(planned.facts["region"], planned.facts["service"])}
        return not there & {pod["uid"] for pod in planned.facts["pods"]}

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the service has all its pods again."""
    return base.look(fault, lambda p: cluster.is_settled(p.facts["region"], p.facts["service"]), without=True)
