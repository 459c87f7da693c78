"""`DataPlane` at fidelity control: each state of the system by hand, the contract, and counters against the kernel."""

from collections.abc import Callable

import numpy as np
import pytest

from sim.build import system
from sim.control.state_plane import StatePlane
from sim.control.streams import uniforms
from sim.data.arrivals import Arrivals
from sim.data.commands import Command, Outcome, ReplicaState, Status
from sim.data.draws import stream_key, uniform
from sim.data.event_plane import EventPlane
from sim.data.plane import Chunk, DataPlane
from sim.data.system import System
from sim.load import Load, load
from sim.names import Names
from tests.worlds import scenario

S = 1_000_000_000
HOME, OTHER = 0, 1
Act = Callable[[DataPlane, Names], None]


class Table:
    """A plane at fidelity control on a small system, with some writes fed."""

    def __init__(self, name: str = "busy", **overrides: object) -> None:
        resolved = scenario(name, **overrides)
        self.system, self.names = system(resolved, 1, 0)
        self.plane = StatePlane(self.system, load(resolved))
        self.plane.feed(np.arange(1, 200) * S)  # an order a second

    def places(self, service: str, region: str = "us-east-1") -> tuple[int, ...]:
        return self.names.replicas[self.names.station[region, service]]

    def each(self, command: Command, service: str, value: int) -> None:
        for place in self.places(service):
            self.plane.command(command, place, value)

    def until(self, second: float) -> Chunk:
        self.plane.advance(round(second * S))
        return self.plane.drain()

    def statuses(self, chunk: Chunk, name: str) -> list[int]:
        return np.unique(chunk.probes_status[chunk.probes_class == self.names.class_number(name)]).tolist()


def test_numbers_of_streams_are_those_of_the_kernel() -> None:
    key = stream_key(3, 1, "a", "b")
    n = np.array([0, 1, 17, 2**40], dtype=np.int64)
    assert uniforms(key, n).tolist() == [uniform(key, int(i)) for i in n]


# --- states


def test_a_healthy_system_answers() -> None:
    table = Table()
    chunk = table.until(10)
    assert {table.names.classes[c].route for c in np.unique(chunk.probes_class)} == {"dns", "stale", "direct"}
    assert table.statuses(chunk, "risk/dns") == table.statuses(chunk, "order/dns") == [Status.OK]
    assert (chunk.finished_outcome == Outcome.OK).all()
    assert chunk.finished_index.tolist() == list(range(9))


@pytest.mark.parametrize(
    ("act", "ends"),
    [
        (lambda t: t.each(Command.STATE, "risk", ReplicaState.REFUSING),
         {"risk/dns": Status.REFUSED, "order/dns": Status.CALLEE_FAILED, "strategic/dns": Status.OK}),
        (lambda t: t.each(Command.STATE, "strategic", ReplicaState.BLACK_HOLE),
         {"strategic/dns": Status.TIMEOUT, "order/dns": Status.TIMEOUT, "risk/dns": Status.OK}),
        (lambda t: t.each(Command.LIST, "tactical", 0),
         {"tactical/dns": Status.NO_ENDPOINT, "order/dns": Status.CALLEE_FAILED, "strategic/dns": Status.OK}),
        (lambda t: t.plane.command(Command.WRITABLE, 0, 0),
         {"database/dns": Status.READ_ONLY, "database/direct/us-east-1": Status.OK, "order/dns": Status.CALLEE_FAILED}),
        (lambda t: t.plane.command(Command.GATE, 0, 0),
         {"database/dns": Status.TIMEOUT, "database/direct/us-east-1": Status.OK, "order/dns": Status.TIMEOUT}),
        (lambda t: t.plane.command(Command.CUT, t.names.edge["us-east-1", "tactical"], 1),
         {"order/dns": Status.TIMEOUT, "tactical/dns": Status.OK, "risk/dns": Status.OK}),
        (lambda t: t.plane.command(Command.DNS, -1),
         {"risk/dns": Status.NO_ADDRESS, "risk/direct/us-east-1": Status.OK, "risk/stale": Status.OK}),
        (lambda t: t.plane.command(Command.TRADING, 0), {"order/dns": Status.OK, "risk/dns": Status.OK}),
    ],
    ids=["refuses", "hangs", "unlisted", "read-only", "gate", "cut", "no-address", "stopped"],
)  # fmt: skip
def test_probes_end_as_the_state_says(act: Callable[[Table], None], ends: dict[str, Status]) -> None:
    table = Table(workload__rate="5/s")  # too few orders to fill anything up
    table.until(15)
    act(table)
    table.until(30)  # caches have expired
    chunk = table.until(40)
    assert {name: table.statuses(chunk, name) for name in ends} == {name: [status] for name, status in ends.items()}


def test_orders_after_a_stop_are_refused_and_do_not_load_anything() -> None:
    table = Table()
    table.until(15)
    table.plane.command(Command.TRADING, 0)
    before = table.plane.counters().replica_ok.sum()
    chunk = table.until(30)
    assert set(chunk.finished_status[chunk.finished_intended_ns >= 15 * S].tolist()) == {Status.STOPPED}
    assert (chunk.rows_key >= 0).sum() == (chunk.finished_intended_ns < 15 * S).sum()
    assert table.plane.counters().replica_ok.sum() - before == 0


def test_orders_go_where_their_clients_are_led() -> None:
    table = Table(client__count=400, **{"regions.us-west-2.warm_replicas": 2})
    table.plane.feed(np.linspace(200, 230, 3_000, dtype=np.int64) * S)
    table.plane.command(Command.WRITABLE, 1, 1)
    table.until(200)
    table.plane.command(Command.DNS, OTHER)
    chunk = table.until(229)
    database = {key: d for key, d in zip(chunk.rows_key.tolist(), chunk.rows_database.tolist(), strict=True)}
    late = [database[k] for k, t in zip(chunk.finished_index, chunk.finished_intended_ns, strict=True) if t > 212 * S]
    assert np.mean(late) == pytest.approx(0.9, abs=0.03)  # one in ten ignores the TTL


OVERLOADED = {"switches__breaker": "off", "workload__rate": "1000/s", "services__risk__replicas": 1}


def test_overload_sheds_what_it_cannot_do() -> None:
    """Twice the load of one risk pod, and no breakers: every second order."""
    table = Table(services__strategic__slots=200, services__tactical__slots=200, **OVERLOADED)
    chunk = table.until(100)
    risk = chunk.probes_status[chunk.probes_class == table.names.class_number("risk/dns")]
    assert (risk == Status.QUEUE_TIMEOUT).mean() == pytest.approx(0.5, abs=0.07)
    assert table.statuses(chunk, "strategic/dns") == [Status.OK]


def test_the_fullest_pool_is_the_victim_and_not_the_cause() -> None:
    """With few slots those who wait for risk fill up first, and risk itself answers."""
    table = Table(**OVERLOADED)
    chunk = table.until(100)
    bad = {}
    for service in ("strategic", "risk"):
        mine = chunk.probes_class == table.names.class_number(f"{service}/dns")
        bad[service] = (chunk.probes_status[mine] != Status.OK).mean()
    assert bad["strategic"] > 0.4
    assert bad["risk"] < 0.2


def test_a_slow_pod_works_less() -> None:
    table = Table()
    slow, usual = table.places("risk")[:2]
    table.plane.command(Command.SLOW, slow, 3_000)
    table.until(20)
    work = table.plane.counters().work_ns
    assert work[slow] == pytest.approx(3 * work[usual], rel=1e-6)


# --- the contract


def test_the_clock_never_goes_back_and_stops_at_the_horizon() -> None:
    table = Table()
    assert table.plane.advance(5 * S).at_ns == table.plane.now_ns == 5 * S
    assert table.plane.advance(5 * S).watch == -1


def test_what_has_not_ended_comes_with_a_later_drain() -> None:
    table = Table()
    table.each(Command.STATE, "risk", ReplicaState.BLACK_HOLE)
    first, second = table.until(2.0), table.until(3.5)
    risk = table.names.class_number("risk/dns")
    done = [c.probes_done_ns[c.probes_class == risk] for c in (first, second)]
    assert done[0].max() < 2 * S <= done[1].min()
    assert done[1].max() < round(3.5 * S)
    intended = np.concatenate([c.probes_index[c.probes_class == risk] for c in (first, second)])
    assert intended.tolist() == list(range(len(intended)))


def test_ends_come_in_order_of_time() -> None:
    table = Table()
    table.each(Command.STATE, "risk", ReplicaState.BLACK_HOLE)
    chunk = table.until(10)
    assert (np.diff(chunk.probes_done_ns) >= 0).all()


def test_a_command_that_changes_nothing_changes_nothing() -> None:
    plain, told = Table(), Table()
    plain.until(4), told.until(4)
    told.plane.command(Command.LIST, told.places("risk")[0], 1)
    told.plane.command(Command.LOSE, told.places("risk")[0], 1)
    told.plane.command(Command.WRITABLE, 0, 1)
    a, b = plain.until(9), told.until(9)
    for name in ("probes_status", "probes_done_ns", "finished_done_ns", "rows_position"):
        assert (getattr(a, name) == getattr(b, name)).all()
    assert (plain.plane.counters().replica_ok == told.plane.counters().replica_ok).all()


def test_counters_do_not_depend_on_when_they_are_read() -> None:
    seldom, often = Table(name="slow-risk"), Table(name="slow-risk")
    for table in (seldom, often):
        table.until(3)
        table.plane.command(Command.WARM, table.places("risk")[0], 9 * S)
    for tenth in range(31, 120):
        often.plane.advance(tenth * S // 10)
        often.plane.counters()
    seldom.plane.advance(119 * S // 10)
    assert (seldom.plane.counters().replica_ok == often.plane.counters().replica_ok).all()


def test_positions_before_and_after_a_fork() -> None:
    table = Table()
    table.until(10.5)
    assert table.plane.wal_position(0) == table.plane.wal_position_at(0, 10 * S + 1) == 10
    assert table.plane.wal_position_at(0, 10 * S) == 9  # strictly before
    table.plane.command(Command.FORK, 1, 0, 7)
    table.plane.command(Command.WRITABLE, 1, 1)
    assert table.plane.wal_position(1) == 7
    table.plane.command(Command.DNS, OTHER)
    table.until(60.5)
    assert table.plane.wal_position_at(1, 5 * S + 1) == 5  # in the old timeline
    assert table.plane.wal_position_at(1, 10 * S + 1) == 7  # and no more of it than was forked
    assert table.plane.wal_position(1) > 40


def test_orders_that_are_not_sent_have_no_end() -> None:
    table = Table()
    table.until(5.5)
    table.plane.command(Command.SEND, 0)
    assert len(table.until(20).finished_index) == 0
    assert table.plane.wal_position(0) == 5


@pytest.mark.parametrize(("failures", "successes"), [(1, 1), (3, 2)])
def test_a_watch_stops_it_when_enough_probes_have_failed(failures: int, successes: int) -> None:
    table = Table()
    risk = table.names.class_number("risk/dns")
    table.plane.watch(risk, failures, successes)
    table.plane.advance(5 * S)
    table.each(Command.STATE, "risk", ReplicaState.REFUSING)
    stop = table.plane.advance(20 * S)
    phase, spacing = int(table.system.probe_phase[risk]), int(table.system.probe_spacing[risk])
    first = phase + -(-(5 * S - phase) // spacing) * spacing
    assert (stop.watch, stop.at_ns) == (risk, first + (failures - 1) * spacing + 6_000_000)
    table.each(Command.STATE, "risk", ReplicaState.SERVING)
    again = table.plane.advance(20 * S)
    assert again.watch == risk
    assert again.at_ns == stop.at_ns // spacing * spacing + phase % spacing + successes * spacing + 6_000_000
    assert table.plane.advance(20 * S).watch == -1


# --- against the kernel


def run(
    plane: DataPlane, names: Names, built: System, offered: Load, act: Act
) -> tuple[dict[str, int], dict[str, int]]:
    """Answers of each station after 20 s; at 5 s something happens."""
    arrivals = Arrivals(offered.points_ns, offered.rates_per_s, stream_key(1, 0, "client", "arrivals"))
    plane.feed(arrivals.take(20 * S))
    plane.advance(5 * S)
    act(plane, names)
    plane.advance(20 * S)
    counters = plane.counters()
    ok, failed = (
        dict(zip(built.station_names, c.tolist(), strict=True))
        for c in (counters.answered_ok, counters.answered_failed)
    )
    return ok, failed


def _nothing(plane: DataPlane, names: Names) -> None:
    """Everything goes on."""


def _refuse(plane: DataPlane, names: Names) -> None:
    for place in names.replicas[names.station["us-east-1", "risk"]]:
        plane.command(Command.STATE, place, ReplicaState.REFUSING)
        plane.command(Command.LOSE, place, 1)


def _read_only(plane: DataPlane, names: Names) -> None:
    plane.command(Command.WRITABLE, 0, 0)


@pytest.mark.proves("What a scrape counts at fidelity control is what it counts at fidelity request")
@pytest.mark.parametrize(("act", "rel"), [(_nothing, 0.02), (_refuse, 0.12), (_read_only, 0.12)])
def test_scraped_counters_are_those_of_the_kernel(act: Act, rel: float) -> None:
    """Orders only: probes are not counted here, they are few. While breakers are open, trials are what is counted."""
    resolved = scenario("busy")
    built, names = system(resolved, 1, 0)
    offered = load(resolved)
    expected = run(EventPlane(built), names, built, offered, act)
    found = run(StatePlane(built, offered), names, built, offered, act)
    probes = 20 * 40
    for wanted, got in zip(expected, found, strict=True):
        for station, count in wanted.items():
            assert got[station] == pytest.approx(count, rel=rel, abs=probes), station
