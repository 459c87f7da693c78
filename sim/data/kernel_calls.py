"""What happens to a call: issue, deliver, accept, start, answer, result, timeout (data-plane page, section 3).

`g` is the record of globals, `c` and `call` a call, `q` and `request` its request, `r` a replica, `t` the clock.
"""

import math

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.draws import attempt_key, exponential, normal, uniform
from sim.data.kernel_record import record_latency, write_finished, write_probed
from sim.data.kernel_state import (
    agenda_add,
    backoff_add,
    call_at,
    edge_at,
    free_call,
    let_go,
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
    BACKING_OFF,
    BREAKER,
    CALLEE_FAILED,
    CALLER,
    CLOSED,
    FORWARDED,
    HALF_OPEN,
    HANGING,
    IN_POOL,
    NO_ADDRESS,
    NO_ENDPOINT,
    OK,
    OPEN,
    POOL_FULL,
    POOL_NEXT,
    QUEUE_FULL,
    QUEUED,
    REFUSED,
    RESULT,
    START_NEXT,
    TIMEOUT,
    WORKING,
)
from sim.data.pointers import inside, load, load_byte, load_key, store, store_byte


@compiled
def issue(g, e, owner, parent, q, lineage, attempt, t, region):
    """Issue an attempt; `region` is the resolved address of a client's call (-1: none)."""
    c = new_call(g)
    call = call_at(g, c)
    request = request_at(g, q)
    edge = edge_at(g, e)
    call.seq = g.seq
    g.seq += 1
    call.issued = t
    call.deadline = 0
    call.lineage = lineage
    call.request = q
    call.edge = e
    call.owner = owner
    call.parent = parent
    call.child = -1
    call.replica = -1
    call.outstanding = -1
    call.station = -1
    call.attempt = attempt
    call.place = layout.NEW
    call.detached = 0
    call.connected = 0
    call.trial = 0
    request.live += 1
    if parent >= 0:
        call_at(g, parent).child = c
    else:
        request.attempts += 1
        if request.kind == 0:
            g.attempts += 1
    if owner >= 0 and not _admitted(g, call, edge, attempt, t):
        agenda_add(g, RESULT, c, BREAKER)
        return
    wait = edge.timeout
    ring = g.first_timeout + e
    if e > 0:
        call.station = edge.target
    elif region < 0:
        agenda_add(g, RESULT, c, NO_ADDRESS)
        return
    elif request.kind == 0:
        call.station = load(g.entry_stations, inside(region, g.entry_stations_n))
    else:
        p = request.kind
        call.station = load(g.probe_stations, inside(p * g.region_count + region, g.probe_stations_n))
        wait = probe_at(g, p).timeout
        ring = g.first_timeout + g.edge_count + p
    if wait > 0:
        call.deadline = t + wait
        ring_add(g, ring, t + wait, c)
    if edge.pool > 0 and e > 0:
        _take_connection(g, c, call, edge, t)
    else:
        deliver(g, c, call, t)


@forced
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
def _take_connection(g, c, call, edge, t):
    replica = replica_at(g, call.owner - g.clients)
    if replica.connections < edge.pool:
        replica.connections += 1
        call.connected = 1
        deliver(g, c, call, t)
    elif replica.pool_waiting < edge.pool_queue:
        call.place = IN_POOL
        call.next = -1
        if replica.pool_waiting == 0:
            replica.pool_head = c
        else:
            call_at(g, replica.pool_tail).next = c
        replica.pool_tail = c
        replica.pool_waiting += 1
        if edge.pool_patience > 0:
            ring_add(g, call.edge, t + edge.pool_patience, c)
    else:
        agenda_add(g, RESULT, c, POOL_FULL)


@forced
def _outstanding(g, e, r):
    return load(g.outstanding, inside(e * g.replica_count + r, g.outstanding_n))


@forced
def _count_outstanding(g, e, r, change):
    at = inside(e * g.replica_count + r, g.outstanding_n)
    store(g.outstanding, at, load(g.outstanding, at) + change)


@forced
def _listed(g, station, place):
    return load(g.listed, inside(station.first + place, g.listed_n))


@compiled
def _least_connected(g, e, station):
    """Listed replica with the fewest outstanding calls of the edge."""
    best = _listed(g, station, 0)
    least = _outstanding(g, e, best)
    for i in range(1, station.listed):
        r = _listed(g, station, i)
        n = _outstanding(g, e, r)
        if n < least:
            least = n
            best = r
    return best


@forced
def _drawn_replica(g, key, n, station):
    i = int(uniform(key, n) * station.listed)
    return _listed(g, station, i if i < station.listed else station.listed - 1)


@forced
def _pick(g, call, edge, s, station):
    """Replica chosen by the edge's balancer among the listed ones of a station that has some."""
    e = call.edge
    if edge.balancer == layout.BY_TURNS:
        at = inside(e * g.station_count + s, g.turns_n)
        turn = load(g.turns, at)
        store(g.turns, at, turn + 1)
        return _listed(g, station, turn % station.listed)
    if edge.balancer == layout.BY_CONNECTIONS:
        return _least_connected(g, e, station)
    request = request_at(g, call.request)
    key = load_key(g.pick_keys, inside(request.kind * g.edge_count + e, g.pick_keys_n))
    key = attempt_key(key, call.lineage)
    a = _drawn_replica(g, key, 2 * request.index, station)
    if edge.balancer == layout.BY_RANDOM:
        return a
    b = _drawn_replica(g, key, 2 * request.index + 1, station)
    return b if _outstanding(g, e, b) < _outstanding(g, e, a) else a


@forced
def deliver(g, c, call, t):
    e = call.edge
    edge = edge_at(g, e)
    if e > 0:
        call.station = edge.target
    s = call.station
    station = station_at(g, s)
    if edge.cut == 1:
        call.place = HANGING
        return
    if station.listed == 0:
        agenda_add(g, RESULT, c, NO_ENDPOINT)
        return
    r = _pick(g, call, edge, s, station)
    call.replica = r
    if edge.counted == 1:
        call.outstanding = r
        _count_outstanding(g, e, r, 1)
    replica = replica_at(g, r)
    replica.delivered += 1
    if replica.state == layout.SERVING:
        _accept(g, c, call, r, replica, station, t)
    elif replica.state == layout.REFUSING:
        agenda_add(g, RESULT, c, REFUSED)
    else:
        call.place = HANGING


@forced
def _accept(g, c, call, r, replica, station, t):
    call.accepted = t
    if replica.busy < station.slots:
        replica.accepted += 1
        start(g, c, call, r, replica, station, t)
    elif replica.waiting < station.queue_capacity:
        replica.accepted += 1
        call.place = QUEUED
        call.next = -1
        if replica.waiting == 0:
            replica.head = c
        else:
            call_at(g, replica.tail).next = c
        replica.tail = c
        replica.waiting += 1
        if station.queue_patience > 0:
            ring_add(g, g.edge_count + call.station, t + station.queue_patience, c)
    else:
        replica.failed += 1
        agenda_add(g, RESULT, c, QUEUE_FULL)


@forced
def _work_of(g, call, replica, station, t):
    """Own work in ns, with the slowdown and warmth of this instant."""
    w = int(station.work_scale)
    if station.work_kind == 1 or station.work_sigma != 0.0:
        request = request_at(g, call.request)
        key = load_key(g.work_keys, inside(request.kind * g.station_count + call.station, g.work_keys_n))
        key = attempt_key(key, call.lineage)
        if station.work_kind == 1:
            w = int(station.work_scale * exponential(key, request.index))
        else:
            w = int(station.work_scale * math.exp(station.work_sigma * normal(key, request.index)))
    w = w if w > 1 else 1
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
    replica.busy += 1
    call.place = WORKING
    w = _work_of(g, call, replica, station, t)
    call.work = w
    share_advance(replica, t)
    share_add(g, r, replica, replica.virtual + w * 65536, call.seq, c)
    share_next(g, r, replica)


@compiled
def leave_pool(g, c):
    """Take a call out of its replica's list of calls that wait for a connection."""
    replica = replica_at(g, call_at(g, c).owner - g.clients)
    before = _before(g, replica.pool_head, c)
    after = call_at(g, c).next
    if before < 0:
        replica.pool_head = after
    else:
        call_at(g, before).next = after
    if replica.pool_tail == c:
        replica.pool_tail = before
    replica.pool_waiting -= 1


@compiled
def leave_queue(g, c):
    """Take a job out of its replica's queue."""
    replica = replica_at(g, call_at(g, c).replica)
    before = _before(g, replica.head, c)
    after = call_at(g, c).next
    if before < 0:
        replica.head = after
    else:
        call_at(g, before).next = after
    if replica.tail == c:
        replica.tail = before
    replica.waiting -= 1


@forced
def _before(g, head, c):
    """Call before c in a list, -1 at its head."""
    before = -1
    at = head
    while at != c:
        before = at
        at = call_at(g, at).next
    return before


@forced
def outstanding_over(g, call):
    if call.outstanding >= 0:
        _count_outstanding(g, call.edge, call.outstanding, -1)
        call.outstanding = -1


@forced
def _release_connection(g, call):
    if call.connected == 1:
        call.connected = 0
        r = call.owner - g.clients
        replica_at(g, r).connections -= 1
        agenda_add(g, POOL_NEXT, r, call.edge)


@forced
def _breaker_record(g, call, failed, t):
    edge = edge_at(g, call.edge)
    if edge.window > 0 and call.owner >= 0:
        _breaker_count(g, call, edge, failed, t)


@compiled
def _breaker_count(g, call, edge, failed, t):
    owner = owner_at(g, call.owner)
    if owner.breaker != CLOSED:
        if call.trial == 1 and owner.breaker == HALF_OPEN:
            owner.breaker = OPEN if failed == 1 else CLOSED
            owner.until = t + edge.open_time
        return
    at = inside(call.owner * g.window_each + owner.place, g.windows_n)
    if owner.results == edge.window:
        owner.failures -= load_byte(g.windows, at)
    else:
        owner.results += 1
    store_byte(g.windows, at, failed)
    owner.failures += failed
    owner.place = owner.place + 1 if owner.place + 1 < edge.window else 0
    if owner.results == edge.window and owner.failures * 1000 >= edge.threshold * edge.window:
        owner.breaker = OPEN
        owner.until = t + edge.open_time
        owner.results = 0
        owner.failures = 0
        owner.place = 0


@forced
def answer(g, c, status):
    """A job answers: its slot is freed, the next may start, the result goes to the caller."""
    call = call_at(g, c)
    r = call.replica
    replica = replica_at(g, r)
    replica.busy -= 1
    call.place = layout.OVER
    call.child = -1
    if status == OK:
        replica.ok += 1
    else:
        replica.failed += 1
    agenda_add(g, START_NEXT, r, 0)
    agenda_add(g, RESULT, c, status)


@forced
def result(g, c, status, t):
    """RESULT(c, status) of the agenda."""
    call = call_at(g, c)
    if call.detached == 1:
        _release_connection(g, call)
        free_call(g, c)
        return
    call.deadline = 0
    outstanding_over(g, call)
    _release_connection(g, call)
    if status != BREAKER:
        _breaker_record(g, call, 0 if status == OK else 1, t)
        if call.station >= 0:
            record_latency(g, call.station, CALLER, t - call.issued)
    _note_server(g, call, call.replica)
    if status == OK:
        _caller_ok(g, call, t)
    else:
        _caller_failed(g, call, status, t)
    free_call(g, c)


@forced
def _note_server(g, call, replica):
    """A client's call remembers who answered."""
    if call.parent < 0:
        request = request_at(g, call.request)
        request.station = call.station
        request.replica = replica


@forced
def _caller_ok(g, call, t):
    parent = call.parent
    if parent < 0:
        finish(g, call.request, layout.DONE_OK, OK, t)
    elif call_at(g, parent).place == FORWARDED:
        agenda_add(g, RESULT, parent, OK)
    else:
        answer(g, parent, OK)


@forced
def _may_retry(g, call, status):
    """Whether policy and budget allow another attempt; takes the budget's tokens."""
    if call.owner < 0 or status == BREAKER:
        return False
    edge = edge_at(g, call.edge)
    if call.attempt >= edge.retries:
        return False
    if edge.budget < 0:
        return True
    owner = owner_at(g, call.owner)
    if owner.tokens < 1000:
        return False
    owner.tokens -= 1000
    return True


@compiled
def _caller_failed(g, call, status, t):
    """A failed attempt: try again if policy and budget allow, else tell the caller."""
    parent = call.parent
    request = request_at(g, call.request)
    if status == TIMEOUT and parent < 0:
        request.timed_out = 1
    if _may_retry(g, call, status):
        _retry_later(g, call, t)
    elif parent < 0:
        outcome = layout.DONE_UNKNOWN if request.timed_out == 1 else layout.DONE_FAILED
        finish(g, call.request, outcome, status, t)
    elif call_at(g, parent).place == FORWARDED:
        agenda_add(g, RESULT, parent, status)
    else:
        answer(g, parent, CALLEE_FAILED)


@forced
def _retry_later(g, call, t):
    """Hold the place of the next attempt until its back-off ends."""
    h = new_call(g)
    held = call_at(g, h)
    attempt = call.attempt + 1
    parent = call.parent
    lineage = attempt if parent < 0 else call_at(g, parent).lineage * 8 + attempt
    held.seq = call.seq
    held.issued = t
    held.deadline = 0
    held.lineage = lineage
    held.request = call.request
    held.edge = call.edge
    held.owner = call.owner
    held.parent = parent
    held.child = -1
    held.replica = -1
    held.outstanding = -1
    held.station = -1
    held.attempt = attempt
    held.place = BACKING_OFF
    held.detached = 0
    held.connected = 0
    held.trial = 0
    request = request_at(g, call.request)
    request.live += 1
    if parent >= 0:
        call_at(g, parent).child = h
    key = load_key(g.backoff_keys, inside(request.kind * g.edge_count + call.edge, g.backoff_keys_n))
    longest = edge_at(g, call.edge).backoff << (attempt - 1)
    wait = int(uniform(attempt_key(key, lineage), request.index) * longest)
    backoff_add(g, t + wait, call.seq, h)


@forced
def finish(g, q, outcome, status, t):
    """A request ends as its sender sees it."""
    request = request_at(g, q)
    request.done = 1
    if request.kind == 0:
        write_finished(g, q, outcome, status, t)
    else:
        write_probed(g, q, outcome, status, t)


@compiled
def detach(g, c):
    """The caller is lost: the job goes on for nothing; what has not reached a job is over."""
    call = call_at(g, c)
    call.detached = 1
    call.deadline = 0
    outstanding_over(g, call)
    call.connected = 0
    if call.place == IN_POOL or call.place == HANGING or call.place == BACKING_OFF:
        free_call(g, c)


@compiled
def timeout(g, c, t):
    """The caller's patience ends: it stops listening, the job goes on for nothing."""
    call = call_at(g, c)
    q = call.request
    request = request_at(g, q)
    if call.station >= 0:
        record_latency(g, call.station, CALLER, t - call.issued)
    _note_server(g, call, -1)
    _breaker_record(g, call, 1, t)
    call.deadline = 0
    request.live += 1  # it must outlive its last call while the caller's side is settled
    outstanding_over(g, call)
    waited = call.place == IN_POOL
    if waited:
        leave_pool(g, c)
    _release_connection(g, call)
    _caller_failed(g, call, TIMEOUT, t)
    call.detached = 1
    if waited or call.place == HANGING:
        free_call(g, c)
    let_go(g, q)
