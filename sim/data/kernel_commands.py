"""Commands of the control plane, applied at the plane's clock (data-plane page, section 4)."""

import numpy as np

from sim.data.compiled import allocating, compiled
from sim.data.kernel_calls import RESET, answer, detach
from sim.data.kernel_loop import run_agenda
from sim.data.kernel_state import (
    agenda_add,
    edge_at,
    free_call,
    replica_at,
    set_next,
    share_advance,
    share_next,
    station_at,
)
from sim.data.layout import *  # noqa: F403


@compiled
def list_replica(m, r, listed):
    """Put a replica in the endpoints or take it out; the list keeps the order of replica numbers."""
    rp = replica_at(m, r)
    m[rp + RP_LISTED] = listed
    st = station_at(m, m[rp + RP_STATION])
    n = 0
    for other in range(m[st + ST_FIRST], m[st + ST_FIRST] + m[st + ST_PLACES]):
        if m[replica_at(m, other) + RP_LISTED] == 1:
            m[m[G_LISTED] + m[st + ST_FIRST] + n] = other
            n += 1
    m[st + ST_LISTED_N] = n


@allocating
def located_at(cl, r):
    """Calls whose job is at a replica, in order of seq."""
    found = np.empty(cl.shape[0], dtype=np.int64)
    n = 0
    for c in range(cl.shape[0]):
        loc = cl[c, C_LOC]
        if cl[c, C_REPLICA] == r and (loc == LOC_QUEUE or loc == LOC_WORK or loc == LOC_HOLD or loc == LOC_COMMIT):
            found[n] = c
            n += 1
    found = found[:n]
    return found[np.argsort(cl[found, C_SEQ])]


@allocating
def lose(m, cl, rq, r, reset, t):
    """All work at a replica is gone; with reset its callers hear so."""
    rp = replica_at(m, r)
    jobs = located_at(cl, r)
    for c in jobs:
        child = cl[c, C_CHILD]
        if cl[c, C_LOC] == LOC_HOLD and child >= 0:
            cl[child, C_CONN] = 0
            detach(m, cl, rq, child)
            cl[c, C_CHILD] = -1
    for c in jobs:
        if cl[c, C_DETACHED] == 1:
            free_call(m, cl, rq, c)
        elif reset == 1:
            cl[c, C_LOC] = LOC_DONE
            agenda_add(m, AG_RESULT, c, RESET)
        else:
            cl[c, C_LOC] = LOC_HANG
    m[rp + RP_BUSY] = 0
    m[rp + RP_QLEN] = 0
    m[rp + RP_PUSED] = 0
    m[rp + RP_PLEN] = 0
    m[rp + RP_NWORK] = 0
    m[rp + RP_V] = 0
    m[rp + RP_TLAST] = t
    share_next(m, r, rp)
    e = m[station_at(m, m[rp + RP_STATION]) + ST_EDGE]
    ow = m[G_OW] + (m[G_CLIENTS] + r) * OW_N
    for i in range(OW_N):
        m[ow + i] = 0
    if e >= 0:
        m[ow + OW_TOKENS] = m[edge_at(m, e) + ED_BURST] * 1000


@allocating
def open_gate(m, cl, d):
    """Waiting commits answer in the order in which they came."""
    waiting = np.empty(cl.shape[0], dtype=np.int64)
    n = 0
    for c in range(cl.shape[0]):
        if cl[c, C_LOC] == LOC_COMMIT and m[station_at(m, cl[c, C_STATION]) + ST_DB] == d:
            waiting[n] = c
            n += 1
    waiting = waiting[:n]
    for c in waiting[np.argsort(cl[waiting, C_NEXT])]:
        answer(m, cl, c, 0)


@compiled
def set_cpu(m, r, milli, t):
    rp = replica_at(m, r)
    share_advance(m, rp, t)
    m[rp + RP_CPU] = milli
    share_next(m, r, rp)


@allocating
def apply(m, fl, ky, cl, rq, fin, row, prb, what, a, b, x):
    """Apply one command and work off its consequences."""
    t = m[G_NOW]
    if what == 0:
        list_replica(m, a, b)
    elif what == 1:
        m[replica_at(m, a) + RP_STATE] = b
    elif what == 2:
        lose(m, cl, rq, a, b, t)
    elif what == 3:
        m[replica_at(m, a) + RP_WARM] = b
    elif what == 4:
        m[replica_at(m, a) + RP_SLOW] = b
    elif what == 5:
        set_cpu(m, a, b, t)
    elif what == 6:
        st = station_at(m, a)
        m[st + ST_SLOTS] = b
        for r in range(m[st + ST_FIRST], m[st + ST_FIRST] + m[st + ST_PLACES]):
            agenda_add(m, AG_START, r, 0)
    elif what == 7:
        m[edge_at(m, a) + ED_POOL] = b
        for r in range(m[G_R]):
            if m[station_at(m, m[replica_at(m, r) + RP_STATION]) + ST_EDGE] == a:
                agenda_add(m, AG_POOL, r, a)
    elif what == 8:
        m[G_DNS] = a
    elif what == 9:
        m[edge_at(m, a) + ED_TARGET] = b
    elif what == 10:
        m[edge_at(m, a) + ED_CUT] = b
    elif what == 11:
        m[m[G_DB] + a * DB_N + DB_WRITABLE] = b
    elif what == 12:
        m[m[G_DB] + a * DB_N + DB_GATE] = b
        if b == 1:
            open_gate(m, cl, a)
    elif what == 13:
        db = m[G_DB] + a * DB_N
        m[db + DB_FROM] = b
        m[db + DB_FORKED] = x
        m[db + DB_WAL] = x
    elif what == 14:
        m[G_TRADING] = a
    elif what == 15:
        m[G_SEND] = a
    run_agenda(m, fl, ky, cl, rq, fin, row, prb, t)


@compiled
def feed_arrivals(m, arr, n, first):
    """Tell the kernel of a new arrivals buffer: n times, the first of them that of request `first`."""
    m[G_ARRIVAL_FIRST] = first
    m[G_ARRIVAL_N] = n
    at = m[G_ARRIVAL] - first
    source = m[G_R] + m[G_E] + m[G_P] + m[G_S] + m[G_E] + 1
    set_next(m, source, arr[at] if at < n else INF)
