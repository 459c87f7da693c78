"""A pending failback: a promotion has happened, and the old primary is still to be demoted or brought home.

It is kept in the state folder, said at the end of the run, and blocks the next one (exit code 2).
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.platforms.site import site
from experiments.testbed import kept
from scenarios.errors import Problem, UsageError


@dataclass(frozen=True)
class Pending:
    """What is still to be done."""

    old: str  # region of the primary when the run began; fenced since
    new: str  # region of the primary now
    run: str
    record: str  # folder of the run's record; empty: none is known
    since_us: int  # epoch
    demoted: bool = False  # the old primary follows the new one: redundancy is back, only home is not

    def __str__(self) -> str:
        """Return it in a sentence."""
        if self.demoted:
            return f"the primary is in {self.new} since run {self.run}, {self.old} is its standby: it is not home yet"
        return f"{self.new} was promoted in run {self.run}; {self.old} is fenced until it is made its standby"


_LIKE = Pending("old", "new", "run", "record", 0)


def _file() -> Path:
    return site().state / "pending.json"


def keep(old: str, new: str, run: str, record: Path | None, *, demoted: bool = False) -> Pending:
    """Keep a pending failback; the file is replaced at once or not at all. Raises TestbedError."""
    pending = Pending(old, new, run, str(record.absolute()) if record else "", time.time_ns() // 1000, demoted)
    kept.write_json(_file(), asdict(pending))
    return pending


def read() -> Pending | None:
    """Return what is pending, if anything is. Raises TestbedError when the file is damaged."""
    remedy = "`gameday testbed status` says where the primary is. Remove the file, then `gameday undo`: it finds out."
    try:
        with kept.read(_file(), "what a run, or `gameday undo`, has kept of a pending failback", remedy):
            found = Pending(**json.loads(_file().read_text(encoding="utf-8")))
            if wrong := [
                name for name, value in asdict(_LIKE).items() if type(getattr(found, name)) is not type(value)
            ]:
                raise TypeError(f"{', '.join(wrong)} of another type")
            return found
    except FileNotFoundError:
        return None


def clear() -> None:
    """It was done."""
    _file().unlink(missing_ok=True)


def refuse() -> None:
    """Refuse a run while something is pending. Raises UsageError, and as `read`."""
    pending = read()
    if pending is not None:
        standby = (
            "" if pending.demoted else f"Run `gameday undo` ({pending.old} becomes the standby), or bring it home: "
        )
        remedy = f"{standby}`gameday undo --home` (no acknowledged order is lost)."
        raise UsageError(Problem("a pending failback", str(pending), "one primary, at home or failed back", remedy))
