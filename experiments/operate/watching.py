"""Looks that an experiment waits with: a fault that lands and goes, a page, a fact, a system that is good again.

Each returns true or false, within a time, and never anything else: chaoslib skips its rollbacks for a None.
"""

from typing import Any

from experiments.faults import base, containers, database, report
from experiments.operate.moments import moments
from experiments.platforms.kind import OUTSIDE_URL as OUTSIDE
from experiments.platforms.platform import platform
from experiments.platforms.site import site
from scenarios.errors import Problem, UsageError
from scenarios.model.faults import FAULTS

LANDS_WITHIN_S = 60.0
GOES_WITHIN_S = 240.0
STEADY_WITHIN_S = 10.0
_TEST_PAGE = "TestPage"


# --- faults


def until_landed(fault: str, kind: str, within_s: float = LANDS_WITHIN_S) -> bool:
    """Wait until a fault's effect is seen."""
    seen = moments.poll(lambda: base.module_of(kind).landed(fault), within_s)
    if seen:
        report.fact("effect_seen", fault, fault=kind)
    return seen


def until_gone(fault: str, kind: str, within_s: float = GOES_WITHIN_S) -> bool:
    """Wait until a fault is seen to be gone, even when the run was ended: nothing is left behind.

    What its lift left as it was on purpose is not waited for: it is the failback's. A fault whose plan is damaged is
    not seen to be gone.
    """
    plan, damage = base.found(fault)
    if damage:
        return False
    if plan is None:
        return True
    if plan.stays:
        base.forget(fault)
        return True
    if plan.lifts and not plan.lifted:
        within_s = 0.0  # it could not be lifted: it will not go by itself
    seen = moments.insist(lambda: base.module_of(kind).gone(fault), within_s)
    if seen:
        if FAULTS[kind].lifted:
            report.fact("fault_gone", fault, fault=kind)
        base.forget(fault)
    return seen


def lift_at(fault: str, kind: str, at_s: float) -> bool:
    """Lift a fault when its time is over, or when the run is ended. Returns whether it was seen to be gone."""
    moments.wait_until(at_s)
    base.lift(fault, "self")
    return until_gone(fault, kind)


# --- the system, as a user sees it


def home() -> str:
    """Region that the name leads to; empty when it cannot be known."""
    return platform().leads_to()


def is_good(service: str, within_s: float = STEADY_WITHIN_S) -> bool:
    """Whether a service gives a right answer where the name leads to, within a time: the steady state."""
    return moments.poll(lambda: serves(service), within_s, every_s=0.5)


def serves(service: str) -> bool:
    """Whether a service gives a right answer now, where the name leads to."""
    region = home()
    if region not in site().places:
        return False
    return database.writes(region) if service == "database" else containers.answers(region, service)


def until_good(services: list[str], at_most_s: float, sustain_s: float = 60.0) -> bool:
    """Hold until every service has been good for the sustain window, or the run's greatest time has passed.

    Under a game day the parent, which measures, says when.
    """
    good_since: list[float] = []

    def look() -> bool:
        if moments.settled.is_set():
            return True
        if moments.parent:
            return False
        if not all(map(serves, services)):
            good_since.clear()
            return False
        good_since.append(moments.now_s())
        return good_since[-1] - good_since[0] >= sustain_s

    moments.holding.set()
    good = moments.poll(look, max(0.0, at_most_s - moments.now_s()), every_s=1.0)
    return good or moments.settled.is_set()


def until_over(at_s: float) -> bool:
    """Hold until an instant of the experiment, or until the parent says that the run is over."""
    moments.holding.set()
    moments.poll(moments.settled.is_set, max(0.0, at_s - moments.now_s()), every_s=0.5)
    return True


# --- what people and timelines wait for


def until_page(within_s: float) -> bool:
    """Wait until a page has arrived since the experiment's start; test pages do not count."""
    return moments.poll(lambda: bool(_pages()), within_s, every_s=1.0)


def first_page() -> str:
    """Alert of the first page that has arrived since the experiment's start; empty: none is seen."""
    return next((str(page["alert"]) for page in _pages()), "")


def _pages() -> list[dict[str, Any]]:
    """Pages that arrived since the experiment's start."""
    if not site().outside_url:
        return []
    try:
        status, found = containers.request("GET", f"{site().outside_url}/pages?after=0")
    except OSError:
        return []
    if status != 200 or not isinstance(found, list):
        return []
    since_us = moments.origin_epoch_us()
    return [p for p in found if p["alert"] != _TEST_PAGE and p["status"] == "firing" and p["received_us"] >= since_us]


def until_fact(mark: str, subject: str, within_s: float) -> bool:
    """Wait until a fact of this kind (and subject, unless empty) has been seen since the experiment's start.

    Raises:
        UsageError: the experiment is played by itself, and cannot see facts of this kind.
    """
    if not moments.parent and mark not in FACTS:
        remedy = "Play it with `gameday run`, whose observers see every fact."
        raise UsageError(Problem("when.mark", mark, f"one of {', '.join(FACTS)}", remedy))
    return moments.poll(lambda: _seen(mark, subject), within_s, every_s=1.0)


def _seen(mark: str, subject: str) -> bool:
    if (mark, subject) in moments.facts or (not subject and any(kind == mark for kind, _ in moments.facts)):
        return True
    if moments.parent:
        return False  # the parent tells every fact
    return bool(_WAYS[mark](subject))


def _paged(subject: str) -> bool:
    return any(not subject or page["alert"] == subject for page in _pages())


def _told(kind: str) -> Any:
    """A look at the facts that the testbed's actors report."""

    def look(subject: str) -> bool:
        try:
            status, found = containers.request("GET", f"{OUTSIDE}/facts?after=0")
        except OSError:
            return False
        if status != 200 or not isinstance(found, list):
            return False
        since_us = moments.origin_epoch_us()
        mine = [fact for fact in found if fact["kind"] == kind and fact["t_us"] >= since_us]
        return any(subject in ("", fact["subject"]) for fact in mine)

    return look


_WAYS: dict[str, Any] = {
    "page_received": _paged,
    "alert_firing": _paged,  # a page is an alert that fires, a while later; nothing else of it is seen from outside
    "dns_switched": lambda region: home() == region if region else False,
    "promoted": lambda region: database.writes(region) if region in site().places else False,
    **{
        kind: _told(kind)
        for kind in (
            "automation_detected", "procedure_started", "step_started", "step_finished", "procedure_finished",
        )
    },
}  # fmt: skip
FACTS = tuple(_WAYS)  # facts that an experiment can wait for when it is played by itself
