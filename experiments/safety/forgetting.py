"""What is remembered of faults and failovers, forgotten in one go once the system was made whole otherwise."""

import contextlib

from experiments.faults import base
from experiments.safety import pending
from experiments.safety.journal import Journal
from experiments.safety.reverter import Reverter, ReverterError


def forget() -> None:
    """Forget the ledger, the reverter's plan, kept plans of faults, and the pending failback."""
    with contextlib.suppress(ReverterError):
        reverter = Reverter()
        reverter.drop(reverter.plan()["generation"])
    Journal().forget()
    base.forget_all()
    pending.clear()
