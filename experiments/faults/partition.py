"""partition: calls from a service to its callee hang: packets between them are dropped by a network policy."""

import time
from typing import Any
from urllib.parse import urlsplit

from experiments.faults import base, cluster, inside, verbs
from experiments.testbed.layout import NAMESPACE

_POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
_ASK = """import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
    print("yes")
except OSError:
    print("no")
"""


def plan(region: str, service: str) -> base.Plan:
    """Plan to cut a service from what it calls, which its pods' configuration names."""
    pods = cluster.ready_pods(region, service)
    host, port = callee_of(region, pods[0])
    labels = cluster.get(region, f"/api/v1/namespaces/{NAMESPACE}/services/{host}")["spec"]["selector"]
    name = f"gameday-partition-{service}"
    facts = {
        "region": region,
        "pods": cluster.identities(pods),
        "callee": [host, port],
        "policy": _policy(name, service, labels, _pod_networks(region)),
    }
    radius = f"calls from {service} to {host} in {region} hang."
    lift = verbs.delete(region, f"{_POLICIES}/{name}")
    return base.Plan("partition", (f"{region}/{service}",), radius, (lift,), facts)


def callee_of(region: str, pod: cluster.Object) -> tuple[str, int]:
    """Host and port that a pod of a service calls: the next hop, or the database."""
    environment = {e["name"]: e for e in pod["spec"]["containers"][0].get("env", [])}
    entry = environment.get("NEXT_URL") or environment.get("DATABASE_URL")
    if entry is None:
        raise base.nothing(cluster.name_of(pod), "a pod that calls nobody", "NEXT_URL or DATABASE_URL")
    url = entry.get("value")
    if url is None:
        key = entry["valueFrom"]["configMapKeyRef"]
        url = cluster.get(region, f"/api/v1/namespaces/{NAMESPACE}/configmaps/{key['name']}")["data"][key["key"]]
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def _pod_networks(region: str) -> list[str]:
    return [str(node["spec"]["podCIDR"]) for node in cluster.get(region, "/api/v1/nodes")["items"]]


def _policy(name: str, service: str, callee: dict[str, str], pod_networks: list[str]) -> cluster.Object:
    """Policy by which a service's pods reach everything but the pods of its callee."""
    key = "component" if "component" in callee else "app"
    here = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [NAMESPACE]}
    others = [
        {"podSelector": {"matchExpressions": [{"key": key, "operator": "NotIn", "values": [callee[key]]}]}},
        {"namespaceSelector": {"matchExpressions": [here]}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": pod_networks}},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {
            "podSelector": {"matchLabels": {"component": service}},
            "policyTypes": ["Egress"],
            "egress": [{"to": others}],
        },
    }


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Make the policy."""
    return base.inject(fault, plan(region, service), lambda p: cluster.create(region, _POLICIES, p.facts["policy"]))


def landed(fault: str) -> bool:
    """Whether none of the service's pods reaches its callee; a pod there must be."""

    def see(planned: base.Plan) -> bool:
        found = _reach(planned)
        return bool(found) and not any(found)

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether every one of them does; a pod there must be."""

    def see(planned: base.Plan) -> bool:
        found = _reach(planned)
        return bool(found) and all(found)

    return base.look(fault, see, without=True)


def _reach(planned: base.Plan) -> list[bool]:
    """Whether each pod of the service that runs now, whoever has started it, can connect to its callee."""
    facts = planned.facts
    there = cluster.identities(cluster.pods(facts["region"], _service(planned)))
    return [_reaches(pod, *facts["callee"]) for pod in there if pod["container"]]


def _service(planned: base.Plan) -> str:
    return planned.targets[0].partition("/")[2]


def _reaches(pod: dict[str, str], host: str, port: int) -> bool:
    command = ["python", "-c", _ASK, host, str(port)]
    exec_id = f"gameday-{time.monotonic_ns()}"
    asked = inside.running(pod["container"], exec_id, command)
    said = inside.run(pod["node"], asked).strip()
    if said not in ("yes", "no"):
        raise base.nothing(pod["name"], repr(said[-200:]), "an answer, yes or no")
    return said == "yes"


def lift(fault: str, by: str = "clean-up") -> str:
    """Remove the policy."""
    return base.lift(fault, by)
