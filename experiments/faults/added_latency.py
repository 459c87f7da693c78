"""added-latency: every answer of a service is delayed: its address leads to a proxy that waits before each answer."""

import time
from typing import Any

from experiments.faults import base, cluster, containers, verbs
from experiments.operate.moments import moments
from experiments.testbed.layout import NAMESPACE, PLACES

READY_WITHIN_S = 60.0
NEARLY = 0.9  # of the delay: clocks differ a little
_SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
_PROXY = """
import asyncio, sys
host, port, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
async def copy(reader, writer, wait):
    try:
        while data := await reader.read(65536):
            await asyncio.sleep(wait)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def serve(reader, writer):
    try:
        there, back = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, back, 0), copy(there, writer, delay))
async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 8080) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def plan(region: str, service: str, delay_ms: int = 200) -> base.Plan:
    """Plan a proxy between a service's address and its pods."""
    name, behind = f"gameday-latency-{service}", f"gameday-behind-{service}"
    path = f"{_SERVICES}/{service}-service"
    front = cluster.get(region, path)
    pod = cluster.ready_pods(region, service)[0]["spec"]
    selector, ours = front["spec"]["selector"], {"app": name}
    port = front["spec"]["ports"][0]
    objects = {
        _SERVICES: _behind(behind, selector, port),
        _DEPLOYMENTS: _proxy(name, pod, behind, port, delay_ms),
    }
    steps = [
        {"op": "test", "path": "/spec/selector", "value": ours},
        {"op": "replace", "path": "/spec/selector", "value": selector},
    ]
    lifts = (
        verbs.patch(region, path, steps, "json"),
        verbs.delete(region, f"{_DEPLOYMENTS}/{name}"),
        verbs.delete(region, f"{_SERVICES}/{behind}"),
    )
    facts = {
        "region": region, "service": service, "delay_ms": delay_ms, "objects": objects, "front": path,
        "proxy": f"{_DEPLOYMENTS}/{name}", "replace": [{"op": "replace", "path": "/spec/selector", "value": ours}],
    }  # fmt: skip
    radius = f"every answer of {service} in {region} comes {delay_ms} ms later, to callers and users."
    return base.Plan("added-latency", (f"{region}/{service}",), radius, lifts, facts)


def _behind(name: str, selector: dict[str, str], port: dict[str, Any]) -> cluster.Object:
    """The way from the proxy to the service's own pods."""
    ports = [{"name": "http", "port": port["port"], "targetPort": port["targetPort"]}]
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": selector, "ports": ports},
    }  # fmt: skip


def _proxy(name: str, pod: dict[str, Any], behind: str, port: dict[str, Any], delay_ms: int) -> cluster.Object:
    """The proxy, in the service's own image."""
    labels = {"app": name}
    container = {
        "name": "proxy",
        "image": pod["containers"][0]["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", _PROXY, behind, str(port["port"]), str(delay_ms / 1000)],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": "20m", "memory": "32Mi"}},
        "securityContext": pod["containers"][0].get("securityContext", {}),
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "securityContext": pod.get("securityContext", {}),
                 "automountServiceAccountToken": False},
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }  # fmt: skip


def inject(fault: str, region: str, service: str, delay_ms: int = 200) -> dict[str, Any]:
    """Make the proxy, and lead the service's address to it once it is ready."""
    return base.inject(fault, plan(region, service, delay_ms), _act)


def _act(planned: base.Plan) -> None:
    region, facts = planned.facts["region"], planned.facts
    for path, body in facts["objects"].items():
        cluster.create(region, path, body)
    if not moments.poll(lambda: cluster.is_whole(region, facts["proxy"]), READY_WITHIN_S):
        raise base.nothing(f"{region}/{facts['service']}", "a proxy that is not ready", "a ready one")
    cluster.patch(region, facts["front"], facts["replace"], "json")


def landed(fault: str) -> bool:
    """Whether an answer at the region's address comes that much later."""

    def see(planned: base.Plan) -> bool:
        begun = time.monotonic()
        status, _ = containers.request("GET", _url(planned), timeout_s=planned.facts["delay_ms"] / 1000 + 2)
        return status == 200 and time.monotonic() - begun >= NEARLY * planned.facts["delay_ms"] / 1000

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether it answers, and the proxy is gone."""

    def see(planned: base.Plan) -> bool:
        answered = containers.request("GET", _url(planned))[0] == 200
        return answered and not cluster.is_there(planned.facts["region"], planned.facts["proxy"])

    return base.look(fault, see, without=True)


def _url(planned: base.Plan) -> str:
    return f"{PLACES[planned.facts['region']].url(planned.facts['service'])}/probe"


def lift(fault: str, by: str = "clean-up") -> str:
    """Lead the address back to the service's pods, and remove the proxy."""
    return base.lift(fault, by)
