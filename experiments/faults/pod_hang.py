"""pod-hang: pods stop answering and say nothing: their processes are stopped, their connections stay open."""

from typing import Any

from experiments.faults import base, cluster, inside


def plan(region: str, service: str, count: int = 1) -> base.Plan:
    """Plan to stop the processes of the first `count` ready pods of a service."""
    pods = cluster.ready_pods(region, service, int(count))
    names = [cluster.name_of(pod) for pod in pods]
    found = cluster.identities(pods)
    token = inside.token()
    facts = {"region": region, "service": service, "pods": found, "token": token}
    lifts = tuple(inside.lifting(pod["node"], token, inside.signalling(pod["uid"], "CONT")) for pod in found)
    radius = f"{len(names)} of the pods of {service} in {region} hang: {base.listed(names)}."
    return base.Plan("pod-hang", cluster.subjects(region, service, pods), radius, lifts, facts)


def inject(fault: str, region: str, service: str, count: int = 1) -> dict[str, Any]:
    """Stop every process of the pods."""
    return base.inject(fault, plan(region, service, count), _act)


def _act(planned: base.Plan) -> None:
    for pod in planned.facts["pods"]:
        inside.run(pod["node"], inside.injecting(planned.facts["token"], inside.signalling(pod["uid"], "STOP")))


def landed(fault: str) -> bool:
    """Whether every process of the pods is stopped."""

    def see(planned: base.Plan) -> bool:
        found = [inside.states(pod["node"], pod["uid"]) for pod in planned.facts["pods"]]
        return all(states and set(states) <= {"T", "Z"} for states in found)

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether none is stopped, and the service has all its pods."""

    def see(planned: base.Plan) -> bool:
        stopped = any("T" in inside.states(pod["node"], pod["uid"]) for pod in planned.facts["pods"])
        return not stopped and cluster.is_settled(planned.facts["region"], planned.facts["service"])

    return base.look(fault, see, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Let the processes go on."""
    return base.lift(fault, by)
