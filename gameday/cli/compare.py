"""`gameday compare`: what the twin predicted beside what a cluster showed."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.arguments import AsJson, complete_run, find_run
from gameday.cli.talk import progress, put, put_json, put_rows, say

if TYPE_CHECKING:
    from reports.comparison import Comparison

EXAMPLE = "Example: `gameday compare region-loss-automatic-3f region-loss-automatic-kind`"
HEAD = ("", "predicted", "measured", "inside", "off by")

Predicted = Annotated[
    str,
    typer.Argument(metavar="PREDICTED", help="record of the twin", autocompletion=complete_run),
]
Measured = Annotated[str, typer.Argument(metavar="MEASURED", help="record of a game day", autocompletion=complete_run)]


def compare(predicted: Predicted, measured: Measured, as_json: AsJson = False) -> None:
    """Put a prediction beside a measurement, objective by objective and phase by phase.

    Both must be of the same system, so predict it as the cluster plays it: `gameday simulate SCENARIO --as kind`. The
    predicted interval holds 90 % of the trials; `off by` is the predicted median's distance from what was measured.
    """
    folders = [find_run(name) for name in (predicted, measured)]
    from gameday.judging import load_report
    from reports.comparison import compare as put_beside
    from reports.comparison import document

    with progress(1.0, "judging both"):
        found = put_beside(*map(load_report, folders))
    if as_json:
        put_json(document(found))
        return
    _table(found)
    inside = found.rows["inside"].dropna()
    say(f"{int(inside.sum())} of {len(inside)} measured values are inside what was predicted")


def _table(found: "Comparison") -> None:
    put(f"{found.scenario}\npredicted {found.predicted_run}, measured {found.measured_run}\n")
    rows = [
        (
            str(row["objective"]),
            _interval(row, "predicted", "predicted_median"),
            _interval(row, "measured", "measured"),
            {True: "yes", False: "no", None: "unknown"}[row["inside"]],
            f"{row['error']:+.0%}" if math.isfinite(row["error"]) else "-",
        )
        for row in found.rows.to_dict(orient="records")
    ]
    put_rows(rows, HEAD)


def _interval(row: dict[Any, Any], side: str, middle: str) -> str:
    from reports.words import quantity

    low, value, high = (row[key] for key in (f"{side}_low", middle, f"{side}_high"))
    words = [_never(v) or quantity(v, row["unit"], tight=True) for v in (value, low, high)]
    return words[0] if words[0] == words[1] == words[2] else f"{words[0]} [{words[1]}, {words[2]}]"


def _never(value: float) -> str | None:
    return "never" if math.isinf(value) else "unknown" if math.isnan(value) else None
