"""Each command of the control plane: equal to the reference, and it changes what happens."""

import numpy as np
import pytest

from sim.data.commands import Balancer, Command, ReplicaState
from sim.data.event_plane import EventPlane
from sim.reference.check import check, differences, play
from tests.properties.systems import MS, S, SystemBuilder, Timed, poisson_arrivals

ENTRY_PODS, STORE_PODS, INNER_EDGE, STORE_0, STORE_1 = (0, 1, 2), (3, 4), 1, 1, 2
NOON = 150 * MS  # middle of the load

SCRIPTS = {
    Command.LIST: [Timed(NOON, Command.LIST, 0, 0), Timed(NOON + 50 * MS, Command.LIST, 0, 1)],
    Command.STATE: [
        Timed(NOON, Command.STATE, 0, ReplicaState.REFUSING),
        Timed(NOON + 30 * MS, Command.STATE, 1, ReplicaState.BLACK_HOLE),
        Timed(NOON + 60 * MS, Command.STATE, 0, ReplicaState.SERVING),
    ],
    Command.LOSE: [Timed(NOON, Command.LOSE, 0, 1), Timed(NOON + 20 * MS, Command.LOSE, STORE_PODS[0], 0)],
    Command.WARM: [Timed(NOON, Command.WARM, 0, NOON + 80 * MS)],
    Command.SLOW: [Timed(NOON, Command.SLOW, 1, 3000)],
    Command.CPU: [Timed(NOON, Command.CPU, 2, 400), Timed(NOON + 40 * MS, Command.CPU, 2, 0)],
    Command.SLOTS: [Timed(NOON, Command.SLOTS, 0, 1), Timed(NOON + 60 * MS, Command.SLOTS, 0, 9)],
    Command.POOL: [Timed(NOON, Command.POOL, INNER_EDGE, 1), Timed(NOON + 60 * MS, Command.POOL, INNER_EDGE, 6)],
    Command.DNS: [Timed(NOON, Command.DNS, 1), Timed(NOON + 40 * MS, Command.DNS, -1)],
    Command.TARGET: [Timed(NOON, Command.TARGET, INNER_EDGE, STORE_1)],
    Command.CUT: [Timed(NOON, Command.CUT, INNER_EDGE, 1), Timed(NOON + 40 * MS, Command.CUT, INNER_EDGE, 0)],
    Command.WRITABLE: [Timed(NOON, Command.WRITABLE, 0, 0), Timed(NOON + 40 * MS, Command.WRITABLE, 0, 1)],
    Command.GATE: [Timed(NOON, Command.GATE, 0, 0), Timed(NOON + 10 * MS, Command.GATE, 0, 1)],
    Command.FORK: [
        Timed(NOON, Command.FORK, 1, 0, 120),
        Timed(NOON, Command.WRITABLE, 1, 1),
        Timed(NOON, Command.TARGET, INNER_EDGE, STORE_1),
    ],
    Command.TRADING: [Timed(NOON, Command.TRADING, 0), Timed(NOON + 30 * MS, Command.TRADING, 1)],
    Command.SEND: [Timed(NOON, Command.SEND, 0), Timed(NOON + 30 * MS, Command.SEND, 1)],
}


def _system() -> SystemBuilder:
    builder = SystemBuilder(regions=2, clients=9, dns_ttl=20 * MS, databases=2, unwritable=(1,))
    station = {"slots": 3, "queue_capacity": 20, "queue_patience": 8 * MS, "warm_time": 100 * MS}
    entry = builder.station("entry", replicas=3, work_scale=0.8 * MS, entry=True, **station)
    store = builder.station("store", replicas=1, slots=6, work_scale=0.5 * MS, database_of=0)
    other = builder.station("store", region=1, replicas=1, slots=6, work_scale=0.5 * MS, database_of=1)
    builder.client_edge(edge_balancer=Balancer.LEAST_CONNECTIONS, edge_timeout=15 * MS, max_retries=2)
    edge = builder.edge(entry, store, edge_timeout=10 * MS, pool_size=3, pool_queue=5, pool_patience=4 * MS)
    assert (edge, store, other) == (INNER_EDGE, STORE_0, STORE_1)
    builder.probe(stations=(entry, other), spacing=3 * MS, timeout=10 * MS, end=400 * MS)
    return builder


@pytest.mark.proves("each command of the control plane acts in the kernel as in the SimPy reference")
@pytest.mark.parametrize("command", list(Command), ids=lambda command: command.name)
def test_command(command: Command) -> None:
    system = _system().build()
    arrivals = poisson_arrivals(3_000, 900)
    script = SCRIPTS[command]
    report = check(system, script, arrivals, until_ns=1 * S)
    assert report.differing == 0, report.first_difference
    done = play(EventPlane(system), script, arrivals, 1 * S)
    left = [entry for entry in script if entry.command != command]
    undone = play(EventPlane(system), left, arrivals, 1 * S)
    assert differences(done, undone)[0] > 0, "the command changed nothing"


def test_commands_do_not_reach_back() -> None:
    """What ended before a command stays as it was."""
    system = _system().build()
    arrivals = poisson_arrivals(3_000, 900)
    quiet = play(EventPlane(system), [], arrivals, 1 * S).columns
    for command, script in SCRIPTS.items():
        columns = play(EventPlane(system), script, arrivals, 1 * S).columns
        for name in ("finished_index", "finished_outcome", "finished_done_ns"):
            early, same = columns["finished_done_ns"] < NOON, quiet["finished_done_ns"] < NOON
            assert np.array_equal(columns[name][early], quiet[name][same]), (command, name)


@pytest.mark.parametrize(("position", "at_ms"), [(120, 150), (100_000, 150), (1, 290)])
def test_wal_positions_of_the_past(position: int, at_ms: int) -> None:
    """Both planes know how far each timeline was at any instant, across a fork."""
    from sim.reference.reference_plane import ReferencePlane

    system = _system().build()
    arrivals = poisson_arrivals(3_000, 900)
    kernel, reference = EventPlane(system), ReferencePlane(system)
    answers = []
    for plane in (kernel, reference):
        plane.feed(arrivals)
        plane.advance(at_ms * MS)
        position = min(position, plane.wal_position(0))
        plane.command(Command.FORK, 1, 0, position)
        plane.command(Command.WRITABLE, 1, 1)
        plane.command(Command.TARGET, INNER_EDGE, STORE_1)
        plane.advance(1 * S)
        instants = range(0, 400 * MS, 1_300_007)
        past = [[plane.wal_position_at(d, t) for t in instants] for d in (0, 1)]
        answers.append((past, [plane.wal_position(d) for d in (0, 1)]))
    assert answers[0] == answers[1]
    assert answers[0][1][1] > position > 0
