"""memory-pressure: something else uses memory of the pods' limit. Nothing outside their containers suffers."""

from typing import Any

from experiments.faults import base, inside, pressure

NEARLY = 0.95  # of what was asked for: memory comes and goes


def plan(region: str, service: str, count: int = 1, share: float = 0.8) -> base.Plan:
    """Plan for the first `count` ready pods of a service, up to a share of their limit."""
    pods = pressure.pods(region, service, int(count), "memory")
    names = [pod["name"] for pod in pods]
    radius = f"{share:.0%} of the memory of {base.listed(names)} in {region} is used by something else."
    token, targets = inside.token(), tuple(f"{region}/{service}/{name}" for name in names)
    return base.Plan(
        "memory-pressure", targets, radius, pressure.lifts(pods, token), {"pods": pods, "token": token, "share": share}
    )


def inject(fault: str, region: str, service: str, count: int = 1, share: float = 0.8) -> dict[str, Any]:
    """Start what uses it."""
    return base.inject(fault, plan(region, service, count, share), _act)


def _act(planned: base.Plan) -> None:
    for pod in planned.facts["pods"]:
        pressure.use_memory(pod, planned.facts["token"], planned.facts["share"])


def landed(fault: str) -> bool:
    """Whether every pod uses nearly as much as was asked for."""

    def see(planned: base.Plan) -> bool:
        wanted = NEARLY * planned.facts["share"]
        return all(
            pressure.runs(pod, planned.facts["token"])
            and inside.memory(pod["node"], pod["container"]) >= wanted * pod["limit"]
            for pod in planned.facts["pods"]
        )

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether nothing of it runs."""
    return base.look(fault, pressure.is_gone, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Kill what uses it."""
    return base.lift(fault, by)
