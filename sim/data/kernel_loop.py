"""The event loop: everything strictly before a horizon in the order (time, kind, id).

Sources of occurrences are numbered in the order of their kinds: replicas, rings of deadlines, back-offs, arrivals by
class. The tree holds the next (time, source) of each but class 0, whose arrivals are in order anyway.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.draws import uniform
from sim.data.kernel_calls import (
    answer,
    deliver,
    finish,
    issue,
    leave_pool,
    leave_queue,
    outstanding_over,
    result,
    start,
    timeout,
)
from sim.data.kernel_record import flush_second, record_latency, second_has_room, write_commit
from sim.data.kernel_state import (
    agenda_add,
    agenda_take,
    backoff_take,
    cache_at,
    call_at,
    database_at,
    edge_at,
    entry_at,
    free_call,
    free_request,
    leaf_of,
    new_request,
    probe_at,
    replica_at,
    request_at,
    ring_at,
    ring_clean,
    set_next,
    share_advance,
    share_next,
    share_take,
    state_at,
    station_at,
)
from sim.data.layout import INF, OK, RESULT, START_NEXT
from sim.data.pointers import inside, load, store

MARGIN = 8
LEAST_ROOM = 64


@compiled
def run_agenda(g, t):
    """Work off the consequences of one occurrence, first in, first out."""
    while g.agenda_head < g.agenda_tail:
        entry = agenda_take(g)
        a = entry.a
        b = entry.b
        if entry.what == RESULT:
            result(g, a, b, t)
        elif entry.what == START_NEXT:
            _start_next(g, a, t)
        else:
            _pool_next(g, a, b, t)
    g.agenda_head = 0
    g.agenda_tail = 0


@forced
def _start_next(g, r, t):
    replica = replica_at(g, r)
    station = station_at(g, replica.station)
    while replica.waiting > 0 and replica.busy < station.slots:
        c = replica.head
        call = call_at(g, c)
        replica.head = call.next
        replica.waiting -= 1
        start(g, c, call, r, replica, station, t)


@forced
def _pool_next(g, r, e, t):
    replica = replica_at(g, r)
    while replica.pool_waiting > 0 and replica.connections < edge_at(g, e).pool:
        c = replica.pool_head
        call = call_at(g, c)
        replica.pool_head = call.next
        replica.pool_waiting -= 1
        replica.connections += 1
        call.connected = 1
        call.place = layout.NEW
        deliver(g, c, call, t)


@forced
def _own_done(g, r, t):
    """A replica's job with the least goal has done its own work."""
    replica = replica_at(g, r)
    station = station_at(g, replica.station)
    share_advance(replica, t)
    c = share_take(g, r, replica)
    share_next(g, r, replica)
    call = call_at(g, c)
    replica.work += call.work
    record_latency(g, replica.station, layout.OWN, t - call.accepted)
    request = request_at(g, call.request)
    e = station.edge
    if e < 0 or (request.kind > 0 and probe_at(g, request.kind).chain == 0):
        status = OK
        if station.database >= 0:
            status = _commit(g, call, station.database, t)
        if status != layout.WAITS:
            answer(g, c, status)
        return
    call.place = layout.HOLDING
    if edge_at(g, e).sync == 0:
        replica.busy -= 1
        replica.ok += 1
        call.place = layout.FORWARDED
        outstanding_over(g, call)
        agenda_add(g, START_NEXT, r, 0)
    issue(g, e, g.clients + r, c, call.request, call.lineage * 8, 0, t, -1)


@forced
def _position(g, q, d):
    """Position of the request's row in a database's timeline, 0: none."""
    return load(g.positions, inside(q * g.database_count + d, g.positions_n))


@forced
def _present(g, q, d):
    """Whether the request's key is in the timeline of database d."""
    if _position(g, q, d) > 0:
        return True
    old = database_at(g, d).origin
    return old >= 0 and 0 < _position(g, q, old) <= database_at(g, d).forked


@forced
def _commit(g, call, d, t):
    """Write the row; the status to answer with, or WAITS while the commit gate is closed."""
    q = call.request
    request = request_at(g, q)
    if request.kind > 0 and probe_at(g, request.kind).writes == 0:
        return OK
    database = database_at(g, d)
    if database.writable == 0:
        return layout.READ_ONLY
    if g.idempotent == 1 and _present(g, q, d):
        return OK
    database.wal += 1
    store(g.positions, inside(q * g.database_count + d, g.positions_n), database.wal)
    key = request.index if request.kind == 0 else -1 - (request.kind << 40) - request.index
    write_commit(g, key, d, database.wal, t)
    if database.gate == 1:
        return OK
    call.place = layout.COMMITTING
    call.next = g.joined
    g.joined += 1
    return layout.WAITS


@forced
def _resolve(g, cache, t):
    """Region that a DNS cache leads to, refreshed when its time is over."""
    if cache.ignores == 0 and t >= cache.expiry:
        cache.region = g.dns
        cache.expiry = t + g.ttl
    return cache.region


@compiled
def _send(g, q, attempt, t):
    """A client's or prober's attempt: resolve, then issue."""
    request = request_at(g, q)
    if request.kind == 0:
        region = _resolve(g, cache_at(g, request.client), t)
        issue(g, 0, request.client, -1, q, attempt, attempt, t, region)
        return
    region = probe_at(g, request.kind).region
    if region < 0:
        region = _resolve(g, cache_at(g, g.clients + request.kind), t)
    issue(g, 0, -1, -1, q, 0, 0, t, region)


@forced
def _arrive(g, p, index, t):
    if p == 0:
        g.intended += 1
        if g.sending == 0:
            return
        g.sent += 1
    q = new_request(g)
    request = request_at(g, q)
    request.kind = p
    request.index = index
    request.intended = t
    request.attempts = 0
    request.timed_out = 0
    request.live = 0
    request.done = 0
    request.client = -1
    request.station = -1
    request.replica = -1
    for d in range(g.database_count):
        store(g.positions, inside(q * g.database_count + d, g.positions_n), 0)
    if p == 0:
        if g.trading == 0:
            finish(g, q, layout.DONE_FAILED, layout.STOPPED, t)
            free_request(g, q)
            return
        client = int(uniform(g.client_key, index) * g.clients)
        request.client = client if client < g.clients else g.clients - 1
    _send(g, q, 0, t)


@compiled
def _retry(g, h, t):
    """A back-off ends: issue the attempt its holder stands for."""
    held = call_at(g, h)
    if held.parent < 0:
        _send(g, held.request, held.attempt, t)
    else:
        issue(g, held.edge, held.owner, held.parent, held.request, held.lineage, held.attempt, t, -1)
    free_call(g, h)


@forced
def _ring_next(g, i):
    """Set when ring i has its next occurrence."""
    if ring_clean(g, i):
        ring = ring_at(g, i)
        set_next(g, g.first_ring + i, entry_at(ring, ring.head).deadline)
    else:
        set_next(g, g.first_ring + i, INF)


@forced
def _due_ring(g, first, t):
    """Among rings of one kind due at the same instant, the one whose head has the least seq, -1: none is alive."""
    kind = ring_at(g, first).kind
    best = -1
    least = INF
    for i in range(first, g.ring_count):
        if ring_at(g, i).kind != kind:
            break
        if leaf_of(g, g.first_ring + i) >> g.source_bits != t:
            continue
        _ring_next(g, i)
        if leaf_of(g, g.first_ring + i) >> g.source_bits == t:
            ring = ring_at(g, i)
            seq = entry_at(ring, ring.head).seq
            if seq < least:
                least = seq
                best = i
    return best


@compiled
def _ring_occurs(g, first, t):
    """The head of a ring is due, if one is alive; return whether one was."""
    i = _due_ring(g, first, t)
    if i < 0:
        return 0
    ring = ring_at(g, i)
    c = entry_at(ring, ring.head).call
    ring.head += 1
    if ring.kind == layout.CALL_TIMEOUT:
        timeout(g, c, t)
    elif ring.kind == layout.QUEUE_PATIENCE:
        leave_queue(g, c)
        call = call_at(g, c)
        call.place = layout.OVER
        replica_at(g, call.replica).failed += 1
        agenda_add(g, RESULT, c, layout.QUEUE_TIMEOUT)
    else:
        leave_pool(g, c)
        call_at(g, c).place = layout.NEW
        agenda_add(g, RESULT, c, layout.POOL_TIMEOUT)
    _ring_next(g, i)
    return 1


@forced
def set_arrival(g):
    """Set when the next class-0 request arrives."""
    at = g.arrival - g.arrival_first
    g.arrival_key = INF
    if at < g.arrivals_fed:
        t = load(g.arrivals, inside(at, g.arrivals_n))
        if t < g.never:
            g.arrival_key = (t << g.source_bits) | g.first_arrival


@compiled
def _probe_arrives(g, p, t):
    probe = probe_at(g, p)
    index = probe.next
    probe.next = index + 1
    then = probe.phase + (index + 1) * probe.spacing
    set_next(g, g.first_arrival + p, then if then < probe.end else INF)
    _arrive(g, p, index, t)


@compiled
def _load_arrives(g, t):
    index = g.arrival
    g.arrival = index + 1
    set_arrival(g)
    _arrive(g, 0, index, t)


@forced
def _occur(g, source, t):
    """Perform one occurrence without its consequences; return whether there was one."""
    if source < g.first_ring:
        _own_done(g, source, t)
    elif source == g.first_arrival:
        _load_arrives(g, t)
    elif source < g.backoff_source:
        return _ring_occurs(g, source - g.first_ring, t)
    elif source == g.backoff_source:
        h = backoff_take(g)
        if h < 0:
            return 0
        _retry(g, h, t)
    else:
        _probe_arrives(g, source - g.first_arrival, t)
    return 1


@forced
def _room(g):
    """How many occurrences fit everywhere, whatever they are.

    One of them makes at most one call and one request more, and a row. Requests that end, and back-offs that begin,
    are at most those alive now and those that come.
    """
    n = g.calls_n - g.live_calls - MARGIN
    n = min(n, g.requests_n - g.live_requests - MARGIN)
    n = min(n, g.backoffs_n - g.backoffs_used - g.live_calls - MARGIN)
    n = min(n, g.finished_n - g.finished_used - g.live_requests - MARGIN)
    n = min(n, g.probed_n - g.probed_used - g.live_requests - MARGIN)
    return min(n, g.rows_n - g.rows_used - MARGIN)


@compiled
def _play(g, limit, room):
    """Perform occurrences before a limit (time and source, packed), so many at most, or up to a watch."""
    sources = (1 << g.source_bits) - 1
    for _ in range(room):
        key = load(g.tree, 1)
        if g.arrival_key < key:
            key = g.arrival_key
        if key >= limit:
            return
        t = key >> g.source_bits
        g.now = t
        g.events += _occur(g, key & sources, t)
        run_agenda(g, t)
        if g.watch >= 0:
            return


@compiled
def advance(address, horizon):
    """Perform every occurrence strictly before the horizon; return why it stopped."""
    g = state_at(address, 0)
    horizon = min(horizon, g.never)
    while True:
        if g.watch >= 0:
            return layout.WATCH
        room = _room(g)
        if room < LEAST_ROOM:
            return layout.FULL
        until = min(horizon, g.second_end)
        _play(g, until << g.source_bits, room)
        if g.watch >= 0 or min(load(g.tree, 1), g.arrival_key) >> g.source_bits < until:
            continue
        if horizon < g.second_end:
            break
        if not second_has_room(g):
            return layout.FULL
        flush_second(g)
    g.now = horizon
    return layout.HORIZON
