"""How a call ends: queues left, breakers, answers, results, retries, timeouts (data-plane page, section 3).

`g` is the record of globals, `c` and `call` a call, `q` and `request` its request, `r` a replica, `t` the clock.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.kernel_calls import count_connection, new_attempt
from sim.data.kernel_draws import back_off_of
from sim.data.kernel_record import record_latency, write_finished, write_probed
from sim.data.kernel_state import (
    agenda_add,
    call_at,
    edge_at,
    free_call,
    heap_add,
    let_go,
    owner_at,
    replica_at,
    request_at,
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
    OK,
    ONE_CONNECTION,
    OPEN,
    POOL_NEXT,
    RESULT,
    START_NEXT,
    TIMEOUT,
)
from sim.data.pointers import apart, numbers

_window, _set_window = numbers("windows", "u1")


@forced
def _before(g, head, c):
    """Call before c in a queue, -1 at its head."""
    before = -1
    at = head
    while at != c:
        before = at
        at = call_at(g, at).next
    return before


@compiled
def leave_pool(g, c):
    """Take a call out of its replica's queue of calls that wait for a connection."""
    call = call_at(g, c)
    replica = replica_at(g, call.owner - g.clients)
    before = _before(g, replica.pool_head, c)
    if before < 0:
        replica.pool_head = call.next
    else:
        call_at(g, before).next = call.next
    if replica.pool_tail == c:
        replica.pool_tail = before
    replica.pool_waiting -= 1


@compiled
def leave_queue(g, c):
    """Take a job out of its replica's queue."""
    call = call_at(g, c)
    replica = replica_at(g, call.replica)
    before = _before(g, replica.head, c)
    if before < 0:
        replica.head = call.next
    else:
        call_at(g, before).next = call.next
    if replica.tail == c:
        replica.tail = before
    replica.waiting -= 1


@forced
def end_connection(g, call):
    """The call is no longer outstanding for the balancer."""
    if call.connection >= 0:
        count_connection(g, call.edge, call.connection, -ONE_CONNECTION)
        call.connection = -1


@forced
def _release_connection(g, call):
    """Give a connection back to the pool; the next call that waits for it gets it."""
    if call.connected == 1:
        call.connected = 0
        r = call.owner - g.clients
        replica = replica_at(g, r)
        replica.connections -= 1
        if replica.pool_waiting > 0:
            agenda_add(g, POOL_NEXT, r, call.edge)


@forced
def _breaker_record(g, call, edge, failed, t):
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
    at = call.owner * g.window_each + owner.place
    if owner.results == edge.window:
        owner.failures -= _window(g, at)
    else:
        owner.results += 1
    _set_window(g, at, failed)
    owner.failures += failed
    owner.place = owner.place + 1 if owner.place + 1 < edge.window else 0
    if owner.results == edge.window and owner.failures * 1000 >= edge.threshold * edge.window:
        owner.breaker = OPEN
        owner.until = t + edge.open_time
        owner.results = 0
        owner.failures = 0
        owner.place = 0


@forced
def answer(g, c, call, status):
    """A job answers: its slot is freed, the next may start, the result goes to the caller."""
    r = call.replica
    replica = replica_at(g, r)
    replica.busy -= 1
    call.place = layout.OVER
    call.child = -1
    if status == OK:
        replica.ok += 1
    else:
        replica.failed += 1
    if replica.waiting > 0:
        agenda_add(g, START_NEXT, r, 0)
    agenda_add(g, RESULT, c, status)


@forced
def result(g, c, status, t):
    """RESULT(c, status) of the agenda."""
    call = call_at(g, c)
    q = call.request
    if call.detached == 1:
        _release_connection(g, call)
        free_call(g, c, q)
        return
    edge = edge_at(g, call.edge)
    call.deadline = 0
    end_connection(g, call)
    _release_connection(g, call)
    if status != BREAKER:
        _breaker_record(g, call, edge, 0 if status == OK else 1, t)
        if call.station >= 0:
            record_latency(g, call.station, CALLER, t - call.issued)
    parent = call.parent
    if status != OK:
        _caller_failed(g, call, edge, status, call.replica, t)
    elif parent < 0:
        finish(g, q, call.station, call.replica, layout.DONE_OK, OK, t)
    else:
        caller = call_at(g, parent)
        if caller.place == FORWARDED:
            agenda_add(g, RESULT, parent, OK)
        else:
            answer(g, parent, caller, OK)
    free_call(g, c, q)


@forced
def _may_retry(g, call, edge, status):
    """Whether policy and budget allow another attempt; takes the budget's tokens."""
    if call.owner < 0 or status == BREAKER or call.attempt >= edge.retries:
        return False
    if edge.budget < 0:
        return True
    owner = owner_at(g, call.owner)
    if owner.tokens < 1000:
        return False
    owner.tokens -= 1000
    return True


@compiled
def _caller_failed(g, call, edge, status, replica, t):
    """A failed attempt: try again if policy and budget allow, else tell the caller."""
    apart()
    parent = call.parent
    request = request_at(g, call.request)
    if status == TIMEOUT and parent < 0:
        request.timed_out = 1
    if _may_retry(g, call, edge, status):
        _retry_later(g, call, edge, t)
    elif parent < 0:
        outcome = layout.DONE_UNKNOWN if request.timed_out == 1 else layout.DONE_FAILED
        finish(g, call.request, call.station, replica, outcome, status, t)
    else:
        caller = call_at(g, parent)
        if caller.place == FORWARDED:
            agenda_add(g, RESULT, parent, status)
        else:
            answer(g, parent, caller, CALLEE_FAILED)


@forced
def _retry_later(g, call, edge, t):
    """Hold the place of the next attempt until its back-off ends."""
    attempt = call.attempt + 1
    parent = call.parent
    lineage = attempt if parent < 0 else call_at(g, parent).lineage * 8 + attempt
    seq = g.seq
    h = new_attempt(g, call.edge, call.owner, parent, call.request, call.kind, call.index, lineage, attempt, t)
    g.seq = seq
    held = call_at(g, h)
    held.seq = call.seq
    held.place = BACKING_OFF
    if parent >= 0:
        call_at(g, parent).child = h
    wait = back_off_of(g, call, lineage, edge.backoff << (attempt - 1))
    heap_add(g, g.backoff_ring, h, t + wait, call.seq)


@compiled
def finish(g, q, station, replica, outcome, status, t):
    """A request ends as its sender sees it; its last call was for that station and delivered to that replica."""
    request = request_at(g, q)
    request.done = 1
    if request.kind == 0:
        write_finished(g, request, outcome, status, t)
    else:
        write_probed(g, request, station, replica, outcome, status, t)


@compiled
def detach(g, c):
    """The caller is lost: the job goes on for nothing; what has not reached a job is over."""
    call = call_at(g, c)
    call.detached = 1
    call.deadline = 0
    end_connection(g, call)
    call.connected = 0
    if call.place == IN_POOL or call.place == HANGING or call.place == BACKING_OFF:
        free_call(g, c, call.request)


@compiled
def timeout(g, c, t):
    """The caller's patience ends: it stops listening, the job goes on for nothing."""
    call = call_at(g, c)
    q = call.request
    edge = edge_at(g, call.edge)
    request = request_at(g, q)
    if call.station >= 0:
        record_latency(g, call.station, CALLER, t - call.issued)
    _breaker_record(g, call, edge, 1, t)
    call.deadline = 0
    request.live += 1  # it must outlive its last call while the caller's side is settled
    end_connection(g, call)
    waited = call.place == IN_POOL
    if waited:
        leave_pool(g, c)
    _release_connection(g, call)
    _caller_failed(g, call, edge, TIMEOUT, -1, t)
    call.detached = 1
    if waited or call.place == HANGING:
        free_call(g, c, q)
    let_go(g, q)
