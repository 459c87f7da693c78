"""An injection is planned before it is done: what it aims at, what it hits in words, and how it is lifted.

A plan is kept in a file before anything is broken, so that any process can look, and lift, later: `lift` and the looks
take nothing but the fault's name in the timeline.
"""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol

import psycopg
from urllib3.exceptions import HTTPError

from experiments.faults import report
from experiments.faults.verbs import Lift, from_json
from experiments.operate.moments import moments
from experiments.platforms.site import site
from experiments.safety.lifting import Result, perform, stays_out
from experiments.testbed.errors import TestbedError
from experiments.testbed.kept import read, write_json, written
from scenarios.errors import AbortedError, GamedayError, LeftBehindError, Problem

# What a look takes for "it does not answer": what it asks is away, refuses, or says what makes no sense.
UNREACHABLE = (
    OSError, HTTPError, HTTPException, psycopg.Error, GamedayError, ValueError, LookupError, TypeError, AttributeError,
)  # fmt: skip


class NothingToHitError(GamedayError, LookupError):
    """A fault finds nothing to break, or something that it must not break."""


@dataclass(frozen=True)
class Plan:
    """What an injection will do. `facts` are what it must know later: identities and the state before."""

    kind: str
    targets: tuple[str, ...]  # subjects as the record names them: us-east-1, us-east-1/risk, us-east-1/risk/POD
    radius: str  # what breaks, in words, for whoever has to agree
    lifts: tuple[Lift, ...] = ()  # in order; none: it happens at an instant, or mends itself
    facts: Mapping[str, Any] = field(default_factory=dict)
    lifted: bool = False
    stays: str = ""  # what its lift left as it was on purpose, for the failback; nothing: all was lifted

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": self.kind,
            "targets": list(self.targets),
            "radius": self.radius,
            "lifts": [lift.to_json() for lift in self.lifts],
            "facts": dict(self.facts),
            "lifted": self.lifted,
            "stays": self.stays,
        }


def plan_from_json(document: Mapping[str, Any]) -> Plan:
    """Inverse of Plan.to_json."""
    lifts = tuple(from_json(lift) for lift in document["lifts"])
    kind, targets, radius = document["kind"], tuple(document["targets"]), document["radius"]
    return Plan(kind, targets, radius, lifts, document["facts"], document["lifted"], document.get("stays", ""))


def module_of(kind: str) -> Any:
    """The module of a kind of fault: `plan`, `inject`, `landed`, `gone` and, where it is lifted, `lift`."""
    return importlib.import_module(f"experiments.faults.{kind.replace('-', '_')}")


def planned(kind: str, arguments: Mapping[str, Any]) -> Plan:
    """Plan an injection without doing it, for the confirmation. Raises GamedayError when it finds nothing to hit."""
    plan: Plan = module_of(kind).plan(**arguments)
    return plan


# --- what is kept between injecting and lifting


def _folder() -> Path:
    return site().state / "faults"


def _file(fault: str) -> Path:
    return _folder() / f"{fault.replace(':', '-')}.json"


def keep(fault: str, plan: Plan) -> None:
    """Keep a plan on disk, before anything is broken. Raises TestbedError when there is no room."""
    with written(_folder()):
        _folder().mkdir(parents=True, exist_ok=True)
        _folder().chmod(0o700)  # a plan holds what its lift puts back, maybe a credential
    write_json(_file(fault), {"fault": fault, **plan.to_json()})


def kept(fault: str) -> Plan | None:
    """The plan of a fault that was injected and not yet forgotten; None: there is none.

    Raises:
        TestbedError: its file is damaged. How it is lifted is in the ledger too, and with the reverter.
    """
    file = _file(fault)
    remedy = f"`{site().undo}` lifts it by the ledger, and removes the file."
    try:
        with read(file, "the plan of an injected fault", remedy):
            return plan_from_json(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def found(fault: str) -> tuple[Plan | None, list[str]]:
    """The plan that is kept, and what is wrong with its file."""
    try:
        return kept(fault), []
    except TestbedError as error:
        return None, [str(problem) for problem in error.problems]


def all_kept() -> list[str]:
    """Faults whose plans are kept, damaged ones too, in the order in which they were kept."""
    files = sorted(_folder().glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    return [":".join(file.stem.rsplit("-", 1)) for file in files]


def forget(fault: str) -> None:
    """The fault is gone."""
    _file(fault).unlink(missing_ok=True)


def forget_all() -> None:
    """All faults are gone, whoever lifted them."""
    for file in _folder().glob("*.json"):
        file.unlink()


# --- what the Chaos Toolkit functions of each fault do


class Safety(Protocol):
    """What stands between a run and a fault (`experiments.safety.guard.Arms`)."""

    def arm(self, fault: str, lifts: Sequence[Lift]) -> None:
        """Store the lifts outside the blast radius. Raises when it cannot be: nothing must be injected."""

    def lift(self, fault: str, by: str) -> list[Result]:
        """Lift an armed fault; by: procedure, clean-up or self."""

    def release(self, fault: str) -> None:
        """Give a lift up without lifting: what was armed is to stay. Raises when it may still be armed."""

    def note_trading(self, region: str, *, enabled: bool) -> None:
        """Note that trading is about to be switched in a region. Raises when it cannot be noted."""


_safety: list[Safety] = []  # at most one; none: an experiment that is played by itself, on its plan on this disk


def protect(safety: Safety | None) -> None:
    """Have every fault armed before it is injected, and lifted by whoever armed it. None: no longer."""
    _safety[:] = [safety] if safety else []


def store(fault: str, plan: Plan) -> None:
    """Arm what is about to be changed, and keep its plan.

    Raises:
        NothingToHitError: it is already injected.
        TestbedError: what is kept of it is damaged.
        AbortedError: its lift is not stored outside the blast radius, or the run was ended.
    """
    if moments.told.is_set():
        raise AbortedError(Problem(fault, "the end of the run", "a run under way", "Nothing was injected."))
    before = kept(fault)
    if before is not None and before.lifts and not before.lifted:
        remedy = f"Lift it first: `{site().undo}`."
        raise NothingToHitError(Problem(fault, "it was injected before and not lifted", "a system without it", remedy))
    for safety in _safety:
        safety.arm(fault, plan.lifts)
    keep(fault, plan)


def release(fault: str) -> None:
    """Give up the lift of what is to stay. Raises GamedayError when it may still be armed."""
    for safety in _safety:
        safety.release(fault)
    forget(fault)


def note_trading(region: str, *, enabled: bool) -> None:
    """Note that a step is about to switch trading. Raises JournalError: then it must not be done."""
    for safety in _safety:
        safety.note_trading(region, enabled=enabled)


def inject(fault: str, plan: Plan, act: Callable[[Plan], object]) -> dict[str, Any]:
    """Arm it, keep the plan, and break it. Raises as `store`."""
    store(fault, plan)
    report.fact("injection_begun", fault, fault=plan.kind, target=list(plan.targets))
    act(plan)
    return {"fault": fault, "targets": list(plan.targets), "radius": plan.radius}


def look(fault: str, see: Callable[[Plan], bool], *, without: bool) -> bool:
    """Look at a fault; never None and never an exception, for either ends chaoslib without its rollbacks.

    `without` is the answer when it was never injected.
    """
    try:
        plan = kept(fault)
        return without if plan is None else bool(see(plan))
    except UNREACHABLE:
        return False


def lift(fault: str, by: str) -> str:
    """Lift a fault by its plan; nothing happens when it was never injected. Twice is as good as once.

    Raises:
        LeftBehindError: a part of it could not be lifted, or its plan is damaged: what was armed is lifted then.
    """
    plan, damage = found(fault)
    if not damage and (plan is None or plan.lifted):
        return "nothing to lift"
    kind = plan.kind if plan else fault.partition(":")[0]
    report.fact("lift_begun", fault, fault=kind)
    said = undo(fault, by)
    done = kept(fault)
    if done is not None and done.stays:
        report.fact("left_to_failback", fault, fault=kind, what=done.stays)
    else:
        report.fact("lifted", fault, fault=kind, by=by)
    return said


def undo(fault: str, by: str) -> str:
    """Perform the lifts of what was stored. Raises as `lift`."""
    plan, damage = found(fault)
    if not damage and (plan is None or plan.lifted):
        return "nothing to undo"
    results = _safety[0].lift(fault, by) if _safety else perform(plan.lifts if plan else ())
    failed = [f"{result.verb} {result.target}: {result.detail}" for result in results if not result.ok]
    if plan is None or failed:
        remedy = f"Run `{site().undo}`, which says what stays."
        raise LeftBehindError(Problem(fault, "; ".join([*damage, *failed]), "every part of it lifted", remedy))
    stays = "; ".join(f"{result.target} {result.detail}" for result in results if stays_out(result))
    keep(fault, replace(plan, lifted=True, stays=stays))
    return "; ".join(f"{result.verb} {result.target}: {result.detail}" for result in results) or "it mends itself"


# --- words


def nothing(where: str, found: str, expected: str, remedy: str = "Look with `gameday testbed status`.") -> GamedayError:
    """The error of a fault that finds nothing to hit."""
    return NothingToHitError(Problem(where, found, expected, remedy))


def listed(names: Sequence[str]) -> str:
    """Names in words.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
