"""Play the battery: `write FILE` plays the reference, `compare FILE NUMBER ...` a kernel and its mutants.

The kernel is that of the `sim` package found first, which is woven (tests.deep.weaving): it is compiled and played as
it is, then each mutant in a process that is forked off for it. A line of JSON says what came of each.
"""

import gc
import importlib
import json
import multiprocessing
import pickle
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sim
from tests.deep.battery import Played, all_played, first_difference
from tests.deep.weaving import CHOOSER

WORKERS = 2
PLAY_CPU_S = 20  # the battery needs a few seconds; what is far from its end then will not end
MEMORY_BYTES = 6 << 30
FAILED = 1


def _judged(played: list[Played]) -> dict[str, str]:
    """What came of a kernel: a difference, an error, or that it is the same."""
    try:
        difference = first_difference(played)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"differs": difference} if difference else {"same": f"{len(played)} cases"}


def _mutant(number: int, played: list[Played], said: Connection) -> None:
    """Play a mutant in a process of its own, within limits."""
    importlib.import_module(f"sim.data.{CHOOSER}").NUMBER[0] = number
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + PLAY_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    said.send(_judged(played))


def _ended(process: Any, heard: Connection) -> dict[str, str]:
    """What a mutant said, or what ended it."""
    process.join()
    if process.exitcode == 0:
        came: dict[str, str] = heard.recv()
        return came
    if process.exitcode > 0:
        return {"error": f"exit code {process.exitcode}"}
    number = signal.Signals(-process.exitcode)
    return {"time limit" if number in (signal.SIGXCPU, signal.SIGKILL) else "crash": number.name}


def _mutants(numbers: list[int], played: list[Played]) -> Iterator[tuple[int, dict[str, str], float]]:
    """Play mutants, some at a time; yield what came of each as it ends."""
    forked: Any = multiprocessing.get_context("fork")
    waiting = deque(numbers)
    running: dict[Any, tuple[int, Any, Connection, float]] = {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            heard, said = forked.Pipe(duplex=False)
            number = waiting.popleft()
            process = forked.Process(target=_mutant, args=(number, played, said))
            process.start()
            said.close()
            running[process.sentinel] = number, process, heard, time.monotonic()
        for sentinel in connection.wait(list(running)):
            number, process, heard, began = running.pop(sentinel)
            yield number, _ended(process, heard), time.monotonic() - began


def compare(path: Path, numbers: list[int]) -> int:
    """Compile the kernel and play it as it is (number 0), then its mutants; print what came of each."""
    assert Path(sim.__file__).is_relative_to(Path.cwd()), f"{sim.__file__} would be played, not the woven copy"
    began = time.monotonic()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    played: list[Played] = pickle.loads(path.read_bytes())
    gc.disable()  # an eighth of the time that compiling takes
    itself = _judged(played)
    gc.enable()
    _print(0, itself, time.monotonic() - began)
    if "same" not in itself:
        return FAILED
    for number, came, seconds in _mutants(numbers, played):
        _print(number, came, seconds)
    return 0


def _print(number: int, came: dict[str, str], seconds: float) -> None:
    sys.stdout.write(f"{json.dumps({'number': number, 'seconds': seconds, 'came': came})}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Write or compare."""
    what, path, *numbers = arguments
    if what == "compare":
        return compare(Path(path), [int(number) for number in numbers])
    Path(path).write_bytes(pickle.dumps(all_played()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
