"""From a fresh shell: every fault that a game day on EKS left is lifted. What was promoted is failed back by people."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from experiments.platforms import trading
from experiments.platforms.eks import contexts, pods, reverter
from experiments.platforms.eks.aws import Aws
from experiments.platforms.eks.boxes import boxes
from experiments.platforms.eks.targets import Target
from experiments.platforms.eks.workloads import trading_off
from experiments.platforms.platform import platform
from experiments.platforms.site import Site, at
from experiments.safety import identity, pending
from experiments.safety.journal import Journal
from experiments.safety.lock import HostLock, this_process
from experiments.safety.trading import enable_again
from experiments.safety.undo import Undone, lift_left
from experiments.testbed.system.apiserver import ApiServerError
from scenarios.errors import Problem, UsageError

NOBODY = "http://127.0.0.1:9"  # no reverter is there: the ledger of this machine is lifted by this process


def undo(progress: Callable[[float, str], None], there: Site, targets: Mapping[str, Target]) -> Undone:
    """Lift what the reverter and the ledger hold; say where the primary is, and what is still to be done.

    Args:
        progress: is told the share done, and what is done now.
        there: where the targets are.
        targets: by region.

    Raises:
        UsageError: a game day is on, or the targets are not the declared ones: nothing was touched.
        PodError, NoReverterError: whether a pod is there cannot be known, or nothing can speak to it.
        AwsError, KubeError: RDS does not say who is the primary, or a cluster whether trading is enabled.
    """
    begun_s, done, lock = time.monotonic(), Undone(), HostLock()
    lock.take(this_process("undo"))
    with ExitStack() as stack:
        stack.callback(lock.give_back)
        stack.enter_context(at(there))
        progress(0.0, "the targets")
        expected = stack.enter_context(contexts.given(targets, there.state / "contexts"))
        folder = stack.enter_context(identity.used(expected))
        url, posted = reverter.running(there.state / "reverter"), pods.found(tuple(targets), folder)
        if posted and not url:  # the machine of the run has died, or this is another one
            _refuse_heard(posted, folder)
            url = reverter.started(there, folder, pods=posted)
        stack.enter_context(at(replace(there, reverter=url or NOBODY)))
        progress(0.3, "faults")
        journal = Journal()
        done.run = journal.last_run()
        lift_left(done, journal)
        if not done.left:
            _remove(done, posted, folder)
            if url:
                reverter.end(url)
        progress(0.7, "trading")
        see_trading(done, journal, targets)
        progress(0.8, "the primary")
        _see_primary(done, targets)
    done.took_s = round(time.monotonic() - begun_s, 1)
    return done


def _refuse_heard(posted: Mapping[str, str], folder: Path) -> None:
    """Refuse while a run of another machine is heard by a pod. Raises UsageError."""
    for hit, box in boxes(posted, folder).items():
        with suppress(ApiServerError):  # it was half made: nobody has ever been heard there
            if run := box.is_heard():
                remedy = "Wait until it has ended, or end it where it runs."
                raise UsageError(Problem(f"the reverter's pod for {hit}", f"run {run} is on", "no game day", remedy))


def _remove(done: Undone, posted: Mapping[str, str], folder: Path) -> None:
    """Remove the pods, which hold nothing any more."""
    try:
        pods.remove(posted, folder)
    except pods.PodError as error:
        done.left += [f"{problem.where}: {problem.found}" for problem in error.problems]


def see_trading(done: Undone, journal: Journal, targets: Mapping[str, Target]) -> None:
    """Trading that a run has disabled is enabled again; what a person has disabled is said. Raises AwsError."""
    off = {region: since for region, target in targets.items() if (since := trading_off(Aws(target)))}
    done.lifted += (enabled := enable_again(journal, off))
    again = {result.target for result in enabled}
    done.left += trading.lacks({region: since for region, since in off.items() if region not in again})


def _see_primary(done: Undone, targets: Mapping[str, Target]) -> None:
    """A promotion is pending until RDS says that the primary is where it was."""
    done.primary = platform().writer() or ""
    done.standby = next((region for region in targets if region != done.primary), "") if done.primary else ""
    waiting = pending.read()
    if waiting is None:
        return
    if done.primary == waiting.old:
        pending.clear()
    else:
        done.pending = str(waiting)
