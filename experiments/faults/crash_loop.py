"""crash-loop: pods of a service crash whenever they start, after a release with a bad configuration or image."""

from typing import Any

from experiments.faults import base, cluster, releases


def plan(region: str, service: str, share: float = 1.0, by: str = "config") -> base.Plan:
    """Plan a release that replaces a share of the pods at once by pods that do not come up."""
    path = cluster.deployment_path(service)
    deployment = cluster.get(region, path)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    key, bad = releases.change(container, by)
    strategy = releases.all_at_once(deployment, share)
    lifts = (
        releases.taken_back(region, path, container, key, bad),
        releases.strategy_back(region, path, deployment, strategy),
    )
    pods = strategy["rollingUpdate"]["maxUnavailable"]
    facts = {
        "region": region,
        "service": service,
        "pods": pods,
        "body": {
            "spec": {
                "strategy": strategy,
                "template": {"spec": {"containers": [{"name": container["name"], key: bad}]}},
            }
        },
    }
    radius = f"{pods} pods of {service} in {region} are replaced at once by pods that crash (a bad {by})."
    return base.Plan("crash-loop", (f"{region}/{service}",), radius, lifts, facts)


def inject(fault: str, region: str, service: str, share: float = 1.0, by: str = "config") -> dict[str, Any]:
    """Roll the bad release out."""
    return base.inject(fault, plan(region, service, share, by), _act)


def _act(planned: base.Plan) -> None:
    path = cluster.deployment_path(planned.facts["service"])
    cluster.patch(planned.facts["region"], path, planned.facts["body"])


def landed(fault: str) -> bool:
    """Whether as many pods as planned do not come up."""

    def see(planned: base.Plan) -> bool:
        facts = planned.facts
        return releases.crashing(facts["region"], facts["service"]) >= int(facts["pods"])

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the service has all its pods again."""
    return base.look(fault, lambda p: cluster.is_settled(p.facts["region"], p.facts["service"]), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Put back what the release changed; a rollback by hand may have done so already."""
    return base.lift(fault, by)
