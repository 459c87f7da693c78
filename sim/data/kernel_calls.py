"""How a call gets to work: issue, pool, balancer, deliver, accept, start (data-plane page, section 3).

`g` is the record of globals, `c` and `call` a call, `q` and `request` its request, `r` a replica, `t` the clock.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.kernel_draws import patience_of, pick_of, row_of, work_of
from sim.data.kernel_state import (
    agenda_add,
    call_at,
    edge_at,
    heap_add,
    new_call,
    owner_at,
    probe_at,
    replica_at,
    request_at,
    ring_add,
    share_add,
    share_advance,
    share_next,
    station_at,
)
from sim.data.layout import (
    BREAKER,
    CLOSED,
    HALF_OPEN,
    HANGING,
    IN_POOL,
    NO_ADDRESS,
    NO_ENDPOINT,
    ONE_CONNECTION,
    OPEN,
    POOL_FULL,
    QUEUE_FULL,
    QUEUED,
    REFUSED,
    RESULT,
    WORKING,
)
from sim.data.pointers import apart, numbers

listed_at, set_listed = numbers("listed")
connections_at, set_connections = numbers("connections")
_entry_station, _ = numbers("entry_stations")
_probe_station, _ = numbers("probe_stations")
_turn, _set_turn = numbers("turns")
_window, _set_window = numbers("windows", "u1")


@forced
def new_attempt(g, e, owner, parent, q, kind, index, lineage, attempt, t):
    """Take a place for an attempt and fill it in."""
    c = new_call(g)
    call = call_at(g, c)
    call.seq = g.seq
    g.seq += 1
    call.issued = t
    call.index = index
    call.lineage = lineage
    call.row = row_of(g, index) if lineage == 0 and kind == 0 else -1
    call.request = q
    call.edge = e
    call.owner = owner
    call.parent = parent
    call.place = layout.NEW
    call.detached = 0
    call.connected = 0
    call.trial = 0
    call.child = -1
    call.replica = -1
    call.connection = -1
    call.station = -1
    call.attempt = attempt
    call.deadline = 0
    call.kind = kind
    request_at(g, q).live += 1
    return c


@forced
def issue_from_job(g, e, owner, parent, lineage, attempt, t):
    """Issue an attempt on behalf of a job, the parent."""
    caller = call_at(g, parent)
    c = new_attempt(g, e, owner, parent, caller.request, caller.kind, caller.index, lineage, attempt, t)
    caller.child = c
    call = call_at(g, c)
    edge = edge_at(g, e)
    if edge.guarded == 1 and not _admitted(g, call, edge, attempt, t):
        agenda_add(g, RESULT, c, BREAKER)
        return
    call.station = edge.target
    if edge.timeout > 0:
        _set_timeout(g, c, call, edge.timeout_ring, t + edge.timeout)
    if edge.pool == 0 or _connected(g, c, call, edge, t):
        deliver(g, c, call, edge, t)


@forced
def issue_from_client(g, owner, q, attempt, t, region):
    """Issue an attempt of a client or prober; `region` is the address it resolved, -1: none."""
    request = request_at(g, q)
    p = request.kind
    c = new_attempt(g, 0, owner, -1, q, p, request.index, attempt, attempt, t)
    call = call_at(g, c)
    edge = edge_at(g, 0)
    request.attempts += 1
    if p == 0:
        g.attempts += 1
        if edge.guarded == 1 and not _admitted(g, call, edge, attempt, t):
            agenda_add(g, RESULT, c, BREAKER)
            return
    if region < 0:
        agenda_add(g, RESULT, c, NO_ADDRESS)
        return
    if p == 0:
        call.station = _entry_station(g, region)
        if edge.timeout > 0:
            _set_timeout(g, c, call, edge.timeout_ring, t + edge.timeout)
    else:
        call.station = _probe_station(g, p * g.region_count + region)
        probe = probe_at(g, p)
        _set_timeout(g, c, call, probe.ring, t + probe.timeout)
    deliver(g, c, call, edge, t)


@forced
def _set_timeout(g, c, call, i, deadline):
    call.deadline = deadline
    ring_add(g, i, c, deadline, call.seq)


@compiled
def _admitted(g, call, edge, attempt, t):
    """Add to the retry budget, then ask the breaker."""
    owner = owner_at(g, call.owner)
    if attempt == 0 and edge.budget >= 0:
        full = edge.burst * 1000
        tokens = owner.tokens + edge.budget
        owner.tokens = tokens if tokens < full else full
    if edge.window == 0 or owner.breaker == CLOSED:
        return True
    if owner.breaker == OPEN and t >= owner.until:
        owner.breaker = HALF_OPEN
        call.trial = 1
        return True
    return False


@forced
def _connected(g, c, call, edge, t):
    """Take a connection of the caller's pool; if none is free, wait for one or fail."""
    replica = replica_at(g, call.owner - g.clients)
    if replica.connections < edge.pool:
        replica.connections += 1
        call.connected = 1
        return True
    _wait_for_connection(g, c, call, edge, replica, t)
    return False


@compiled
def _wait_for_connection(g, c, call, edge, replica, t):
    apart()
    if replica.pool_waiting >= edge.pool_queue:
        agenda_add(g, RESULT, c, POOL_FULL)
        return
    call.place = IN_POOL
    call.next = -1
    if replica.pool_waiting == 0:
        replica.pool_head = c
    else:
        call_at(g, replica.pool_tail).next = c
    replica.pool_tail = c
    replica.pool_waiting += 1
    if edge.pool_patience > 0:
        ring_add(g, edge.pool_ring, c, t + edge.pool_patience, call.seq)


@forced
def count_connection(g, e, r, change):
    at = e * g.replica_count + r
    set_connections(g, at, connections_at(g, at) + change)


@compiled
def _least_connected(g, e, station):
    """Listed replica with the fewest outstanding calls of the edge, the lowest number among equals."""
    first = e * g.replica_count + station.first
    least = connections_at(g, first)
    last = e * g.replica_count + listed_at(g, station.first + station.listed - 1)
    for at in range(first + 1, last + 1):
        packed = connections_at(g, at)
        least = packed if packed < least else least
    return least & (ONE_CONNECTION - 1)


@forced
def pick(g, e, edge, s, station, kind, index, lineage, row):
    """Replica chosen by an edge's balancer among the listed ones of a station that has some."""
    if edge.balancer == layout.BY_RANDOM:
        return listed_at(g, station.first + pick_of(g, e, edge, kind, index, lineage, row, 0, station.listed))
    if edge.balancer == layout.BY_CONNECTIONS:
        return _least_connected(g, e, station)
    if edge.balancer == layout.BY_TURNS:
        turn = _turn(g, e * g.station_count + s)
        _set_turn(g, e * g.station_count + s, turn + 1)
        return listed_at(g, station.first + turn % station.listed)
    a = listed_at(g, station.first + pick_of(g, e, edge, kind, index, lineage, row, 0, station.listed))
    b = listed_at(g, station.first + pick_of(g, e, edge, kind, index, lineage, row, 1, station.listed))
    row = e * g.replica_count
    return b if connections_at(g, row + b) >> 32 < connections_at(g, row + a) >> 32 else a


@forced
def deliver(g, c, call, edge, t):
    s = edge.target if edge.target >= 0 else call.station
    call.station = s
    station = station_at(g, s)
    if edge.cut == 1:
        call.place = HANGING
        return
    if station.listed == 0:
        agenda_add(g, RESULT, c, NO_ENDPOINT)
        return
    r = pick(g, call.edge, edge, s, station, call.kind, call.index, call.lineage, call.row)
    call.replica = r
    if edge.counted == 1:
        call.connection = r
        count_connection(g, call.edge, r, ONE_CONNECTION)
    replica = replica_at(g, r)
    if replica.state == layout.SERVING:
        _accept(g, c, call, r, replica, station, t)
        return
    replica.turned_away += 1
    if replica.state == layout.REFUSING:
        agenda_add(g, RESULT, c, REFUSED)
    else:
        call.place = HANGING


@forced
def _accept(g, c, call, r, replica, station, t):
    call.accepted = t
    if replica.busy < station.slots:
        replica.accepted += 1
        start(g, c, call, r, replica, station, t)
    else:
        _queue(g, c, call, replica, station, t)


@compiled
def _queue(g, c, call, replica, station, t):
    """Join the queue of a replica whose slots are all held."""
    apart()
    if replica.waiting >= station.queue_capacity:
        replica.turned_away += 1
        replica.failed += 1
        agenda_add(g, RESULT, c, QUEUE_FULL)
        return
    replica.accepted += 1
    call.place = QUEUED
    call.next = -1
    if replica.waiting == 0:
        replica.head = c
    else:
        call_at(g, replica.tail).next = c
    replica.tail = c
    replica.waiting += 1
    if station.queue_patience > 0 and station.patience_kind == layout.FIXED:
        ring_add(g, station.ring, c, t + station.queue_patience, call.seq)
    elif station.queue_patience > 0:
        heap_add(g, station.ring, c, t + patience_of(g, station, call), call.seq)


@forced
def paced(w, replica, station, t):
    """Work w at a replica with the slowdown and warmth of this instant."""
    if replica.slow != 1000:
        w = w * replica.slow // 1000
        w = w if w > 1 else 1
    if replica.warm_until > t:
        extra = (station.warm_milli - 1000) * (replica.warm_until - t) // station.warm_time
        w = w * (1000 + extra) // 1000
        w = w if w > 1 else 1
    return w


@forced
def start(g, c, call, r, replica, station, t):
    """A job takes a slot and begins its own work."""
    replica.busy += 1
    call.place = WORKING
    w = work_of(g, call.station, station, call.kind, call.index, call.lineage, call.row)
    w = paced(w, replica, station, t)
    call.work = w
    share_advance(replica, t)
    share_add(g, replica, replica.virtual + (w << 16), call.seq, c)
    share_next(g, r, replica)
