"""cpu-pressure: something else uses all CPU of the pods' limit. Nothing outside their containers suffers."""

from typing import Any

from experiments.faults import base, inside, pressure


def plan(region: str, service: str, count: int = 1) -> base.Plan:
    """Plan for the first `count` ready pods of a service."""
    pods = pressure.pods(region, service, int(count), "cpu")
    for pod in pods:
        pod["throttled"] = inside.throttled(pod["node"], pod["container"])
    names = [pod["name"] for pod in pods]
    radius = f"all CPU of {base.listed(names)} in {region}, up to their limit, is used by something else."
    token, targets = inside.token(), tuple(f"{region}/{service}/{name}" for name in names)
    return base.Plan("cpu-pressure", targets, radius, pressure.lifts(pods, token), {"pods": pods, "token": token})


def inject(fault: str, region: str, service: str, count: int = 1) -> dict[str, Any]:
    """Start what uses it."""
    return base.inject(fault, plan(region, service, count), _act)


def _act(planned: base.Plan) -> None:
    for pod in planned.facts["pods"]:
        pressure.use_cpu(pod, planned.facts["token"])


def landed(fault: str) -> bool:
    """Whether it runs in every pod, and each had to wait for CPU."""

    def see(planned: base.Plan) -> bool:
        return all(
            pressure.runs(pod, planned.facts["token"])
            and inside.throttled(pod["node"], pod["container"]) > pod["throttled"]
            for pod in planned.facts["pods"]
        )

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether nothing of it runs."""
    return base.look(fault, pressure.is_gone, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Kill what uses it."""
    return base.lift(fault, by)
