"""The executor as a process of its own, on a fault that is a file."""

import sys
from pathlib import Path
from typing import Any

from experiments.compile import execute
from tests.unit.faults import fake


def nothing_known() -> None:
    """A probe that knows nothing: chaoslib lets its tolerance raise."""


def empty() -> float:
    """A probe whose figure is none."""
    return float("nan")


def main() -> int:
    folder, fails = Path(sys.argv[1]), sys.argv[2:] == ["fails"]
    sys.modules["experiments.faults.pod_hang"] = fake
    arms: Any = fake.Arms(folder, fails=fails)
    execute.GOES_WITHIN_S = 1.0
    return execute.main(lambda _: arms)


if __name__ == "__main__":
    sys.exit(main())
