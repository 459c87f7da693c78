"""database-failure: the primary dies at once; Kubernetes starts it again, or a standby takes over."""

from typing import Any

from experiments.faults import base, database, inside
from experiments.testbed.layout import PLACES


def plan(region: str) -> base.Plan:
    """Plan to kill the primary's processes."""
    pod = database.primary(region)
    facts = {"region": region, "pod": pod}
    radius = f"the primary of {region} ({pod['name']}) is killed; Kubernetes starts it again."
    return base.Plan("database-failure", (f"{region}/database",), radius, facts=facts)


def inject(fault: str, region: str) -> dict[str, Any]:
    """Kill every process of the database's container."""
    return base.inject(fault, plan(region), _act)


def _act(planned: base.Plan) -> None:
    pod = planned.facts["pod"]
    inside.run(pod["node"], inside.signalling(pod["container"], "KILL"))


def landed(fault: str) -> bool:
    """Whether the container that was killed is not the one that runs."""

    def see(planned: base.Plan) -> bool:
        pod = planned.facts["pod"]
        dead = not inside.states(pod["node"], pod["container"])
        return dead or database.container_now(planned.facts["region"]) != pod["container"]

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether a row can be written somewhere."""
    return base.look(fault, lambda _: any(map(database.writes, PLACES)), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Nothing is done: it mends itself."""
    return base.lift(fault, by)
