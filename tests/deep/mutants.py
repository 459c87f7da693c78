"""Wrong kernels, one token each: what is changed, and what the change means.

A text must occur exactly once in its function. `tests/tidy/test_mutants_apply.py` says so when it does not any more:
then mend the entry here, so that it again means what `meaning` says.
"""

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

DATA = Path("sim") / "data"


class Stale(ValueError):
    """A mutant does not fit the sources any more."""


@dataclass(frozen=True)
class Mutant:
    """One token of a function is another one.

    `equivalent` says why no test can tell it from the kernel; it is played all the same, and must not differ.
    """

    file: str
    function: str
    old: str
    new: str
    meaning: str
    equivalent: str = ""

    def applied(self, source: str) -> tuple[str, int, tuple[str, str]]:
        """Return the mutated source, the line that changed, and the token before and after."""
        start, end = _function(source, self.function, self.file)
        body = source[start:end]
        found = body.count(self.old)
        if found != 1:
            raise Stale(
                f"sim/data/{self.file}, {self.function}: {self.old!r} occurs {found} times, expected once. "
                f"Mend the mutant '{self.meaning}' in tests/deep/mutants.py"
            )
        mutated = source[:start] + body.replace(self.old, self.new) + source[end:]
        line, tokens = _changed(source, mutated, self)
        return mutated, line, tokens


def _function(source: str, name: str, file: str) -> tuple[int, int]:
    """Where a function of a module begins and ends; "" is the whole module."""
    if not name:
        return 0, len(source)
    start = source.find(f"\ndef {name}(")
    if start < 0:
        start = source.find(f"\n    def {name}(")
    if start < 0:
        raise Stale(f"sim/data/{file}: no function {name}, expected by a mutant in tests/deep/mutants.py")
    ends = [source.find(mark, start + 1) for mark in ("\n@", "\ndef ", "\nclass ", "\n    def ", "\n# ---")]
    return start, min((end for end in ends if end > 0), default=len(source))


def _tokens(source: str) -> list[tuple[str, int]]:
    return [(t.string, t.start[0]) for t in tokenize.generate_tokens(io.StringIO(source).readline)]


def _changed(source: str, mutated: str, mutant: Mutant) -> tuple[int, tuple[str, str]]:
    """Line and the two tokens; refuses a change of anything but one token."""
    before, after = _tokens(source), _tokens(mutated)
    differing = [(old[1], (old[0], new[0])) for old, new in zip(before, after, strict=False) if old[0] != new[0]]
    if len(before) != len(after) or len(differing) != 1:
        raise Stale(f"sim/data/{mutant.file}: '{mutant.meaning}' changes {len(differing)} tokens, expected one")
    return differing[0]


CALLS, ENDS, STATE, LOOP, RECORD = (
    "kernel_calls.py",
    "kernel_ends.py",
    "kernel_state.py",
    "kernel_loop.py",
    "kernel_record.py",
)
COMMANDS, DRAWS, REQUESTS = "kernel_commands.py", "kernel_draws.py", "kernel_requests.py"
STAGES, BATCHES, CHAIN, CROSSING = "kernel_stages.py", "kernel_batches.py", "kernel_chain.py", "kernel_crossing.py"

MUTANTS = (
    Mutant(STAGES, "_end", "first, number + 1", "first, number + 0", "in stages: the last call has no latency"),
    Mutant(STAGES, "_add_ending", ").key > key", ").key < key", "in stages: ends at a station are out of order"),
    Mutant(STAGES, "_comes_first", "mine.key < other", "mine.key > other", "in stages: the later end comes first"),
    Mutant(STAGES, "_comes_first", ") < issue_at", ") > issue_at", "in stages: equal ends, the later call is first"),
    Mutant(STAGES, "end_before", "status == QUEUE", "status != QUEUE", "in stages: who gives up is no failure"),
    Mutant(STAGES, "add_done", ").key > key", ").key >= key", "in stages: equal ends of work, the later call is first"),
    Mutant(STAGES, "add_done", "key < stage.next", "key > stage.next", "in stages: the next to leave is the last one"),
    Mutant(STAGES, "_least_head", "other != r", "other == r", "in stages: only who leaves is seen to leave next"),
    Mutant(STAGES, "ends_at", "kind > 0 and", "kind > 0 or", "in stages: requests end at the first station"),
    Mutant(STAGES, "accept", ">= station.slots", "> station.slots", "in stages: a job more than slots"),
    Mutant(STAGES, "accept", "begun > t else t", "begun < t else t", "in stages: work begins before it may"),
    Mutant(STAGES, "accept", "and begun > t +", "and begun >= t +", "in stages: patience ends before a slot is free"),
    Mutant(STAGES, "edge_of", "0 if flight", "1 if flight", "in stages: clients call over an inner edge"),
    Mutant(
        STAGES,
        "_forget",
        "stage.counted += 1",
        "stage.counted += 2",
        "in stages: half of who gives up is outstanding for ever",
    ),
    Mutant(STAGES, "_complete", "g.depth - 1", "g.depth - 2", "in stages: a station's probes are written too early"),
    Mutant(STAGES, "_leave", "key >= limit", "key > limit", "in stages: what leaves just then is not outstanding"),
    Mutant(STAGES, "play_stage", "probe).key < key", "probe).key > key", "in stages: probes come too early"),
    Mutant(BATCHES, "_begin_load", ") >= until", ") > until", "in stages: an arrival at the end of a batch"),
    Mutant(CHAIN, "_steady", "< station.slots", "< station.places", "in stages: jobs that share a core"),
    Mutant(CHAIN, "_steady", "listed == 1 and", "listed == 0 and", "in stages: pods that refuse take requests"),
    Mutant(CHAIN, "lay_out", ".cut == 1", ".cut == 2", "in stages: a partition is not seen"),
    Mutant(CHAIN, "lay_out", "g.sending == 0", "g.sending == 2", "in stages: load that is not sent"),
    Mutant(CHAIN, "lay_out", ".gate == 1", ".gate != 1", "in stages: a closed commit gate is not seen"),
    Mutant(CHAIN, "lay_out", "!= g.dns", "> g.dns", "in stages: clients whose DNS cache is old"),
    Mutant(CHAIN, "_joins", "probe.down > 0", "probe.down > 9", "in stages: watches are not seen"),
    Mutant(CHAIN, "limit_of", "probe_at(g, p).timeout", "probe_at(g, p).end", "in stages: probes do not time out"),
    Mutant(CHAIN, "has_room", "min(room, station_at", "max(room, station_at", "in stages: short queues are never full"),
    Mutant(CROSSING, "_find_jobs", "left >> 16", "left >> 15", "going over: work takes twice as long"),
    Mutant(CROSSING, "_lift", "flight.work = call.work", "flight.work = call.seq", "going over: work is mistaken"),
    Mutant(CROSSING, "_take_over", "dones[i] < INF", "dones[i] <= INF", "going over: all jobs are at work"),
    Mutant(CROSSING, "_calls_in_order", ".work -= ", ".work += ", "going back: work counts that is not done"),
    Mutant(CROSSING, "_issue", "probe.timeout", "probe.spacing", "going back: probes have another timeout"),
    Mutant(CROSSING, "_issue", "< flight.stage", "<= flight.stage", "going back: replicas of calls are mixed up"),
    Mutant(CROSSING, "_put_down", "work < reached", "work <= reached", "going back: what starts just then has started"),
    Mutant(CROSSING, "_put_down", "call.connection = r", "call.connection = c", "going back: replica of a connection"),
    Mutant(
        CROSSING, "_put_down", "tail).next = c", "head).next = c", "going back: the queue is not first in, first out"
    ),
    Mutant(CROSSING, "_hand_back", ".last = reached", ".last += reached", "going back: the clock of a replica"),
    Mutant(CALLS, "issue_from_client", "g.attempts += 1", "g.sent += 1", "attempts are counted as requests sent"),
    Mutant(CALLS, "_admitted", "attempt == 0", "attempt >= 0", "retries add to the budget"),
    Mutant(CALLS, "_admitted", "tokens < full", "tokens > full", "min for max: the budget has no upper end"),
    Mutant(CALLS, "_admitted", "t >= owner.until", "t > owner.until", "an open breaker lets no trial pass at its end"),
    Mutant(CALLS, "_admitted", "breaker = HALF_OPEN", "breaker = CLOSED", "the trial closes the breaker at once"),
    Mutant(CALLS, "_connected", "connections < edge.pool", "connections <= edge.pool", "a connection too many"),
    Mutant(CALLS, "_wait_for_connection", ">= edge.pool_queue", "> edge.pool_queue", "one waits too many in the pool"),
    Mutant(CALLS, "_wait_for_connection", "pool_patience > 0", "pool_patience >= 0", "patience 0 is not for ever"),
    Mutant(
        CALLS, "_least_connected", "ONE_CONNECTION - 1", "ONE_CONNECTION - 2", "fewest calls: an even number is taken"
    ),
    Mutant(CALLS, "pick", "32 < connections", "32 <= connections", "power of two: b among equals"),
    Mutant(CALLS, "pick", "row, 1, station", "row, 0, station", "power of two: both from the first draw"),
    Mutant(CALLS, "pick", "station_count + s, turn", "station_count + e, turn", "turns are counted for another target"),
    Mutant(CALLS, "deliver", "layout.REFUSING", "layout.SERVING", "a pod that refuses is silent"),
    Mutant(CALLS, "_accept", "busy < station.slots", "busy <= station.slots", "a job more than slots"),
    Mutant(CALLS, "_queue", ">= station.queue_capacity", "> station.queue_capacity", "the queue is one longer"),
    Mutant(CALLS, "_queue", "replica.tail).next = c", "replica.head).next = c", "the queue is not first in, first out"),
    Mutant(CALLS, "paced", "replica.slow // 1000", "replica.slow // 1024", "a slowdown in 1/1024"),
    Mutant(CALLS, "paced", "1000 + extra", "1000 - extra", "cold pods are fast"),
    Mutant(CALLS, "start", "w << 16", "w << 15", "the goal of a job is half its work"),
    Mutant(ENDS, "_breaker_count", "1 < edge.window", "1 <= edge.window", "the breaker's window is one longer"),
    Mutant(ENDS, "_breaker_count", "1000 >= edge", "1000 > edge", "the breaker does not open at its threshold"),
    Mutant(ENDS, "_breaker_count", "call.trial == 1 and", "call.trial == 1 or", "calls from before decide the trial"),
    Mutant(ENDS, "_breaker_count", "owner.failures = 0", "owner.failures += 0", "failures outlive the window"),
    Mutant(ENDS, "_breaker_count", "owner.failures -= ", "owner.failures += ", "failures never leave the window"),
    Mutant(ENDS, "leave_queue", "replica.tail == c", "replica.tail != c", "the queue's end is wrong after a timeout"),
    Mutant(ENDS, "_release_connection", "connections -= 1", "connections -= 0", "a connection is not released"),
    Mutant(ENDS, "result", "call.detached == 1", "call.detached == 2", "results of detached calls are not ignored"),
    Mutant(ENDS, "result", "call.station >= 0", "call.station > 0", "the first station's callers have no latency"),
    Mutant(ENDS, "_may_retry", "call.attempt >= ", "call.attempt > ", "one retry more"),
    Mutant(ENDS, "_may_retry", "owner.tokens < 1000", "owner.tokens <= 1000", "the budget's last token is not used"),
    Mutant(ENDS, "_may_retry", "tokens -= 1000", "tokens -= 0", "a retry takes nothing from the budget"),
    Mutant(ENDS, "_caller_failed", "TIMEOUT and", "TIMEOUT or", "any failure of a client's attempt is unknown"),
    Mutant(ENDS, "_retry_later", "(attempt - 1)", "(attempt - 0)", "back-offs are doubled once too often"),
    Mutant(ENDS, "_retry_later", "lineage * 8", "lineage * 7", "inner retries use other draws"),
    Mutant(ENDS, "detach", "call.connected = 0", "call.connected += 0", "a lost caller's connection is released later"),
    Mutant(ENDS, "timeout", "edge, 1, t", "edge, 0, t", "timeouts are no failures"),
    Mutant(
        DRAWS,
        "draw_ahead",
        "column.step + column.which",
        "column.step - column.which",
        "second picks take the last request's draw",
    ),
    Mutant(DRAWS, "_kept", ">= g.first_kept", "< g.first_kept", "draws of requests long past are read"),
    Mutant(
        DRAWS,
        "_quantiles_of_uniforms",
        "<= 0.425",
        "<= 0.475",
        "the middle formula of the normal quantile for the tails",
    ),
    Mutant(
        DRAWS,
        "pick_of",
        "2 * index + which",
        "2 * index - which",
        "second picks of retries take another draw",
    ),
    Mutant(STATE, "share_next", "left + v - 1", "left + v - 0", "work that ends on a nanosecond ends one later"),
    Mutant(STATE, "_first_of_equals", ".seq < ", ".seq > ", "equal goals: the later call is done first"),
    Mutant(STATE, "_comes_first", "entry.seq < seq", "entry.seq > seq", "equal back-offs: the later call is first"),
    Mutant(STATE, "_risen", "(place - 1) >> 1", "(place - 2) >> 1", "a heap's entries rise past the wrong ones"),
    Mutant(STATE, "_drop_first", "down + 1 < n", "down + 1 > n", "a heap: of two entries the second is never next"),
    Mutant(STATE, "_drop_first", "2 * place + 1\n", "2 * place + 2\n", "a heap: the first of two is never next"),
    Mutant(STATE, "_pack", "ring.heap == 1", "ring.heap == 2", "a heap is packed as a queue is"),
    Mutant(STATE, "_alive", "call.place == ", "call.place >= ", "patience ends for those who are served"),
    Mutant(STATE, "_alive", "call.deadline == ", "call.deadline <= ", "timeouts that were cancelled occur"),
    Mutant(
        STATE,
        "share_add",
        "first = seq < call_at",
        "first = seq > call_at",
        "equal goals at the start: the later call is first",
    ),
    Mutant(STATE, "share_add", "goal < replica.least", "goal > replica.least", "the job that is done last is taken"),
    Mutant(STATE, "share_take", "found == last", "found != last", "the job that moved is lost from view"),
    Mutant(
        STATE,
        "_next_top_of_many",
        "other < least",
        "other > least",
        "with many jobs the one that is done last is taken",
    ),
    Mutant(
        STATE,
        "_next_top_of_many",
        "found >= 0 or",
        "found >= 0 and",
        "with many jobs the first of equal goals, not of seq",
    ),
    Mutant(STATE, "_place_by_seq", "before.seq < seq", "before.seq > seq", "equal deadlines: the later call is first"),
    Mutant(STATE, "_place_by_seq", "place -= 1", "place -= 2", "a deadline is written over another"),
    Mutant(STATE, "_ring_begins", ") > deadline", ") < deadline", "the tree does not learn of a ring's first deadline"),
    Mutant(CALLS, "_queue", "kind == layout.FIXED", "kind != layout.FIXED", "patience is drawn where it is fixed"),
    Mutant(DRAWS, "patience_of", "layout.EXPONENTIAL", "layout.LOGNORMAL", "the kinds of drawn patience are mixed up"),
    Mutant(DRAWS, "patience_of", "call.lineage", "call.attempt", "inner patience goes by the attempt"),
    Mutant(LOOP, "_start_next", "busy < station.slots", "busy <= station.slots", "one starts too many after an answer"),
    Mutant(
        LOOP, "_pool_next", "edge.pool:", "edge.pool_queue:", "connections are handed over up to the queue's length"
    ),
    Mutant(LOOP, "_pool_next", "connections += 1", "connections += 0", "a connection handed over is not taken"),
    Mutant(LOOP, "_own_done", "replica.ok += 1", "replica.failed += 1", "jobs passed on count as failed"),
    Mutant(LOOP, "_own_done", "t - call.accepted", "t - call.issued", "own latency includes the wait for a connection"),
    Mutant(
        REQUESTS, "_present", "<= database_at", "< database_at", "the last row before a fork is not in the new timeline"
    ),
    Mutant(REQUESTS, "_present", "0 < _position", "0 <= _position", "what was never written is in the new timeline"),
    Mutant(REQUESTS, "commit", "database.wal + 1", "database.wal + 2", "positions of the log skip one"),
    Mutant(LOOP, "_own_done", "g.joined += 1", "g.joined -= 1", "waiting commits: last in, first out"),
    Mutant(REQUESTS, "resolve", "t >= cache.expiry", "t > cache.expiry", "an answer of DNS is used at its expiry"),
    Mutant(
        REQUESTS,
        "begin_request",
        "request.timed_out = 0",
        "request.timed_out += 0",
        "timeouts of an earlier request are kept",
    ),
    Mutant(
        REQUESTS,
        "begin_request",
        "range(g.database_count)",
        "range(g.trading)",
        "positions of an earlier request are kept",
    ),
    Mutant(
        LOOP,
        "_retry",
        "held.lineage, held.attempt",
        "held.lineage, held.lineage",
        "the lineage is taken for the attempt",
    ),
    Mutant(LOOP, "_deadline_ends", "layout.QUEUE_PATIENCE", "layout.POOL_PATIENCE", "kinds of patience are mixed up"),
    Mutant(LOOP, "_probe_arrives", "then < probe.end", "then <= probe.end", "a probe at the end"),
    Mutant(LOOP, "_play", "key >= limit", "key > limit", "what is due at the horizon is before the command"),
    Mutant(LOOP, "_due_ring", "seq < least", "seq > least", "no deadline is ever due"),
    Mutant(RECORD, "bin_of", "shift << 7", "shift << 6", "64 bins an octave"),
    Mutant(RECORD, "_write_histogram", "n > 0", "n > 1", "bins of one are left out"),
    Mutant(RECORD, "flush_second", "last.ok = ok", "last.ok += ok", "a second's answers are taken from the sum"),
    Mutant(RECORD, "write_finished", "g.failed += 1", "g.unknown += 1", "failed is unknown"),
    Mutant(
        RECORD,
        "write_finished",
        "!= layout.DONE_FAILED",
        "!= layout.DONE_UNKNOWN",
        "unknown has no path latency, failed has",
    ),
    Mutant(RECORD, "_watch", "probe.run >= ", "probe.run > ", "a watch fires one failure late"),
    Mutant(COMMANDS, "_jobs_at", "COMMITTING)", "HOLDING)", "waiting commits outlive their replica"),
    Mutant(COMMANDS, "_lose", "replica.connections = 0", "replica.connections += 0", "a new pod's pool is half taken"),
    Mutant(COMMANDS, "_lose", "replica.busy = 0", "replica.busy += 0", "a new pod's slots are taken"),
    Mutant(COMMANDS, "_fresh_owner", "owner.failures = 0", "owner.failures += 0", "a new pod's breaker remembers"),
    Mutant(COMMANDS, "_fresh_owner", "* 1000", "* 1", "a new pod's budget is in tokens, not in thousandths"),
    Mutant(COMMANDS, "_open_gate", "= call.next", "= call.seq", "waiting commits answer in order of issue"),
    Mutant(COMMANDS, "_set_slots", "station.places", "station.listed", "pods out of the endpoints get no slots"),
    Mutant(COMMANDS, "_set_pool", "edge == e", "edge != e", "a larger pool is not handed out"),
    Mutant(COMMANDS, "_list", "packed | UNLISTED", "packed & UNLISTED", "calls at a pod off the list are forgotten"),
    Mutant(COMMANDS, "_set_cpu", "milli // 1000", "milli // 100", "ten jobs on a core at full speed"),
)
