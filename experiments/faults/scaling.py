"""Something that Kubernetes runs is taken away, and stays away: its deployment is scaled to none."""

from experiments.faults import base, cluster, verbs


def plan(kind: str, region: str, path: str, subject: str, radius: str) -> base.Plan:
    """Plan to scale a deployment to none."""
    replicas = cluster.get(region, path)["spec"]["replicas"]
    if not replicas:
        raise base.nothing(f"{region}/{subject}", "no pods", "some")
    steps = [
        {"op": "test", "path": "/spec/replicas", "value": 0},
        {"op": "replace", "path": "/spec/replicas", "value": replicas},
    ]
    facts = {"region": region, "path": path, "replicas": replicas}
    return base.Plan(kind, (f"{region}/{subject}",), radius, (verbs.patch(region, path, steps, "json"),), facts)


def take_away(planned: base.Plan) -> None:
    """Scale it to none."""
    cluster.patch(planned.facts["region"], planned.facts["path"], {"spec": {"replicas": 0}}, "merge")


def is_away(planned: base.Plan) -> bool:
    """Whether the cluster says that none of its pods is left."""
    found = cluster.get(planned.facts["region"], planned.facts["path"])
    return not found["spec"]["replicas"] and not found["status"].get("replicas")


def is_back(planned: base.Plan) -> bool:
    """Whether it has all the pods that it had."""
    region, path = planned.facts["region"], planned.facts["path"]
    wanted = int(cluster.get(region, path)["spec"]["replicas"])
    return wanted == planned.facts["replicas"] and cluster.is_whole(region, path)
