"""Small moves on the kernel's state: free places, deadlines, the tree of next occurrences, processor sharing.

`g` is the record of globals (layout.STATE); the functions named after things return the record of one of them.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.layout import CALL_TIMEOUT, FREE, INF, LANES
from sim.data.pointers import Struct, apart, lanes, numbers, quotient, records, records_of, trailing_zeros

station_at = records("stations", Struct("station", layout.STATION))
replica_at = records("replicas", Struct("replica", layout.REPLICA))
edge_at = records("edges", Struct("edge", layout.EDGE))
owner_at = records("owners", Struct("owner", layout.OWNER))  # budget and breaker: of clients, then of replicas
cache_at = records("caches", Struct("cache", layout.CACHE))  # DNS: of clients, then of probe classes
probe_at = records("probes", Struct("probe", layout.PROBE))
database_at = records("databases", Struct("database", layout.DATABASE))
call_at = records("calls", Struct("call", layout.CALL))
request_at = records("requests", Struct("request", layout.REQUEST))
ring_at = records("rings", Struct("ring", layout.RING))
entry_of = records_of("entries", "most", Struct("entry", layout.ENTRY))
agenda_at = records("agenda", Struct("agenda", layout.AGENDA))
tree_at, set_tree = numbers("tree")
job_goal, _set_goal = numbers("goals")
least_but, equal_but = lanes("goals")
job_at, _set_job = numbers("jobs", "i4")

LEVELS = 7


# --- the next occurrence of each source, in a tree of minima of (time, source) packed into one number


@forced
def set_next(g, source, t):
    """Set when a source has its next occurrence."""
    key = (t << g.source_bits) | source if t < g.never else INF
    at = g.leaves + source
    set_tree(g, at, key)
    for _ in range(LEVELS):
        other = tree_at(g, at ^ 1)
        key = key if key < other else other
        at >>= 1
        set_tree(g, at, key)
    while at > 1:
        other = tree_at(g, at ^ 1)
        key = key if key < other else other
        at >>= 1
        set_tree(g, at, key)


@forced
def next_of(g, source):
    """When a source has its next occurrence, at the earliest."""
    return tree_at(g, g.leaves + source) >> g.source_bits


# --- free places of calls and requests are linked


@forced
def new_call(g):
    c = g.free_call
    g.free_call = call_at(g, c).next
    g.live_calls += 1
    return c


@forced
def free_call(g, c, q):
    """A call of request q is over."""
    call = call_at(g, c)
    call.place = FREE
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
    entry = agenda_at(g, g.agenda_tail & g.agenda_mask)
    entry.what = what
    entry.a = a
    entry.b = b
    g.agenda_tail += 1


# --- rings of deadlines: entries (deadline, seq, call) in that order where all wait equally long, else a binary heap
# --- from place 0 on. An entry may have died meanwhile. The tree may know too early a time for a ring, never too late.


@forced
def head_of(ring):
    return entry_of(ring, ring.head)


@forced
def _alive(g, ring, entry):
    call = call_at(g, entry.call)
    if call.seq != entry.seq:
        return False
    if ring.kind == CALL_TIMEOUT:
        return call.deadline == entry.deadline
    return call.place == ring.place


@forced
def _move_entry(to, deadline, seq, call):
    to.deadline = deadline
    to.seq = seq
    to.call = call


@compiled
def _pack(g, ring):
    """Move the entries alive to the front; use more of the table if they fill half of what is used now.

    The table has twice as many places as there are calls, and a call has at most one entry alive: it never fills.
    """
    apart()
    kept = 0
    for place in range(ring.head, ring.tail):
        entry = entry_of(ring, place)
        if _alive(g, ring, entry):
            deadline, seq, c = entry.deadline, entry.seq, entry.call
            to = _risen(ring, kept, deadline, seq) if ring.heap == 1 else kept
            _move_entry(entry_of(ring, to), deadline, seq, c)
            kept += 1
    ring.head = 0
    ring.tail = kept
    while 2 * kept > ring.limit and ring.limit < ring.most:
        ring.limit = min(2 * ring.limit, ring.most)


@forced
def ring_add(g, i, c, deadline, seq):
    """Add a deadline of call c to ring i; of equal deadlines the one with the least seq comes first."""
    ring = ring_at(g, i)
    if ring.tail == ring.limit:
        _pack(g, ring)
    place = ring.tail
    ring.tail = place + 1
    if place == ring.head:
        _ring_begins(g, i, deadline)
    elif entry_of(ring, place - 1).deadline == deadline:
        place = _place_by_seq(ring, place, deadline, seq)
    _move_entry(entry_of(ring, place), deadline, seq, c)


@compiled
def _ring_begins(g, i, deadline):
    apart()
    if next_of(g, g.first_ring + i) > deadline:
        set_next(g, g.first_ring + i, deadline)


@compiled
def _place_by_seq(ring, place, deadline, seq):
    """Move the entries with this deadline and a greater seq one place on; return the place that is free."""
    apart()
    while place > ring.head:
        before = entry_of(ring, place - 1)
        if before.deadline < deadline or before.seq < seq:
            break
        _move_entry(entry_of(ring, place), before.deadline, before.seq, before.call)
        place -= 1
    return place


@compiled
def heap_add(g, i, c, deadline, seq):
    """Add a deadline of call c to ring i, whose deadlines come in any order."""
    apart()
    ring = ring_at(g, i)
    if ring.tail == ring.limit:
        _pack(g, ring)
    _ring_begins(g, i, deadline)
    place = _risen(ring, ring.tail, deadline, seq)
    ring.tail += 1
    _move_entry(entry_of(ring, place), deadline, seq, c)


@forced
def _comes_first(entry, deadline, seq):
    return entry.deadline < deadline or (entry.deadline == deadline and entry.seq < seq)


@compiled
def _risen(ring, place, deadline, seq):
    """Move what comes later down, from a heap's last place on, which is free; return the place that is free then."""
    apart()
    while place > 0:
        up = (place - 1) >> 1
        above = entry_of(ring, up)
        if _comes_first(above, deadline, seq):
            break
        _move_entry(entry_of(ring, place), above.deadline, above.seq, above.call)
        place = up
    return place


@compiled
def _drop_first(ring):
    """Take the first entry out of a heap: the last one takes its place, then goes down."""
    apart()
    n = ring.tail - 1
    ring.tail = n
    last = entry_of(ring, n)
    place = 0
    while 2 * place + 1 < n:
        down = 2 * place + 1
        below = entry_of(ring, down)
        if down + 1 < n and _comes_first(entry_of(ring, down + 1), below.deadline, below.seq):
            down += 1
            below = entry_of(ring, down)
        if not _comes_first(below, last.deadline, last.seq):
            break
        _move_entry(entry_of(ring, place), below.deadline, below.seq, below.call)
        place = down
    _move_entry(entry_of(ring, place), last.deadline, last.seq, last.call)


@forced
def drop_head(ring):
    if ring.heap == 1:
        _drop_first(ring)
    else:
        ring.head += 1


@compiled
def ring_settle(g, i):
    """Drop dead entries at the head of ring i and tell the tree when the first one alive is due."""
    ring = ring_at(g, i)
    while ring.head < ring.tail and not _alive(g, ring, head_of(ring)):
        drop_head(ring)
    if ring.head < ring.tail:
        set_next(g, g.first_ring + i, head_of(ring).deadline)
    else:
        ring.head = 0
        ring.tail = 0
        set_next(g, g.first_ring + i, INF)


# --- processor sharing: the jobs of a replica that work, in no order, and which of them is done first


@forced
def share_advance(replica, t):
    """Bring a replica's virtual work up to t."""
    replica.virtual += (t - replica.last) * replica.speed
    replica.last = t


@forced
def share_next(g, r, replica):
    """Recompute speed and next completion after a change at `replica.last`."""
    n = replica.working
    if n == 0:
        replica.virtual = 0
        replica.speed = 65536
        replica.least = INF
        set_next(g, r, INF)
        return
    left = replica.least - replica.virtual
    left = left if left > 0 else 0
    wait = (left + 65535) >> 16
    v = 65536
    if n > replica.full:
        v = quotient(replica.cpu * 65536, n * 1000)
        v = v if v > 1 else 1
        wait = quotient(left + v - 1, v)
    replica.speed = v
    set_next(g, r, replica.last + wait)


@forced
def share_add(g, replica, goal, seq, c):
    """A job begins to work; it is done at a goal of virtual work."""
    n = replica.working
    replica.working = n + 1
    _set_goal(g, replica.jobs + n, goal)
    _set_job(g, replica.jobs + n, c)
    first = goal < replica.least
    if goal == replica.least:
        first = seq < call_at(g, job_at(g, replica.jobs + replica.top)).seq
    replica.least = goal if first else replica.least  # not a branch: it would be guessed wrongly half the time
    replica.top = n if first else replica.top


@forced
def share_take(g, replica):
    """Remove the job with the least (goal, seq); return its call.

    The next one is looked for before anything is moved: goals that were just written cannot be read many at a time
    without waiting for them.
    """
    first = replica.jobs
    top = first + replica.top
    last = first + replica.working - 1
    c = job_at(g, top)
    replica.working -= 1
    if last > first:
        found = _next_top(g, replica, first, top, last)
        replica.top = (top if found == last else found) - first
        _set_goal(g, top, job_goal(g, last))
        _set_job(g, top, job_at(g, last))
    _set_goal(g, last, INF)
    return c


@forced
def _next_top(g, replica, first, top, last):
    """Find the place, from first to last, of the job with the least (goal, seq) but the one at the top."""
    if last - first >= LANES:
        return _next_top_of_many(g, replica, first, top, last)
    least = least_but(g, first, top)
    lanes = equal_but(g, first, top, least)
    replica.least = least
    if (lanes & (lanes - 1)) != 0:
        return _first_of_equals(g, first, top, last, least)
    return first + trailing_zeros(lanes)


@compiled
def _next_top_of_many(g, replica, first, top, last):
    apart()
    least = least_but(g, first, top)
    at = first + LANES
    while at <= last:
        other = least_but(g, at, top)
        least = other if other < least else least
        at += LANES
    replica.least = least
    found = -1
    at = first
    while at <= last:
        lanes = equal_but(g, at, top, least)
        if lanes != 0:
            if found >= 0 or (lanes & (lanes - 1)) != 0:
                return _first_of_equals(g, first, top, last, least)
            found = at + trailing_zeros(lanes)
        at += LANES
    return found


@compiled
def _first_of_equals(g, first, top, last, goal):
    """Of the jobs with a goal, but the one at the top, the place of the one with the least seq."""
    apart()
    found = -1
    for at in range(first, last + 1):
        if at == top or job_goal(g, at) != goal:
            continue
        if found < 0 or call_at(g, job_at(g, at)).seq < call_at(g, job_at(g, found)).seq:
            found = at
    return found


@forced
def share_clear(g, replica):
    """All jobs of a replica are gone."""
    for place in range(replica.jobs, replica.jobs + replica.working):
        _set_goal(g, place, INF)
    replica.working = 0
