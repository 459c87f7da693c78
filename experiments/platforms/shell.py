"""Programs of the machine: docker, kind, kubectl. One way to call them, one way to tell that they failed."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scenarios.errors import GamedayError, Problem

_WORDS = 600  # characters of what a program said that an error repeats


class CommandError(GamedayError, RuntimeError):
    """A program is missing, failed, or did not answer in time."""

    def __init__(self, problem: Problem, result: "Result | None" = None) -> None:
        super().__init__(problem)
        self.result = result  # nothing when the program did not run to its end


@dataclass(frozen=True)
class Result:
    """What a program left behind."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it says that it succeeded."""
        return self.code == 0

    @property
    def lines(self) -> list[str]:
        """Lines of its output that hold something."""
        return [line for line in self.stdout.splitlines() if line.strip()]


def attempt(
    *command: str, timeout_s: float = 60, stdin: str | None = None, environment: Mapping[str, str] | None = None
) -> Result:
    """Run a program and return what it said, whatever its exit code.

    Args:
        command: the program and its arguments; no shell reads them.
        timeout_s: when it is killed, in seconds.
        stdin: text that it reads.
        environment: its whole environment; nothing: ours.

    Raises:
        CommandError: the program is not there, cannot be started, or did not end in time.
    """
    if shutil.which(command[0]) is None:
        raise CommandError(Problem(command[0], "no such program", "it on the PATH", f"Install {command[0]}."))
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        found = f"no end within {timeout_s:g} s"
        raise CommandError(Problem(_shown(command), found, "an answer", _remedy(command))) from error
    except OSError as error:  # made for another machine, or a script whose interpreter is gone
        found, remedy = f"it cannot be started: {error.strerror}", f"Install {command[0]} anew."
        raise CommandError(Problem(command[0], found, "a program that runs here", remedy)) from error
    return Result(command, done.returncode, done.stdout, done.stderr)


def run(
    *command: str, timeout_s: float = 60, stdin: str | None = None, environment: Mapping[str, str] | None = None
) -> Result:
    """Run a program that has to succeed; arguments as of `attempt`.

    Raises:
        CommandError: it is not there, did not end in time, or failed.
    """
    result = attempt(*command, timeout_s=timeout_s, stdin=stdin, environment=environment)
    if not result.ok:
        said = (result.stderr.strip() or result.stdout.strip())[-_WORDS:] or "nothing"
        problem = Problem(_shown(command), f"exit code {result.code}: {said}", "exit code 0", _remedy(command))
        raise CommandError(problem, result)
    return result


def _shown(command: Sequence[str]) -> str:
    line = " ".join(command)
    return line if len(line) <= 160 else line[:157] + "..."


def _remedy(command: Sequence[str]) -> str:
    return f"Run it by hand to see more, and `gameday doctor` for what {command[0]} needs."
