"""From a fresh shell: every fault that a game day on EKS left is lifted. What was promoted is failed back by people."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from experiments.platforms.eks import contexts, reverter
from experiments.platforms.eks.targets import Target
from experiments.platforms.platform import platform
from experiments.platforms.site import Site, at
from experiments.safety import identity, pending
from experiments.safety.journal import Journal
from experiments.safety.lock import HostLock, this_process
from experiments.safety.undo import Undone, lift_left

NOBODY = "http://127.0.0.1:9"  # no reverter is there: the ledger of this machine is lifted by this process


def undo(progress: Callable[[float, str], None], there: Site, targets: Mapping[str, Target]) -> Undone:
    """Lift what the reverter and the ledger hold; say where the primary is, and what is still to be done.

    Args:
        progress: is told the share done, and what is done now.
        there: where the targets are.
        targets: by region.

    Raises:
        UsageError: a game day is on, or the targets are not the declared ones: nothing was touched.
        AwsError: RDS does not say who is the primary.
    """
    begun_s, done, lock = time.monotonic(), Undone(), HostLock()
    lock.take(this_process("undo"))
    with ExitStack() as stack:
        stack.callback(lock.give_back)
        stack.enter_context(at(there))
        progress(0.0, "the targets")
        expected = stack.enter_context(contexts.given(targets, there.state / "contexts"))
        stack.enter_context(identity.used(expected))
        url = reverter.running(there.state / "reverter")
        stack.enter_context(at(replace(there, reverter=url or NOBODY)))
        progress(0.3, "faults")
        journal = Journal()
        done.run = journal.last_run()
        lift_left(done, journal)
        if url and not done.left:
            reverter.end(url)
        progress(0.8, "the primary")
        _see_primary(done, targets)
    done.took_s = round(time.monotonic() - begun_s, 1)
    return done


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
