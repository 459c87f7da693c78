"""Write docs/results.md, and the error that reports carry, from the committed records: `python -m tests.tidy.results`.

`python -m tests.tidy.results pack RUN...` commits a record: everything that cannot be made again from the rest, its
tables compressed as far as they go. Their rows are the same, and so is every verdict.
"""

import gzip
import io
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gameday.judging import load_report
from reports import published
from reports.comparison import Comparison, compare
from reports.model import Report
from reports.words import quantity
from scenarios.files.load import load
from scenarios.record.reader import RunRecord
from scenarios.record.storage import digests, head_text
from scenarios.record.stream import parquet_options
from validators.model import Verdict

ROOT = Path(__file__).parent.parent.parent
RUNS = ROOT / "docs" / "results" / "runs"
PAGE = ROOT / "docs" / "results.md"
MOST_BYTES = 1_000_000
SHORT = 10  # characters of a commit or a digest
PROBES, SENT_BY, HARDEST = "probes.parquet", ("client", "route", "service", "address"), 19
MADE_AGAIN = ("report.html", "verdicts.json")
SERVICES = ("strategic", "tactical", "risk", "database", "complete")
HEAD = """\
# Results

Game days that were played on the testbed (two kind clusters on one machine with two cores, kept busy by other work),
and what the twin predicted for that very system. Evidence class: lab. The records are in [results/runs](results/runs);
this page is generated from them (`make docs`), and a test judges them anew. People were scripted, at the delays that
the topology declares.

An interval is what the probes allow: recovered not before its lower end, and not after its upper end. Where people
bring the primary home, the last outage is that of the way home, so the recovery clock runs on to it; what the way home
cost users is under `change`.

Each row says which commit played it, and the digest of the topology (with its parameters) that it was played on. A
record of another topology than that of today was predicted and judged as it was then: it says nothing of today's.
"""
UNJUDGED = """
## Latency and throughput, measured and not judged

p95 of each service's own time in the worst whole minute before the fault / after recovery / and from the fault until
the system had settled (– where more than one in twenty got no answer); one figure where nothing broke. Orders completed
in the least minute. A small system on a busy machine, whose cores also carry all that measures it, is held against
itself and not against the runbook.

"""


def pack(folder: Path) -> Path:
    """Make one small file of a record, the same bytes for the same record."""
    with tempfile.TemporaryDirectory() as place:
        small = Path(place) / folder.name
        small.mkdir()
        for file in (f for f in folder.iterdir() if f.is_file() and f.name not in MADE_AGAIN):
            shutil.copyfile(file, small / file.name)
        if (small / "run.json").exists():
            _compress(small)
            assert load_report(small).judgement == load_report(folder).judgement, "packing changed a verdict"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for file in sorted(f for f in small.iterdir() if f.is_file()):
                entry = tarfile.TarInfo(file.name)
                entry.size = file.stat().st_size
                with file.open("rb") as stream:
                    archive.addfile(entry, stream)
    packed = RUNS / f"{folder.name}.tar.gz"
    packed.parent.mkdir(parents=True, exist_ok=True)
    packed.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    assert packed.stat().st_size <= MOST_BYTES, f"{packed.name} has {packed.stat().st_size:,} bytes"
    return packed


def _compress(folder: Path) -> None:
    """Write the tables of a record anew: probes by who sent them and where, for then their instants are regular."""
    head = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        if path.name == PROBES:
            keys = pa.table({n: table[n].cast(pa.string()) for n in SENT_BY} | {"t": table["intended_us"]})
            table = table.take(pc.sort_indices(keys, sort_keys=[(n, "ascending") for n in keys.column_names]))
        pq.write_table(table, path, **parquet_options(table.schema), compression_level=HARDEST)
    head["files"] |= digests(folder / name for name in head["files"])
    (folder / "run.json").write_bytes(head_text(head))


@contextmanager
def unpacked() -> Iterator[list[Path]]:
    """Folders of all committed records, in order of their names."""
    with tempfile.TemporaryDirectory() as place:
        folders = []
        for packed in sorted(RUNS.glob("*.tar.gz")):
            folder = Path(place) / packed.name.removesuffix(".tar.gz")
            with tarfile.open(packed) as archive:
                archive.extractall(folder, filter="data")
            folders.append(folder)
        yield folders


def made() -> dict[Path, str]:
    """Return the page, and the error that each report on a simulation carries, as they should be."""
    with unpacked() as folders:
        reports = [load_report(folder) for folder in folders]
        measured = [r for r in reports if r.head["source"] != "simulation"]
        predicted = {_digests(r): r for r in reports if r.ensemble}
        parts = [HEAD, "\n## Measured\n\n", _table(pd.DataFrame([_measured(r) for r in measured]))]
        parts += [UNJUDGED, _table(pd.DataFrame([_unjudged(r) for r in measured]))]
        parts += ["\n## The instrument\n\n", _table(pd.DataFrame([_instrument(r) for r in measured]))]
        parts.append("\n## Predicted beside measured\n")
        pairs = [(r, compare(predicted[_digests(r)], r)) for r in measured if _digests(r) in predicted]
        for report, found in pairs:
            parts += ["\n", *_beside(found, _topology(report))]
    return {PAGE: "".join(parts), published.FILE: json.dumps(_errors(pairs), indent=1, sort_keys=True) + "\n"}


def _errors(pairs: list[tuple[Report, Comparison]]) -> dict[str, Any]:
    scenarios: dict[str, list[pd.DataFrame]] = {}
    for report, found in pairs:
        scenarios.setdefault(str(report.scenario["scenario"]), []).append(found.rows)
    return {
        "all": _error([rows for each in scenarios.values() for rows in each]),
        "played": max((str(report.head["started_at"])[:10] for report, _ in pairs), default=None),
        "scenarios": {name: _error(rows) for name, rows in scenarios.items()},
        "topology_digests": sorted({_digests(report)[0] for report, _ in pairs}),
    }


def _error(frames: list[pd.DataFrame]) -> dict[str, Any]:
    """Hits of the 90 % intervals, and the median distance as a share of what was measured (where that is not 0)."""
    rows = pd.concat(frames) if frames else pd.DataFrame({"inside": [], "error": []})
    inside, errors = rows["inside"].dropna(), rows["error"].astype(float).abs().dropna()
    median = round(float(errors.median()), 3) if len(errors) else None
    return {"inside": int(inside.sum()), "of": len(inside), "median_error": median}


def _digests(report: Report) -> tuple[str, str]:
    return str(report.head["topology_digest"]), str(report.head["scenario_digest"])


def _measured(report: Report) -> dict[str, str]:
    verdicts = {v.objective: v for v in report.judgement.verdicts}
    row = {"scenario": str(report.scenario["scenario"]), "verdict": report.judgement.headline}
    row |= {"commit": str(report.head.get("git_commit") or "unknown")[:SHORT], "topology": _topology(report)}
    row |= {name: _value(verdicts.get(f"rto.{name}")) for name in SERVICES}
    row["orders lost"] = _value(verdicts.get("rpo.transactions"))
    changes = [v for n, v in verdicts.items() if n.startswith("change.") and v.merged and v.value is not None]
    row["change"] = ", ".join(f"{v.objective.partition('.')[2]} {_value(v)}" for v in changes) or "–"
    paged = [v for n, v in verdicts.items() if n.startswith("alert.") and v.merged and v.value is not None]
    row["paged after"] = ", ".join(f"{v.objective.partition('.')[2]} {_value(v)}" for v in paged) or "–"
    return row


def _topology(report: Report) -> str:
    """The short digest of a record's topology, and whether that is no longer the one of its scenario."""
    then, now = _digests(report)[0], load(str(report.scenario["scenario"]), world="kind").topology_digest
    return then[:SHORT] if then == now else f"{then[:SHORT]}, today's is {now[:SHORT]}"


def _value(verdict: Verdict | None) -> str:
    """Value and interval, its verdict first; a dash where nothing was measured."""
    if verdict is None or verdict.state != "judged":
        return "–"
    known = [v for v in (verdict.low, verdict.high) if v is not None]
    if verdict.value is None:
        return f"{verdict.result}"
    words = quantity(verdict.value, verdict.unit, tight=True)
    width = f" ±{(known[1] - known[0]) * 500:.0f} ms" if len(known) == 2 and verdict.unit == "s" and known[1] else ""
    return f"{verdict.result} {words}{width}"


def _unjudged(report: Report) -> dict[str, str]:
    """Latency and throughput: before the fault, after recovery, in between; or over a run in which nothing broke."""
    verdicts = {v.objective: v for v in report.judgement.verdicts}
    row = {"scenario": str(report.scenario["scenario"])}
    for service in ("strategic", "tactical", "risk", "database"):
        main, during = verdicts[f"kpi.{service}"], verdicts.get(f"kpi.{service}.during_p95")
        values = [w["value_ms"] for w in main.detail.get("worst_minutes", ())] + ([during.value] if during else [])
        row[f"{service} p95"] = " / ".join(quantity(v, "ms", tight=True) for v in values) or "–"
    least = verdicts["kpi.throughput"].value
    return {**row, "completed": "–" if least is None else quantity(least, "1/s", tight=True)}


def _instrument(report: Report) -> dict[str, str]:
    probes = report.record.table("probes").to_pandas()
    mine = probes[probes["route"] == "dns"]
    seconds = report.duration_s
    rates = (mine.groupby("service", observed=True).size() / seconds).round(1)
    samples = report.record.table("samples").to_pandas()
    lags = samples[samples["name"] == "sender_lag_us_p99"].groupby("subject", observed=True)["value"].max() / 1e3
    return {
        "scenario": str(report.scenario["scenario"]),
        "probes a second": ", ".join(f"{name} {rate:g}" for name, rate in rates.items()),
        "last wrong to first right": " and ".join(f"{ms:.0f} ms" for ms in sorted(set(wrong_to_right_ms(mine)))) or "–",
        "greatest lag p99": ", ".join(f"{name} {lag:.1f} ms" for name, lag in lags.items()),
        "time to lift": _lifted(report),
        "lasted": quantity(seconds, "s"),
    }


def wrong_to_right_ms(probes: pd.DataFrame) -> list[float]:
    """For each service that recovered: from its last wrong answer to its first right one, by when they were due."""
    found = []
    for _, own in probes[probes["service"].isin(SERVICES)].groupby("service", observed=True):
        due = own.sort_values("intended_us")
        wrong = due[due["right"] != "yes"]
        after = due[due["intended_us"] > wrong["intended_us"].max()] if len(wrong) else wrong
        if len(after):
            found.append(float(after["intended_us"].iloc[0] - wrong["intended_us"].max()) / 1e3)
    return found


def _lifted(report: Report) -> str:
    """How long the lift took; what mends itself, or stays out because it was replaced, was not lifted."""
    marks = {m.kind: m.t_us for m in report.record.marks}
    if not {"lift_begun", "lifted", "fault_gone"} <= marks.keys():
        return "stays, for the failback" if {"lift_begun", "lifted"} <= marks.keys() else "–"
    assert isinstance(report.record, RunRecord), "a real run"
    journal = json.loads((report.record.folder / "journal.json").read_text(encoding="utf-8"))
    if any(run.get("output") == "it mends itself" for run in journal["rollbacks"]):
        return "mends itself"
    return f"{(marks['lifted'] - marks['lift_begun']) / 1e6:.1f} s"


def _beside(found: Comparison, topology: str) -> Iterator[str]:
    inside = found.rows["inside"].dropna()
    yield f"### {found.scenario}\n\n{int(inside.sum())} of {len(inside)} measured values are inside the prediction. "
    yield f"Topology of both: {topology}.\n\n"
    rows: list[dict[str, Any]] = found.rows.to_dict(orient="records")
    yield _table(pd.DataFrame(map(_compared, rows)))


def _compared(row: dict[str, Any]) -> dict[str, str]:
    low, median, high = (_number(row, f"predicted_{name}") for name in ("low", "median", "high"))
    exercised = row["trials"] or ": " in row["objective"]
    return {
        "what": row["objective"],
        "predicted (90 % of trials)": f"{median} [{low}, {high}]" if exercised else "not exercised",
        "measured": _number(row, "measured"),
        "inside": {True: "yes", False: "no", None: "unknown"}[row["inside"]],
    }


def _number(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if pd.isna(value):
        return "unknown"
    return "never" if value == float("inf") else quantity(value, row["unit"], tight=True)


def _table(frame: pd.DataFrame) -> str:
    lines = [list(frame.columns), ["---"] * len(frame.columns), *frame.astype(str).values.tolist()]
    return "".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["pack"]:
        for name in sys.argv[2:]:
            sys.stdout.write(f"{pack(Path(name))}\n")
    for file, text in made().items():
        file.write_text(text, encoding="utf-8")
