"""Scenarios of tests/scenarios and of the library, played in the twin; what users saw, read from the record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from scenarios.record.histogram import merge, quantile_ns
from scenarios.record.marks import Mark
from scenarios.record.writer import MemoryRecorder
from sim.world import RunEnd, World

SMALL = Path(__file__).parent / "scenarios" / "scenarios"
SERVICES = ("strategic", "tactical", "risk", "database", "order")
WINDOW_S = 5.0


@cache
def scenario(name: str, **overrides: object) -> Resolved:
    """One of tests/scenarios, else of the library. Overrides are named with `__` for the dots."""
    path = SMALL / f"{name}.yaml"
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return load(str(path) if path.exists() else name, overrides=changes)


@dataclass(frozen=True)
class Played:
    """One run and its record."""

    end: RunEnd
    marks: list[Mark]
    tables: Mapping[str, pa.Table]
    _read: dict[tuple[str, str], NDArray[Any]] = field(default_factory=dict)

    def times(self, kind: str, subject: str | None = None) -> list[float]:
        """When such facts were marked, in seconds."""
        return [m.t_us / 1e6 for m in self.marks if m.kind == kind and subject in (None, m.subject)]

    def time(self, kind: str, subject: str | None = None) -> float:
        """When the first such fact was marked, in seconds."""
        return self.times(kind, subject)[0]

    def column(self, table: str, name: str) -> NDArray[Any]:
        """A column; names as objects."""
        if (table, name) not in self._read:
            found = self.tables[table].column(name).unify_dictionaries().combine_chunks()
            if pa.types.is_dictionary(found.type):
                names = np.array([*found.dictionary.to_pylist(), None], dtype=object)
                self._read[table, name] = names[found.indices.fill_null(len(names) - 1).to_numpy()]
            else:
                self._read[table, name] = np.asarray(found.to_numpy(zero_copy_only=False))
        return self._read[table, name]

    def wrong_s(self, service: str, route: str = "dns") -> NDArray[np.float64]:
        """Intended times of probes that were not right, within the judged interval."""
        intended = self.column("probes", "intended_us") / 1e6
        mine = (self.column("probes", "service") == service) & (self.column("probes", "route") == route)
        wrong = mine & (self.column("probes", "right") != "yes") & (intended < self.end.duration_us / 1e6)
        return np.sort(intended[wrong])

    def bad_s(self, service: str) -> NDArray[np.float64]:
        """Wrong probes in windows of five seconds that hold more than one in a hundred."""
        wrong = self.wrong_s(service)
        if service in ("order", "page"):
            return wrong
        close = np.diff(wrong) < WINDOW_S
        return wrong[np.concatenate([[False], close]) | np.concatenate([close, [False]])] if len(wrong) else wrong

    def sampled(self, name: str, subject: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Instants (s) and values of a sampled quantity."""
        mine = self.column("samples", "name") == name
        if subject is not None:
            mine &= self.column("samples", "subject") == subject
        return self.column("samples", "t_us")[mine] / 1e6, self.column("samples", "value")[mine]

    def counted(self, field: str, service: str = "edge", region: str | None = None) -> int:
        """Sum of a count of `load`."""
        mine = self.column("load", "service") == service
        if region is not None:
            mine &= self.column("load", "region") == region
        return int(self.column("load", field)[mine].sum())

    def quantile_ms(self, which: str, q: float, service: str, *, after_s: float = 0.0) -> float:
        """Quantile of the latencies `own`, `caller` or `path` of a service."""
        mine = (self.column("load", "service") == service) & (self.column("load", "second") >= after_s)
        lists = self.tables["load"].filter(pa.array(mine)).column(which).to_pylist()
        rows = [np.array([(b["bin"], b["count"]) for b in bins], dtype=np.int64).reshape(-1, 2) for bins in lists]
        return quantile_ns(merge(rows), q) / 1e6

    def copies(self) -> NDArray[np.int64]:
        """How often each key was found on the timeline that survives."""
        mine = self.column("readback", "timeline") == self.end.surviving_timeline
        return np.unique(self.column("readback", "key")[mine], return_counts=True)[1]

    def decoded(self, table: str) -> pa.Table:
        """A table without dictionaries, so that equal facts are equal tables."""
        found = self.tables[table]
        plain = [
            c.combine_chunks().dictionary_decode() if pa.types.is_dictionary(c.type) else c.combine_chunks()
            for c in map(found.column, found.column_names)
        ]
        return pa.table(plain, names=found.column_names)


def play(resolved: Resolved, fidelity: str, trial: int = 0, *, seed: int = 1, flush_ns: int | None = None) -> Played:
    """Play one trial."""
    recorder = MemoryRecorder()
    end = World(resolved, seed, trial, recorder, fidelity, flush_ns=flush_ns).play()
    tables = ("probes", "load", "writes_sent", "writes_done", "readback", "samples")
    return Played(end, recorder.marks, {name: recorder.table(name) for name in tables})


@cache
def played(name: str, fidelity: str, trial: int = 0, **overrides: object) -> Played:
    """Play one trial of a scenario, once."""
    return play(scenario(name, **overrides), fidelity, trial)
