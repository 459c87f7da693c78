"""Requests from their arrival to their row: the next one due, its place, its address, its commit.

`g` is the record of globals, `q` a request, `t` the clock.
"""

from sim.data import layout
from sim.data.compiled import forced
from sim.data.kernel_record import write_commit
from sim.data.kernel_state import database_at, new_request, probe_at, request_at
from sim.data.layout import INF, OK
from sim.data.pointers import numbers

arrival_at, _ = numbers("arrivals")
_position, _set_position = numbers("positions")


@forced
def set_arrival(g):
    """Set when the next class-0 request arrives."""
    at = g.arrival - g.arrival_first
    key = INF
    if at < g.arrivals_fed:
        t = arrival_at(g, at)
        if t < g.never:
            key = (t << g.source_bits) | g.first_arrival
    g.arrival_key = key


@forced
def begin_request(g, p, index, t):
    """Take a place for a request of class p and fill it in."""
    q = new_request(g)
    request = request_at(g, q)
    request.index = index
    request.intended = t
    request.kind = p
    request.attempts = 0
    request.timed_out = 0
    request.live = 0
    request.done = 0
    request.client = -1
    for d in range(g.database_count):
        _set_position(g, d * g.requests_n + q, 0)
    return q


@forced
def resolve(g, cache, t):
    """Region that a DNS cache leads to, refreshed when its time is over."""
    if cache.ignores == 0 and t >= cache.expiry:
        cache.region = g.dns
        cache.expiry = t + g.ttl
    return cache.region


@forced
def _present(g, q, d):
    """Whether the request's key is in the timeline of database d."""
    if _position(g, d * g.requests_n + q) > 0:
        return True
    old = database_at(g, d).origin
    return old >= 0 and 0 < _position(g, old * g.requests_n + q) <= database_at(g, d).forked


@forced
def commit(g, kind, index, q, d, t):
    """Write the row; the status to answer with, or WAITS while the commit gate is closed."""
    if kind > 0 and probe_at(g, kind).writes == 0:
        return OK
    database = database_at(g, d)
    if database.writable == 0:
        return layout.READ_ONLY
    if g.idempotent == 1 and _present(g, q, d):
        return OK
    wal = database.wal + 1
    database.wal = wal
    _set_position(g, d * g.requests_n + q, wal)
    write_commit(g, index if kind == 0 else -1 - (kind << 40) - index, d, wal, t)
    return OK if database.gate == 1 else layout.WAITS
