"""What comes out: histograms of the current second, its rows of counts, requests that ended, rows, probes.

Tables of output are kept by columns, each with room for `<table>_room` entries, as they are taken.
"""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.kernel_state import probe_at, replica_at, station_at
from sim.data.layout import BINS, BLOCK, PATH, SECOND
from sim.data.pointers import Struct, apart, leading_zeros, numbers, records

_counts_at = records("counts", Struct("counts", layout.COUNTS))
_cell, _set_cell = numbers("cells", "i4")
_marked, _mark = numbers("marks", "u1")
_, _set_finished = numbers("finished")
_, _set_row = numbers("rows")
_, _set_probed = numbers("probed")
_, _set_load = numbers("loads")
_, _set_bin = numbers("bins")


@forced
def bin_of(v):
    """Log-linear bin of a value >= 0, 128 an octave (the same as scenarios.record.histogram.bin_of)."""
    shift = 56 - leading_zeros(v | 128)
    return (shift << 7) + (v >> shift)


@forced
def record_latency(g, station, which, value):
    """Count a latency (ns) of a station (the client's side is the one after the last)."""
    row = station * 3 + which
    cell = row * BINS + bin_of(value)
    _set_cell(g, cell, _cell(g, cell) + 1)
    _mark(g, row, 1)


@compiled
def _write_histogram(g, row):
    """Append a histogram's bins that are not empty, and empty it."""
    if _marked(g, row) == 0:
        return
    _mark(g, row, 0)
    first = row * BINS
    for block in range(first, first + BINS, BLOCK):
        some = 0
        for i in range(BLOCK):
            some |= _cell(g, block + i)
        if some == 0:
            continue
        for i in range(BLOCK):
            n = _cell(g, block + i)
            if n > 0:
                at = g.bins_used
                _set_bin(g, at, block + i - first)
                _set_bin(g, g.bins_room + at, n)
                g.bins_used = at + 1
                _set_cell(g, block + i, 0)


@compiled
def _write_load(g, second, station, intended, sent, ok, failed, unknown, attempts):
    at = g.loads_used
    room = g.loads_room
    g.loads_used = at + 1
    _set_load(g, at, second)
    _set_load(g, at + room, station)
    _set_load(g, at + 2 * room, intended)
    _set_load(g, at + 3 * room, sent)
    _set_load(g, at + 4 * room, ok)
    _set_load(g, at + 5 * room, failed)
    _set_load(g, at + 6 * room, unknown)
    _set_load(g, at + 7 * room, attempts)
    for which in range(3):
        _set_load(g, at + (8 + which) * room, g.bins_used)
        _write_histogram(g, station * 3 + which)
    _set_load(g, at + 11 * room, g.bins_used)


@compiled
def second_has_room(g):
    """Whether the output has room for the rows of one second."""
    apart()
    marked = 0
    for row in range((g.station_count + 1) * 3):
        marked += _marked(g, row)
    return g.loads_used + g.station_count + 1 <= g.loads_room and g.bins_used + marked * BINS <= g.bins_room


@compiled
def flush_second(g):
    """Write the finished second's rows and begin the next."""
    apart()
    second = g.second_end // SECOND - 1
    for s in range(g.station_count):
        station = station_at(g, s)
        sent = ok = failed = attempts = 0
        for r in range(station.first, station.first + station.places):
            replica = replica_at(g, r)
            sent += replica.accepted
            ok += replica.ok
            failed += replica.failed
            attempts += replica.accepted + replica.turned_away
        last = _counts_at(g, s)
        _write_load(g, second, s, 0, sent - last.sent, ok - last.ok, failed - last.failed, 0, attempts - last.attempts)
        last.sent = sent
        last.ok = ok
        last.failed = failed
        last.attempts = attempts
    _write_load(g, second, g.station_count, g.intended, g.sent, g.ok, g.failed, g.unknown, g.attempts)
    g.intended = g.sent = g.ok = g.failed = g.unknown = g.attempts = 0
    g.second_end += SECOND


@forced
def write_commit(g, key, database, position, t):
    at = g.rows_used
    room = g.rows_room
    g.rows_used = at + 1
    _set_row(g, at, key)
    _set_row(g, at + room, database)
    _set_row(g, at + 2 * room, position)
    _set_row(g, at + 3 * room, t)


@forced
def write_finished(g, request, outcome, status, t):
    """A class-0 request ended as its sender sees it."""
    at = g.finished_used
    room = g.finished_room
    g.finished_used = at + 1
    _set_finished(g, at, request.index)
    _set_finished(g, at + room, request.intended)
    _set_finished(g, at + 2 * room, t)
    _set_finished(g, at + 3 * room, outcome)
    _set_finished(g, at + 4 * room, status)
    _set_finished(g, at + 5 * room, request.attempts)
    if outcome == layout.DONE_OK:
        g.ok += 1
    elif outcome == layout.DONE_FAILED:
        g.failed += 1
    else:
        g.unknown += 1
    if outcome != layout.DONE_FAILED:
        record_latency(g, g.station_count, PATH, t - request.intended)


@compiled
def write_probed(g, request, station, replica, outcome, status, t):
    """A probe ended."""
    apart()
    at = g.probed_used
    room = g.probed_room
    g.probed_used = at + 1
    _set_probed(g, at, request.kind)
    _set_probed(g, at + room, request.index)
    _set_probed(g, at + 2 * room, request.intended)
    _set_probed(g, at + 3 * room, t)
    _set_probed(g, at + 4 * room, station)
    _set_probed(g, at + 5 * room, replica)
    _set_probed(g, at + 6 * room, status)
    _watch(g, request.kind, outcome == layout.DONE_OK)


@forced
def _watch(g, p, ok):
    """Count runs of failures, and of successes once fired."""
    probe = probe_at(g, p)
    if probe.down == 0:
        return
    if ok == (probe.fired == 0):
        probe.run = 0
        return
    probe.run += 1
    if probe.run >= (probe.down if probe.fired == 0 else probe.up):
        probe.fired = 1 - probe.fired
        probe.run = 0
        g.watch = p
