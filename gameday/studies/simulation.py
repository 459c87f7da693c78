"""Play a scenario in the twin: one trial in full, or many beside it; returns the folder of the record."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from gameday.cli.talk import progress, say, stage
from gameday.play import free_folder, head, simulate, simulate_command
from gameday.studies.trials import playing, workers
from scenarios.files.resolved import Resolved
from scenarios.record.ensemble import EnsembleWriter, Trial, run_folder


def single(resolved: Resolved, runs: Path, *, seed: int, trial: int, fidelity: str) -> Path:
    """Play one trial and keep its record."""
    run_id = head(resolved, fidelity=fidelity, seed=seed, trial=trial)["run_id"]
    folder = free_folder(runs, run_id)
    _in_full(resolved, folder, seed=seed, trial=trial, fidelity=fidelity)
    return folder


def _in_full(resolved: Resolved, folder: Path, *, seed: int, trial: int, fidelity: str) -> None:
    stage(f"playing trial {trial} at fidelity {fidelity}")
    at_most_us = resolved.scenario.workload.at_most_us
    with progress(at_most_us, "starting the twin") as update:
        simulate(resolved, folder, seed=seed, trial=trial, fidelity=fidelity, progress=_words(update))


def _words(update: Callable[..., None]) -> Callable[[int, int, str], None]:
    def told(now_us: int, of_us: int, words: str) -> None:
        if not now_us:
            stage(words)
        minutes = now_us / 60e6
        update(now_us, f"minute {minutes:.0f} of at most {of_us / 60e6:.0f}, {words}" if now_us else words)

    return told


def ensemble(
    resolved: Resolved,
    runs: Path,
    *,
    seed: int,
    trials: int,
    trial: int,
    fidelity: str,
    kept: str,
    more: Collection[str] = (),
    processes: int,
) -> Path:
    """Play many trials at a fidelity, and the one asked for at the fidelity `kept`; its record is kept.

    The worst and the median (`validators.ensemble.ranked`) are then played again on the same draws and kept too, at the
    fidelity of the trials; those named in `more` ("worst", "median") at the fidelity `kept`.
    """
    from validators.ensemble import least_trials

    facts = head(resolved, fidelity=fidelity, seed=seed, trial=trial)
    twin = resolved.scenario.worlds.twin
    assert twin is not None, "checked before"
    least = least_trials(twin.met_in)
    if trials < least:
        say(f"{trials} trials cannot show PASS: at least {least} are needed for {twin.met_in:.0%} of trials")
    folder = free_folder(runs, f"{facts['run_id']}-x{trials}")
    full = run_folder(folder, trial)
    level = fidelity if fidelity == kept else None
    command = simulate_command(resolved, fidelity=level, seed=seed, trial=trial, trials=trials)
    command += f" --keep {','.join(more)}" if more else ""
    ensemble_head = _ensemble_head(facts, seed=seed, trials=trials, met_in=twin.met_in) | {
        "command": command,
        "kept": {"asked": trial},
    }
    ended: list[Trial] = []
    with EnsembleWriter(folder, ensemble_head) as writer:
        with playing(
            resolved, facts, seed=seed, trials=trials, fidelity=fidelity, processes=workers(processes)
        ) as under_way:
            _in_full(resolved, full, seed=seed, trial=trial, fidelity=kept)
            stage(f"playing {trials} trials at fidelity {fidelity}")
            with progress(trials, f"{trials} trials at fidelity {fidelity}") as update:
                for done, one in enumerate(under_way.ended(), 1):
                    writer.add(one.trial, one.marks)
                    ended.append(one.trial)
                    update(done)
        chosen = {"asked": trial, **_worst_and_median(ended)}
        for number, roles in _by_number(chosen).items():
            if number != trial:
                level = kept if roles & {*more} else fidelity
                _in_full(resolved, run_folder(folder, number), seed=seed, trial=number, fidelity=level)
        writer.close("complete", kept=chosen)
    return folder


def _worst_and_median(trials: list[Trial]) -> dict[str, int]:
    from validators.ensemble import ranked

    order = ranked(sorted(trials, key=lambda t: t.trial))
    return {"worst": order[-1].trial, "median": order[(len(order) - 1) // 2].trial}


def _by_number(chosen: dict[str, int]) -> dict[int, set[str]]:
    numbers = dict.fromkeys(chosen.values())
    return {number: {role for role, mine in chosen.items() if mine == number} for number in numbers}


def _ensemble_head(facts: dict[str, Any], *, seed: int, trials: int, met_in: float) -> dict[str, Any]:
    own = {k: v for k, v in facts.items() if k != "trial"}
    return own | {"seed": seed, "trials_asked": trials, "met_in": met_in}
