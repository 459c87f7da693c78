"""A record that takes nothing more ends its run in order, as every other condition does: it raises nowhere in it."""

from collections.abc import Callable, Mapping
from typing import Any

from scenarios.errors import RecordError
from scenarios.record.writer import Column, Recorder


class Keeping:
    """Gives a recorder what it is given, until that fails; from then on what comes is thrown away.

    A run must lift its faults and finish its failover also when its disk is full: `lost` says why it must stop.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.lost = ""  # why nothing is recorded any more; empty: all is

    def mark(self, t_us: int, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Append a fact."""
        self.try_to(lambda: self._recorder.mark(t_us, kind, subject, source_t_us=source_t_us, **detail))

    def append(self, table: str, columns: Mapping[str, Column]) -> None:
        """Append rows to a table."""
        self.try_to(lambda: self._recorder.append(table, columns))

    def try_to(self, write: Callable[[], object]) -> None:
        """Write something of the record, unless that has failed before."""
        if self.lost:
            return
        try:
            write()
        except RecordError as error:
            problems = "; ".join(f"{problem.where}: {problem.found}. {problem.remedy}" for problem in error.problems)
            self.lost = f"the record takes nothing more ({problems})"
