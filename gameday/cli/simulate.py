"""`gameday simulate`: play a scenario in the twin, judge it, show the verdict."""

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.arguments import AsJson, ScenarioName, Sets, overrides, scenario_folders
from gameday.cli.talk import progress, say
from gameday.config import settings
from gameday.exit_codes import ExitCode
from scenarios.errors import Problem, UsageError

EXAMPLE = "Example: `gameday simulate region-loss-automatic --trials 200 --set people.acknowledge='3 min'`"
LEVELS = ("request", "control")
CLUSTERS = ("kind", "eks")
KEPT = ("worst", "median")

Trials = Annotated[
    int,
    typer.Option("--trials", min=1, max=1_000_000, help="how often to play it; above 1 the share of trials decides"),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="the same seed gives the same run")]
Trial = Annotated[int, typer.Option("--trial", min=0, help="which trial to keep in full, with every request")]
Fidelity = Annotated[
    str | None,
    typer.Option(
        "--fidelity",
        metavar="LEVEL",
        help="request: every request; control: state and capacity, no queues. Default: request for the trial that is "
        "kept, control for the others",
        autocompletion=lambda: list(LEVELS),
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="TRIALS",
        help="of worst,median: keep these with every request too. Default: at the level of the trials",
        autocompletion=lambda: [*KEPT, ",".join(KEPT)],
    ),
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="WORLD",
        help="as a cluster plays it (kind, eks): with the topology, rate and limit that the scenario has there",
        autocompletion=lambda: list(CLUSTERS),
    ),
]
Workers = Annotated[int | None, typer.Option("--workers", min=0, help="processes for trials; 0: one for each core")]


def simulate(
    scenario: ScenarioName,
    trials: Trials = 1,
    seed: Seed = 1,
    trial: Trial = 0,
    sets: Sets = None,
    fidelity: Fidelity = None,
    keep: Keep = None,
    as_world: As = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> int:
    """Play a scenario in the twin and judge it against the runbook's objectives.

    One trial is played with every request. With --trials the others are played at fidelity control, and the share of
    trials that meets an objective decides; what that level cannot judge is judged on the trial in full. The worst
    and the median of them are kept as records too.
    """
    if fidelity is not None and fidelity not in LEVELS:
        found = f"`{fidelity}`"
        raise UsageError(Problem("--fidelity", found, f"one of {', '.join(LEVELS)}", "Choose one, or leave it out."))
    more = _kept(keep)
    with progress(1.0, "reading the scenario"):
        from scenarios.files.load import load

        if as_world not in (None, *CLUSTERS):
            found, allowed = f"`{as_world}`", f"one of {', '.join(CLUSTERS)}"
            raise UsageError(Problem("--as", found, allowed, "Choose one, or leave it out."))
        paths = scenario_folders()
        resolved = load(scenario, paths=paths, overrides=overrides(sets), world=as_world or "twin")
        if resolved.scenario.worlds.twin is None:
            where = f"{scenario} (worlds)"
            raise UsageError(
                Problem(where, "no `twin`", "a scenario that the twin may play", "Add `twin: {}` to worlds.")
            )
    from gameday.studies.simulation import ensemble, single

    processes = settings().workers if workers is None else workers
    runs = settings().runs_folder
    if trials == 1:
        folder = single(resolved, runs, seed=seed, trial=trial, fidelity=fidelity or "request")
    else:
        folder = ensemble(
            resolved,
            runs,
            seed=seed,
            trials=trials,
            trial=trial,
            fidelity=fidelity or "control",
            kept=fidelity or "request",
            more=more,
            processes=processes,
        )
    return show(folder, as_json=as_json)


def _kept(names: str | None) -> list[str]:
    """Trials named by --keep. Raises UsageError."""
    found = [name.strip() for name in (names or "").split(",") if name.strip()]
    if unknown := [name for name in found if name not in KEPT]:
        raise UsageError(
            Problem("--keep", f"`{unknown[0]}`", f"{' or '.join(KEPT)}, or both with a comma", "Leave it out for none.")
        )
    return found


def show(folder: Path, *, as_json: bool) -> ExitCode:
    """Judge a record, write its report, print the verdict."""
    from gameday.judging import present

    return present(folder, as_json=as_json, say=say)
