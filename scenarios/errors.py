"""Errors a person can mend: where, what was found, what was expected, how to mend it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in what a person wrote or asked for."""

    where: str  # "file.yaml:12:5 (timeline.0.at)", a flag, an environment variable
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.where}: found {self.found}; expected {self.expected}. {self.remedy}"


class GamedayError(Exception):
    """Root of our errors. A leaf also subclasses the builtin it is a kind of."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        """Return one line a problem."""
        return "\n".join(str(problem) for problem in self.problems)


class InvalidFileError(GamedayError, ValueError):
    """A file that a person wrote cannot be used (exit code 2)."""


class UsageError(GamedayError, ValueError):
    """A command was called with something it cannot use (exit code 2)."""


class RecordError(GamedayError, OSError):
    """A record cannot be written or read (exit code 2)."""


class AbortedError(GamedayError, RuntimeError):
    """Stopped by a safety condition or a person (exit code 4)."""


class LeftBehindError(GamedayError, RuntimeError):
    """A fault or an object of ours is still there, and could not be removed (exit code 5)."""
