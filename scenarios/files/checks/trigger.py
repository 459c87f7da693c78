"""Checks of what a timeline waits for: a fact that some run of this scenario can have."""

from scenarios.errors import Problem
from scenarios.files.problems import unknown
from scenarios.files.resolved import Resolved
from scenarios.files.yaml import Document
from scenarios.model.scenario import Trigger
from scenarios.record.kinds import GROUPS, KINDS

ROLES = ("incident-commander", "technical-lead", "communications-lead")
_GROUP_OF = {fact.kind: group.title for group in GROUPS for fact in group.facts}


def check_trigger(resolved: Resolved, trigger: Trigger, place: str, document: Document) -> list[Problem]:
    """Problems of the fact that starts an entry; its subject must be one that the fact can be about."""
    if trigger.mark not in KINDS:
        return [unknown(document.where(f"{place}.when.mark"), "mark", trigger.mark, KINDS)]
    if trigger.subject is None:
        return []
    group, topology = _GROUP_OF[trigger.mark], resolved.topology
    named = trigger.subject
    if group == "Faults":
        known = [f"{entry.fault}:{index}" for index, entry in enumerate(resolved.scenario.timeline) if entry.fault]
    elif group == "Alerting":
        known = [rule.alert for rule in topology.monitoring.alerts]
    elif group == "People":
        known = [*topology.people.levels, *ROLES, *(["automation"] if topology.automation else [])]
    elif group == "Procedures" or trigger.mark.startswith(("change_", "rollback_")):
        known = list(resolved.procedures)
    elif group == "Automation":
        known = ["automation"] if topology.automation else []
    elif group == "The system":  # pods and nodes are named as the world goes; the region they are in is known
        known, named = [*topology.regions, "dns"], trigger.subject.partition("/")[0]
    else:
        return []
    if named in known:
        return []
    return [unknown(document.where(f"{place}.when.subject"), f"subject of {trigger.mark}", trigger.subject, known)]
