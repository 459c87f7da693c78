"""`gameday compare`: what the twin predicted beside what a cluster showed."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.arguments import AsJson, complete_run, find_run
from gameday.cli.talk import progress, put, put_json, put_rows, say

if TYPE_CHECKING:
    from reports.comparison import Comparison

EXAMPLE = "Example: `gameday compare region-loss-automatic-3f region-loss-automatic-kind`"
MOST = 10  # times what was measured: beyond, a share says nothing
HEAD = ("", "predicted", "measured", "inside", "off by")

Predicted = Annotated[
    str,
    typer.Argument(metavar="PREDICTED", help="record of the twin", autocompletion=complete_run),
]
Measured = Annotated[str, typer.Argument(metavar="MEASURED", help="record of a game day", autocompletion=complete_run)]


def compare(predicted: Predicted, measured: Measured, as_json: AsJson = False) -> None:
    """Put a prediction beside a measurement, objective by objective and phase by phase.

    Both must be of the same system, so predict it as the cluster plays it: `gameday simulate SCENARIO --as kind`. The
    predicted interval holds 90 % of the trials; `inside`: whether it and the measured interval overlap; `off by` is the
    predicted median's distance from what was measured. Phases that several services share are told once.
    Latency and throughput are compared though neither is judged on a small system, where the trials counted requests:
    `--fidelity request`.
    """
    folders = [find_run(name) for name in (predicted, measured)]
    from gameday.judging import load_report
    from reports.comparison import cause, document
    from reports.comparison import compare as put_beside

    with progress(1.0, "judging both"):
        found = put_beside(*map(load_report, folders))
    if as_json:
        put_json(document(found))
        return
    _table(found)
    if words := cause(found):
        put(f"\n{words}")
    inside = found.rows["inside"].dropna()
    say(f"{int(inside.sum())} of {len(inside)} measured values are inside what was predicted")


def _table(found: "Comparison") -> None:
    put(f"{found.scenario}\npredicted {found.predicted_run}, measured {found.measured_run}\n")
    rows: list[tuple[str, ...]] = []
    shown: dict[tuple[str, ...], str] = {}
    for row in found.rows.to_dict(orient="records"):
        name, _, phase = str(row["objective"]).partition(": ")
        cells = (
            _interval(row, "predicted", "predicted_median"),
            _interval(row, "measured", "measured"),
            {True: "yes", False: "no", None: "unknown"}[row["inside"]],
            _off(row),
        )
        if not phase:
            rows.append((name, *cells))
        elif shown.setdefault((phase, *cells), name) == name:  # the phases that services share are told once
            rows.append((f"  {phase}", *cells))
    put_rows(rows, HEAD) if rows else put("nothing was both predicted and measured")


def _off(row: dict[Any, Any]) -> str:
    """How far the predicted median is from what was measured: in the unit, and as a share where that says something."""
    from reports.words import quantity

    apart = row["predicted_median"] - row["measured"]
    if not math.isfinite(apart) or not apart:
        return "-" if not math.isfinite(apart) else "0"
    words = ("+" if apart > 0 else "-") + quantity(abs(apart), row["unit"], tight=True)
    return f"{words} ({row['error']:+.0%})" if math.isfinite(row["error"]) and abs(row["error"]) < MOST else words


def _interval(row: dict[Any, Any], side: str, middle: str) -> str:
    from reports.words import quantity

    if side == "predicted" and not row["trials"] and ": " not in str(row["objective"]):
        return "not exercised"
    low, value, high = (row[key] for key in (f"{side}_low", middle, f"{side}_high"))
    words = [_never(v) or quantity(v, row["unit"], tight=True) for v in (value, low, high)]
    return words[0] if words[0] == words[1] == words[2] else f"{words[0]} [{words[1]}, {words[2]}]"


def _never(value: float) -> str | None:
    return "never" if math.isinf(value) else "unknown" if math.isnan(value) else None
