"""slow-database: the primary is short of CPU: its container's quota is lowered."""

from typing import Any

from experiments.faults import base, database, inside


def plan(region: str, cpu: float = 0.05) -> base.Plan:
    """Plan to leave the primary with so many CPUs."""
    pod = database.primary(region)
    file, before = inside.quota(pod["node"], pod["container"])
    token = inside.token()
    facts = {
        "region": region,
        "pod": pod,
        "token": token,
        "file": file,
        "before": before,
        "quota": inside.quota_of(file, cpu, before),
        "throttled": inside.throttled(pod["node"], pod["container"]),
    }
    lift = inside.lifting(pod["node"], token, inside.limiting(pod["container"], file, before))
    radius = f"the primary of {region} gets {cpu:g} CPU: every query is slow."
    return base.Plan("slow-database", (f"{region}/database",), radius, (lift,), facts)


def inject(fault: str, region: str, cpu: float = 0.05) -> dict[str, Any]:
    """Lower the quota."""
    return base.inject(fault, plan(region, cpu), _act)


def _act(planned: base.Plan) -> None:
    pod, facts = planned.facts["pod"], planned.facts
    limit = inside.limiting(pod["container"], facts["file"], facts["quota"])
    inside.run(pod["node"], inside.injecting(facts["token"], limit))


def landed(fault: str) -> bool:
    """Whether the quota holds, and the database had to wait because of it, asked by a query."""

    def see(planned: base.Plan) -> bool:
        pod, facts = planned.facts["pod"], planned.facts
        database.state(facts["region"])
        held = inside.quota(pod["node"], pod["container"])[1] == str(facts["quota"])
        return held and inside.throttled(pod["node"], pod["container"]) > int(facts["throttled"])

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the quota is as before, or the container is another."""

    def see(planned: base.Plan) -> bool:
        pod, facts = planned.facts["pod"], planned.facts
        if database.container_now(facts["region"]) != pod["container"]:
            return True
        return inside.quota(pod["node"], pod["container"])[1] == str(facts["before"])

    return base.look(fault, see, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Put the quota back."""
    return base.lift(fault, by)
