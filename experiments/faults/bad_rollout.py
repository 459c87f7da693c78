"""bad-rollout: a release that crashes is rolled out, in the deployment's own way: old pods serve on."""

from typing import Any

from experiments.faults import base, cluster, releases


def plan(region: str, service: str) -> base.Plan:
    """Plan a release whose pods crash at start."""
    path = cluster.deployment_path(service)
    container = cluster.get(region, path)["spec"]["template"]["spec"]["containers"][0]
    key, bad = releases.change(container, "config")
    facts = {"region": region, "service": service, "containers": [{"name": container["name"], key: bad}]}
    radius = f"a release of {service} in {region} that crashes at start; its rollout gets stuck beside the old pods."
    lifts = (releases.taken_back(region, path, container, key, bad),)
    return base.Plan("bad-rollout", (f"{region}/{service}",), radius, lifts, facts)


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Roll it out."""
    return base.inject(fault, plan(region, service), _act)


def _act(planned: base.Plan) -> None:
    body = {"spec": {"template": {"spec": {"containers": planned.facts["containers"]}}}}
    cluster.patch(planned.facts["region"], cluster.deployment_path(planned.facts["service"]), body)


def landed(fault: str) -> bool:
    """Whether a pod of it crashes."""
    return base.look(fault, lambda p: releases.crashing(p.facts["region"], p.facts["service"]) > 0, without=False)


def gone(fault: str) -> bool:
    """Whether the service has all its pods again."""
    return base.look(fault, lambda p: cluster.is_settled(p.facts["region"], p.facts["service"]), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Take the release back; a rollback by hand may have done so already."""
    return base.lift(fault, by)
