"""When the path in stages applies: the chain of stations as it is now, and up to when nothing on it goes back."""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.kernel_stages import stage_at, stage_of
from sim.data.kernel_state import (
    cache_at,
    database_at,
    edge_at,
    next_of,
    probe_at,
    replica_at,
    ring_at,
    ring_settle,
    station_at,
)
from sim.data.layout import BATCH, DEPTH, FLIGHTS, PROBES
from sim.data.pointers import numbers

_entry_station, _ = numbers("entry_stations")
_probe_station, _ = numbers("probe_stations")
MARGIN = 8


@forced
def _steady(g, station):
    """Whether each job of a station has a core, and each listed replica takes requests."""
    for r in range(station.first, station.first + station.places):
        replica = replica_at(g, r)
        if replica.busy > station.slots or replica.full < station.slots:
            return False
        if replica.listed == 1 and replica.state != layout.SERVING:
            return False
    return station.listed > 0 and station.slots > 0


@forced
def _used(g, station):
    """How many places of a station have to be looked at: there is no job at those after them, and none will come."""
    used = 0
    for r in range(station.first, station.first + station.places):
        if replica_at(g, r).listed == 1 or replica_at(g, r).busy > 0:
            used = r + 1 - station.first
    return used


@compiled
def lay_out(g):
    """Write down the chain of stations that the load goes through; return whether it feeds forward now."""
    g.depth = 0
    if g.dns < 0 or g.trading == 0 or g.sending == 0:
        return False
    for client in range(g.clients):
        if cache_at(g, client).region != g.dns:
            return False
    e = 0
    s = _entry_station(g, g.dns)
    while g.depth < DEPTH:
        station = station_at(g, s)
        if edge_at(g, e).cut == 1 or stage_of(g, s) >= 0 or not _steady(g, station):
            return False
        stage = stage_at(g, g.depth)
        stage.station = s
        stage.edge = e
        stage.first = station.first
        stage.places = _used(g, station)
        stage.balanced = edge_at(g, e).counted | edge_at(g, 0).counted
        stage.head = stage.tail = stage.counted = 0
        stage.next = layout.INF
        g.depth += 1
        e = station.edge
        if e < 0:
            return station.database < 0 or database_at(g, station.database).gate == 1
        if station.database >= 0:
            return False
        s = edge_at(g, e).target
    return False


@forced
def _on_the_chain(g, p, region):
    return region >= 0 and stage_of(g, _probe_station(g, p * g.region_count + region)) >= 0


@forced
def _joins(g, p):
    """Whether probes of a class can be played in stages: nobody watches them, and they stay on the chain."""
    probe = probe_at(g, p)
    if probe.down > 0:
        return False
    if probe.region >= 0:
        return _on_the_chain(g, p, probe.region)
    cache = cache_at(g, g.clients + p)
    return _on_the_chain(g, p, cache.region) and (cache.ignores == 1 or _on_the_chain(g, p, g.dns))


@compiled
def limit_of(g, until):
    """Up to when no probe times out and none comes that has to be played by events."""
    for p in range(1, g.class_count):
        due = next_of(g, g.first_arrival + p)
        until = min(until, due + probe_at(g, p).timeout if _joins(g, p) else due)
    for i in range(g.ring_count):
        if ring_at(g, i).kind == layout.CALL_TIMEOUT:
            ring_settle(g, i)
            until = min(until, next_of(g, g.first_ring + i))
    return until


@forced
def has_room(g):
    """Whether one more batch fits everywhere, and no queue can become full."""
    flights = g.live_requests + BATCH + PROBES
    room = min(FLIGHTS, g.requests_n - MARGIN)
    room = min(room, (g.calls_n - MARGIN) // g.depth)
    room = min(room, g.finished_room - g.finished_used)
    room = min(room, g.probed_room - g.probed_used)
    room = min(room, g.rows_room - g.rows_used)
    for number in range(g.depth):
        room = min(room, station_at(g, stage_at(g, number).station).queue_capacity)
    return flights <= room
