"""A game day on EKS before it is played: its plan, and every condition that must hold. Nothing is changed here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from experiments.platforms.eks import identity, sites
from experiments.platforms.eks.aws import Aws
from experiments.platforms.eks.orders import canary_goes, canary_problems
from experiments.platforms.eks.postings import postings, who_lifts
from experiments.platforms.eks.steps import Item, items
from experiments.platforms.eks.targets import Outside, Target, of_regions
from experiments.platforms.eks.verbs import do
from experiments.platforms.eks.workloads import trading_off
from experiments.platforms.site import TESTBED, Site
from experiments.run.finishing import FINISHES_WITHIN_S, can_promote
from experiments.run.play import LIFTED_WITHIN_S, SECOND_US
from experiments.safety import approval, uses
from experiments.safety.secrets import of_this_process
from experiments.safety.window import US, Window, inside
from gameday.cli.talk import progress
from gameday.game_day import LOADING_S
from gameday.settings import Production, Settings
from scenarios.errors import GamedayError, Problem, UsageError
from scenarios.files.resolved import Resolved
from scenarios.model.units import duration

DRY = "a dry run: nothing was changed"
READ_BACK_S = 60.0  # of a system that answers

REACHED_BY = {"kubeconfig", "context", "api_for_pods"}  # of a target: the executor's own; identity is what counts

LOOKS = {"database": "describe_database", "health_check": "describe_health_check", "cluster": "list_nodes"}


@dataclass(frozen=True)
class AwsDay:
    """What would be done, and what keeps it from being done."""

    title: str
    targets: Mapping[str, Target]
    items: tuple[Item, ...]
    asked: tuple[str, ...]  # what is asked for before, in words
    now: tuple[str, ...]  # what is there now, as the targets that were found right say
    held: tuple[str, ...]  # conditions that hold, in words
    problems: tuple[Problem, ...]  # those that do not
    window: Window | None = None  # the declared one that holds it
    outside: Outside = field(default_factory=Outside)  # as it was declared then

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, without credentials."""
        document = {
            "title": self.title,
            "targets": {region: target.name for region, target in self.targets.items()},
            "items": [item.to_json() for item in self.items],
            "asked": list(self.asked),
            "now": list(self.now),
            "held": list(self.held),
            "not_held": [problem.__dict__ for problem in self.problems],
            "dry_run": DRY,
        }
        clean: dict[str, Any] = of_this_process().value(document)
        return clean

    def text(self) -> str:
        """Return it in words, without credentials."""
        lines = [f"{self.title}: a dry run on EKS", "targets:"]
        lines += [f"  {region}: {t.name}, account {t.account}" for region, t in self.targets.items()]
        lines += ["as it is now:", *(f"  {line}" for line in self.now or ("nobody knows",))]
        group = ""
        for item in self.items:
            lines += [f"{item.group}:"] if item.group != group else []
            group = item.group
            lines += [f"  {item.what}", *(f"    {line}" for line in _lines(item))]
        lines += ["asked for before anything is changed:", *(f"  {line}" for line in self.asked)]
        lines += ["holds now:", *(f"  {line}" for line in self.held or ("nothing",))]
        return of_this_process().text("\n".join([*lines, DRY]))


def _lines(item: Item) -> Iterable[str]:
    if item.plan is None:
        return [item.instead]
    mark = " [irreversible]" if item.plan.irreversible else "" if item.plan.changes else " [changes nothing]"
    calls = [("calls " if call.changes else "looks ") + str(call) for call in item.plan.calls]
    return [f"{item.plan.verb} on {item.plan.target}{mark}: {item.plan.words}", *(f"  {call}" for call in calls)]


def lasts_us(resolved: Resolved, observe: int | None = None) -> int:
    """How long a run holds the targets at most, in microseconds.

    It also loads, lifts, brings a failover that it aborts to its end, and reads back.

    Args:
        resolved: what is played.
        observe: nothing is broken, and it is measured for so long, in microseconds; None: it is played.
    """
    at_most_us = resolved.scenario.workload.at_most_us if observe is None else observe
    finishes_s = FINISHES_WITHIN_S if observe is None and can_promote(resolved) else 0.0
    return at_most_us + int((LOADING_S + LIFTED_WITHIN_S + finishes_s + READ_BACK_S) * SECOND_US)


def plan_on_eks(resolved: Resolved, settings: Settings, now: datetime | None = None) -> AwsDay:
    """Plan a game day on EKS and look which conditions hold. Asks AWS who we are; changes nothing.

    Raises:
        UsageError: a region of the topology has no allowed target.
    """
    targets = of_regions(settings.targets, tuple(resolved.topology.regions))
    planned = tuple(items(resolved, targets))
    seen, held, problems = list[str](), list[str](), [problem for item in planned for problem in item.problems]
    with progress(len(targets), "asking AWS what is reached") as update:
        for number, (region, target) in enumerate(targets.items()):
            update(number, f"asking AWS what {target.name} is")
            if _look(partial(_identity, target), held, problems, region):
                _see(target, region, seen, problems)
                _look(partial(_trading, region, target), held, problems, region)
    production = settings.production
    needs_us, windows = lasts_us(resolved), partial(_windows, production)
    window = _window(windows, needs_us, production, now or datetime.now(UTC), held, problems)
    _approval(_request(resolved, targets, settings.outside, production, window), resolved, production, held, problems)
    problems += sites.problems(resolved, targets, settings.outside)
    _sink(", ".join(target.name for target in targets.values()), resolved, targets, settings.outside, held, problems)
    asked = _asked(resolved, production, targets)
    said = (tuple(seen), tuple(held), tuple(problems))
    return AwsDay(resolved.scenario.title, targets, planned, asked, *said, window, settings.outside)


def insist_still(
    day: AwsDay, resolved: Resolved, production: Production, observe: int | None = None, now: datetime | None = None
) -> None:
    """Insist that what was planned may be played now: in the planned window, and still approved for it.

    Args:
        day: what was planned, maybe long ago: people were asked since.
        resolved: the scenario that was approved.
        production: who may approve, and how long the undo lasts.
        observe: as in `lasts_us`.
        now: with its offset; nothing: now.

    Raises UsageError.
    """
    problems: list[Problem] = []
    planned = [day.window] if day.window else []
    window = _window(lambda: planned, lasts_us(resolved, observe), production, now or datetime.now(UTC), [], problems)
    if window is not None:
        _approval(_request(resolved, day.targets, day.outside, production, window), resolved, production, [], problems)
    if problems:
        raise UsageError(*problems)


def insist_trading(day: AwsDay) -> None:
    """Insist that trading is still enabled on every target. Raises UsageError."""
    problems: list[Problem] = []
    for region, target in day.targets.items():
        _look(partial(_trading, region, target), [], problems, region)
    if problems:
        raise UsageError(*problems)


def use_approval(day: AwsDay, resolved: Resolved, production: Production) -> None:
    """Use the approval of a run up, before it breaks anything. Raises NotApprovedError when it serves no more."""
    request = _request(resolved, day.targets, day.outside, production, day.window)
    assert request is not None, "without a window it was refused before"
    now, signature = datetime.now(UTC), _signature(resolved, production)
    uses.take(request, signature, _state(), production.executor, now)


def over(day: AwsDay, production: Production, now: datetime | None = None) -> str:
    """Why a run must end now: its window holds no more than the longest undo. Empty: it need not."""
    left_us = production.longest_undo_us
    if day.window is not None and (now or datetime.now(UTC)) < day.window.end - left_us * US:
        return ""
    return f"of the window {day.window} no more is left than the longest undo, {duration(left_us)}"


def declared(settings: Settings) -> tuple[Site, dict[str, Target]]:
    """The site of all declared targets, and the target of each region. Raises UsageError when there is none."""
    regions = dict.fromkeys(target.region for target in settings.targets.values())
    if not regions:
        remedy = "Declare them: docs/how-to/eks.md."
        raise UsageError(Problem("gameday.toml", "no targets", "a section [targets.NAME] for each region", remedy))
    targets = of_regions(settings.targets, tuple(regions))
    return sites.site_of(targets, settings.outside), targets


def _identity(target: Target) -> str:
    return identity.verify(Aws(target))


def _trading(region: str, target: Target) -> str:
    """Say that trading is enabled. Raises UsageError when it is not: what would be measured is that refusal."""
    off = trading_off(Aws(target))
    if not off:
        return "trading is enabled"
    remedy = "`gameday undo --world eks` enables it when a run has disabled it; what a person has, a person enables."
    raise UsageError(Problem(f"{region}/{target.name}", f"trading is disabled since {off}", "trading enabled", remedy))


def _see(target: Target, region: str, seen: list[str], problems: list[Problem]) -> None:
    """Look at what the target declares, by the verbs that change nothing."""
    aws = Aws(target)
    for key, verb in LOOKS.items():
        if getattr(target, key):
            _look(partial(do, verb, aws, {}), seen, problems, region)


def _look(condition: Callable[[], str], held: list[str], problems: list[Problem], name: str) -> bool:
    """Try a condition and keep what it says; returns whether it holds."""
    try:
        held += [f"{name}: {line}" for line in condition().splitlines()]
    except GamedayError as error:
        problems += error.problems
        return False
    return True


def _windows(production: Production) -> list[Window]:
    """Declared windows. Raises UsageError for one that cannot be read."""
    return [Window.of(*text.partition("/")[::2]) for text in production.windows]


def _window(
    windows: Callable[[], list[Window]],
    run_us: int,
    production: Production,
    now: datetime,
    held: list[str],
    problems: list[Problem],
) -> Window | None:
    try:
        window = inside(windows(), now, run_us=run_us, undo_us=production.longest_undo_us)
    except UsageError as error:
        problems += error.problems
        return None
    held.append(f"window: {window}")
    return window


def _approval(
    request: approval.Request | None,
    resolved: Resolved,
    production: Production,
    held: list[str],
    problems: list[Problem],
) -> None:
    """The approval is given for a window: without one there is nothing to sign."""
    signature = _signature(resolved, production)
    if request is None or not production.executor:
        found = "no window that it could be given for" if request is None else "no `executor` under [production]"
        remedy = "Declare a window." if request is None else "Say who runs it, as in the list of signers."
        problems.append(Problem(str(signature), found, "a signed approval", remedy))
        return
    _look(partial(_approved, request, signature, production), held, problems, "approval")


def _request(
    resolved: Resolved, targets: Mapping[str, Target], outside: Outside, production: Production, window: Window | None
) -> approval.Request | None:
    """What is to be signed; None: no window holds it."""
    if window is None:
        return None
    declared = {r: target.model_dump(mode="json", exclude=REACHED_BY) for r, target in targets.items()}
    digests = resolved.scenario_digest, resolved.topology_digest
    outside_as_declared = outside.model_dump(mode="json")
    return approval.Request(
        resolved.scenario.scenario, *digests, declared, outside_as_declared, production.reverter_image, window
    )


def _approved(request: approval.Request, signature: Path, production: Production) -> str:
    """Write what is to be signed, and verify who signed it. Raises NotApprovedError."""
    document = signature.with_suffix("")
    try:
        document.parent.mkdir(parents=True, exist_ok=True)
        approval.write(request, document)
    except OSError as error:
        remedy = "Name another folder as `approvals` under [production]."
        raise approval.NotApprovedError(
            Problem(str(document), str(error.strerror), "a file that can be written", remedy)
        ) from error
    by = approval.verify(request, signature, production.signers, production.executor)
    uses.refuse(request, signature, _state())
    return f"by {by}"


def _state() -> Path:
    """Folder of what this machine knows of targets of EKS."""
    return replace(TESTBED, world="eks").state


def _signature(resolved: Resolved, production: Production) -> Path:
    return production.approvals / f"{resolved.scenario.scenario}-{resolved.scenario_digest[:12]}.sig"


def _asked(resolved: Resolved, production: Production, targets: Mapping[str, Target]) -> tuple[str, ...]:
    run, undo = duration(lasts_us(resolved)), duration(production.longest_undo_us)
    lifters = who_lifts(resolved, postings(resolved, targets, production.reverter_image))
    return (
        f"identity: account, cluster, certificate authority and kube-system of {len(targets)} targets",
        f"window: a declared one that holds {run} for the run, with loading, lifting, finishing a failover and reading "
        f"back, and {undo} for the longest undo; looked at again when all is ready, and the run ends when only the "
        "undo fits",
        f"approval: {_signature(resolved, production)}, for one run, signed by somebody other than the executor "
        f"(`ssh-keygen -Y sign -n {approval.NAMESPACE} -f KEY {_signature(resolved, production).with_suffix('')}`)",
        "canary order: one, rejected by the non-market sink of [outside]; orders are sent to nobody else",
        "lock: a Lease in each cluster, and one on this machine",
        "reverter: echoes how each fault is lifted, and lifts when the runner falls silent",
        *(f"reverter: {words}" for words in lifters),
        f"confirmation: typed at the terminal: {', '.join(target.name for target in targets.values())}",
    )


def _sink(
    names: str,
    resolved: Resolved,
    targets: Mapping[str, Target],
    outside: Outside,
    held: list[str],
    problems: list[Problem],
) -> None:
    """Whether a sink is named; that it rejects is asked when the names were typed, for a proof is good for a minute."""
    problems += canary_problems(resolved, targets, outside)
    if outside.sink:
        goes = canary_goes(resolved, targets, outside)
        held.append(f"canary order: the sink {outside.sink} is asked once the names are typed; {goes}")
        return
    expected, remedy = "a non-market sink that rejects our orders", "Name it as `sink` under [outside]."
    problems.append(Problem(names, "no non-market sink", expected, remedy))
