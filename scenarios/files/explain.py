"""What each objective means, how it is measured, when it is exercised, and what makes it INCONCLUSIVE, in plain words.

By kind of objective, and by name for those that need words of their own. The words follow DESIGN, What is measured,
exactly, and `validators`.
"""

from dataclasses import dataclass, replace

from scenarios.model.objective import Objective


@dataclass(frozen=True)
class Meaning:
    """A paragraph each."""

    definition: str
    measured: str
    exercised: str
    inconclusive: str


_RECOVERY = Meaning(
    "The time from the fault until the service is good again for users, and stays good. A service is good at an "
    "instant when at least 99 % of its probes intended in the five seconds from then got the right answer in time. "
    "Recovery is the last change from bad to good: good from there to the end of the run, and at least for the longer "
    "of 60 s and twice the DNS TTL. A stale answer, an answer of a liveness endpoint and pg_isready are not good.",
    "By probes that reach the service as users do, through DNS and its TTL, 20 times a second. The fault is an "
    "interval, from injection begun to effect first seen, so the result is one too: at least the last wrong probe "
    "minus effect seen, at most the first right probe minus injection begun. PASS only when the upper end is within "
    "the limit, FAIL only when the lower end is above it. The clocks from detection, declaration and the procedure's "
    "start are rows beside it that are never merged.",
    "When a fault's blast radius contains the service, or when it went bad by itself.",
    "The limit lies inside the interval; probes are missing around the recovery, or come further apart than a tenth "
    "of the limit; the clock jumped; the service was bad before the fault; the fault never landed, ended within the "
    "five-second window, or was lifted before the recovery by something that is no step of the procedure; the run "
    "ended before the service was good for the sustain window or, where it was still down, before the limit passed.",
)
_COMPLETE = replace(
    _RECOVERY,
    definition="The time from the fault until the whole system is back: the first instant from which every service is "
    "good at the same time, an order is acknowledged and read back from end to end, and a test page is delivered.",
    measured="By the probes of all services together with the probe `order` (twice a second) and the probe `page` "
    "(every 10 s). The time until redundancy is back, with a standby streaming and every planned pod ready, is a row "
    "of its own.",
    exercised="When a fault's blast radius contains any service, the database or the pages, or one of them went bad.",
)
_TRANSACTIONS = Meaning(
    "How far back acknowledged orders are missing after recovery. Nothing acknowledged is lost: 0. Else the time from "
    "the recovery point, the latest instant before which every acknowledged order is there, to the fault or to the "
    "last lost acknowledgement, whichever is later.",
    "By numbered writes: each acknowledgement is noted during the run, and every one is looked for in the surviving "
    "database after it. An order that timed out is unknown; it is retried only under the same key and never counts as "
    "lost. A scenario about older data declares numbered writes from before the run.",
    "When a fault hits the region or the database of the data, or an acknowledged write is lost all the same.",
    "An acknowledged write was not looked for (unless a loss above the limit is already proven); even the oldest "
    "known write is lost; writes came further apart than a tenth of the limit; the ledger holds fewer orders than the "
    "load counts; the database was still down at the end, so that it is not decided which data survives; the clock "
    "jumped.",
)
_COPY = Meaning(
    "The greatest age that the copy of this data in another region reached during the run.",
    "By samples of the copy's recovery point each second, in the region that survives. The age at an instant is the "
    "earlier of that instant and the source's last write, minus the recovery point.",
    "When a fault hits the region of the data's source.",
    "The recovery point or the source's last write was not sampled; samples or writes to the source came further apart "
    "than a tenth of the limit; the clock jumped.",
)
_LATENCY = Meaning(
    "The 95th percentile of a service's own time, waiting in its queue and working, without the calls it waits for. "
    "With them a chain of calls could never meet the limits of its parts: the means alone add up to more.",
    "By histograms of the requests that each service reports itself, before the fault and after recovery; during the "
    "fault it is shown and not judged. An attempt that was turned away counts as slower than all others. Each whole "
    "minute is measured, and the worst decides. What the caller sees, p50, p99, p99.9 and the whole path are rows of "
    "their own. The interval comes from batches of seconds, never from the count of requests.",
    "Whenever there is load.",
    "The limit lies inside the interval; there is no whole minute before the fault or after recovery; the load was "
    "sent later than a tenth of the limit; seconds are missing from the record.",
)
_THROUGHPUT = Meaning(
    "New orders completed a second, retries apart.",
    "Completed against sent, in whole windows of 60 s before the fault and after recovery; the least window decides. "
    "What was completed below what was sent is the system's fault. More than 10,000/s is shown by offering 10,500/s.",
    "Whenever there is load.",
    "Less was sent than intended, which is our generator's fault; there is no whole window before the fault or after "
    "recovery; seconds are missing from the record.",
)
_DETECTION = Meaning(
    "Whether the alert fires when its condition holds, and the page is sent in time. An alert is due when its "
    "condition held longer than `for`, one scrape and one evaluation together, and late after that and Alertmanager's "
    "group_wait. Missed, late, spurious and stuck alerts are a FAIL.",
    "The condition is computed from the record (probes, load, samples), by the rule as it is meant, and compared with "
    "the facts alert pending, firing, resolved and page sent. The rule as the runbook writes it is a row beside it, "
    "never merged.",
    "When the condition held long enough for the alert to be due, or it fired although the condition did not hold.",
    "It fired before the fault; the condition cannot be computed from the record; probes or samples are missing around "
    "it; it fired where the record cannot tell whether it should have: its rule looks back to before the run, or "
    "servers may have counted requests that got no answer as errors.",
)
_RESPONSE = Meaning(
    "The time from the first page of an incident until somebody acknowledges, somebody engages, stakeholders are told, "
    "and are told again, against what the incident's severity asks for. The slowest decides. A page that nobody "
    "acknowledges in that time must have been escalated within it.",
    "By the facts page received, acknowledged, engaged, escalated, notified and update sent.",
    "When a page was due for an incident of this severity, and people answered it: scripted or simulated people prove "
    "nothing about people.",
    "The facts of the people were not recorded for a time; the clock jumped.",
)
_CHANGE = Meaning(
    "Downtime of a change, or time of its rollback, against what its change request declared. A change that overruns "
    "its window misses both, however short the downtime.",
    "Downtime by the probes, all services together, from change started to the next fault or the end of the run; "
    "rollback between rollback started and rollback finished. What the request declares replaces the runbook's "
    "template.",
    "When the timeline contains a change; the rollback when it was rolled back.",
    "The limit lies inside the interval; the change was never started; probes are missing; the clock jumped.",
)
_LOAD_TEST = Meaning(
    "The system completes this many new requests in every whole minute of a test of this length.",
    "Completed against sent, in whole windows of 60 s over the length of the test; the least window decides.",
    "When the workload is such a test: a steady rate that is high enough for a fixed time that is long enough, and "
    "nothing breaks.",
    "Less was sent than intended; the load stopped early; seconds are missing from the record.",
)
_HOUSE_RULE = Meaning(
    "What the runbook takes for granted. One violation is a FAIL, however short, and no fault of the instrument takes "
    "it back.",
    "By the ledger of writes: what was sent, what was acknowledged, and what each database timeline holds when it is "
    "read back after the run.",
    "Always.",
    "A timeline was not read back, or the facts that the rule needs were not recorded for a time, and no violation is "
    "proven.",
)
_INTEGRITY = Meaning(
    "Whether the record itself can be trusted: counts that add up, times in order, faults that landed and went.",
    "By the record's own tables and facts; where the ledger holds every order, Little's law must hold between the "
    "counts and the times of the orders. A broken instrument makes the results that depend on it INCONCLUSIVE before "
    "anything is merged.",
    "Always.",
    "What the rule needs was not observed; a planned fault was never seen to land, for a recovery from nothing proves "
    "nothing.",
)

MEANINGS: dict[str, Meaning] = {
    "recovery_time": _RECOVERY,
    "rto.complete": _COMPLETE,
    "data_loss": _TRANSACTIONS,
    "rpo.models": _COPY,
    "rpo.configuration": _COPY,
    "rpo.logs": _COPY,
    "latency": _LATENCY,
    "throughput": _THROUGHPUT,
    "detection": _DETECTION,
    "response": _RESPONSE,
    "change": _CHANGE,
    "load_test": _LOAD_TEST,
    "house_rule": _HOUSE_RULE,
    "rule.single_writer": replace(
        _HOUSE_RULE,
        definition="No two databases accept orders at the same time. One violation is a FAIL, however short.",
        measured="By samples of which databases take writes, and by the ledger: acknowledged orders that only another "
        "timeline holds after the promotion.",
    ),
    "rule.no_duplicate_order": replace(
        _HOUSE_RULE, definition="No order is carried out twice: one key, one row. One violation is a FAIL."
    ),
    "rule.no_order_after_stop": replace(
        _HOUSE_RULE,
        definition="No order is accepted after a stop of trading took effect. One violation is a FAIL.",
        measured="By the facts trading disabled and enabled, against the acknowledged orders sent in between.",
    ),
    "rule.nothing_unwritten": replace(
        _HOUSE_RULE, definition="Nothing can be read back that was never written. One violation is a FAIL."
    ),
    "integrity": _INTEGRITY,
}


def meaning(objective: Objective) -> Meaning:
    """What an objective means: words of its own, else those of its kind."""
    return MEANINGS.get(objective.objective) or MEANINGS[objective.kind]
