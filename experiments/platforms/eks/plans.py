"""What a verb would call, in words and as data; and the confirmation without which nothing is changed."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.errors import AbortedError, Problem, UsageError

Options = Mapping[str, Any]
Ask = Callable[[str], str]


@dataclass(frozen=True)
class Call:
    """One call. `operation`: as AWS names it, or a method and a path of the cluster's API."""

    service: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    changes: bool = False

    def __str__(self) -> str:
        """Return it in one line."""
        given = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.service} {self.operation}" + (f"({given})" if given else "")


@dataclass(frozen=True)
class Plan:
    """What a verb would do to a target, before it does anything."""

    verb: str
    target: str  # its name, which is typed to confirm
    words: str
    calls: tuple[Call, ...]
    irreversible: bool = False  # nothing lifts it; at best it is failed back

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return any(call.changes for call in self.calls)

    @property
    def operations(self) -> frozenset[str]:
        """Operations that it may call although they change something."""
        return frozenset(call.operation for call in self.calls if call.changes)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        calls = [{**call.__dict__, "arguments": dict(call.arguments)} for call in self.calls]
        return {**self.__dict__, "calls": calls, "changes": self.changes}


def look(service: str, operation: str, **arguments: Any) -> Call:
    """A call that changes nothing."""
    return Call(service, operation, arguments)


def change(service: str, operation: str, **arguments: Any) -> Call:
    """A call that changes something."""
    return Call(service, operation, arguments, changes=True)


@dataclass(frozen=True)
class Confirmation:
    """Proof that a person typed the names of these targets."""

    targets: frozenset[str]


def typed(targets: Collection[str], ask: Ask) -> Confirmation:
    """Have a person type the name of each target. Raises AbortedError when something else is typed."""
    for target in targets:
        answer = ask(f"Type {target} to change it").strip()
        if answer != target:
            raise AbortedError(Problem("confirmation", f"`{answer[:60]}`", f"`{target}`", "Nothing was changed."))
    return Confirmation(frozenset(targets))


def insist(plan: Plan, confirmation: Confirmation | None) -> None:
    """Refuse what changes something without the confirmation of its target. Raises UsageError."""
    if plan.changes and (confirmation is None or plan.target not in confirmation.targets):
        found = "a dry run" if confirmation is None else "the name of another target"
        remedy = "Nothing was called. Confirm by typing the target's name."
        raise UsageError(Problem(f"{plan.verb} on {plan.target}", found, "a confirmation", remedy))


def option(options: Options, name: str, verb: str) -> str:
    """An option that a verb needs. Raises UsageError."""
    if options.get(name) in (None, ""):
        raise UsageError(Problem(f"verb {verb}", f"no `{name}`", "a value", f"Give `with: {{{name}: ...}}`."))
    return str(options[name])
