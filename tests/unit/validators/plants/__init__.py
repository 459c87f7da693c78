"""What an adversary plants into a good run, and what the judge must say of it.

A plant is a run with one thing changed: a violation that must be FAIL, evidence so weak that it must be INCONCLUSIVE,
or something harmless that must stay PASS. Each names the objective it aims at.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.records import Run
from validators.judge import judge
from validators.model import Judgement, Result, Verdict


@dataclass(frozen=True)
class Plant:
    """One thing changed in a good run."""

    name: str
    objective: str
    expected: Result
    change: Callable[[Run], object]

    def run(self) -> Run:
        """Return the run with it."""
        run = Run()
        self.change(run)
        return run

    def verdict(self) -> Verdict:
        """Return what the judge says of its objective, when that alone is asked."""
        main, *_ = judge(self.run().observations(self.objective)).verdicts
        assert main.objective == self.objective
        return main

    def judgement(self) -> Judgement:
        """Return what the judge says of the whole run."""
        return judge(self.run().observations())

    def __str__(self) -> str:
        return f"{self.objective}: {self.name}"


def bad(objective: str, name: str, change: Callable[[Run], object]) -> Plant:
    """A violation: FAIL."""
    return Plant(name, objective, Result.FAIL, change)


def weak(objective: str, name: str, change: Callable[[Run], object]) -> Plant:
    """Evidence that does not decide: INCONCLUSIVE."""
    return Plant(name, objective, Result.INCONCLUSIVE, change)


def fine(objective: str, name: str, change: Callable[[Run], object]) -> Plant:
    """Something harmless: PASS."""
    return Plant(name, objective, Result.PASS, change)
