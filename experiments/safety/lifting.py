"""Lifting faults. The reverter does it when it holds them; else this process does, with the same code."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.faults.verbs import Lift
from experiments.platforms.kind import OUTSIDE_URL
from experiments.platforms.platform import platform
from experiments.safety.journal import Journal
from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed import layout
from experiments.testbed.system.lifting import TIMEOUT_S, Lifter, Result
from experiments.testbed.system.plan import Plan
from experiments.testbed.system.returning import carry_out

__all__ = ["OUTSIDE_URL", "Result", "perform", "stays_out"]


def perform(
    lifts: Sequence[Lift],
    by: str = "clean-up",
    *,
    reverter: Reverter | None = None,
    journal: Journal | None = None,
    kubeconfigs: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Result]:
    """Perform lifts in their order; one result each, which says why when it is not ok. Nothing is raised.

    A region that has been replaced as the writer returns fenced: its nodes go on, cut from the network, and stay so
    until `gameday undo`. What was armed and is lifted now is struck off the ledger.

    Args:
        lifts: what to do; doing it twice does no harm.
        by: procedure, clean-up or self; for the record.
        reverter: nothing: the site's.
        journal: nothing: this machine's.
        kubeconfigs: folder with `kubeconfig-REGION.yaml` of each region; nothing: the site's.
        timeout_s: of each lift, in seconds.
    """
    reverter, journal = reverter or Reverter(), journal or Journal()
    documents = [lift.to_json() for lift in lifts]
    try:
        plan: Mapping[str, Any] = reverter.plan()
        if documents and all(document in plan["lifts"] for document in documents):
            results = [Result(**result) for result in reverter.lift(plan["generation"], by, lifts)["results"]]
        else:
            results = _here(documents, plan, journal, _lifter(kubeconfigs, timeout_s))
    except ReverterError:
        results = _here(documents, {}, journal, _lifter(kubeconfigs, timeout_s))
    journal.strike(lifts, results, by)
    return results


def stays_out(result: Result) -> bool:
    """Whether a lift left its target stopped, or cut, on purpose: it was the primary's, and waits for the failback."""
    return result.ok and result.detail.startswith("stays ")  # as `returning.carry_out` says it


def _lifter(kubeconfigs: Path | None, timeout_s: float) -> Lifter:
    return platform().lifter(kubeconfigs or layout.kubeconfig_folder(), timeout_s)


def _here(
    lifts: Sequence[Mapping[str, Any]], held: Mapping[str, Any], journal: Journal, lifter: Lifter
) -> list[Result]:
    """Lift from this process: of the reverter's plan, or of the ledger, only the home region counts."""
    fencing = platform().fencing(str(held.get("home") or journal.home()))
    plan = Plan(0, "", **fencing, cut=held.get("cut") or journal.cut())
    results = carry_out(lifts, plan, lifter, outside_url=OUTSIDE_URL, keep=journal.keep_cut)
    return [Result(**result) for result in results]
