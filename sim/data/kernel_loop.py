"""The event loop: everything strictly before a horizon in the order (time, kind, id).

Sources of occurrences are numbered in the order of their kinds: replicas, rings of deadlines, arrivals by class. The
tree holds the next (time, source) of each but class 0, whose arrivals are in order anyway.
"""

from sim.data import layout
from sim.data.compiled import allocating, compiled, forced
from sim.data.kernel_calls import (
    deliver,
    issue_from_client,
    issue_from_job,
    start,
)
from sim.data.kernel_crossing import play_in_stages
from sim.data.kernel_draws import client_of, draw_ahead
from sim.data.kernel_ends import (
    answer,
    end_connection,
    finish,
    leave_pool,
    leave_queue,
    result,
    timeout,
)
from sim.data.kernel_record import flush_second, record_latency, second_has_room
from sim.data.kernel_requests import begin_request, commit, resolve, set_arrival
from sim.data.kernel_state import (
    agenda_add,
    agenda_at,
    cache_at,
    call_at,
    drop_head,
    edge_at,
    free_call,
    free_request,
    head_of,
    next_of,
    probe_at,
    replica_at,
    request_at,
    ring_at,
    ring_settle,
    set_next,
    share_advance,
    share_next,
    share_take,
    station_at,
    tree_at,
)
from sim.data.layout import INF, OK, RESULT, START_NEXT
from sim.data.pointers import apart, state_at

MARGIN = 8
LEAST_ROOM = 64


@compiled
def run_agenda(g, t):
    """Work off the consequences of one occurrence, first in, first out."""
    apart()
    while g.agenda_head < g.agenda_tail:
        entry = agenda_at(g, g.agenda_head & g.agenda_mask)
        g.agenda_head += 1
        if entry.what == RESULT:
            result(g, entry.a, entry.b, t)
        elif entry.what == START_NEXT:
            _start_next(g, entry.a, t)
        else:
            _pool_next(g, entry.a, entry.b, t)
    g.agenda_head = 0
    g.agenda_tail = 0


@compiled
def _start_next(g, r, t):
    apart()
    replica = replica_at(g, r)
    station = station_at(g, replica.station)
    while replica.waiting > 0 and replica.busy < station.slots:
        c = replica.head
        call = call_at(g, c)
        replica.head = call.next
        replica.waiting -= 1
        start(g, c, call, r, replica, station, t)


@compiled
def _pool_next(g, r, e, t):
    apart()
    replica = replica_at(g, r)
    edge = edge_at(g, e)
    while replica.pool_waiting > 0 and replica.connections < edge.pool:
        c = replica.pool_head
        call = call_at(g, c)
        replica.pool_head = call.next
        replica.pool_waiting -= 1
        replica.connections += 1
        call.connected = 1
        call.place = layout.NEW
        deliver(g, c, call, edge, t)


@forced
def _own_done(g, r, t):
    """A replica's job with the least goal has done its own work."""
    replica = replica_at(g, r)
    share_advance(replica, t)
    c = share_take(g, replica)
    share_next(g, r, replica)
    call = call_at(g, c)
    replica.work += call.work
    record_latency(g, replica.station, layout.OWN, t - call.accepted)
    station = station_at(g, replica.station)
    e = station.edge
    if e < 0 or (call.kind > 0 and probe_at(g, call.kind).chain == 0):
        status = OK
        if station.database >= 0:
            status = commit(g, call.kind, call.index, call.request, station.database, t)
        if status != layout.WAITS:
            answer(g, c, call, status)
            return
        call.place = layout.COMMITTING
        call.next = g.joined
        g.joined += 1
        return
    if edge_at(g, e).sync == 1:
        call.place = layout.HOLDING
    else:
        replica.busy -= 1
        replica.ok += 1
        call.place = layout.FORWARDED
        end_connection(g, call)
        if replica.waiting > 0:
            agenda_add(g, START_NEXT, r, 0)
    issue_from_job(g, e, g.clients + r, c, call.lineage * 8, 0, t)


@forced
def _send(g, q, attempt, t):
    """A client's or prober's attempt: resolve, then issue."""
    request = request_at(g, q)
    p = request.kind
    if p == 0:
        owner = request.client
        region = resolve(g, cache_at(g, owner), t)
    else:
        owner = -1
        region = probe_at(g, p).region
        if region < 0:
            region = resolve(g, cache_at(g, g.clients + p), t)
    issue_from_client(g, owner, q, attempt, t, region)


@compiled
def _retry(g, h, t):
    """A back-off ends: issue the attempt its holder stands for."""
    apart()
    held = call_at(g, h)
    if held.parent < 0:
        _send(g, held.request, held.attempt, t)
    else:
        issue_from_job(g, held.edge, held.owner, held.parent, held.lineage, held.attempt, t)
    free_call(g, h, held.request)


@forced
def _due_ring(g, first, t):
    """Among rings of one kind due at the same instant, the one whose head has the least seq, -1: none is."""
    kind = ring_at(g, first).kind
    best = -1
    least = INF
    for i in range(first, g.ring_count):
        ring = ring_at(g, i)
        if ring.kind != kind:
            break
        if next_of(g, g.first_ring + i) != t:
            continue
        ring_settle(g, i)
        if next_of(g, g.first_ring + i) == t and head_of(ring).seq < least:
            least = head_of(ring).seq
            best = i
    return best


@compiled
def _deadline_ends(g, first, t):
    """A deadline of the kind of ring `first` has come, if one is alive; return whether one was."""
    i = _due_ring(g, first, t)
    if i < 0:
        return 0
    ring = ring_at(g, i)
    c = head_of(ring).call
    drop_head(ring)
    call = call_at(g, c)
    if ring.kind == layout.CALL_TIMEOUT:
        timeout(g, c, t)
    elif ring.kind == layout.QUEUE_PATIENCE:
        leave_queue(g, c)
        call.place = layout.OVER
        replica_at(g, call.replica).failed += 1
        agenda_add(g, RESULT, c, layout.QUEUE_TIMEOUT)
    elif ring.kind == layout.BACK_OFF:
        _retry(g, c, t)
    else:
        leave_pool(g, c)
        call.place = layout.NEW
        agenda_add(g, RESULT, c, layout.POOL_TIMEOUT)
    ring_settle(g, i)
    return 1


@compiled
def _probe_arrives(g, p, t):
    apart()
    probe = probe_at(g, p)
    index = probe.next
    probe.next = index + 1
    then = probe.phase + (index + 1) * probe.spacing
    set_next(g, g.first_arrival + p, then if then < probe.end else INF)
    _send(g, begin_request(g, p, index, t), 0, t)


@forced
def _load_arrives(g, t):
    index = g.arrival
    g.arrival = index + 1
    set_arrival(g)
    if index == g.next_drawn:
        draw_ahead(g)
    g.intended += 1
    if g.sending == 0:
        return
    g.sent += 1
    q = begin_request(g, 0, index, t)
    if g.trading == 0:
        finish(g, q, -1, -1, layout.DONE_FAILED, layout.STOPPED, t)
        free_request(g, q)
        return
    request_at(g, q).client = client_of(g, index)
    _send(g, q, 0, t)


@compiled
def _occur_rarely(g, source, t):
    """Perform an occurrence of the rarer kinds without its consequences; return whether there was one."""
    apart()
    if source < g.first_arrival:
        return _deadline_ends(g, source - g.first_ring, t)
    _probe_arrives(g, source - g.first_arrival, t)
    return 1


@forced
def _room(g):
    """How many occurrences fit everywhere, whatever they are.

    One of them makes at most one call and one request more, and a row. Requests that end are at most those alive now
    and those that come.
    """
    n = g.calls_n - g.live_calls - MARGIN
    n = min(n, g.requests_n - g.live_requests - MARGIN)
    n = min(n, g.finished_room - g.finished_used - g.live_requests - MARGIN)
    n = min(n, g.probed_room - g.probed_used - g.live_requests - MARGIN)
    return min(n, g.rows_room - g.rows_used - MARGIN)


@forced
def _play(g, limit, room):
    """Perform occurrences before a limit (time and source, packed), so many at most, or up to a watch."""
    sources = (1 << g.source_bits) - 1
    for _ in range(room):
        key = tree_at(g, 1)
        key = g.arrival_key if g.arrival_key < key else key
        if key >= limit:
            return
        t = key >> g.source_bits
        source = key & sources
        g.now = t
        g.events += 1
        if source < g.first_ring:
            _own_done(g, source, t)
        elif source == g.first_arrival:
            _load_arrives(g, t)
        elif _occur_rarely(g, source, t) == 0:
            g.events -= 1
        if g.agenda_tail > 0:
            run_agenda(g, t)
        if g.watch >= 0:
            return


@allocating
def advance(address, horizon):
    """Perform every occurrence strictly before the horizon; return why it stopped."""
    g = state_at(address)
    horizon = min(horizon, g.never)
    while g.watch < 0:
        room = _room(g)
        if room < LEAST_ROOM:
            return layout.FULL
        until = min(horizon, g.second_end)
        if not play_in_stages(g, until):
            _play(g, until << g.source_bits, room)
        if g.watch >= 0 or min(tree_at(g, 1), g.arrival_key) >> g.source_bits < until:
            continue
        if horizon < g.second_end:
            g.now = horizon
            return layout.HORIZON
        if not second_has_room(g):
            return layout.FULL
        flush_second(g)
    return layout.WATCH
