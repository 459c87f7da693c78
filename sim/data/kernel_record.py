"""What comes out: histograms of the current second, its rows of counts, requests that ended, rows, probes."""

from sim.data import layout
from sim.data.compiled import compiled, forced
from sim.data.kernel_state import probe_at, replica_at, request_at, station_at
from sim.data.layout import BINS, BLOCK, BLOCKS, FINISHED_WIDTH, LOAD_WIDTH, PATH, PROBED_WIDTH, ROW_WIDTH, SECOND
from sim.data.pointers import (
    inside,
    leading_zeros,
    load_byte,
    load_small,
    record_at,
    store,
    store_byte,
    store_small,
)

_counts = record_at(layout.COUNTS)


@forced
def bin_of(v):
    """Log-linear bin of a value >= 0, 128 an octave (the same as scenarios.record.histogram.bin_of)."""
    shift = 56 - leading_zeros(v | 128)
    return (shift << 7) + (v >> shift)


@forced
def record_latency(g, station, which, value):
    """Count a latency (ns) of a station (the client's side is the one after the last)."""
    b = bin_of(value)
    row = station * 3 + which
    cell = inside(row * BINS + b, g.cells_n)
    store_small(g.cells, cell, load_small(g.cells, cell) + 1)
    store_byte(g.marks, inside(row * BLOCKS + (b >> 6), g.marks_n), 1)


@forced
def _write_histogram(g, row):
    """Append a histogram's bins that are not empty, and empty it."""
    for block in range(row * BLOCKS, (row + 1) * BLOCKS):
        if load_byte(g.marks, block) == 0:
            continue
        store_byte(g.marks, block, 0)
        for i in range(BLOCK):
            n = load_small(g.cells, block * BLOCK + i)
            if n > 0:
                at = inside(g.bins_used, g.bins_n)
                store(g.bins, 2 * at, block * BLOCK + i - row * BINS)
                store(g.bins, 2 * at + 1, n)
                g.bins_used = at + 1
                store_small(g.cells, block * BLOCK + i, 0)


@forced
def _write_row(g, second, station, intended, sent, ok, failed, unknown, attempts):
    at = inside(g.loads_used, g.loads_n)
    g.loads_used = at + 1
    base = at * LOAD_WIDTH
    store(g.loads, base, second)
    store(g.loads, base + 1, station)
    store(g.loads, base + 2, intended)
    store(g.loads, base + 3, sent)
    store(g.loads, base + 4, ok)
    store(g.loads, base + 5, failed)
    store(g.loads, base + 6, unknown)
    store(g.loads, base + 7, attempts)
    for which in range(3):
        store(g.loads, base + 8 + which, g.bins_used)
        _write_histogram(g, station * 3 + which)
    store(g.loads, base + 11, g.bins_used)


@compiled
def second_has_room(g):
    """Whether the output has room for the rows of one second."""
    marked = 0
    for block in range((g.station_count + 1) * 3 * BLOCKS):
        marked += load_byte(g.marks, block)
    return g.loads_used + g.station_count + 1 <= g.loads_n and g.bins_used + marked * BLOCK <= g.bins_n


@compiled
def flush_second(g):
    """Write the finished second's rows and begin the next."""
    second = g.second_end // SECOND - 1
    for s in range(g.station_count):
        station = station_at(g, s)
        sent = ok = failed = attempts = 0
        for r in range(station.first, station.first + station.places):
            replica = replica_at(g, r)
            sent += replica.accepted
            ok += replica.ok
            failed += replica.failed
            attempts += replica.delivered
        last = _counts(g.counts, inside(s, g.counts_n))
        _write_row(g, second, s, 0, sent - last.sent, ok - last.ok, failed - last.failed, 0, attempts - last.attempts)
        last.sent = sent
        last.ok = ok
        last.failed = failed
        last.attempts = attempts
    _write_row(g, second, g.station_count, g.intended, g.sent, g.ok, g.failed, g.unknown, g.attempts)
    g.intended = g.sent = g.ok = g.failed = g.unknown = g.attempts = 0
    g.second_end += SECOND


@forced
def write_commit(g, key, database, position, t):
    base = inside(g.rows_used, g.rows_n) * ROW_WIDTH
    g.rows_used += 1
    store(g.rows, base, key)
    store(g.rows, base + 1, database)
    store(g.rows, base + 2, position)
    store(g.rows, base + 3, t)


@forced
def write_finished(g, q, outcome, status, t):
    """A class-0 request ended as its sender sees it."""
    request = request_at(g, q)
    base = inside(g.finished_used, g.finished_n) * FINISHED_WIDTH
    g.finished_used += 1
    store(g.finished, base, request.index)
    store(g.finished, base + 1, request.intended)
    store(g.finished, base + 2, t)
    store(g.finished, base + 3, outcome)
    store(g.finished, base + 4, status)
    store(g.finished, base + 5, request.attempts)
    if outcome == 1:
        g.ok += 1
    elif outcome == 2:
        g.failed += 1
    else:
        g.unknown += 1
    if outcome != 2:
        record_latency(g, g.station_count, PATH, t - request.intended)


@compiled
def write_probed(g, q, outcome, status, t):
    """A probe ended."""
    request = request_at(g, q)
    base = inside(g.probed_used, g.probed_n) * PROBED_WIDTH
    g.probed_used += 1
    store(g.probed, base, request.kind)
    store(g.probed, base + 1, request.index)
    store(g.probed, base + 2, request.intended)
    store(g.probed, base + 3, t)
    store(g.probed, base + 4, request.station)
    store(g.probed, base + 5, request.replica)
    store(g.probed, base + 6, status)
    _watch(g, request.kind, outcome == 1)


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
