"""Commands of the control plane, applied at the plane's clock (data-plane page, section 4)."""

import numpy as np

from sim.data import layout
from sim.data.commands import Command
from sim.data.compiled import allocating, compiled
from sim.data.kernel_calls import (
    connections_at,
    set_connections,
    set_listed,
)
from sim.data.kernel_ends import (
    answer,
    detach,
)
from sim.data.kernel_loop import run_agenda
from sim.data.kernel_record import flush_second
from sim.data.kernel_requests import set_arrival
from sim.data.kernel_state import (
    agenda_add,
    call_at,
    database_at,
    edge_at,
    free_call,
    owner_at,
    probe_at,
    replica_at,
    set_next,
    share_advance,
    share_clear,
    share_next,
    station_at,
)
from sim.data.layout import (
    COMMITTING,
    HOLDING,
    OK,
    POOL_NEXT,
    QUEUED,
    RESET,
    RESULT,
    START_NEXT,
    UNLISTED,
    WORKING,
)
from sim.data.pointers import state_at

LIST = int(Command.LIST)
STATE = int(Command.STATE)
LOSE = int(Command.LOSE)
WARM = int(Command.WARM)
SLOW = int(Command.SLOW)
CPU = int(Command.CPU)
SLOTS = int(Command.SLOTS)
POOL = int(Command.POOL)
DNS = int(Command.DNS)
TARGET = int(Command.TARGET)
CUT = int(Command.CUT)
WRITABLE = int(Command.WRITABLE)
GATE = int(Command.GATE)
FORK = int(Command.FORK)
TRADING = int(Command.TRADING)


@compiled
def _list(g, r, listed):
    """Put a replica in the endpoints or take it out; the list keeps the order of replica numbers."""
    replica_at(g, r).listed = listed
    for e in range(g.edge_count):
        at = e * g.replica_count + r
        packed = connections_at(g, at) & ~UNLISTED
        set_connections(g, at, packed if listed == 1 else packed | UNLISTED)
    station = station_at(g, replica_at(g, r).station)
    n = 0
    for other in range(station.first, station.first + station.places):
        if replica_at(g, other).listed == 1:
            set_listed(g, station.first + n, other)
            n += 1
    station.listed = n


@allocating
def _jobs_at(g, r):
    """Jobs at a replica and calls waiting in its pool, in order of seq."""
    found = np.empty(g.calls_n, dtype=np.int64)
    seqs = np.empty(g.calls_n, dtype=np.int64)
    n = 0
    for c in range(g.calls_n):
        call = call_at(g, c)
        if call.replica == r and call.place in (QUEUED, WORKING, HOLDING, COMMITTING):
            found[n] = c
            seqs[n] = call.seq
            n += 1
    return found[:n][np.argsort(seqs[:n])]


@allocating
def _lose(g, r, reset, t):
    """All work at a replica is gone; with reset its callers hear so."""
    jobs = _jobs_at(g, r)
    for c in jobs:
        call = call_at(g, c)
        if call.place == HOLDING and call.child >= 0:
            detach(g, call.child)
            call.child = -1
    for c in jobs:
        call = call_at(g, c)
        if call.detached == 1:
            free_call(g, c, call.request)
        elif reset == 1:
            call.place = layout.OVER
            agenda_add(g, RESULT, c, RESET)
        else:
            call.place = layout.HANGING
    replica = replica_at(g, r)
    replica.busy = 0
    replica.waiting = 0
    replica.connections = 0
    replica.pool_waiting = 0
    share_clear(g, replica)
    replica.last = t
    share_next(g, r, replica)
    _fresh_owner(g, r, station_at(g, replica.station).edge)


@compiled
def _fresh_owner(g, r, e):
    """Budget and breaker of a replica's calls start anew."""
    owner = owner_at(g, g.clients + r)
    owner.tokens = edge_at(g, e).burst * 1000 if e >= 0 else 0
    owner.until = 0
    owner.breaker = layout.CLOSED
    owner.results = 0
    owner.failures = 0
    owner.place = 0


@allocating
def _open_gate(g, d):
    """Waiting commits answer in the order in which they came."""
    found = np.empty(g.calls_n, dtype=np.int64)
    turns = np.empty(g.calls_n, dtype=np.int64)
    n = 0
    for c in range(g.calls_n):
        call = call_at(g, c)
        if call.place == COMMITTING and station_at(g, call.station).database == d:
            found[n] = c
            turns[n] = call.next
            n += 1
    for c in found[:n][np.argsort(turns[:n])]:
        answer(g, c, call_at(g, c), OK)


@compiled
def _set_cpu(g, r, milli, t):
    replica = replica_at(g, r)
    share_advance(replica, t)
    replica.cpu = milli
    replica.full = milli // 1000 if milli > 0 else layout.MOST_JOBS
    share_next(g, r, replica)


@compiled
def _set_slots(g, s, slots):
    station = station_at(g, s)
    station.slots = slots
    for r in range(station.first, station.first + station.places):
        agenda_add(g, START_NEXT, r, 0)


@compiled
def _set_pool(g, e, size):
    edge_at(g, e).pool = size
    for r in range(g.replica_count):
        if station_at(g, replica_at(g, r).station).edge == e:
            agenda_add(g, POOL_NEXT, r, e)


@compiled
def _fork(g, new, old, position):
    database = database_at(g, new)
    database.origin = old
    database.forked = position
    database.wal = position


@allocating
def _apply_to_replica(g, what, r, value, t):
    if what == LIST:
        _list(g, r, value)
    elif what == STATE:
        replica_at(g, r).state = value
    elif what == LOSE:
        _lose(g, r, value, t)
    elif what == WARM:
        replica_at(g, r).warm_until = value
    elif what == SLOW:
        replica_at(g, r).slow = value
    else:
        _set_cpu(g, r, value, t)


@allocating
def _apply_elsewhere(g, what, a, b, x):
    if what == SLOTS:
        _set_slots(g, a, b)
    elif what == POOL:
        _set_pool(g, a, b)
    elif what == DNS:
        g.dns = a
    elif what == TARGET:
        edge_at(g, a).target = b
    elif what == CUT:
        edge_at(g, a).cut = b
    elif what == WRITABLE:
        database_at(g, a).writable = b
    elif what == GATE:
        database_at(g, a).gate = b
        if b == 1:
            _open_gate(g, a)
    elif what == FORK:
        _fork(g, a, b, x)
    elif what == TRADING:
        g.trading = a
    else:
        g.sending = a


@allocating
def apply(address, what, a, b, x):
    """Apply one command and work off its consequences."""
    g = state_at(address)
    t = g.now
    if what <= CPU:
        _apply_to_replica(g, what, a, b, t)
    else:
        _apply_elsewhere(g, what, a, b, x)
    run_agenda(g, t)


@compiled
def feed(address):
    """Take note of a new table of arrivals."""
    set_arrival(state_at(address))


@compiled
def begin(address):
    """Set when each probe class sends its first probe."""
    g = state_at(address)
    for p in range(1, g.class_count):
        probe = probe_at(g, p)
        if probe.phase < probe.end:
            set_next(g, g.first_arrival + p, probe.phase)


@compiled
def flush(address):
    """Write the rows of the unfinished second."""
    flush_second(state_at(address))
