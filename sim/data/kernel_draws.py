"""Draws of class 0 made ahead, many at a time: the same numbers, without waiting for each where it is needed.

A column is one purpose (a service's own work, an edge's picks, the client); `drawn` holds a row for each of the last
WINDOW requests. Later attempts, probes and requests older than that are drawn one by one.
"""

import math

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.draws import attempt_key, central_quantile, exp, exponential, log, normal, tail_quantile, uniform
from sim.data.layout import AHEAD, LONGEST_PATIENCE, WINDOW
from sim.data.pointers import Struct, apart, numbers, records

_column_at = records("columns", Struct("column", layout.COLUMN))
_drawn, _set_drawn = numbers("drawn", "f8")
_drawing, _set_drawing = numbers("drawing", "f8")
_work_key, _ = numbers("work_keys", "u8")
_patience_key, _ = numbers("patience_keys", "u8")
_pick_key, _ = numbers("pick_keys", "u8")
_backoff_key, _ = numbers("backoff_keys", "u8")


@compiled
def _draw_uniforms(g, key, first, step):
    for i in range(AHEAD):
        _set_drawing(g, i, uniform(key, first + step * i))


@compiled
def _quantiles_of_uniforms(g):
    """Uniform numbers become normal ones: both formulas for all, so that the loop has no branch.

    No uniform number is so near to 0 or 1 that the third formula of `normal_quantile` would hold.
    """
    for i in range(AHEAD):
        u = _drawing(g, i)
        q = u - 0.5
        central = central_quantile(q)
        tail = tail_quantile(math.sqrt(-log(u if q < 0.0 else 1.0 - u)))
        tail = -tail if q < 0.0 else tail
        _set_drawing(g, i, central if abs(q) <= 0.425 else tail)


@compiled
def _lognormals_of_normals(g, scale, sigma):
    for i in range(AHEAD):
        _set_drawing(g, i, scale * exp(sigma * _drawing(g, i)))


@compiled
def _exponentials_of_uniforms(g, scale):
    for i in range(AHEAD):
        _set_drawing(g, i, scale * -log(_drawing(g, i)))


@compiled
def draw_ahead(g):
    """Draw for the next AHEAD requests of class 0."""
    apart()
    first = g.next_drawn
    for number in range(g.column_count):
        column = _column_at(g, number)
        _draw_uniforms(g, column.key, first * column.step + column.which, column.step)
        if column.kind == layout.LOGNORMAL:
            _quantiles_of_uniforms(g)
            _lognormals_of_normals(g, column.scale, column.sigma)
        elif column.kind == layout.EXPONENTIAL:
            _exponentials_of_uniforms(g, column.scale)
        at = (first & (WINDOW - 1)) * g.column_count + number
        for i in range(AHEAD):
            _set_drawn(g, at + i * g.column_count, _drawing(g, i))
    g.next_drawn = first + AHEAD
    g.first_kept = g.next_drawn - WINDOW


@forced
def row_of(g, index):
    """Where the draws of a request of class 0 are kept."""
    return (index & (WINDOW - 1)) * g.column_count


@forced
def _kept(g, row, index, column):
    """Whether a request's draw was made ahead and is still there; row -1: it never was."""
    return row >= 0 and column >= 0 and index >= g.first_kept


@forced
def client_of(g, index):
    """Client of a class-0 request that has just arrived."""
    client = int(_drawn(g, row_of(g, index)) * g.clients)
    return client if client < g.clients else g.clients - 1


@forced
def work_of(g, s, station, kind, index, lineage, row):
    """Own work at a station in ns, before slowdown and warm-up."""
    w = int(station.work_scale)
    if _kept(g, row, index, station.column):
        w = int(_drawn(g, row + station.column))
    elif station.work_kind == 1 or station.work_sigma != 0.0:
        key = attempt_key(_work_key(g, kind * g.station_count + s), lineage)
        if station.work_kind == 1:
            w = int(station.work_scale * exponential(key, index))
        else:
            w = int(station.work_scale * exp(station.work_sigma * normal(key, index)))
    return w if w > 1 else 1


@forced
def patience_of(g, station, call):
    """Longest wait in a station's queue in ns, where it is drawn for each job."""
    key = attempt_key(_patience_key(g, call.kind * g.station_count + call.station), call.lineage)
    if station.patience_kind == layout.EXPONENTIAL:
        factor = exponential(key, call.index)
    else:
        factor = exp(station.patience_sigma * normal(key, call.index))
    longest = int(min(station.queue_patience * factor, LONGEST_PATIENCE))
    return longest if longest > 1 else 1


@forced
def pick_of(g, e, edge, kind, index, lineage, row, which, among):
    """Place of the first (0) or second (1) pick over an edge among so many."""
    if _kept(g, row, index, edge.column):
        u = _drawn(g, row + edge.column + which)
    else:
        key = attempt_key(_pick_key(g, kind * g.edge_count + e), lineage)
        u = uniform(key, 2 * index + which)
    i = int(u * among)
    return i if i < among else among - 1


@forced
def back_off_of(g, call, lineage, longest):
    """Back-off in ns before the attempt of that lineage."""
    key = attempt_key(_backoff_key(g, call.kind * g.edge_count + call.edge), lineage)
    return int(uniform(key, call.index) * longest)
