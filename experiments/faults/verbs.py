"""The closed list of verbs that lift a fault, as data: the reverter keeps them and performs them without our code.

Every lift is idempotent: done twice, or on something that is already as it should be, it changes nothing and succeeds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from experiments.testbed.system.plan import NEEDED
from scenarios.errors import Problem, UsageError

Verb = Literal[
    "docker-unpause", "docker-start", "docker-connect", "docker-exec", "kube-patch", "kube-delete", "http", "aws"
]
VERBS: tuple[str, ...] = get_args(Verb)

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


@dataclass(frozen=True)
class Lift:
    """One act that undoes a part of a fault. A fault's lift is a list of them, performed in order."""

    verb: Verb
    target: str
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        assert set(NEEDED[self.verb]) == set(self.arguments), f"{self.verb} takes {NEEDED[self.verb]}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, as the ledger and the reverter keep it."""
        return {"verb": self.verb, "target": self.target, "arguments": dict(self.arguments)}

    def __str__(self) -> str:
        """Return it in one line, for a person who lifts by hand."""
        return f"{self.verb} {self.target} {json.dumps(dict(self.arguments), sort_keys=True)}"


def from_json(document: Any) -> Lift:
    """Inverse of Lift.to_json. Raises UsageError for anything that is not on the closed list."""
    if not isinstance(document, dict) or set(document) != {"verb", "target", "arguments"}:
        raise _bad(document, "an object with verb, target and arguments")
    verb, target, arguments = document["verb"], document["target"], document["arguments"]
    if verb not in NEEDED:
        raise _bad(verb, f"one of {', '.join(VERBS)}")
    if not isinstance(target, str) or not target:
        raise _bad(target, "the name of a target")
    if not isinstance(arguments, dict) or set(arguments) != set(NEEDED[verb]):
        raise _bad(arguments, f"for {verb}: {', '.join(NEEDED[verb]) or 'no arguments'}")
    return Lift(verb, target, arguments)


def _bad(found: Any, expected: str) -> UsageError:
    return UsageError(
        Problem("lift", str(found)[:200], expected, "`gameday testbed reset` needs no list; it empties the data.")
    )


def unpause(container: str) -> Lift:
    """Let a paused container go on."""
    return Lift("docker-unpause", container, {})


def start(container: str) -> Lift:
    """Start a stopped container."""
    return Lift("docker-start", container, {})


def connect(container: str, network: str, ip: str) -> Lift:
    """Connect a container to a network again, under the address that it had."""
    return Lift("docker-connect", container, {"network": network, "ip": ip})


def execute(container: str, command: Sequence[str]) -> Lift:
    """Run a command in a container; it must succeed when there is nothing to undo."""
    return Lift("docker-exec", container, {"command": list(command)})


def patch(region: str, path: str, body: Any, kind: Literal["merge", "strategic", "json"] = "strategic") -> Lift:
    """Patch an object of a region's API server, by its path there."""
    return Lift("kube-patch", region, {"path": path, "patch": body, "type": kind})


def delete(region: str, path: str) -> Lift:
    """Delete an object of a region's API server, by its path there."""
    return Lift("kube-delete", region, {"path": path})


def http(url: str, method: Literal["PUT", "POST", "DELETE"], body: Any = None) -> Lift:
    """Call a control interface of the testbed."""
    return Lift("http", url, {"method": method, "body": body})


def aws(region: str, verb: str, options: Mapping[str, Any]) -> Lift:
    """Do a verb of EKS on a region's target."""
    return Lift("aws", region, {"verb": verb, "options": dict(options)})
