"""The path in stages, one stretch of time: the requests and probes that come in it, then station by station."""

from sim.data.compiled import compiled, forced
from sim.data.kernel_draws import client_of, draw_ahead
from sim.data.kernel_requests import arrival_at, begin_request, resolve
from sim.data.kernel_stages import (
    done_at,
    end_before,
    entering_at,
    flight_at,
    line_at,
    move_at,
    play_stage,
    stage_at,
    stage_of,
)
from sim.data.kernel_state import cache_at, next_of, probe_at, request_at, set_next, tree_at
from sim.data.layout import BATCH, FLIGHTS, INF, PROBES
from sim.data.pointers import numbers

_probe_station, _ = numbers("probe_stations")


@compiled
def _begin_load(g, until):
    """Requests of class 0 that are due before a time."""
    count = 0
    while True:
        at = g.arrival - g.arrival_first
        if at >= g.arrivals_fed or arrival_at(g, at) >= until:
            break
        t = arrival_at(g, at)
        index = g.arrival
        g.arrival = index + 1
        if index == g.next_drawn:
            draw_ahead(g)
        q = begin_request(g, 0, index, t)
        request = request_at(g, q)
        client = client_of(g, index)
        request.client = client
        request.attempts = 1
        resolve(g, cache_at(g, client), t)
        flight_at(g, q).first = 0
        move = move_at(g, count)
        move.key = (t << g.source_bits) | g.first_arrival
        move.request = q
        count += 1
    g.moved = count
    g.staged += count
    g.events += count
    g.intended += count
    g.sent += count
    g.attempts += count


@forced
def _begin_probe(g, p, t):
    """A probe of a class sets out; return the station that it is for."""
    probe = probe_at(g, p)
    index = probe.next
    probe.next = index + 1
    then = probe.phase + (index + 1) * probe.spacing
    set_next(g, g.first_arrival + p, then if then < probe.end else INF)
    region = probe.region
    if region < 0:
        region = resolve(g, cache_at(g, g.clients + p), t)
    q = begin_request(g, p, index, t)
    number = stage_of(g, _probe_station(g, p * g.region_count + region))
    request_at(g, q).attempts = 1
    flight_at(g, q).first = number
    entering = entering_at(g, g.entering_used)
    entering.key = (t << g.source_bits) | (g.first_arrival + p)
    entering.request = q
    entering.stage = number
    g.entering_used += 1
    g.events += 1


@compiled
def _begin_probes(g, until):
    """Probes that are due before a time."""
    g.entering_used = 0
    while True:
        key = until << g.source_bits
        for p in range(1, g.class_count):
            due = tree_at(g, g.leaves + g.first_arrival + p)
            key = due if due < key else key
        if key == until << g.source_bits:
            break
        source = key & ((1 << g.source_bits) - 1)
        _begin_probe(g, source - g.first_arrival, key >> g.source_bits)
    entering_at(g, g.entering_used).key = INF


@compiled
def batch_end(g, until):
    """Up to when the next batch may be played, at most until a time."""
    at = g.arrival - g.arrival_first + BATCH
    if at < g.arrivals_fed:
        until = min(until, arrival_at(g, at))
    for p in range(1, g.class_count):
        due = next_of(g, g.first_arrival + p)
        until = min(until, due + probe_at(g, p).spacing * (PROBES // g.class_count))
    return until


@compiled
def _rewind(g):
    """Move lines to the front of their places, so that only those are used that lie in the cache."""
    for number in range(g.depth):
        stage = stage_at(g, number)
        for r in range(stage.first, stage.first + stage.places):
            line = line_at(g, r)
            first = line.head & (FLIGHTS - 1)
            count = line.tail - line.head
            if first < BATCH or first + count > FLIGHTS:
                continue
            for i in range(count):
                before = done_at(g, r, first + i)
                after = done_at(g, r, i)
                after.key = before.key
                after.request = before.request
                after.last = before.last
            line.head = 0
            line.tail = count


@compiled
def play_batch(g, until):
    """Play the stations one after the other up to a time."""
    _rewind(g)
    _begin_load(g, until)
    _begin_probes(g, until)
    limit = until << g.source_bits
    for number in range(g.depth):
        play_stage(g, number, limit)
    end_before(g, limit)
