"""The data plane that plays every request: a thin hull around the compiled kernel."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from sim.data import kernel_commands, kernel_loop, layout
from sim.data.commands import Command
from sim.data.memory import WIDTHS, Memory
from sim.data.plane import Chunk, Counters, LoadRows, Stop
from sim.data.system import System
from sim.data.timelines import Timelines

I64 = NDArray[np.int64]
STAGES_FROM = 64  # going over to the stages and back costs about as much as a dozen requests
_COLUMNS = [field.name for field in fields(Chunk) if field.name != "load"]


class EventPlane:
    """`DataPlane` at fidelity `request` (docs/explanation/data-plane.md)."""

    def __init__(self, system: System, stages_from: int = STAGES_FROM) -> None:
        """Begin at time 0. Stretches of so many arrivals are played in stages where that applies; 0: never."""
        self._system = system
        self._k = Memory(system, stages_from)
        self._fed = np.zeros(0, dtype=np.int64)  # arrivals fed and not yet performed
        self._parts: dict[str, list[I64]] = {name: [] for name in ("finished", "rows", "probed", "loads")}
        self._bins: list[I64] = []  # one part for each part of the loads
        self._timelines = Timelines(system.databases)

    @property
    def now_ns(self) -> int:
        """The plane's clock."""
        return self._k["now"]

    @property
    def events(self) -> int:
        """Occurrences performed so far."""
        return self._k["events"]

    @property
    def feeds_forward(self) -> bool:
        """Whether the path in stages is ever taken."""
        return self._k["stages_from"] > 0

    @property
    def staged(self) -> int:
        """Requests of class 0 that arrived while the path in stages was taken."""
        return self._k["staged"]

    def feed(self, arrivals_ns: I64) -> None:
        """Append the intended times of the next class-0 requests (increasing)."""
        k = self._k
        next_one = k["arrival"]
        rest = self._fed[next_one - k["arrival_first"] :]
        self._fed = np.concatenate([rest, np.asarray(arrivals_ns, dtype=np.int64)])
        k.put("arrivals", self._fed)
        k["arrival_first"] = next_one
        k["arrivals_fed"] = len(self._fed)
        kernel_commands.feed(k.address)

    def needs_arrivals_before(self, horizon_ns: int) -> bool:
        """Whether the last arrival fed is earlier than the horizon."""
        return len(self._fed) == 0 or int(self._fed[-1]) < horizon_ns

    def advance(self, horizon_ns: int) -> Stop:
        """Perform everything strictly before the horizon, or up to a watch that fires."""
        k = self._k
        while True:
            why = kernel_loop.advance(k.address, horizon_ns)
            if why == layout.HORIZON:
                return Stop(horizon_ns, -1)
            if why == layout.WATCH:
                fired = k["watch"]
                k["watch"] = -1
                return Stop(self.now_ns, fired)
            self._take_output()

    def _take_output(self) -> None:
        """Take the output aside, then enlarge what is nearly full."""
        k = self._k
        for name, parts in self._parts.items():
            if not k[f"{name}_used"]:
                continue
            columns = k.take(name)
            parts.append(columns)
            if name == "rows":
                self._timelines.add(columns)
            if name == "loads":
                self._bins.append(k.take("bins").T.copy())
        k.make_room()

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Apply a command at the plane's clock."""
        if command == Command.FORK or not self._k.has_room():
            self._take_output()  # a fork is told which rows came before it
        if command == Command.SLOTS:
            self._k.allow_slots(a, b)
        if command == Command.FORK:
            self._timelines.fork(a, b, c, self.now_ns)
        kernel_commands.apply(self._k.address, int(command), a, b, c)

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Stop `advance` after that many failures in a row (then that many successes); 0 failures: watch no more."""
        probes = self._k.tables["probes"]
        for name, value in (("down", failures), ("up", successes), ("run", 0), ("fired", 0)):
            probes[name][probe_class] = value

    def counters(self) -> Counters:
        """Scrape: copy the counters at the plane's clock."""
        replicas = self._k.tables["replicas"]
        stations = np.zeros((2, len(self._system.station_names)), dtype=np.int64)
        for sums, name in zip(stations, ("ok", "failed"), strict=True):
            np.add.at(sums, replicas["station"], replicas[name])
        copied = (replicas[name].astype(np.int64) for name in ("ok", "failed", "busy", "waiting", "work"))
        return Counters(self.now_ns, stations[0], stations[1], *copied)

    def wal_position(self, database: int) -> int:
        """Rows in the database's timeline at the plane's clock."""
        return int(self._k.tables["databases"]["wal"][database])

    def wal_position_at(self, database: int, at_ns: int) -> int:
        """Rows in the timeline committed strictly before an instant (before a fork: in the old timeline)."""
        self._take_output()
        return self._timelines.position_at(database, at_ns)

    def drain(self, *, final: bool = False) -> Chunk:
        """Take the facts recorded since the last drain; `final` includes the unfinished second."""
        self._take_output()
        if final:
            kernel_commands.flush(self._k.address)
            self._take_output()
        columns: list[I64] = []
        for name in ("finished", "rows", "probed"):
            columns.extend(_joined(self._parts[name], WIDTHS[name]))
            self._parts[name].clear()
        load = _load_rows(self._parts["loads"], self._bins, len(self._system.station_names))
        self._parts["loads"].clear()
        self._bins.clear()
        return Chunk(**dict(zip(_COLUMNS, columns, strict=True)), load=load)


def _joined(parts: list[I64], width: int) -> I64:
    """Columns of all parts."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.zeros((width, 0), dtype=np.int64), *parts], axis=1)


def _load_rows(loads: list[I64], bins: list[I64], stations: int) -> LoadRows:
    """Rows in order of second and station; the client's side has station -1."""
    histograms: list[list[I64]] = [[], [], []]
    for columns, part in zip(loads, bins, strict=True):
        for which in range(3):
            ends = zip(columns[8 + which].tolist(), columns[9 + which].tolist(), strict=True)
            histograms[which] += [part[start:end] for start, end in ends]
    second, station, intended, sent, ok, failed, unknown, attempts = _joined(loads, layout.LOAD_WIDTH)[:8]
    station[station == stations] = -1
    return LoadRows(second, station, intended, sent, ok, failed, unknown, attempts, *histograms)
