"""From a record to what validators may see: no source, seed, trial, world, fidelity, run id, versions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from scenarios.record.marks import Mark
from validators.model import Observations, Parts, Tables


def observe(head: Mapping[str, Any], marks: Sequence[Mark], tables: Tables, parts: Parts | None = None) -> Observations:
    """Observations of a record: its head (run.json), its facts, and functions that load its tables.

    Tables are read once each, when first asked for. Those of the ledger are read by `parts`, some columns of a few rows
    at a time; without it `tables` gives them whole. A record without an end (a killed run) ends at its last fact.
    """
    known: dict[str, pa.Table] = {}

    def table(name: str) -> pa.Table:
        if name not in known:
            known[name] = tables(name)
        return known[name]

    def in_one(name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        yield tables(name).select(columns)

    duration = head.get("duration_us")
    return Observations(
        scenario={k: v for k, v in head["scenario"].items() if k != "worlds"},
        topology=head["topology"],
        objectives=tuple(head["objectives"]),
        marks=tuple(sorted(marks, key=lambda m: (m.t_us, m.seq))),
        tables=table,
        parts=parts or in_one,
        duration_us=int(duration) if duration is not None else _observed_us(marks, table("probes")),
        complete=head.get("termination") == "complete",
        not_judged=dict(head.get("not_judged", {})),
        procedures=dict(head.get("procedures", {})),
        surviving_timeline=head.get("surviving_timeline"),
        clock_bound_us=int((head.get("clock") or {}).get("bound_us") or 0),
    )


def _observed_us(marks: Sequence[Mark], probes: pa.Table) -> int:
    last_us = max((m.t_us for m in marks), default=0)
    return min(last_us, int(pc.max(probes["intended_us"]).as_py())) if len(probes) else last_us
