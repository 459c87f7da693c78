"""Many trials of one scenario, played and judged in processes of their own."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scenarios.files.resolved import Resolved
from scenarios.record.ensemble import Trial
from scenarios.record.marks import Mark


@dataclass(frozen=True)
class Ended:
    """One trial judged, with its facts."""

    trial: Trial
    marks: tuple[Mark, ...]


def play_and_judge(resolved: Resolved, head: Mapping[str, Any], seed: int, trial: int, fidelity: str) -> Ended:
    """Play one trial in memory and judge it. Runs in a worker."""
    from gameday.play import closed
    from scenarios.record.writer import MemoryRecorder
    from sim.world import run
    from validators.ensemble import trial_of
    from validators.judge import judge
    from validators.observe import observe

    recorder = MemoryRecorder()
    end = run(resolved, seed, trial, recorder, fidelity=fidelity)
    facts = {**head, **closed(end), "termination": end.termination}
    judgement = judge(observe(facts, recorder.marks, recorder.table))
    return Ended(trial_of(judgement, trial, seed), tuple(recorder.marks))


class Trials:
    """Trials that are being played. `ended` yields each as it ends."""

    def __init__(self, pool: ProcessPoolExecutor, futures: list[Future[Ended]]) -> None:
        self._pool = pool
        self._futures = futures

    def ended(self) -> Iterator[Ended]:
        """Yield trials in the order in which they end."""
        for future in as_completed(self._futures):
            yield future.result()

    def cancel(self) -> None:
        """Play no more than those that are under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def workers(asked: int) -> int:
    """Processes to play in: as asked, 0: one for each core this process may use; macOS knows the machine's only."""
    if asked:
        return asked
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def playing(
    resolved: Resolved, head: Mapping[str, Any], *, seed: int, trials: int, fidelity: str, processes: int
) -> Iterator[Trials]:
    """Start trials 0 .. trials - 1 in processes of their own; what has not begun is cancelled at its end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=max(1, min(processes, trials)), mp_context=context) as pool:
        futures = [pool.submit(play_and_judge, resolved, head, seed, n, fidelity) for n in range(trials)]
        under_way = Trials(pool, futures)
        try:
            yield under_way
        except BaseException:
            under_way.cancel()
            raise
