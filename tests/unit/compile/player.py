"""The executor as a process of its own, on a fault that is a file."""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from experiments.compile import execute
from experiments.faults import report
from experiments.observe import readback
from experiments.observe.database import State
from experiments.operate import reseeding, rewinding, steps
from tests.unit.faults import fake


def nothing_known() -> None:
    """A probe that knows nothing: chaoslib lets its tolerance raise."""


def empty() -> float:
    """A probe whose figure is none."""
    return float("nan")


class OldPrimary:
    """A database that was replaced: what it has written, and after how many pages it is silent."""

    answers = True
    pages = ([10, 11], [12])

    def __init__(self, *_: object) -> None:
        pass

    async def state(self) -> State | None:
        return State(False, 13, 99, None, 0, None)

    async def orders(self, after_key: int, up_to_key: int) -> AsyncIterator[list[tuple[int, int, int | None]]]:
        first = after_key + 1  # the run's
        for page in self.pages:
            yield [(first + key, 1, key) for key in page]
            if not self.answers:
                raise TimeoutError

    def drop(self) -> None:
        pass


def reseed(answers: bool) -> str:
    """A step that gives the old primary up, told as a fact; nothing here is the testbed's but the order of things."""

    @contextlib.contextmanager
    def to_database(_: object) -> Iterator[tuple[str, int]]:
        yield "127.0.0.1", 9

    here: Any = (readback, reseeding, rewinding)
    OldPrimary.answers = answers
    here[0].Session = OldPrimary
    here[1]._cut = lambda _: {"a-node": "10.0.0.2"}
    here[1].start_stopped = lambda _: None
    here[1].demote = lambda old, *_: report.fact("standby_streaming", f"{old.region}/database")
    here[2].to_database = to_database
    here[2].KEPT_WITHIN_S = 2.0
    steps.begin("failback")
    return steps.step("failback", "reseed", "reseed", target={"region": "us-east-1"})


def main() -> int:
    folder, fails = Path(sys.argv[1]), sys.argv[2:] == ["fails"]
    sys.modules["experiments.faults.pod_hang"] = fake
    arms: Any = fake.Arms(folder, fails=fails)
    execute.GOES_WITHIN_S = 1.0
    return execute.main(lambda _: arms)


if __name__ == "__main__":
    sys.exit(main())
