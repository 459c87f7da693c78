"""The path in stages: a chain of stations that feeds forward is played station by station, not event by event.

With first-in-first-out queues of a fixed patience, a core for each job, and nothing that goes back - no retry, timeout
of a caller, breaker, pool or held slot - a request's fate at a station is known when it arrives there. So a stretch of
time (a batch, kernel_batches) is played for the first station, then for the second what left the first, and so on. An
occurrence is known by its key (time and source, packed), as in the tree of the event loop; all that can be seen comes
in the order of keys.

`g` is the record of globals, `stage` a station's place in the chain and its record, `q` a request, `r` a replica.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.kernel_calls import count_connection, paced, pick
from sim.data.kernel_draws import row_of, work_of
from sim.data.kernel_ends import finish
from sim.data.kernel_record import record_latency
from sim.data.kernel_requests import commit
from sim.data.kernel_state import (
    edge_at,
    free_request,
    probe_at,
    replica_at,
    request_at,
    station_at,
)
from sim.data.layout import DEPTH, FLIGHTS, INF, OK, ONE_CONNECTION, QUEUE_TIMEOUT
from sim.data.pointers import Struct, apart, numbers, records

stage_at = records("stages", Struct("stage", layout.STAGE))
line_at = records("lines", Struct("line", layout.LINE))
flight_at = records("flights", Struct("flight", layout.FLIGHT))
_done_at = records("dones", Struct("done", layout.DONE))
_ending_at = records("endings", Struct("ending", layout.ENDING))
move_at = records("moves", Struct("move", layout.MOVE))
entering_at = records("entering", Struct("entering", layout.ENTERING))
head_at, set_head = numbers("heads")
issue_at, set_issue = numbers("issues")  # key of the occurrence that issued a request's call to each stage


@forced
def done_at(g, r, place):
    """A job of a replica's line."""
    return _done_at(g, r * FLIGHTS + (place & (FLIGHTS - 1)))


@forced
def ending_at(g, number, place):
    """A request that ends at a stage otherwise than by leaving the last one."""
    return _ending_at(g, number * FLIGHTS + (place & (FLIGHTS - 1)))


@forced
def stage_of(g, station):
    """Place of a station in the chain, -1: it is not part of it."""
    for number in range(g.depth):
        if stage_at(g, number).station == station:
            return number
    return -1


# --- ends


@forced
def _end(g, number, q, status, t):
    """A request's call to a stage has its result, and with it all calls that it carries on."""
    flight = flight_at(g, q)
    first = flight.first
    for i in range(first, number + 1):
        record_latency(g, stage_at(g, i).station, layout.CALLER, t - (issue_at(g, q * DEPTH + i) >> g.source_bits))
    replica = flight.replica
    if first < number:
        replica = issue_at(g, q * DEPTH + first + 1) & ((1 << g.source_bits) - 1)
    outcome = layout.DONE_OK if status == OK else layout.DONE_FAILED
    finish(g, q, stage_at(g, first).station, replica, outcome, status, t)
    free_request(g, q)


@forced
def _add_ending(g, number, stage, key, q, status):
    """A request will end at a stage; few come out of order."""
    place = stage.tail
    stage.tail = place + 1
    while place > stage.head and ending_at(g, number, place - 1).key > key:
        before = ending_at(g, number, place - 1)
        after = ending_at(g, number, place)
        after.key = before.key
        after.request = before.request
        after.status = before.status
        place -= 1
    ending = ending_at(g, number, place)
    ending.key = key
    ending.request = q
    ending.status = status
    g.next_ending = key if key < g.next_ending else g.next_ending


@forced
def _comes_first(g, number, best):
    """Whether the first ending at a stage comes before that of another one: by key, then in order of issue."""
    stage = stage_at(g, number)
    if stage.head == stage.tail:
        return False
    if best < 0:
        return True
    mine = ending_at(g, number, stage.head)
    other = ending_at(g, best, stage_at(g, best).head)
    if mine.key != other.key:
        return mine.key < other.key
    return issue_at(g, mine.request * DEPTH + number) < issue_at(g, other.request * DEPTH + best)


@compiled
def end_before(g, key):
    """Let those requests end whose endings come before a key."""
    apart()
    while g.next_ending < key:
        best = -1
        for number in range(g.depth):
            best = number if _comes_first(g, number, best) else best
        stage = stage_at(g, best)
        ending = ending_at(g, best, stage.head)
        stage.head += 1
        if ending.status == QUEUE_TIMEOUT:
            replica_at(g, flight_at(g, ending.request).replica).failed += 1
            g.events += 1
        _end(g, best, ending.request, ending.status, ending.key >> g.source_bits)
        g.next_ending = INF
        for number in range(g.depth):
            stage = stage_at(g, number)
            if stage.head < stage.tail:
                key_there = ending_at(g, number, stage.head).key
                g.next_ending = key_there if key_there < g.next_ending else g.next_ending


# --- a station


@forced
def edge_of(g, number, stage, q):
    """Edge over which a request's call to a stage came; a probe's first call is a client's wherever it enters."""
    return 0 if flight_at(g, q).first == number else stage.edge


@forced
def _count(g, number, stage, q, r, change):
    """A request's call to a replica is outstanding, or no more."""
    e = edge_of(g, number, stage, q)
    if edge_at(g, e).counted == 1:
        count_connection(g, e, r, change)


@forced
def add_done(g, stage, r, key, q, last):
    """A job of a replica will be done; of equal ones the first to come is done first."""
    line = line_at(g, r)
    place = line.tail
    line.tail = place + 1
    while place > line.head and done_at(g, r, place - 1).key > key:
        before = done_at(g, r, place - 1)
        after = done_at(g, r, place)
        after.key = before.key
        after.request = before.request
        after.last = before.last
        place -= 1
    done = done_at(g, r, place)
    done.key = key
    done.request = q
    done.last = last
    head = head_at(g, r)
    set_head(g, r, key if key < head else head)  # not a branch: it would be guessed wrongly half the time
    stage.next = key if key < stage.next else stage.next


@forced
def ends_at(g, number, kind):
    """Whether a request of a class ends with its own work at a stage."""
    return 1 if number == g.depth - 1 or (kind > 0 and probe_at(g, kind).chain == 0) else 0


@forced
def accept(g, number, stage, q, r, t):
    """A request joins a replica at t: when will it be done, or give up?

    It starts when the last but so many jobs as there are slots is done.
    """
    s = stage.station
    station = station_at(g, s)
    replica = replica_at(g, r)
    line = line_at(g, r)
    request = request_at(g, q)
    kind = request.kind
    index = request.index
    begun = done_at(g, r, line.tail - station.slots).key >> g.source_bits
    begun = begun if line.tail - line.head >= station.slots else t
    begun = begun if begun > t else t
    if station.queue_patience > 0 and begun > t + station.queue_patience:
        key = ((t + station.queue_patience) << g.source_bits) | g.first_ring
        _add_ending(g, number, stage, key, q, QUEUE_TIMEOUT)
        return
    row = row_of(g, index) if kind == 0 else -1
    w = paced(work_of(g, s, station, kind, index, 0, row), replica, station, begun)
    flight_at(g, q).work = w
    replica.work += w
    add_done(g, stage, r, ((begun + w) << g.source_bits) | r, q, ends_at(g, number, kind))


@forced
def _arrive(g, number, stage, q, key):
    """A call of a request is delivered to a station."""
    if stage.balanced == 1:
        _leave(g, number, stage, key)
        _forget(g, number, stage, key)
    set_issue(g, q * DEPTH + number, key)
    request = request_at(g, q)
    e = edge_of(g, number, stage, q)
    s = stage.station
    row = row_of(g, request.index) if request.kind == 0 else -1
    r = pick(g, e, edge_at(g, e), s, station_at(g, s), request.kind, request.index, 0, row)
    if stage.balanced == 1:
        _count(g, number, stage, q, r, ONE_CONNECTION)
    replica_at(g, r).accepted += 1
    flight = flight_at(g, q)
    flight.replica = r
    flight.number = g.seq
    g.seq += 1
    accept(g, number, stage, q, r, key >> g.source_bits)


@forced
def _forget(g, number, stage, key):
    """Calls that gave up before a key are outstanding no more."""
    while stage.counted < stage.tail and ending_at(g, number, stage.counted).key < key:
        ending = ending_at(g, number, stage.counted)
        if ending.status == QUEUE_TIMEOUT:
            _count(g, number, stage, ending.request, flight_at(g, ending.request).replica, -ONE_CONNECTION)
        stage.counted += 1


@forced
def _complete(g, number, stage, q, replica, key):
    """A request's own work at its last station is done."""
    t = key >> g.source_bits
    request = request_at(g, q)
    status = OK
    database = station_at(g, stage.station).database
    if number < g.depth - 1:
        _add_ending(g, number, stage, key, q, OK)
    else:
        end_before(g, key)
        if database >= 0:
            status = commit(g, request.kind, request.index, q, database, t)
        _end(g, number, q, status, t)
    if status == OK:
        replica.ok += 1
    else:
        replica.failed += 1


@forced
def _least_head(g, stage, r, head):
    """When the next job of a station will be done, if it is another replica's, else what is given.

    What was just written is not read again, many at a time: that would wait until it has left the processor.
    """
    for other in range(stage.first, stage.first + stage.places):
        key = head_at(g, other) if other != r else INF
        head = key if key < head else head
    return head


@forced
def _leave(g, number, stage, limit):
    """Jobs of a station that are done before a limit go on to the next, or end."""
    sources = (1 << g.source_bits) - 1
    out = ((number + 1) & 1) * FLIGHTS
    while True:
        key = stage.next
        if key >= limit:
            break
        r = key & sources
        line = line_at(g, r)
        done = done_at(g, r, line.head)
        q = done.request
        last = done.last
        line.head += 1
        head = done_at(g, r, line.head).key
        head = head if line.head < line.tail else INF
        stage.next = _least_head(g, stage, r, head)
        set_head(g, r, head)
        g.events += 1
        own = (key >> g.source_bits) - (issue_at(g, q * DEPTH + number) >> g.source_bits)
        record_latency(g, stage.station, layout.OWN, own)
        if stage.balanced == 1:
            _count(g, number, stage, q, r, -ONE_CONNECTION)
        if last == 1:
            _complete(g, number, stage, q, replica_at(g, r), key)
        else:
            replica_at(g, r).ok += 1
            move = move_at(g, out + g.moved)
            move.key = key
            move.request = q
            g.moved += 1


@forced
def _next_entering(g, number, place):
    """The next probe from a place on that enters at a stage; the one after the last has no key."""
    while place < g.entering_used and entering_at(g, place).stage != number:
        place += 1
    return place


@compiled
def play_stage(g, number, limit):
    """Play one station up to a limit: what has moved to it arrives, what is done moves on."""
    apart()
    stage = stage_at(g, number)
    count = g.moved
    g.moved = 0
    come = (number & 1) * FLIGHTS
    probe = _next_entering(g, number, 0)
    for i in range(count):
        key = move_at(g, come + i).key
        while entering_at(g, probe).key < key:
            _probe_enters(g, number, stage, probe)
            probe = _next_entering(g, number, probe + 1)
        _arrive(g, number, stage, move_at(g, come + i).request, key)
    while entering_at(g, probe).key < limit:
        _probe_enters(g, number, stage, probe)
        probe = _next_entering(g, number, probe + 1)
    _leave(g, number, stage, limit)
    _forget(g, number, stage, limit)


@compiled
def _probe_enters(g, number, stage, place):
    apart()
    entering = entering_at(g, place)
    _arrive(g, number, stage, entering.request, entering.key)
