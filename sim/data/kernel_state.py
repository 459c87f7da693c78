"""Small moves on the kernel's state: tables, pools, rings, the tree of next occurrences, processor sharing.

`g` is the record of globals (layout.STATE); the functions named after things return the record of one of them.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.layout import CALL_TIMEOUT, FREE, IN_POOL, INF, QUEUE_PATIENCE, QUEUED
from sim.data.pointers import inside, load, quotient, record_at, store

state_at = record_at(layout.STATE)
_station = record_at(layout.STATION)
_replica = record_at(layout.REPLICA)
_edge = record_at(layout.EDGE)
_owner = record_at(layout.OWNER)
_cache = record_at(layout.CACHE)
_probe = record_at(layout.PROBE)
_database = record_at(layout.DATABASE)
_ring = record_at(layout.RING)
_entry = record_at(layout.ENTRY)
_job = record_at(layout.JOB)
_backoff = record_at(layout.BACKOFF)
_agenda = record_at(layout.AGENDA)
_call = record_at(layout.CALL)
_request = record_at(layout.REQUEST)


@forced
def station_at(g, s):
    return _station(g.stations, inside(s, g.stations_n))


@forced
def replica_at(g, r):
    return _replica(g.replicas, inside(r, g.replicas_n))


@forced
def edge_at(g, e):
    return _edge(g.edges, inside(e, g.edges_n))


@forced
def owner_at(g, o):
    """Budget and breaker of an owner: clients come first, then replicas."""
    return _owner(g.owners, inside(o, g.owners_n))


@forced
def cache_at(g, c):
    """DNS cache of a client; the probe classes' caches come after them."""
    return _cache(g.caches, inside(c, g.caches_n))


@forced
def probe_at(g, p):
    return _probe(g.probes, inside(p, g.probes_n))


@forced
def database_at(g, d):
    return _database(g.databases, inside(d, g.databases_n))


@forced
def ring_at(g, i):
    return _ring(g.rings, inside(i, g.rings_n))


@forced
def call_at(g, c):
    return _call(g.calls, inside(c, g.calls_n))


@forced
def request_at(g, q):
    return _request(g.requests, inside(q, g.requests_n))


# --- the next occurrence of each source, in a tree of minima of (time, source) packed into one number


@forced
def set_next(g, source, t):
    """Set when a source has its next occurrence."""
    key = INF
    if t < g.never:
        key = (t << g.source_bits) | source
    at = g.leaves + inside(source, g.leaves)
    store(g.tree, at, key)
    while at > 1:
        other = load(g.tree, at ^ 1)
        key = key if key < other else other
        at >>= 1
        store(g.tree, at, key)


@forced
def leaf_of(g, source):
    """Time and number of a source's next occurrence, packed."""
    return load(g.tree, g.leaves + inside(source, g.leaves))


# --- pools of calls and requests: free places are linked


@forced
def new_call(g):
    c = g.free_call
    g.free_call = call_at(g, c).next
    g.live_calls += 1
    return c


@forced
def free_call(g, c):
    call = call_at(g, c)
    q = call.request
    call.place = FREE
    call.seq = -1
    call.next = g.free_call
    g.free_call = c
    g.live_calls -= 1
    let_go(g, q)


@forced
def let_go(g, q):
    """One call less needs the request; a finished request without calls is free."""
    request = request_at(g, q)
    request.live -= 1
    if request.live == 0 and request.done == 1:
        free_request(g, q)


@forced
def new_request(g):
    q = g.free_request
    g.free_request = request_at(g, q).next
    g.live_requests += 1
    return q


@forced
def free_request(g, q):
    request_at(g, q).next = g.free_request
    g.free_request = q
    g.live_requests -= 1


@forced
def agenda_add(g, what, a, b):
    entry = _agenda(g.agenda, inside(g.agenda_tail & g.agenda_mask, g.agenda_n))
    entry.what = what
    entry.a = a
    entry.b = b
    g.agenda_tail += 1


@forced
def agenda_take(g):
    entry = _agenda(g.agenda, inside(g.agenda_head & g.agenda_mask, g.agenda_n))
    g.agenda_head += 1
    return entry


# --- rings of fixed delays: entries (deadline, seq, call) in order; an entry may have died meanwhile


@forced
def entry_at(ring, place):
    return _entry(ring.entries, inside(place, ring.most))


@forced
def entry_alive(g, ring, entry):
    call = call_at(g, entry.call)
    if call.seq != entry.seq:
        return False
    if ring.kind == CALL_TIMEOUT:
        return call.deadline == entry.deadline
    if ring.kind == QUEUE_PATIENCE:
        return call.place == QUEUED
    return call.place == IN_POOL


@compiled
def ring_clean(g, i):
    """Drop dead entries at the head of ring i; return whether one is left."""
    ring = ring_at(g, i)
    head = ring.head
    while head < ring.tail and not entry_alive(g, ring, entry_at(ring, head)):
        head += 1
    ring.head = head
    if head < ring.tail:
        return True
    ring.head = 0
    ring.tail = 0
    return False


@compiled
def ring_pack(g, i):
    """Move the entries alive to the front; use more of the table if they fill half of what is used now.

    The table has twice as many places as there are calls, and a call has at most one entry alive: it never fills.
    """
    ring = ring_at(g, i)
    kept = 0
    for place in range(ring.head, ring.tail):
        entry = entry_at(ring, place)
        if entry_alive(g, ring, entry):
            to = entry_at(ring, kept)
            to.deadline = entry.deadline
            to.seq = entry.seq
            to.call = entry.call
            kept += 1
    ring.head = 0
    ring.tail = kept
    while 2 * kept > ring.limit and ring.limit < ring.most:
        ring.limit = 2 * ring.limit if 2 * ring.limit < ring.most else ring.most


@forced
def ring_add(g, i, deadline, c):
    ring = ring_at(g, i)
    if ring.tail == ring.limit:
        ring_pack(g, i)
    if ring.head == ring.tail:
        set_next(g, g.first_ring + i, deadline)
    entry = entry_at(ring, ring.tail)
    entry.deadline = deadline
    entry.seq = call_at(g, c).seq
    entry.call = c
    ring.tail += 1


# --- back-offs: a binary heap of (time, seq, call that holds the place)


@compiled
def backoff_add(g, t, seq, c):
    n = g.backoffs_used
    g.backoffs_used = n + 1
    while n > 0:
        up = (n - 1) >> 1
        above = _backoff(g.backoffs, up)
        if above.at < t or (above.at == t and above.seq < seq):
            break
        _move(_backoff(g.backoffs, inside(n, g.backoffs_n)), above.at, above.seq, above.call)
        n = up
    _move(_backoff(g.backoffs, inside(n, g.backoffs_n)), t, seq, c)
    if n == 0:
        set_next(g, g.backoff_source, t)


@forced
def _move(to, at, seq, call):
    to.at = at
    to.seq = seq
    to.call = call


@compiled
def backoff_take(g):
    """Remove the first back-off; return its call, -1 if that died meanwhile (its caller was lost)."""
    first = _backoff(g.backoffs, 0)
    c = first.call
    held = call_at(g, c)
    if held.seq != first.seq or held.place != layout.BACKING_OFF:
        c = -1
    n = g.backoffs_used - 1
    g.backoffs_used = n
    last = _backoff(g.backoffs, inside(n, g.backoffs_n))
    t, seq, call = last.at, last.seq, last.call
    at = 0
    while True:
        down = 2 * at + 1
        if down >= n:
            break
        below = _backoff(g.backoffs, down)
        if down + 1 < n:
            other = _backoff(g.backoffs, down + 1)
            if other.at < below.at or (other.at == below.at and other.seq < below.seq):
                down += 1
                below = other
        if t < below.at or (t == below.at and seq < below.seq):
            break
        _move(_backoff(g.backoffs, at), below.at, below.seq, below.call)
        at = down
    _move(_backoff(g.backoffs, at), t, seq, call)
    set_next(g, g.backoff_source, first.at if n > 0 else INF)
    return c


# --- processor sharing: a heap of (goal, seq, call) for each replica


@forced
def share_advance(replica, t):
    """Bring a replica's virtual work up to t."""
    replica.virtual += (t - replica.last) * replica.speed
    replica.last = t


@forced
def share_speed(replica):
    n = replica.working
    if replica.cpu == 0 or n * 1000 <= replica.cpu:
        return 65536
    v = quotient(replica.cpu * 65536, n * 1000)
    return v if v > 1 else 1


@forced
def share_next(g, r, replica):
    """Recompute speed and next completion after a change at `replica.last`."""
    replica.speed = share_speed(replica)
    if replica.working == 0:
        replica.virtual = 0
        set_next(g, r, INF)
        return
    left = _job(g.jobs, r * g.jobs_each).goal - replica.virtual
    left = left if left > 0 else 0
    v = replica.speed
    wait = (left + 65535) >> 16 if v == 65536 else quotient(left + v - 1, v)
    set_next(g, r, replica.last + wait)


@forced
def share_add(g, r, replica, goal, seq, c):
    base = r * g.jobs_each
    n = replica.working
    replica.working = n + 1
    while n > 0:
        up = (n - 1) >> 1
        above = _job(g.jobs, base + up)
        if above.goal < goal or (above.goal == goal and above.seq < seq):
            break
        to = _job(g.jobs, inside(base + n, g.jobs_n))
        to.goal = above.goal
        to.seq = above.seq
        to.call = above.call
        n = up
    to = _job(g.jobs, inside(base + n, g.jobs_n))
    to.goal = goal
    to.seq = seq
    to.call = c


@forced
def share_take(g, r, replica):
    """Remove the job with the least (goal, seq); return its call."""
    base = r * g.jobs_each
    c = _job(g.jobs, base).call
    n = replica.working - 1
    replica.working = n
    last = _job(g.jobs, inside(base + n, g.jobs_n))
    goal, seq, call = last.goal, last.seq, last.call
    at = 0
    while True:
        down = 2 * at + 1
        if down >= n:
            break
        below = _job(g.jobs, base + down)
        if down + 1 < n:
            other = _job(g.jobs, base + down + 1)
            if other.goal < below.goal or (other.goal == below.goal and other.seq < below.seq):
                down += 1
                below = other
        if goal < below.goal or (goal == below.goal and seq < below.seq):
            break
        to = _job(g.jobs, base + at)
        to.goal = below.goal
        to.seq = below.seq
        to.call = below.call
        at = down
    to = _job(g.jobs, base + at)
    to.goal = goal
    to.seq = seq
    to.call = call
    return c
