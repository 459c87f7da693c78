"""Exit codes, and which one counts when several hold."""

from collections.abc import Iterable
from enum import IntEnum

from scenarios.errors import AbortedError, GamedayError, LeftBehindError


class ExitCode(IntEnum):
    """What a call of gameday says to a script."""

    MET = 0
    MISSED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ABORTED = 4
    LEFT_BEHIND = 5
    BUG = 70


_ORDER = (
    ExitCode.BUG,
    ExitCode.LEFT_BEHIND,
    ExitCode.ABORTED,
    ExitCode.USAGE,
    ExitCode.MISSED,
    ExitCode.INCONCLUSIVE,
    ExitCode.MET,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that counts; MET when there is none."""
    held = set(codes)
    return next((code for code in _ORDER if code in held), ExitCode.MET)


def of_result(result: str) -> ExitCode:
    """Code of a verdict word."""
    return {"PASS": ExitCode.MET, "FAIL": ExitCode.MISSED}.get(result, ExitCode.INCONCLUSIVE)


def of_error(error: BaseException) -> ExitCode:
    """Code of what a command raised; of a group of errors the one that counts. What nobody foresaw is our bug."""
    if isinstance(error, BaseExceptionGroup):
        return worst(map(of_error, error.exceptions))
    if isinstance(error, LeftBehindError):
        return ExitCode.LEFT_BEHIND
    if isinstance(error, AbortedError | KeyboardInterrupt):
        return ExitCode.ABORTED
    return ExitCode.USAGE if isinstance(error, GamedayError) else ExitCode.BUG
