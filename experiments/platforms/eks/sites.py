"""The site of declared targets: where each region's edge, database and name are, as the settings say."""

from collections.abc import Iterator, Mapping

from experiments.platforms.eks.targets import Outside, Target
from experiments.platforms.site import Address, Site
from experiments.testbed.layout import NAMESPACE, Place
from scenarios.errors import Problem, UsageError
from scenarios.files.resolved import Resolved

SETTINGS = "gameday.toml"
OUTSIDE = f"{SETTINGS}, [outside]"


def needed_ports(resolved: Resolved) -> tuple[str, ...]:
    """Services whose port at the edge must be declared, for what is asked during a game day."""
    topology = resolved.topology
    copies = ["copies"] if topology.database.copies else []
    monitoring = ["prometheus"] if topology.monitoring.regions else []
    return (*topology.services, *copies, *monitoring)


def problems(resolved: Resolved, targets: Mapping[str, Target], outside: Outside) -> list[Problem]:
    """What is not declared and has to be, before a game day can be measured on these targets."""
    found = [*_of_targets(targets, outside), *_of_addresses(outside)]
    if lacking := [name for name in needed_ports(resolved) if name not in outside.ports]:
        expected, remedy = "a port for all that the topology describes", "Add them to `ports`."
        found.append(Problem(OUTSIDE, f"no port of {', '.join(lacking)}", expected, remedy))
    return found


def _of_targets(targets: Mapping[str, Target], outside: Outside) -> Iterator[Problem]:
    for target in targets.values():
        where = f"{SETTINGS}, target {target.name}"
        for key in ("context", "edge", "database", "record"):
            if not getattr(target, key):
                said = str(Target.model_fields[key].description)
                yield Problem(where, f"no `{key}`", said, f"Add `{key}` to the section.")
        if target.namespace != NAMESPACE:
            found, remedy = f"namespace {target.namespace}", "Faults and watchers know the runbook's namespace only."
            yield Problem(where, found, NAMESPACE, remedy)
        if target.database_at and _address(target.database_at) is None:
            yield Problem(where, f"`database_at` {target.database_at}", "HOST:PORT", "Mend it.")
        if not target.database_at and "database" not in outside.ports:
            remedy = "Add `database_at` to the section, or `database` to `ports` under [outside]."
            yield Problem(where, "no `database_at`", "where the database is asked", remedy)
    records = {target.record for target in targets.values()}
    if len(records) > 1:
        found = ", ".join(sorted(records))
        yield Problem(f"{SETTINGS}, targets", f"records {found}", "one name that users go to", "Give all the same.")


def _of_addresses(outside: Outside) -> Iterator[Problem]:
    if _address(outside.dns) is None:
        yield Problem(OUTSIDE, f"`dns` {outside.dns or '(none)'}", "HOST:PORT of a name server", "Add or mend it.")
    if outside.pages and _address(outside.pages) is None:
        yield Problem(OUTSIDE, f"`pages` {outside.pages}", "HOST:PORT of a page receiver", "Mend it, or leave it out.")


def site_of(targets: Mapping[str, Target], outside: Outside) -> Site:
    """The site of targets, still without a reverter. Raises UsageError for what is not declared."""
    if found := [*_of_targets(targets, outside), *_of_addresses(outside)]:
        raise UsageError(*found)
    dns = _address(outside.dns)
    assert dns is not None, "looked at above"
    databases = {region: _address(target.database_at) for region, target in targets.items()}
    return Site(
        world="eks",
        places={region: Place(region, target.edge, 0, named=target.name) for region, target in targets.items()},
        ports=outside.ports,
        databases={region: found for region, found in databases.items() if found is not None},
        dns=dns,
        name=next(iter(targets.values())).record,
        outside=_address(outside.pages),
        reverter="",
        targets={region: target.model_dump(mode="json") for region, target in targets.items()},
    )


def _address(text: str) -> Address | None:
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else None
