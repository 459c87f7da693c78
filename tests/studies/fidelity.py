"""How far fidelity `control` agrees with `request`: the same trials of each scenario of the library at both levels.

`make study-fidelity` plays them one after the other and appends a row for each objective that both levels judged to
docs/results/fidelity.csv; what stands there already is not played again. docs/explanation/fidelity.md shows the table
that `table` makes of it.
"""

import argparse
import csv
import multiprocessing
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from gameday.cli.talk import say
from reports.words import count, duration
from validators.statistics.binomial import lower
from validators.words import percent

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "fidelity.csv"
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "fidelity.md"
LEVELS = ("control", "request")
BEGIN, END = "<!-- table of docs/results/fidelity.csv -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Compared:
    """One objective of one trial as both levels judged it. Values in the objective's unit; None: it never happened."""

    scenario: str
    seed: int
    trial: int
    objective: str
    control: str
    request: str
    control_value: float | None
    request_value: float | None


def judged(scenario: str, seed: int, trial: int, fidelity: str) -> dict[str, tuple[str, float | None]]:
    """Play one trial and judge it: result and value by objective, of those that have a verdict. Runs in a worker."""
    from gameday.judging import load_report
    from gameday.play import simulate
    from scenarios.files.load import load

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        simulate(load(scenario), place, seed=seed, trial=trial, fidelity=fidelity)
        verdicts = load_report(place).judgement.verdicts
    return {v.objective: (v.result.value, v.value) for v in verdicts if v.merged and v.result is not None}


def compare(scenario: str, seed: int, trial: int, at: Mapping[str, Mapping[str, Any]]) -> list[Compared]:
    """Rows of the objectives that both levels judged."""
    control, request = (at[level] for level in LEVELS)
    return [
        Compared(scenario, seed, trial, name, control[name][0], request[name][0], control[name][1], request[name][1])
        for name in control
        if name in request
    ]


def read(path: Path = RESULTS) -> list[Compared]:
    """Read the rows that were measured; none when there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    whole, real = ("seed", "trial"), ("control_value", "request_value")
    return [
        Compared(**{k: int(v) if k in whole else (float(v) if v else None) if k in real else v for k, v in row.items()})
        for row in rows
    ]


def _append(rows: Iterable[Compared], path: Path) -> None:
    new = not path.is_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Compared)], lineterminator="\n")
        if new:
            writer.writeheader()
        for row in rows:
            values = {k: f"{v:.3f}" if isinstance(v, float) else v for k, v in asdict(row).items()}
            writer.writerow(values)


def measure(names: Iterable[str], seed: int, trials: int, path: Path = RESULTS) -> None:
    """Play what is not measured yet, one trial after the other, each in a process of its own."""
    known = {(r.scenario, r.seed, r.trial) for r in read(path)}
    context = multiprocessing.get_context("spawn")
    for trial in range(trials):
        for name in names:
            if (name, seed, trial) in known:
                continue
            say(f"{name}, trial {trial}")
            with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
                at = {level: pool.submit(judged, name, seed, trial, level).result() for level in LEVELS}
            _append(compare(name, seed, trial, at), path)


def _framed(rows: Iterable[Compared]) -> pd.DataFrame:
    frame = pd.DataFrame([asdict(row) for row in rows])
    frame["equal"] = frame["control"] == frame["request"]
    frame["apart"] = (frame["control_value"] - frame["request_value"]).abs()
    return frame


def _lines(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    names = list(head)
    cells = [" | ".join(map(str, row)) for row in rows]
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *(f"| {row} |" for row in cells)]


def _apart(found: pd.DataFrame) -> list[str]:
    """Median and greatest difference of what is a time."""
    apart = found["apart"].dropna()
    return [duration(float(v)) for v in (apart.median(), apart.max())] if len(apart) else ["–", "–"]


def table(rows: Iterable[Compared]) -> str:
    """Return the page's tables: a row a measure with its width, a row a scenario, then the verdicts that differed."""
    frame = _framed(rows)
    head = ("judged", "trials", "verdicts equal", "of all trials at least", "apart, median", "most", "bounds")
    lines = _lines(head, (_measure(name, found) for name, found in frame.groupby(frame["objective"].map(_measured))))
    head = ("scenario", "trials", "verdicts at both levels", "equal", "recovery times apart, median", "most")
    scenarios = []
    for name, found in frame.groupby("scenario"):
        times = _apart(found[found["objective"].str.startswith("rto.")])
        scenarios.append((f"`{name}`", found["trial"].nunique(), len(found), found["equal"].sum(), *times))
    different = frame[~frame["equal"]]
    lines += ["", *_lines(head, scenarios), ""]
    lines += [f"Of {count(len(frame), 'verdict')} {len(different)} differed" + (":" if len(different) else "."), ""]
    named = ["scenario", "objective", "control", "request"]
    for (name, objective, control, request), found in different.groupby(named):
        where = count(len(found), "trial")
        lines.append(f"* `{name}`, {objective}: {control} at control, {request} at request, in {where}")
    return "\n".join(lines).rstrip() + "\n"


def _measured(objective: str) -> str:
    """Name of the row that an objective is in: its own, but for rules and integrity, which are facts and no times."""
    group = objective.partition(".")[0]
    return f"{group}.*" if group in ("rule", "integrity") else objective


def _measure(name: object, found: pd.DataFrame) -> tuple[object, ...]:
    """Row of a measure. A trial counts once; its verdicts are equal when all of the row's are.

    The share of all trials that agree has a lower bound (Clopper and Pearson's), and the greatest of n differences is
    an upper bound of the share .05^(1/n) of all of them, each one-sided with 95 % confidence.
    """
    equal = found.groupby(["scenario", "seed", "trial"])["equal"].all()
    trials, agreed = len(equal), int(equal.sum())
    times = not str(name).endswith("*")
    width = [*_apart(found), percent(0.05 ** (1 / trials), -1)] if times else ["–"] * 3
    return f"`{name}`", trials, f"{agreed} of {trials}", percent(lower(agreed, trials, 0.95), -1), *width


def page(text: str, rows: Iterable[Compared]) -> str:
    """Return the page with the table of these rows in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(rows)}\n{END}{after}"


def main() -> None:
    """Measure what is missing, and write the page's table anew."""
    from scenarios.files.catalogue import scenarios

    parser = argparse.ArgumentParser(prog="make study-fidelity", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="scenarios to play (default: all that the twin plays)")
    parser.add_argument("--trials", type=int, default=5, help="trials of each scenario, from 0 on")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    names = asked.scenarios or [s.name for s in scenarios() if "twin" in s.worlds]
    measure(names, asked.seed, asked.trials)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), read()), encoding="utf-8")


if __name__ == "__main__":
    main()
