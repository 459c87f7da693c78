"""Checks of a topology alone: call graph, regions, names, and rules that can be evaluated."""

from scenarios.errors import Problem
from scenarios.files.checks.graph import calls
from scenarios.files.problems import at, unknown
from scenarios.files.yaml import Document
from scenarios.model.promql import SUPPORTED, Rule, UnsupportedRuleError
from scenarios.model.topology import Region, Topology

RESERVED = ("client", "complete", "database", "edge", "order", "page", "transactions")  # names that mean something else


def check_topology(topology: Topology, document: Document) -> list[Problem]:
    """All problems of a topology; none if a scenario can be played on it."""
    return [
        *calls(topology, document),
        *_regions(topology, document),
        *_database(topology, document),
        *_names(topology, document),
        *_alerts(topology, document),
    ]


def _regions(topology: Topology, document: Document) -> list[Problem]:
    problems = []
    for name, region in topology.regions.items():
        if region.nodes > region.node_quota:
            found, expected = f"{region.nodes} nodes", f"at most the quota, {region.node_quota}"
            remedy = "Raise `node_quota`, or start with fewer nodes."
            problems.append(at(document, f"regions.{name}.nodes", found, expected, remedy))
        for service, plan in topology.services.items():
            if plan.cpu > region.node_cpu:
                found = f"a pod of {plan.cpu:g} vCPU"
                expected = f"at most {region.node_cpu:g} vCPU, a node of {name}"
                problems.append(at(document, f"services.{service}.cpu", found, expected, "Choose larger nodes."))
        if region.role != "warm" and region.warm_replicas:
            found, expected = f"warm_replicas of a region that is {region.role}", "role: warm"
            problems.append(
                at(document, f"regions.{name}.warm_replicas", found, expected, "Remove it, or make it warm.")
            )
        problems += _room(name, region, topology, document)
    named = {f"monitoring.regions.{i}": r for i, r in enumerate(topology.monitoring.regions)}
    named["database.home"] = topology.database.home
    if topology.database.replica_region:
        named["database.replica_region"] = topology.database.replica_region
    if topology.dns.control_plane:
        named["dns.control plane"] = topology.dns.control_plane
    if topology.automation:
        named["automation.region"] = topology.automation.region
    return problems + [
        unknown(document.where(place), "region", region, topology.regions)
        for place, region in named.items()
        if region not in topology.regions
    ]


def _room(name: str, region: Region, topology: Topology, document: Document) -> list[Problem]:
    """What stands in a region at the start must have room on its nodes."""
    wanted = sum(region.standing(plan.replicas) * plan.cpu for plan in topology.services.values())
    have = region.nodes * region.node_cpu
    if wanted <= have:
        return []
    found = f"nodes with {have:g} vCPU in all, {region.nodes} of them"
    expected = f"room for the pods that stand there at the start, {wanted:g} vCPU"
    remedy = "Start with more or larger nodes, or with fewer or smaller pods."
    return [at(document, f"regions.{name}.nodes", found, expected, remedy)]


def _database(topology: Topology, document: Document) -> list[Problem]:
    database, problems = topology.database, []
    if database.replica_region == database.home:
        found, expected = "the primary's own region", "another region, or null"
        problems.append(at(document, "database.replica_region", found, expected, "Name another."))
    home = topology.regions.get(database.home)
    if home is not None and home.role != "active":
        found = f"{database.home}, a region that is {home.role}"
        remedy = "Name an active one: users are led there at the start."
        problems.append(at(document, "database.home", found, "an active region", remedy))
    return problems


def _names(topology: Topology, document: Document) -> list[Problem]:
    taken = {f"services.{name}": name for name in topology.services}
    taken |= {f"database.copies.{name}": name for name in topology.database.copies}
    return [
        at(document, place, f"the name `{name}`", f"another name: `{name}` means something else", "Rename it.")
        for place, name in taken.items()
        if name in RESERVED
    ]


def _alerts(topology: Topology, document: Document) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    for index, rule in enumerate(topology.monitoring.alerts):
        place = f"monitoring.alerts.{index}"
        if rule.alert in seen:
            problems.append(at(document, f"{place}.alert", f"{rule.alert} again", "each alert once", "Rename one."))
        seen.add(rule.alert)
        for reading, text in (("written", rule.written), ("intended", rule.intended)):
            try:
                Rule(text)
            except UnsupportedRuleError as error:
                found = str(error).splitlines()[0]
                problems.append(at(document, f"{place}.{reading}", found, SUPPORTED, "Write the rule with these."))
    return problems
