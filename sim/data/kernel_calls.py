"""What happens to a call: issue, deliver, accept, start, answer, result, timeout (data-plane page, section 3).

Every function takes the same state: m, fl, ky, cl, rq, fin, row, prb (see kernel_loop).
"""

import math

from sim.data.compiled import compiled, forced
from sim.data.draws import attempt_key, exponential, normal, uniform
from sim.data.kernel_state import (
    agenda_add,
    backoff_add,
    count,
    edge_at,
    free_call,
    free_request,
    new_call,
    record_latency,
    replica_at,
    ring_add,
    share_add,
    share_advance,
    share_next,
    station_at,
)
from sim.data.layout import *  # noqa: F403

OK, BREAKER, NO_ADDRESS, POOL_FULL, POOL_TIMEOUT, NO_ENDPOINT, REFUSED = 0, 1, 2, 3, 4, 5, 6
QUEUE_FULL, QUEUE_TIMEOUT, READ_ONLY, CALLEE_FAILED, RESET, TIMEOUT, STOPPED = 7, 8, 9, 10, 11, 12, 13


@forced
def timeout_ring(m):
    """First ring of timeouts: rings are pool patience (E), queue patience (S), timeouts of edges (E), of classes (P)."""
    return m[G_E] + m[G_S]


@forced
def owner_at(m, c, cl):
    """State of the call's budget and breaker; a probe has none."""
    if cl[c, C_OWNER] < 0:
        return -1
    shift = 0 if cl[c, C_EDGE] == 0 else m[G_CLIENTS]
    return m[G_OW] + (cl[c, C_OWNER] + shift) * OW_N


@compiled
def issue(m, fl, ky, cl, rq, e, owner, parent, q, lineage, attempt, t, region):
    """Issue an attempt; `region` is the resolved address of a client's call (-1: none)."""
    c = new_call(m, cl)
    cl[c, C_SEQ] = m[G_SEQ]
    m[G_SEQ] += 1
    cl[c, C_REQ] = q
    cl[c, C_EDGE] = e
    cl[c, C_OWNER] = owner
    cl[c, C_PARENT] = parent
    cl[c, C_LINEAGE] = lineage
    cl[c, C_ATTEMPT] = attempt
    cl[c, C_DETACHED] = 0
    cl[c, C_ISSUED] = t
    cl[c, C_DEADLINE] = 0
    cl[c, C_LOC] = LOC_NEW
    cl[c, C_REPLICA] = -1
    cl[c, C_STATION] = -1
    cl[c, C_CONN] = 0
    cl[c, C_CHILD] = -1
    cl[c, C_OUTST] = -1
    cl[c, C_TRIAL] = 0
    rq[q, Q_LIVE] += 1
    ed = edge_at(m, e)
    if parent >= 0:
        cl[parent, C_CHILD] = c
    else:
        rq[q, Q_ATTEMPTS] += 1
        if rq[q, Q_CLASS] == 0:
            count(m, m[G_S], L_ATTEMPTS)
    ow = owner_at(m, c, cl)
    if ow >= 0:
        if attempt == 0 and m[ed + ED_BUDGET] >= 0:
            full = m[ed + ED_BURST] * 1000
            tokens = m[ow + OW_TOKENS] + m[ed + ED_BUDGET]
            m[ow + OW_TOKENS] = tokens if tokens < full else full
        if m[ed + ED_WINDOW] > 0 and m[ow + OW_STATE] != 0:
            if m[ow + OW_STATE] == 1 and t >= m[ow + OW_UNTIL]:
                m[ow + OW_STATE] = 2
                cl[c, C_TRIAL] = 1
            else:
                agenda_add(m, AG_RESULT, c, BREAKER)
                return
    if e == 0:
        if region < 0:
            agenda_add(m, AG_RESULT, c, NO_ADDRESS)
            return
        p = rq[q, Q_CLASS]
        cl[c, C_STATION] = m[m[G_ENTRY] + region] if p == 0 else m[m[G_PS] + p * m[G_REGIONS] + region]
        wait = m[ed + ED_TIMEOUT] if p == 0 else m[m[G_PC] + p * PC_N + PC_TIMEOUT]
        if wait > 0:
            cl[c, C_DEADLINE] = t + wait
            ring_add(m, cl, timeout_ring(m) + (0 if p == 0 else m[G_E] + p), t + wait, c)
    else:
        cl[c, C_STATION] = m[ed + ED_TARGET]
        if m[ed + ED_TIMEOUT] > 0:
            cl[c, C_DEADLINE] = t + m[ed + ED_TIMEOUT]
            ring_add(m, cl, timeout_ring(m) + e, t + m[ed + ED_TIMEOUT], c)
    if m[ed + ED_POOL] > 0 and owner >= 0:
        take_connection(m, ky, cl, rq, fl, c, ed, e, t)
    else:
        deliver(m, fl, ky, cl, rq, c, t)


@compiled
def take_connection(m, ky, cl, rq, fl, c, ed, e, t):
    rp = replica_at(m, cl[c, C_OWNER])
    if m[rp + RP_PUSED] < m[ed + ED_POOL]:
        m[rp + RP_PUSED] += 1
        cl[c, C_CONN] = 1
        deliver(m, fl, ky, cl, rq, c, t)
    elif m[rp + RP_PLEN] < m[ed + ED_PQUEUE]:
        cl[c, C_LOC] = LOC_POOL
        cl[c, C_NEXT] = -1
        if m[rp + RP_PLEN] == 0:
            m[rp + RP_PHEAD] = c
        else:
            cl[m[rp + RP_PTAIL], C_NEXT] = c
        m[rp + RP_PTAIL] = c
        m[rp + RP_PLEN] += 1
        if m[ed + ED_PPATIENCE] > 0:
            ring_add(m, cl, e, t + m[ed + ED_PPATIENCE], c)
    else:
        agenda_add(m, AG_RESULT, c, POOL_FULL)


@forced
def pick(m, ky, cl, rq, c, e, s):
    """Replica chosen by the edge's balancer among the listed ones, -1: none is listed."""
    n = m[station_at(m, s) + ST_LISTED_N]
    if n == 0:
        return -1
    first = m[G_LISTED] + m[station_at(m, s) + ST_FIRST]
    balancer = m[edge_at(m, e) + ED_BALANCER]
    if balancer == 1:
        at = m[G_RR] + e * m[G_S] + s
        m[at] += 1
        return m[first + (m[at] - 1) % n]
    base = m[G_OUTST] + e * m[G_R]
    if balancer == 2:
        best = m[first]
        least = m[base + best]
        for i in range(1, n):
            r = m[first + i]
            if m[base + r] < least:
                least = m[base + r]
                best = r
        return best
    q = cl[c, C_REQ]
    key = attempt_key(ky[1 + m[G_P] * m[G_S] + rq[q, Q_CLASS] * m[G_E] + e], cl[c, C_LINEAGE])
    i = int(uniform(key, 2 * rq[q, Q_INDEX]) * n)
    a = m[first + (i if i < n else n - 1)]
    if balancer == 0:
        return a
    i = int(uniform(key, 2 * rq[q, Q_INDEX] + 1) * n)
    b = m[first + (i if i < n else n - 1)]
    return b if m[base + b] < m[base + a] else a


@forced
def deliver(m, fl, ky, cl, rq, c, t):
    e = cl[c, C_EDGE]
    ed = edge_at(m, e)
    s = cl[c, C_STATION]
    if e > 0:
        s = m[ed + ED_TARGET]
        cl[c, C_STATION] = s
    if m[ed + ED_CUT] == 1:
        cl[c, C_LOC] = LOC_HANG
        return
    r = pick(m, ky, cl, rq, c, e, s)
    if r < 0:
        agenda_add(m, AG_RESULT, c, NO_ENDPOINT)
        return
    cl[c, C_OUTST] = r
    m[m[G_OUTST] + e * m[G_R] + r] += 1
    cl[c, C_REPLICA] = r
    count(m, s, L_ATTEMPTS)
    state = m[replica_at(m, r) + RP_STATE]
    if state == 0:
        accept(m, fl, ky, cl, rq, c, r, s, t)
    elif state == 1:
        agenda_add(m, AG_RESULT, c, REFUSED)
    else:
        cl[c, C_LOC] = LOC_HANG


@forced
def accept(m, fl, ky, cl, rq, c, r, s, t):
    st = station_at(m, s)
    rp = replica_at(m, r)
    cl[c, C_ACCEPTED] = t
    if m[rp + RP_BUSY] < m[st + ST_SLOTS]:
        count(m, s, L_SENT)
        start(m, fl, ky, cl, rq, c, r, s, t)
    elif m[rp + RP_QLEN] < m[st + ST_QCAP]:
        count(m, s, L_SENT)
        cl[c, C_LOC] = LOC_QUEUE
        cl[c, C_NEXT] = -1
        if m[rp + RP_QLEN] == 0:
            m[rp + RP_QHEAD] = c
        else:
            cl[m[rp + RP_QTAIL], C_NEXT] = c
        m[rp + RP_QTAIL] = c
        m[rp + RP_QLEN] += 1
        if m[st + ST_QPATIENCE] > 0:
            ring_add(m, cl, m[G_E] + s, t + m[st + ST_QPATIENCE], c)
    else:
        station_failed(m, r, s)
        agenda_add(m, AG_RESULT, c, QUEUE_FULL)


@forced
def station_failed(m, r, s):
    """A failure that the pod itself reports."""
    count(m, s, L_FAILED)
    m[station_at(m, s) + ST_FAILED] += 1
    m[replica_at(m, r) + RP_FAILED] += 1


@forced
def work_of(m, fl, ky, cl, rq, c, r, s, t):
    """Own work in ns, with the slowdown and warmth of this instant."""
    scale = fl[2 * s]
    sigma = fl[2 * s + 1]
    st = station_at(m, s)
    q = cl[c, C_REQ]
    w = int(scale)
    if m[st + ST_KIND] == 1:
        key = attempt_key(ky[1 + rq[q, Q_CLASS] * m[G_S] + s], cl[c, C_LINEAGE])
        w = int(scale * exponential(key, rq[q, Q_INDEX]))
    elif sigma != 0.0:
        key = attempt_key(ky[1 + rq[q, Q_CLASS] * m[G_S] + s], cl[c, C_LINEAGE])
        w = int(scale * math.exp(sigma * normal(key, rq[q, Q_INDEX])))
    w = w if w > 1 else 1
    rp = replica_at(m, r)
    if m[rp + RP_SLOW] != 1000:
        w = w * m[rp + RP_SLOW] // 1000
        w = w if w > 1 else 1
    if m[rp + RP_WARM] > t:
        w = w * (1000 + (m[st + ST_WARM_MILLI] - 1000) * (m[rp + RP_WARM] - t) // m[st + ST_WARM_TIME]) // 1000
        w = w if w > 1 else 1
    return w


@forced
def start(m, fl, ky, cl, rq, c, r, s, t):
    rp = replica_at(m, r)
    m[rp + RP_BUSY] += 1
    cl[c, C_LOC] = LOC_WORK
    w = work_of(m, fl, ky, cl, rq, c, r, s, t)
    cl[c, C_WORK] = w
    share_advance(m, rp, t)
    share_add(m, r, rp, m[rp + RP_V] + w * 65536, cl[c, C_SEQ], c)
    share_next(m, r, rp)


@compiled
def unlink(m, cl, c, rp, head, tail, length):
    """Take a call out of a replica's waiting list (its queue or its pool's queue)."""
    at = m[rp + head]
    before = -1
    while at != c:
        before = at
        at = cl[at, C_NEXT]
    if before < 0:
        m[rp + head] = cl[c, C_NEXT]
    else:
        cl[before, C_NEXT] = cl[c, C_NEXT]
    if m[rp + tail] == c:
        m[rp + tail] = before
    m[rp + length] -= 1


@forced
def outstanding_over(m, cl, c):
    if cl[c, C_OUTST] >= 0:
        m[m[G_OUTST] + cl[c, C_EDGE] * m[G_R] + cl[c, C_OUTST]] -= 1
        cl[c, C_OUTST] = -1


@forced
def release_connection(m, cl, c):
    if cl[c, C_CONN] == 1:
        cl[c, C_CONN] = 0
        r = cl[c, C_OWNER]
        m[replica_at(m, r) + RP_PUSED] -= 1
        agenda_add(m, AG_POOL, r, cl[c, C_EDGE])


@forced
def breaker_record(m, cl, c, ok, t):
    ed = edge_at(m, cl[c, C_EDGE])
    window = m[ed + ED_WINDOW]
    ow = owner_at(m, c, cl)
    if window == 0 or ow < 0:
        return
    if m[ow + OW_STATE] != 0:
        if cl[c, C_TRIAL] == 1 and m[ow + OW_STATE] == 2:
            m[ow + OW_STATE] = 0 if ok else 1
            m[ow + OW_UNTIL] = t + m[ed + ED_OPEN]
        return
    bit = 1 << m[ow + OW_POS]
    failed = 0 if ok else 1
    if m[ow + OW_COUNT] == window:
        m[ow + OW_FAILS] -= 1 if m[ow + OW_BITS] & bit else 0
    else:
        m[ow + OW_COUNT] += 1
    m[ow + OW_BITS] = (m[ow + OW_BITS] & ~bit) | (bit if failed else 0)
    m[ow + OW_FAILS] += failed
    m[ow + OW_POS] = (m[ow + OW_POS] + 1) % window
    if m[ow + OW_COUNT] == window and m[ow + OW_FAILS] * 1000 >= m[ed + ED_THRESHOLD] * window:
        m[ow + OW_STATE] = 1
        m[ow + OW_UNTIL] = t + m[ed + ED_OPEN]
        m[ow + OW_COUNT] = 0
        m[ow + OW_FAILS] = 0
        m[ow + OW_BITS] = 0
        m[ow + OW_POS] = 0


@forced
def answer(m, cl, c, status):
    """A job answers: its slot is freed, the next may start, the result goes to the caller."""
    r = cl[c, C_REPLICA]
    s = m[replica_at(m, r) + RP_STATION]
    m[replica_at(m, r) + RP_BUSY] -= 1
    cl[c, C_LOC] = LOC_DONE
    cl[c, C_CHILD] = -1
    if status == OK:
        count(m, s, L_OK)
        m[station_at(m, s) + ST_OK] += 1
        m[replica_at(m, r) + RP_OK] += 1
    else:
        station_failed(m, r, s)
    agenda_add(m, AG_START, r, 0)
    agenda_add(m, AG_RESULT, c, status)


@forced
def result(m, ky, cl, rq, fin, prb, c, status, t):
    """RESULT(c, status) of the agenda."""
    if cl[c, C_DETACHED] == 1:
        release_connection(m, cl, c)
        free_call(m, cl, rq, c)
        return
    cl[c, C_DEADLINE] = 0
    outstanding_over(m, cl, c)
    release_connection(m, cl, c)
    if status != BREAKER:
        breaker_record(m, cl, c, status == OK, t)
        if cl[c, C_STATION] >= 0:
            record_latency(m, cl[c, C_STATION], 1, t - cl[c, C_ISSUED])
    note_server(cl, rq, c)
    if status == OK:
        caller_ok(m, cl, rq, fin, prb, c, t)
        free_call(m, cl, rq, c)
    else:
        caller_failed(m, ky, cl, rq, fin, prb, c, status, t)
        free_call(m, cl, rq, c)


@forced
def note_server(cl, rq, c):
    """A client's call remembers who answered."""
    if cl[c, C_PARENT] < 0:
        q = cl[c, C_REQ]
        rq[q, Q_STATION] = cl[c, C_STATION]
        rq[q, Q_REPLICA] = cl[c, C_REPLICA]


@forced
def caller_ok(m, cl, rq, fin, prb, c, t):
    parent = cl[c, C_PARENT]
    if parent < 0:
        finish(m, rq, fin, prb, cl[c, C_REQ], 1, OK, t)
    elif cl[parent, C_LOC] == LOC_FORWARDED:
        agenda_add(m, AG_RESULT, parent, OK)
    else:
        answer(m, cl, parent, OK)


@compiled
def caller_failed(m, ky, cl, rq, fin, prb, c, status, t):
    """A failed attempt: try again if policy and budget allow, else tell the caller."""
    parent = cl[c, C_PARENT]
    e = cl[c, C_EDGE]
    q = cl[c, C_REQ]
    ow = owner_at(m, c, cl)
    ed = edge_at(m, e)
    if status == TIMEOUT and parent < 0:
        rq[q, Q_TIMED_OUT] = 1
    attempts = cl[c, C_ATTEMPT] + 1
    if ow >= 0 and status != BREAKER and attempts < 1 + m[ed + ED_RETRIES]:
        allowed = m[ed + ED_BUDGET] < 0
        if not allowed and m[ow + OW_TOKENS] >= 1000:
            m[ow + OW_TOKENS] -= 1000
            allowed = True
        if allowed:
            retry_later(m, ky, cl, rq, c, attempts, t)
            return
    if parent < 0:
        outcome = 3 if rq[q, Q_TIMED_OUT] == 1 else 2
        finish(m, rq, fin, prb, q, outcome, status, t)
    elif cl[parent, C_LOC] == LOC_FORWARDED:
        agenda_add(m, AG_RESULT, parent, status)
    else:
        answer(m, cl, parent, CALLEE_FAILED)


@compiled
def retry_later(m, ky, cl, rq, c, attempts, t):
    """Hold the place of the next attempt until its back-off ends."""
    h = new_call(m, cl)
    for i in range(C_N):
        cl[h, i] = cl[c, i]
    e = cl[c, C_EDGE]
    q = cl[c, C_REQ]
    rq[q, Q_LIVE] += 1
    cl[h, C_DETACHED] = 0
    cl[h, C_DEADLINE] = 0
    cl[h, C_CONN] = 0
    cl[h, C_OUTST] = -1
    cl[h, C_LOC] = LOC_BACKOFF
    cl[h, C_ATTEMPT] = attempts
    parent = cl[c, C_PARENT]
    lineage = attempts if parent < 0 else cl[parent, C_LINEAGE] * 8 + attempts
    cl[h, C_LINEAGE] = lineage
    if parent >= 0:
        cl[parent, C_CHILD] = h
    key = attempt_key(ky[1 + m[G_P] * m[G_S] + m[G_P] * m[G_E] + rq[q, Q_CLASS] * m[G_E] + e], lineage)
    base = m[edge_at(m, e) + ED_BACKOFF] << (attempts - 1)
    backoff_add(m, t + int(uniform(key, rq[q, Q_INDEX]) * base), cl[c, C_SEQ], h)


@compiled
def finish(m, rq, fin, prb, q, outcome, status, t):
    """A request ends as its sender sees it."""
    p = rq[q, Q_CLASS]
    rq[q, Q_DONE] = 1
    if p == 0:
        n = m[G_FIN_N]
        fin[n, 0] = rq[q, Q_INDEX]
        fin[n, 1] = rq[q, Q_INTENDED]
        fin[n, 2] = t
        fin[n, 3] = outcome
        fin[n, 4] = status
        fin[n, 5] = rq[q, Q_ATTEMPTS]
        m[G_FIN_N] = n + 1
        count(m, m[G_S], L_OK + outcome - 1)
        if outcome != 2:
            record_latency(m, m[G_S], 2, t - rq[q, Q_INTENDED])
    else:
        n = m[G_PROBE_N]
        prb[n, 0] = p
        prb[n, 1] = rq[q, Q_INDEX]
        prb[n, 2] = rq[q, Q_INTENDED]
        prb[n, 3] = t
        prb[n, 4] = rq[q, Q_STATION]
        prb[n, 5] = rq[q, Q_REPLICA]
        prb[n, 6] = status
        m[G_PROBE_N] = n + 1
        watch(m, p, outcome == 1)
    if rq[q, Q_LIVE] == 0:
        free_request(m, rq, q)


@forced
def watch(m, p, ok):
    """Count runs of failures, and of successes once fired."""
    pc = m[G_PC] + p * PC_N
    if m[pc + PC_WDOWN] == 0:
        return
    if ok == (m[pc + PC_FIRED] == 0):
        m[pc + PC_RUN] = 0
        return
    m[pc + PC_RUN] += 1
    if m[pc + PC_RUN] >= (m[pc + PC_WDOWN] if m[pc + PC_FIRED] == 0 else m[pc + PC_WUP]):
        m[pc + PC_FIRED] = 1 - m[pc + PC_FIRED]
        m[pc + PC_RUN] = 0
        m[G_WATCH] = p


@compiled
def detach(m, cl, rq, c):
    """The caller stops listening: the job goes on for nothing; what has not reached a job is over."""
    cl[c, C_DETACHED] = 1
    cl[c, C_DEADLINE] = 0
    outstanding_over(m, cl, c)
    loc = cl[c, C_LOC]
    if loc == LOC_POOL:
        unlink(m, cl, c, replica_at(m, cl[c, C_OWNER]), RP_PHEAD, RP_PTAIL, RP_PLEN)
    release_connection(m, cl, c)
    if loc == LOC_POOL or loc == LOC_HANG or loc == LOC_BACKOFF:
        free_call(m, cl, rq, c)


@compiled
def timeout(m, ky, cl, rq, fin, prb, c, t):
    if cl[c, C_STATION] >= 0:
        record_latency(m, cl[c, C_STATION], 1, t - cl[c, C_ISSUED])
    note_server(cl, rq, c)
    rq[cl[c, C_REQ], Q_REPLICA] = -1 if cl[c, C_PARENT] < 0 else rq[cl[c, C_REQ], Q_REPLICA]
    breaker_record(m, cl, c, False, t)
    cl[c, C_DEADLINE] = 0
    # the request must outlive its last call while the caller's side is settled
    q = cl[c, C_REQ]
    rq[q, Q_LIVE] += 1
    outstanding_over(m, cl, c)
    if cl[c, C_LOC] == LOC_POOL:
        unlink(m, cl, c, replica_at(m, cl[c, C_OWNER]), RP_PHEAD, RP_PTAIL, RP_PLEN)
    release_connection(m, cl, c)
    caller_failed(m, ky, cl, rq, fin, prb, c, TIMEOUT, t)
    cl[c, C_DETACHED] = 1
    loc = cl[c, C_LOC]
    if loc == LOC_POOL or loc == LOC_HANG:
        free_call(m, cl, rq, c)
    rq[q, Q_LIVE] -= 1
    if rq[q, Q_LIVE] == 0 and rq[q, Q_DONE] == 1:
        free_request(m, rq, q)
