"""The event loop: everything strictly before a horizon in the order (time, kind, id).

State: m small state (layout), fl floats of stations (scale, sigma), ky stream keys, cl calls, rq requests, arr fed
arrivals; fin, row, prb, lod, hst what came out. All arrays; one call runs many occurrences.
"""

from sim.data.compiled import compiled, forced
from sim.data.draws import uniform
from sim.data.kernel_calls import (
    POOL_TIMEOUT,
    QUEUE_TIMEOUT,
    READ_ONLY,
    STOPPED,
    answer,
    deliver,
    finish,
    issue,
    outstanding_over,
    result,
    start,
    station_failed,
    timeout,
    unlink,
)
from sim.data.kernel_state import (
    agenda_add,
    backoff_pop,
    backoff_source,
    count,
    edge_at,
    flush_second,
    free_call,
    new_request,
    next_source,
    record_latency,
    replica_at,
    ring_clean,
    set_next,
    share_advance,
    share_next,
    share_pop,
    station_at,
)
from sim.data.layout import *  # noqa: F403

OK = 0


@compiled
def run_agenda(m, fl, ky, cl, rq, fin, row, prb, t):
    """Work off the consequences of one occurrence, first in, first out."""
    while m[G_AGENDA_HEAD] < m[G_AGENDA_TAIL]:
        at = m[G_AGENDA_BASE] + (m[G_AGENDA_HEAD] & m[G_AGENDA_MASK]) * 3
        m[G_AGENDA_HEAD] += 1
        what, a, b = m[at], m[at + 1], m[at + 2]
        if what == AG_RESULT:
            result(m, ky, cl, rq, fin, prb, a, b, t)
        elif what == AG_START:
            start_next(m, fl, ky, cl, rq, a, t)
        else:
            pool_next(m, fl, ky, cl, rq, a, b, t)


@forced
def start_next(m, fl, ky, cl, rq, r, t):
    rp = replica_at(m, r)
    s = m[rp + RP_STATION]
    while m[rp + RP_QLEN] > 0 and m[rp + RP_BUSY] < m[station_at(m, s) + ST_SLOTS]:
        c = m[rp + RP_QHEAD]
        m[rp + RP_QHEAD] = cl[c, C_NEXT]
        m[rp + RP_QLEN] -= 1
        start(m, fl, ky, cl, rq, c, r, s, t)


@forced
def pool_next(m, fl, ky, cl, rq, r, e, t):
    rp = replica_at(m, r)
    while m[rp + RP_PLEN] > 0 and m[rp + RP_PUSED] < m[edge_at(m, e) + ED_POOL]:
        c = m[rp + RP_PHEAD]
        m[rp + RP_PHEAD] = cl[c, C_NEXT]
        m[rp + RP_PLEN] -= 1
        m[rp + RP_PUSED] += 1
        cl[c, C_CONN] = 1
        deliver(m, fl, ky, cl, rq, c, t)


@forced
def own_done(m, fl, ky, cl, rq, row, r, t):
    """A replica's job with the least goal has done its own work."""
    rp = replica_at(m, r)
    s = m[rp + RP_STATION]
    share_advance(m, rp, t)
    c = share_pop(m, r, rp)
    share_next(m, r, rp)
    m[rp + RP_WORK] += cl[c, C_WORK]
    record_latency(m, s, 0, t - cl[c, C_ACCEPTED])
    q = cl[c, C_REQ]
    p = rq[q, Q_CLASS]
    e = m[station_at(m, s) + ST_EDGE]
    if e < 0 or (p > 0 and m[m[G_PC] + p * PC_N + PC_CHAIN] == 0):
        status = OK
        if m[station_at(m, s) + ST_DB] >= 0:
            status = commit(m, cl, rq, row, c, q, p, m[station_at(m, s) + ST_DB], t)
        if status >= 0:
            answer(m, cl, c, status)
    elif m[edge_at(m, e) + ED_SYNC] == 1:
        cl[c, C_LOC] = LOC_HOLD
        issue(m, fl, ky, cl, rq, e, r, c, q, cl[c, C_LINEAGE] * 8, 0, t, -1)
    else:
        m[rp + RP_BUSY] -= 1
        m[rp + RP_OK] += 1
        m[station_at(m, s) + ST_OK] += 1
        count(m, s, L_OK)
        cl[c, C_LOC] = LOC_FORWARDED
        outstanding_over(m, cl, c)
        agenda_add(m, AG_START, r, 0)
        issue(m, fl, ky, cl, rq, e, r, c, q, cl[c, C_LINEAGE] * 8, 0, t, -1)


@forced
def present(m, rq, q, d):
    """Whether the request's key is in the timeline of database d."""
    if rq[q, Q_POS + d] > 0:
        return True
    old = m[m[G_DB] + d * DB_N + DB_FROM]
    return old >= 0 and 0 < rq[q, Q_POS + old] <= m[m[G_DB] + d * DB_N + DB_FORKED]


@compiled
def commit(m, cl, rq, row, c, q, p, d, t):
    """Write the row; the status to answer with, or -1 while the commit gate is closed."""
    writes = 1 if p == 0 else m[m[G_PC] + p * PC_N + PC_WRITES]
    if writes == 0:
        return OK
    db = m[G_DB] + d * DB_N
    if m[db + DB_WRITABLE] == 0:
        return READ_ONLY
    if m[G_IDEMPOTENT] == 1 and present(m, rq, q, d):
        return OK
    m[db + DB_WAL] += 1
    rq[q, Q_POS + d] = m[db + DB_WAL]
    n = m[G_ROW_N]
    row[n, 0] = rq[q, Q_INDEX] if p == 0 else -1 - (p << 40) - rq[q, Q_INDEX]
    row[n, 1] = d
    row[n, 2] = m[db + DB_WAL]
    row[n, 3] = t
    m[G_ROW_N] = n + 1
    if m[db + DB_GATE] == 1:
        return OK
    cl[c, C_LOC] = LOC_COMMIT
    cl[c, C_NEXT] = m[G_JOIN]
    m[G_JOIN] += 1
    return -1


@forced
def resolve(m, at, t):
    """Region that a DNS cache leads to, refreshed when its time is over."""
    if m[at + CL_IGNORES] == 0 and t >= m[at + CL_EXPIRY]:
        m[at + CL_CACHED] = m[G_DNS]
        m[at + CL_EXPIRY] = t + m[G_TTL]
    return m[at + CL_CACHED]


@forced
def send_attempt(m, fl, ky, cl, rq, q, attempt, t):
    """A client's or prober's attempt: resolve, then issue."""
    p = rq[q, Q_CLASS]
    if p == 0:
        client = rq[q, Q_CLIENT]
        region = resolve(m, m[G_CL] + client * CL_N, t)
        issue(m, fl, ky, cl, rq, 0, client, -1, q, attempt, attempt, t, region)
        return
    region = m[m[G_PC] + p * PC_N + PC_REGION]
    if region < 0:
        region = resolve(m, m[G_CL] + (m[G_CLIENTS] + p) * CL_N, t)
    issue(m, fl, ky, cl, rq, 0, -1, -1, q, 0, 0, t, region)


@compiled
def arrive(m, fl, ky, cl, rq, fin, prb, p, index, t):
    q = new_request(m, rq)
    rq[q, Q_CLASS] = p
    rq[q, Q_INDEX] = index
    rq[q, Q_INTENDED] = t
    rq[q, Q_ATTEMPTS] = 0
    rq[q, Q_TIMED_OUT] = 0
    rq[q, Q_LIVE] = 0
    rq[q, Q_DONE] = 0
    rq[q, Q_CLIENT] = -1
    rq[q, Q_STATION] = -1
    rq[q, Q_REPLICA] = -1
    for d in range(Q_POS_MAX):
        rq[q, Q_POS + d] = 0
    if p == 0:
        count(m, m[G_S], L_INTENDED)
        if m[G_SEND] == 0:
            rq[q, Q_NEXT] = m[G_REQ_FREE]
            m[G_REQ_FREE] = q
            m[G_REQS_LIVE] -= 1
            return
        count(m, m[G_S], L_SENT)
        if m[G_TRADING] == 0:
            finish(m, rq, fin, prb, q, 2, STOPPED, t)
            return
        client = int(uniform(ky[0], index) * m[G_CLIENTS])
        rq[q, Q_CLIENT] = client if client < m[G_CLIENTS] else m[G_CLIENTS] - 1
    send_attempt(m, fl, ky, cl, rq, q, 0, t)


@compiled
def retry(m, fl, ky, cl, rq, h, t):
    """A back-off ends: issue the attempt its holder stands for."""
    q = cl[h, C_REQ]
    parent = cl[h, C_PARENT]
    if parent < 0:
        send_attempt(m, fl, ky, cl, rq, q, cl[h, C_ATTEMPT], t)
    else:
        issue(m, fl, ky, cl, rq, cl[h, C_EDGE], cl[h, C_OWNER], parent, q, cl[h, C_LINEAGE], cl[h, C_ATTEMPT], t, -1)
    free_call(m, cl, rq, h)


@compiled
def ring_occurs(m, fl, ky, cl, rq, fin, prb, ring, t):
    """The head of a ring is due, if it is still alive."""
    header = m[G_RING] + ring * RI_N
    at = ring_clean(m, cl, header)
    if at < 0:
        set_next(m, m[G_R] + ring, INF)
        return
    if m[at] > t:
        set_next(m, m[G_R] + ring, m[at])
        return
    c = m[at + 2]
    m[header + RI_HEAD] += 1
    kind = m[header + RI_KIND]
    if kind == 3:
        timeout(m, ky, cl, rq, fin, prb, c, t)
    elif kind == 2:
        r = cl[c, C_REPLICA]
        unlink(m, cl, c, replica_at(m, r), RP_QHEAD, RP_QTAIL, RP_QLEN)
        cl[c, C_LOC] = LOC_DONE
        station_failed(m, r, m[replica_at(m, r) + RP_STATION])
        agenda_add(m, AG_RESULT, c, QUEUE_TIMEOUT)
    else:
        unlink(m, cl, c, replica_at(m, cl[c, C_OWNER]), RP_PHEAD, RP_PTAIL, RP_PLEN)
        cl[c, C_LOC] = LOC_NEW
        agenda_add(m, AG_RESULT, c, POOL_TIMEOUT)
    at = ring_clean(m, cl, header)
    set_next(m, m[G_R] + ring, INF if at < 0 else m[at])


@compiled
def due_ring(m, cl, source, t):
    """Among rings of one kind due at the same instant, the one whose head has the least seq."""
    ring = source - m[G_R]
    kind = m[m[G_RING] + ring * RI_N + RI_KIND]
    best, least = ring, INF
    for other in range(ring, m[G_E] + m[G_E] + m[G_P] + m[G_S]):
        header = m[G_RING] + other * RI_N
        if m[header + RI_KIND] != kind or m[m[G_TREE_BASE] + m[G_LEAVES] + m[G_R] + other] != t:
            continue
        at = ring_clean(m, cl, header)
        if at >= 0 and m[at] == t and m[at + 1] < least:
            best, least = other, m[at + 1]
    return best


@forced
def arrival_occurs(m, fl, ky, cl, rq, fin, prb, arr, p, t):
    base = backoff_source(m) + 1
    if p == 0:
        index = m[G_ARRIVAL]
        m[G_ARRIVAL] = index + 1
        at = index + 1 - m[G_ARRIVAL_FIRST]
        set_next(m, base, arr[at] if at < m[G_ARRIVAL_N] else INF)
        arrive(m, fl, ky, cl, rq, fin, prb, 0, index, t)
        return
    pc = m[G_PC] + p * PC_N
    index = m[pc + PC_NEXT]
    m[pc + PC_NEXT] = index + 1
    then = m[pc + PC_PHASE] + (index + 1) * m[pc + PC_SPACING]
    set_next(m, base + p, then if then < m[pc + PC_END] else INF)
    arrive(m, fl, ky, cl, rq, fin, prb, p, index, t)


@forced
def has_room(m, cl, rq, fin, row, prb, lod, hst):
    """Whether one more occurrence, with all its consequences, fits everywhere."""
    calls = m[G_CALLS_LIVE]
    spare = calls + 8
    return (
        calls * 2 + 64 < cl.shape[0]
        and m[G_REQS_LIVE] + 8 < rq.shape[0]
        and m[G_FIN_N] + spare < fin.shape[0]
        and m[G_ROW_N] + spare < row.shape[0]
        and m[G_PROBE_N] + spare < prb.shape[0]
        and m[G_LOAD_N] + 2 * (m[G_S] + 1) < lod.shape[0]
        and m[G_HISTOUT_N] + m[G_TOUCHED_N] + 2 * calls + 64 < hst.shape[0]
    )


@compiled
def advance(m, fl, ky, cl, rq, arr, fin, row, prb, lod, hst, horizon):
    """Perform every occurrence strictly before the horizon; return why it stopped (STOP_*)."""
    rings = m[G_R]
    backoffs = backoff_source(m)
    tree = m[G_TREE_BASE] + 1
    while True:
        t = m[tree]
        if t >= horizon:
            break
        if not has_room(m, cl, rq, fin, row, prb, lod, hst):
            return STOP_FULL
        if t >= m[G_SECOND_END]:
            flush_second(m, lod, hst)
            continue
        source = next_source(m)
        m[G_NOW] = t
        m[G_EVENTS] += 1
        if source < rings:
            own_done(m, fl, ky, cl, rq, row, source, t)
        elif source < backoffs:
            ring_occurs(m, fl, ky, cl, rq, fin, prb, due_ring(m, cl, source, t), t)
        elif source == backoffs:
            seq = m[m[G_BACKOFF_BASE] + 1]
            h = backoff_pop(m)
            if cl[h, C_SEQ] == seq and cl[h, C_LOC] == LOC_BACKOFF:
                retry(m, fl, ky, cl, rq, h, t)
        else:
            arrival_occurs(m, fl, ky, cl, rq, fin, prb, arr, source - backoffs - 1, t)
        run_agenda(m, fl, ky, cl, rq, fin, row, prb, t)
        if m[G_ERROR] != 0:
            return STOP_ERROR
        if m[G_WATCH] >= 0:
            return STOP_WATCH
    while horizon >= m[G_SECOND_END]:
        if not has_room(m, cl, rq, fin, row, prb, lod, hst):
            return STOP_FULL
        flush_second(m, lod, hst)
    m[G_NOW] = horizon
    return STOP_HORIZON
