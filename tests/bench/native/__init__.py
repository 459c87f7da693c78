"""The simple system in C -O3, built in a temporary folder where a compiler is."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from sim.data.commands import Balancer
from sim.data.plane import Chunk
from sim.data.system import I64
from tests.bench.cases import Case

COMPILERS: Final = ("cc", "gcc", "clang")
# Like the kernel: for this machine, without contracting a product and a sum into one rounding.
FLAGS: Final = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC")

_I64P, _F64P, _U64P = (ctypes.POINTER(t) for t in (ctypes.c_int64, ctypes.c_double, ctypes.c_uint64))


class _Run(ctypes.Structure):
    """The struct `Run` of simple.c."""

    _fields_: Final = [
        *((name, ctypes.c_int64) for name in ("stations", "replicas", "classes", "until", "load_n", "script_n")),
        *((n, _I64P) for n in ("slots", "patience", "first", "places", "least", "arrivals", "script", "listed")),
        *((name, _F64P) for name in ("scale", "sigma")),
        *((name, _U64P) for name in ("work_key", "pick_key")),
        *((name, _I64P) for name in ("phase", "spacing", "chain", "writes", "entry")),
        ("client_key", ctypes.c_uint64),
        ("clients", ctypes.c_int64),
        *((name, _I64P) for name in ("finished", "rows")),
        *((name, ctypes.c_int64) for name in ("finished_n", "rows_n", "events", "bins_n", "client_sum")),
    ]


def compiler() -> str | None:
    """The first C compiler found."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


class Native:
    """The compiled program; raises OSError or CalledProcessError when it cannot be built."""

    def __init__(self, cc: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gameday-bench-")
        library = Path(self._folder.name) / "simple.so"
        source = Path(__file__).parent / "simple.c"
        subprocess.run([cc, *FLAGS, "-o", str(library), str(source), "-lm"], check=True)
        self._play = ctypes.CDLL(str(library)).simple_play
        self._play.argtypes = [ctypes.POINTER(_Run)]

    def play(self, case: Case) -> tuple[I64, I64]:
        """Play a case of the simple system; requests that ended (as `Chunk.finished_*`) and rows."""
        keep: list[np.ndarray[Any, Any]] = []
        arrivals = case.arrivals()
        finished = np.zeros((len(arrivals), 6), dtype=np.int64)
        rows = np.zeros((len(arrivals) + 1_000_000, 4), dtype=np.int64)
        run = _Run(**self._numbers(case, arrivals))
        for name, values in (self._arrays(case, arrivals) | {"finished": finished, "rows": rows}).items():
            pointer = dict(_Run._fields_)[name]
            kind = {_I64P: np.int64, _F64P: np.float64, _U64P: np.uint64}[pointer]
            keep.append(np.ascontiguousarray(values, dtype=kind))
            setattr(run, name, keep[-1].ctypes.data_as(pointer))
        if self._play(ctypes.byref(run)) != 0:
            raise ValueError("the simple system has more sources of occurrences than simple.c provides for")
        return finished[: run.finished_n], rows[: run.rows_n]

    def _numbers(self, case: Case, arrivals: I64) -> dict[str, int]:
        system = case.system
        return {
            "stations": len(system.station_names),
            "replicas": len(system.replica_station),
            "classes": len(system.class_names),
            "until": case.until_ns,
            "load_n": len(arrivals),
            "script_n": len(case.script),
            "client_key": int(system.client_key),
            "clients": system.clients,
        }

    def _arrays(self, case: Case, arrivals: I64) -> dict[str, Any]:
        system = case.system
        stations = np.arange(len(system.station_names))
        first = np.searchsorted(system.replica_station, stations)
        return {
            "slots": system.slots,
            "patience": system.queue_patience,
            "first": first,
            "places": np.bincount(system.replica_station),
            "least": system.edge_balancer == Balancer.LEAST_CONNECTIONS,
            "arrivals": arrivals,
            "script": [[e.at_ns, e.a, e.b] for e in case.script],
            "listed": system.initial_listed,
            "scale": system.work_scale,
            "sigma": system.work_sigma,
            "work_key": system.work_key,
            "pick_key": system.pick_key,
            "phase": system.probe_phase,
            "spacing": system.probe_spacing,
            "chain": np.concatenate([[True], system.probe_chain[1:]]),
            "writes": system.class_writes,
            "entry": system.probe_station[:, 0],
        }


def differing(ours: tuple[I64, I64], chunks: list[Chunk]) -> int:
    """How many ends and rows the program and the kernel do not have in common."""
    count = 0
    columns = (
        ("index", "intended_ns", "done_ns", "outcome", "status", "attempts"),
        ("key", "database", "position", "commit_ns"),
    )
    for mine, group, names in zip(ours, ("finished", "rows"), columns, strict=True):
        kernel = np.column_stack([np.concatenate([getattr(c, f"{group}_{n}") for c in chunks]) for n in names])
        if kernel.shape != mine.shape:
            return max(len(kernel), len(mine))
        count += int((kernel != mine).any(axis=1).sum())
    return count
