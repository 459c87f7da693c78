"""Latency, throughput and load tests: limits missed, hidden, or never put to the test. Judged: 0..180, 386..720 s."""

from dataclasses import replace

import numpy as np

from tests.record_load import Second
from tests.records import BACK_S, END_S, FAULT_S, Run, us
from tests.unit.validators.plants import bad, fine, weak
from tests.unit.validators.plants.account import planless
from tests.unit.validators.plants.recovery import undone

RISK, TACTICAL, THROUGHPUT, LOAD = "kpi.risk", "kpi.tactical", "kpi.throughput", "load.load"
AFTER_S = BACK_S["order"]
LAG = ("client", "sender_lag_us_p99")


def takes(run: Run, from_s: float, to_s: float, own_ms: float | None, service: str = "risk") -> Run:
    """Have a service's own work take another time."""
    return run.loaded(service, from_s, to_s, lambda s: replace(s, own_ms=own_ms))


def slow_tail(run: Run, share: float, ms: float, service: str = "risk") -> Run:
    """Have a share of the requests take long."""
    return run.loaded(service, 0, END_S, lambda s: replace(s, tail=share, tail_ms=ms))


def turned_away(run: Run, share: float, from_s: float = AFTER_S, to_s: float = END_S, service: str = "risk") -> Run:
    """Have a share of the attempts fail: those that would have been slow."""

    def change(second: Second) -> Second:
        failed = round(second.ok * share)
        return replace(second, ok=second.ok - failed, failed=second.failed + failed)

    return run.loaded(service, from_s, to_s, change)


def completes(run: Run, rate: int, from_s: float, to_s: float) -> Run:
    """Have fewer requests complete than were sent."""
    return run.loaded("edge", from_s, to_s, lambda s: replace(s, ok=rate, failed=s.sent - rate))


def offers(run: Run, intended: int, sent: int, from_s: float = 0, to_s: float = END_S) -> Run:
    """Have the generator intend and send another load, all of which is completed."""
    return run.loaded(
        "edge", from_s, to_s, lambda s: replace(s, intended=intended, sent=sent, ok=sent, failed=0, attempts=sent)
    )


def load_test(run: Run, rate: int = 1_200, lasts_s: float = 600, done: int | None = None) -> Run:
    """Have a load test instead of a fault."""
    workload = {"profile": "steady", "rate_per_s": float(rate), "duration": us(lasts_s), "at_most_us": us(END_S)}
    run.head["scenario"]["workload"] |= workload
    planless(undone(run))
    offers(run, rate, rate)
    if done is not None:
        completes(run, done, 300, 360)
    return run


VIOLATIONS = (
    bad(RISK, "is too slow all the time", lambda r: takes(r, 0, END_S, 2.5)),
    bad(RISK, "is too slow after the recovery", lambda r: takes(r, AFTER_S, END_S, 2.5)),
    bad(RISK, "is too slow before the fault", lambda r: takes(r, 0, FAULT_S, 2.5)),
    bad(RISK, "has a slow tail of a tenth", lambda r: slow_tail(r, 0.1, 8)),
    bad(RISK, "answers fast and turns a tenth away", lambda r: turned_away(r, 0.1)),
    bad(RISK, "answers fast and half of the attempts time out", lambda r: r.loaded(
        "risk", AFTER_S, END_S, lambda s: replace(s, ok=s.ok // 2))),
    bad(TACTICAL, "is too slow all the time", lambda r: takes(r, 0, END_S, 0.6, "tactical")),
    bad(THROUGHPUT, "completes less than it was sent", lambda r: completes(r, 18, 0, END_S)),
    bad(THROUGHPUT, "completes less than it was sent after the recovery",
        lambda r: completes(r, 18, AFTER_S, END_S)),
    bad(THROUGHPUT, "completes less in one minute", lambda r: completes(r, 17, 540, 600)),
    bad(THROUGHPUT, "completes exactly the limit", lambda r: completes(r, 19, 0, END_S)),
    bad(THROUGHPUT, "completes less, and retries make up for it", lambda r: r.loaded(
        "edge", 0, END_S, lambda s: replace(s, ok=18, failed=s.sent - 18, attempts=2 * s.sent))),
    bad(THROUGHPUT, "completes nothing after the recovery", lambda r: completes(r, 0, AFTER_S, END_S)),
    bad(LOAD, "completes less in one minute of the test", lambda r: load_test(r, done=900)),
)  # fmt: skip


WEAK = (
    weak(RISK, "own times were not recorded", lambda r: takes(r, 0, END_S, None)),
    weak(RISK, "own times were not recorded after the recovery", lambda r: takes(r, AFTER_S, END_S, None)),
    weak(RISK, "the service was not counted for a minute", lambda r: r.loaded("risk", 60, 120, lambda s: None)),
    weak(RISK, "the service was not counted after the recovery",
        lambda r: r.loaded("risk", AFTER_S, END_S, lambda s: None)),
    weak(RISK, "the load was not counted for a minute", lambda r: r.loaded("edge", 60, 120, lambda s: None)),
    weak(RISK, "the load was sent 2 ms late", lambda r: _lagging(r, 2_000)),
    weak(RISK, "the observer did not see the load", lambda r: _unseen(r)),
    weak(RISK, "the sender was away for a time", lambda r: r.mark(
        90, "observer_gap", "sender", what="sender", from_us=us(60), to_us=us(90))),
    weak(RISK, "how late the load was sent was not sampled", lambda r: r.samples.pop(LAG)),
    weak(RISK, "how late the load was sent was not sampled for half a minute", lambda r: r.resampled(
        *LAG, lambda t, v: (t[(t < us(60)) | (t >= us(90))], v[(t < us(60)) | (t >= us(90))]))),
    weak(RISK, "nobody probed whether it recovered", lambda r: r.unprobed()),
    weak(RISK, "no order was probed", lambda r: r.unprobed("order")),
    weak(RISK, "nobody probed another service while it recovered", lambda r: r.unprobed("strategic", 350, 450)),
    weak(RISK, "the fault is not on record", lambda r: r.without("injection_begun")),
    weak(THROUGHPUT, "nobody probed whether the system recovered", lambda r: r.unprobed()),
    weak(THROUGHPUT, "no page was probed", lambda r: r.unprobed("page")),
    weak(THROUGHPUT, "nobody probed for a while after the recovery", lambda r: r.unprobed("tactical", 500, 520)),
    weak(THROUGHPUT, "the fault is not on record", lambda r: r.without("injection_begun")),
    weak(RISK, "the clock jumped while it was judged", lambda r: r.mark(60, "clock_step", "client", step_us=us(5))),
    weak(RISK, "the run ended 44 s after the recovery", lambda r: r.ends(430)),
    weak(RISK, "the system never recovered", lambda r: r.recovers("strategic", 1e6)),
    weak(RISK, "the quantile swings around the limit", lambda r: _swinging(r)),
    weak(RISK, "the run was interrupted", lambda r: r.says(termination="interrupted")),
    weak(THROUGHPUT, "the generator sent less than intended", lambda r: offers(r, 20, 17)),
    weak(THROUGHPUT, "the generator sent two in a hundred less than intended", lambda r: offers(r, 50, 49)),
    weak(THROUGHPUT, "the generator sent less than intended in one minute",
        lambda r: offers(r, 20, 17, 60, 120)),
    weak(THROUGHPUT, "the generator sent less, and the system completed less still",
        lambda r: completes(offers(r, 20, 17), 8_000, 0, END_S)),
    weak(THROUGHPUT, "less than the limit was offered", lambda r: offers(r, 19, 19)),
    weak(THROUGHPUT, "nothing was counted", lambda r: r.loaded("edge", 0, END_S, lambda s: None)),
    weak(THROUGHPUT, "a minute was not counted", lambda r: r.loaded("edge", 60, 120, lambda s: None)),
    weak(THROUGHPUT, "one second was not counted", lambda r: r.loaded("edge", 60, 61, lambda s: None)),
    weak(THROUGHPUT, "the clock jumped while it was judged",
        lambda r: r.mark(60, "clock_step", "client", step_us=us(5))),
    weak(THROUGHPUT, "the run ended 44 s after the recovery", lambda r: r.ends(430)),
    weak(THROUGHPUT, "the system never recovered", lambda r: r.recovers("strategic", 1e6)),
    weak(THROUGHPUT, "the run was interrupted", lambda r: r.says(termination="interrupted")),
    weak(LOAD, "the load stopped after five minutes", lambda r: load_test(r).mark(300, "load_stopped", "client")),
    weak(LOAD, "the generator sent less than intended", lambda r: offers(load_test(r), 1_200, 1_000)),
    weak(LOAD, "users still waited when their turns came", lambda r: _held_up(load_test(r))),
    weak(RISK, "users still waited when their turns came", lambda r: _held_up(r)),
)  # fmt: skip


def _lagging(run: Run, lag_us: float) -> Run:
    return run.resampled(*LAG, lambda t, v: (t, np.full(len(t), lag_us)))


def _unseen(run: Run) -> Run:
    return run.mark(90, "observer_gap", "observer", what="load", from_us=us(60), to_us=us(90))


def _held_up(run: Run) -> Run:
    why = "the load was not offered, because users still waited for answers when their turns came,"
    return run.mark(90, "observer_gap", "client", what="load", from_us=us(60), to_us=us(63), why=why)


def _swinging(run: Run) -> Run:
    for from_s in range(400, 720, 20):
        takes(run, from_s, from_s + 10, 2.7)
    return run


HARMLESS = (
    fine(RISK, "is fast enough", lambda r: r),
    fine(RISK, "was not probed for a while in the outage", lambda r: r.unprobed("risk", 250, 260)),
    fine(RISK, "is slow during the fault", lambda r: takes(r, FAULT_S, AFTER_S, 50)),
    fine(RISK, "has a slow tail of a hundredth", lambda r: slow_tail(r, 0.01, 80)),
    fine(RISK, "turns a hundredth away", lambda r: turned_away(r, 0.01)),
    fine(RISK, "its caller waits long", lambda r: r.loaded("risk", 0, END_S, lambda s: replace(s, caller_ms=500.0))),
    fine(RISK, "the path is long", lambda r: r.loaded("edge", 0, END_S, lambda s: replace(s, path_ms=500.0))),
    fine(RISK, "attempts count retries that were answered", lambda r: r.loaded(
        "risk", 0, END_S, lambda s: replace(s, ok=s.ok + 500, attempts=s.ok + 500))),
    fine(THROUGHPUT, "completes what it is sent", lambda r: r),
    fine(THROUGHPUT, "completes a little less than it is sent", lambda r: r.loaded(
        "edge", 0, END_S, lambda s: replace(s, ok=s.sent - s.second % 2, failed=s.second % 2))),
    fine(THROUGHPUT, "completes nothing during the fault", lambda r: completes(r, 0, FAULT_S, AFTER_S)),
    fine(THROUGHPUT, "one request in a thousand is not sent", lambda r: r.loaded(
        "edge", 0, END_S, lambda s: replace(s, intended=s.sent + (s.second % 50 == 0)))),
    fine(LOAD, "completes what the test asks for", load_test),
)  # fmt: skip
