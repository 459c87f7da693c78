"""Trading that a run has disabled is enabled again; what a person has disabled a person enables."""

from collections.abc import Mapping

from experiments.operate.performing import performer
from experiments.safety.journal import Journal
from experiments.safety.lifting import Result


def enable_again(journal: Journal, off: Mapping[str, str]) -> list[Result]:
    """Enable trading where a step of a run has disabled it; what was done.

    Args:
        journal: knows what runs have disabled.
        off: regions in which it is disabled, and since when, in words.
    """
    done = []
    for region, run in journal.disabled_trading().items():
        if region in off:
            seen = performer().perform("enable_trading", {"region": region}, {})
            journal.append("trading", run, region=region, enabled=True)
            done.append(Result("enable-trading", region, True, f"{seen}; run {run} had disabled it", 0.0))
    return done
