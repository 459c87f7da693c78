"""How requests under way go over to the path in stages, and back to the event loop.

That path is taken where an analysis of the topology (`memory_parts`) and of the state of this moment (`kernel_chain`)
proves that nothing goes back; otherwise the event loop plays on. Both leave the same state behind, so each stretch of
time may be played by either.
"""

import numpy as np

from sim.data.compiled import allocating, compiled, forced
from sim.data.kernel_batches import batch_end, play_batch
from sim.data.kernel_calls import new_attempt
from sim.data.kernel_chain import has_room, lay_out, limit_of
from sim.data.kernel_requests import arrival_at, set_arrival
from sim.data.kernel_stages import (
    accept,
    add_done,
    done_at,
    edge_of,
    ending_at,
    ends_at,
    flight_at,
    issue_at,
    line_at,
    set_head,
    set_issue,
    stage_at,
    stage_of,
)
from sim.data.kernel_state import (
    call_at,
    edge_at,
    free_call,
    job_at,
    job_goal,
    probe_at,
    replica_at,
    request_at,
    ring_add,
    ring_at,
    set_next,
    share_add,
    share_clear,
    share_next,
    station_at,
)
from sim.data.layout import DEPTH, FORWARDED, INF, QUEUED, WORKING

# --- from the event loop to the stages


@forced
def _find_jobs(g, found, dones):
    """Jobs in the chain's replicas and when those that work are done; return how many, and how many calls that makes.

    One call too many stands for: not all of them can go over.
    """
    n = calls = 0
    for number in range(g.depth):
        stage = stage_at(g, number)
        for r in range(stage.first, stage.first + stage.places):
            replica = replica_at(g, r)
            for i in range(replica.working):
                left = job_goal(g, replica.jobs + i) - replica.virtual
                found[n] = job_at(g, replica.jobs + i)
                dones[n] = replica.last + (left >> 16)
                n += 1
                calls += g.calls_n if left & 0xFFFF != 0 else 0
            c = replica.head
            for _ in range(replica.waiting):
                found[n] = c
                dones[n] = INF
                n += 1
                c = call_at(g, c).next
    for i in range(n):
        calls += _calls_behind(g, found[i])
    return n, calls


@forced
def _calls_behind(g, c):
    """How many calls end with that of a job; more than there are when it cannot go over."""
    call = call_at(g, c)
    number = stage_of(g, call.station)
    if call.kind > 0 and probe_at(g, call.kind).down > 0:
        return g.calls_n
    count = 1
    while call.parent >= 0 and call.detached == 0:
        call = call_at(g, call.parent)
        number -= 1
        count += 1
        if number < 0 or stage_of(g, call.station) != number:
            return g.calls_n
    if call.detached == 1:
        return g.calls_n
    return count


@compiled
def _clear_chain(g):
    """Nothing is at the chain's replicas, nobody's patience ends."""
    for number in range(g.depth):
        stage = stage_at(g, number)
        for r in range(stage.first, stage.first + stage.places):
            replica = replica_at(g, r)
            share_clear(g, replica)
            replica.busy = 0
            replica.waiting = 0
            share_next(g, r, replica)
            line_at(g, r).head = 0
            line_at(g, r).tail = 0
            set_head(g, r, INF)
    for i in range(g.ring_count):
        ring_at(g, i).head = 0
        ring_at(g, i).tail = 0
        set_next(g, g.first_ring + i, INF)
    g.next_ending = INF


@forced
def _lift(g, c):
    """Make a job's calls a flight, and free their places."""
    call = call_at(g, c)
    q = call.request
    number = stage_of(g, call.station)
    flight = flight_at(g, q)
    flight.replica = call.replica
    flight.number = call.seq
    flight.work = call.work
    while True:
        parent = call.parent
        source = g.first_arrival + call.kind
        if parent >= 0:
            source = call_at(g, parent).replica
        set_issue(g, q * DEPTH + number, (call.issued << g.source_bits) | source)
        flight.first = number
        call.deadline = 0
        free_call(g, c, q)
        if parent < 0:
            break
        c = parent
        call = call_at(g, c)
        number -= 1


@allocating
def _take_over(g):
    """Let all requests under way go over to the stages, in order of issue; return whether they could."""
    found = np.empty(g.live_calls, dtype=np.int64)
    dones = np.empty(g.live_calls, dtype=np.int64)
    n, calls = _find_jobs(g, found, dones)
    if calls != g.live_calls:
        return False
    seqs = np.empty(n, dtype=np.int64)
    requests = np.empty(n, dtype=np.int64)
    stages = np.empty(n, dtype=np.int64)
    since = np.empty(n, dtype=np.int64)
    for i in range(n):
        call = call_at(g, found[i])
        seqs[i] = call.seq
        requests[i] = call.request
        stages[i] = stage_of(g, call.station)
        since[i] = call.accepted
    order = np.argsort(seqs)
    _clear_chain(g)
    for i in range(n):
        _lift(g, found[i])
    for i in order:
        if dones[i] < INF:
            q = requests[i]
            r = flight_at(g, q).replica
            replica_at(g, r).work += flight_at(g, q).work
            last = ends_at(g, stages[i], request_at(g, q).kind)
            add_done(g, stage_at(g, stages[i]), r, (dones[i] << g.source_bits) | r, q, last)
    for i in order:
        if dones[i] == INF:
            q = requests[i]
            accept(g, stages[i], stage_at(g, stages[i]), q, flight_at(g, q).replica, since[i])
    return True


# --- and back


@allocating
def _calls_in_order(g):
    """All calls of requests under way, as request * DEPTH + stage, in order of issue."""
    most = g.live_requests * g.depth
    places = np.empty(most, dtype=np.int64)
    keys = np.empty(most, dtype=np.int64)
    numbers_ = np.empty(most, dtype=np.int64)
    n = 0
    for number in range(g.depth):
        stage = stage_at(g, number)
        for r in range(stage.first, stage.first + stage.places):
            line = line_at(g, r)
            for place in range(line.head, line.tail):
                done = done_at(g, r, place)
                flight = flight_at(g, done.request)
                flight.done = done.key >> g.source_bits
                replica_at(g, r).work -= flight.work
                flight.stage = number
                n = _add_calls(g, done.request, flight, places, keys, numbers_, n)
        for place in range(stage.head, stage.tail):
            ending = ending_at(g, number, place)
            flight = flight_at(g, ending.request)
            flight.done = INF
            flight.stage = number
            n = _add_calls(g, ending.request, flight, places, keys, numbers_, n)
    by_number = np.argsort(numbers_[:n])
    return places[:n][by_number][np.argsort(keys[:n][by_number], kind="mergesort")]


@forced
def _add_calls(g, q, flight, places, keys, numbers_, n):
    for number in range(flight.first, flight.stage + 1):
        places[n] = q * DEPTH + number
        keys[n] = issue_at(g, q * DEPTH + number)
        numbers_[n] = flight.number
        n += 1
    return n


@forced
def _issue(g, q, number, flight):
    """The call of a request to a stage is there again; return it."""
    request = request_at(g, q)
    issued = issue_at(g, q * DEPTH + number) >> g.source_bits
    kind = request.kind
    e = edge_of(g, number, stage_at(g, number), q)
    owner = request.client
    parent = -1
    if number > flight.first:
        parent = flight.call
        owner = g.clients + call_at(g, parent).replica
    c = new_attempt(g, e, owner, parent, q, kind, request.index, 0, 0, issued)
    call = call_at(g, c)
    if parent >= 0:
        call_at(g, parent).child = c
    elif kind > 0:
        probe = probe_at(g, kind)
        call.deadline = issued + probe.timeout
        ring_add(g, probe.ring, c, call.deadline, call.seq)
    flight.call = c
    call.station = stage_at(g, number).station
    call.accepted = issued
    call.place = FORWARDED
    call.replica = flight.replica
    if number < flight.stage:
        call.replica = issue_at(g, q * DEPTH + number + 1) & ((1 << g.source_bits) - 1)
    return c


@forced
def _put_down(g, c, stage, flight, reached):
    """A call's job is at its replica again."""
    call = call_at(g, c)
    r = flight.replica
    replica = replica_at(g, r)
    station = station_at(g, stage.station)
    if edge_at(g, call.edge).counted == 1:
        call.connection = r
    if flight.done < INF and flight.done - flight.work < reached:
        call.place = WORKING
        call.work = flight.work
        replica.busy += 1
        share_add(g, replica, (flight.done - reached) << 16, call.seq, c)
        return
    call.place = QUEUED
    call.next = -1
    if replica.waiting == 0:
        replica.head = c
    else:
        call_at(g, replica.tail).next = c
    replica.tail = c
    replica.waiting += 1
    if station.queue_patience > 0:
        ring_add(g, station.ring, c, call.accepted + station.queue_patience, call.seq)


@allocating
def _hand_back(g, reached):
    """Let all requests under way go back to the event loop, at a time up to which everything has been played."""
    calls = _calls_in_order(g)
    for number in range(g.depth):
        stage = stage_at(g, number)
        for r in range(stage.first, stage.first + stage.places):
            replica_at(g, r).virtual = 0
            replica_at(g, r).last = reached
    for place in calls:
        q = place // DEPTH
        number = place % DEPTH
        flight = flight_at(g, q)
        c = _issue(g, q, number, flight)
        if number == flight.stage:
            _put_down(g, c, stage_at(g, number), flight, reached)
    for number in range(g.depth):
        stage = stage_at(g, number)
        for r in range(stage.first, stage.first + stage.places):
            share_next(g, r, replica_at(g, r))
    set_arrival(g)


@allocating
def play_in_stages(g, until):
    """Play up to a time at most, if the path in stages applies and is worth it; return whether anything was played."""
    at = g.arrival - g.arrival_first + g.stages_from - 1
    if g.stages_from == 0 or at >= g.arrivals_fed or arrival_at(g, at) >= until:
        return False
    if not lay_out(g):
        return False
    until = limit_of(g, until)
    reached = batch_end(g, until)
    if arrival_at(g, at) >= until or reached <= g.now or not has_room(g) or not _take_over(g):
        return False
    play_batch(g, reached)
    while reached < until and has_room(g):
        then = batch_end(g, until)
        if then <= reached:
            break
        play_batch(g, then)
        reached = then
    _hand_back(g, reached)
    g.now = reached
    return True
