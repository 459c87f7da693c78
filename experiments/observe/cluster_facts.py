"""From objects of one region's Kubernetes API to facts: pods, nodes, endpoints, deployments, the trading switch.

Objects are dictionaries as the API sends them. The first list of a resource is how things stand, not what happened.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from experiments.observe.facts import Fact, stamp_us

_BACK_OFF = re.compile(r"back-off (?=\d)(?:(\d+)m)?(?:(\d+)s)? ")
_FIRST_BACK_OFF_S, _LONGEST_BACK_OFF_S = 10, 300  # of the kubelet
CONFIG = "grandmodel-config"
Object = Mapping[str, Any]


class ClusterFacts:
    """What is known of one region's cluster.

    `services` leads from a service to its deployment. Pods of other names are left out, save the database's.
    """

    def __init__(self, region: str, services: Mapping[str, str]) -> None:
        self.region = region
        self._services = dict(services)
        self._pods: dict[str, _Pod] = {}
        self._nodes: dict[str, bool] = {}
        self._endpoints: dict[str, dict[str, int]] = {s: {} for s in services}  # service: slice: ready
        self._listed: set[str] = set()
        self._short: set[str] = set()  # services that have fewer pods ready than planned
        self.planned: dict[str, int] = {}
        self.trading: bool | None = None  # as the ConfigMap says

    # --- what came from the API

    def listed(self, resource: str, objects: Sequence[Object]) -> list[Fact]:
        """The API listed all objects of a resource: those that are not there any more are gone."""
        first = resource not in self._listed
        self._listed.add(resource)
        facts = self._gone(resource, {str(o["metadata"]["name"]) for o in objects})
        for found in objects:
            facts += self.changed(resource, found)
        return [] if first else facts

    def changed(self, resource: str, found: Object) -> list[Fact]:
        """An object was added or modified."""
        changes: dict[str, Callable[[Object], Iterable[Fact]]] = {
            "pods": self._pod,
            "nodes": self._node,
            "endpoints": self._slice,
            "deployments": self._deployment,
            "configuration": self._configuration,
        }
        return list(changes[resource](found))

    def deleted(self, resource: str, found: Object) -> list[Fact]:
        """An object was deleted."""
        name = str(found["metadata"]["name"])
        if resource == "pods" and name in self._pods:
            return self._lost(name, str(found.get("status", {}).get("reason") or "deleted"))
        if resource == "endpoints":
            return self._recount(found, 0)
        self._nodes.pop(name, None)
        return []

    def _gone(self, resource: str, names: set[str]) -> list[Fact]:
        """What a new list lacks was deleted while nobody watched."""
        if resource == "pods":
            return [f for name in set(self._pods) - names for f in self._lost(name, "deleted")]
        if resource == "nodes":
            self._nodes = {n: ready for n, ready in self._nodes.items() if n in names}
        if resource == "endpoints":
            gone = [(s, n) for s, slices in self._endpoints.items() for n in set(slices) - names]
            return [f for service, name in gone for f in self._count(service, name, 0)]
        return []

    # --- what is sampled

    def ready(self, service: str) -> int:
        """Pods of a service that are ready and stay."""
        return sum(p.service == service and p.ready and not p.ending for p in self._pods.values())

    def pods(self, service: str) -> list[str]:
        """Names of the pods of a service that are ready."""
        return [n for n, p in self._pods.items() if p.service == service and p.ready and not p.ending]

    # --- each resource

    def _service_of(self, found: Object) -> str | None:
        labels = found["metadata"].get("labels") or {}
        service = labels.get("component")
        if service in self._services:
            return str(service)
        return "database" if labels.get("app") == "postgres" else None

    def _subject(self, service: str, name: str) -> str:
        return f"{self.region}/{service}/{name}"

    def _pods_changed(self, found: Object, service: str) -> Iterable[Fact]:
        meta, status = found["metadata"], found.get("status") or {}
        name = str(meta["name"])
        known = self._pods.get(name)
        subject = self._subject(service, name)
        if known is None:
            known = self._pods[name] = _Pod(service)
            yield Fact("pod_created", subject, {}, stamp_us(meta.get("creationTimestamp")))
        known.ending = bool(meta.get("deletionTimestamp"))
        for ends, back_off_s, at in _crashes(status, known.ends):
            yield Fact("crashed", subject, {"restarts": ends, "back_off_s": back_off_s}, at)
        known.ends = {str(c["name"]): _ends(c) for c in status.get("containerStatuses") or []}
        condition = _condition(found, "Ready")
        ready = condition.get("status") == "True"
        if ready != known.ready:
            known.ready = ready
            at = stamp_us(condition.get("lastTransitionTime"))
            yield Fact("pod_ready" if ready else "pod_unready", subject, {}, at)

    def _pod(self, found: Object) -> Iterable[Fact]:
        service = self._service_of(found)
        if service is not None:
            yield from self._pods_changed(found, service)
            yield from self._redundancy(service)

    def _lost(self, name: str, reason: str) -> list[Fact]:
        pod = self._pods.pop(name)
        subject = self._subject(pod.service, name)
        facts = [Fact("pod_unready", subject)] if pod.ready else []
        return [*facts, Fact("pod_lost", subject, {"reason": reason}), *self._redundancy(pod.service)]

    def _redundancy(self, service: str) -> list[Fact]:
        """A service that was short of pods has as many as planned again."""
        planned = self.planned.get(service)
        if planned is None:
            return []
        if self.ready(service) < planned:
            self._short.add(service)
            return []
        if service not in self._short:
            return []
        self._short.discard(service)
        return [Fact("redundancy_restored", f"{self.region}/{service}", {"what": "replicas"})] if planned else []

    def _node(self, found: Object) -> Iterable[Fact]:
        name = str(found["metadata"]["name"])
        condition = _condition(found, "Ready")
        ready = condition.get("status") == "True"
        if self._nodes.get(name) != ready:
            self._nodes[name] = ready
            at = stamp_us(condition.get("lastTransitionTime"))
            yield Fact("node_ready" if ready else "node_not_ready", f"{self.region}/{name}", {}, at)

    def _recount(self, found: Object, ready: int) -> list[Fact]:
        meta = found["metadata"]
        owner = str((meta.get("labels") or {}).get("kubernetes.io/service-name", ""))
        service = owner.removesuffix("-service")
        return self._count(service, str(meta["name"]), ready) if service in self._endpoints else []

    def _count(self, service: str, name: str, ready: int) -> list[Fact]:
        """So many endpoints are ready in one slice of a service now."""
        slices = self._endpoints[service]
        before = sum(slices.values())
        slices[name] = ready
        after = sum(slices.values())
        if before == after:
            return []
        return [Fact("endpoints_changed", f"{self.region}/{service}", {"ready": after})]

    def _slice(self, found: Object) -> list[Fact]:
        ends = found.get("endpoints") or []
        ready = sum(bool((e.get("conditions") or {}).get("ready", True)) for e in ends)
        return self._recount(found, ready)

    def _deployment(self, found: Object) -> list[Fact]:
        name = str(found["metadata"]["name"])
        service = next((s for s, d in self._services.items() if d == name), None)
        if service is None:
            return []
        self.planned[service] = int((found.get("spec") or {}).get("replicas", 1))
        return self._redundancy(service)

    def _configuration(self, found: Object) -> list[Fact]:
        if found["metadata"]["name"] == CONFIG:
            said = str((found.get("data") or {}).get("trading_enabled", "")).strip().lower()
            self.trading = said == "true"
        return []


class _Pod:
    """What is known of a pod."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.ready = False
        self.ending = False
        self.ends: dict[str, int] = {}  # container: how often it has ended


def _condition(found: Object, type_: str) -> Object:
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c.get("type") == type_), {})


def _ends(container: Object) -> int:
    """How often a container has ended: its restarts, and the end after which it was not started yet."""
    state, last = container.get("state") or {}, container.get("lastState") or {}
    waits = "terminated" in state or ("running" not in state and "terminated" in last)
    return int(container.get("restartCount", 0)) + int(waits)


def _crashes(status: Object, before: Mapping[str, int]) -> Iterable[tuple[int, int, int | None]]:
    """Containers that have ended since: how often by now, how long the next start waits, when it ended."""
    for container in status.get("containerStatuses") or []:
        ends = _ends(container)
        if ends <= before.get(str(container["name"]), 0):
            continue
        state, last = container.get("state") or {}, container.get("lastState") or {}
        ended = state.get("terminated") or last.get("terminated") or {}
        yield ends, _back_off_s(state, ends), stamp_us(ended.get("finishedAt"))


def _back_off_s(state: Object, ends: int) -> int:
    """As the kubelet says it, else by its rule: none at first, then 10 s, doubled each time, at most 300 s."""
    said = _BACK_OFF.search(str((state.get("waiting") or {}).get("message", "")))
    if said:
        return 60 * int(said.group(1) or 0) + int(said.group(2) or 0)
    return 0 if ends < 2 else min(_FIRST_BACK_OFF_S << min(ends - 2, 16), _LONGEST_BACK_OFF_S)
