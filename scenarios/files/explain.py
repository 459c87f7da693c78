"""What each kind of objective means and how it is measured, in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """Definition, and how it is measured, a paragraph each."""

    definition: str
    measured: str


# By kind of objective, and by the name of an objective that needs words of its own.
MEANINGS: dict[str, Meaning] = {
    "recovery_time": Meaning(
        "The time from the fault until the service is good again for users, and stays good. A service is good at t when at "
        "least 99 % of its probes intended in the five seconds from t got the right answer within the probe's timeout. "
        "Recovery is the last change from bad to good, good from there to the end of the run and at least for the longer of "
        "60 s and twice the DNS TTL.",
        "By probes that reach the service as users do, through DNS with its TTL, 20 times a second. The fault is an interval "
        "(injection begun to effect first seen), so the result is one too: last wrong probe minus effect seen, to first right "
        "probe minus injection begun. PASS only if the upper end is within the limit, FAIL only if the lower end is above it. "
        "Clocks from detection, declaration and the procedure's start are shown beside it and are never judged.",
    ),
    "rto.complete": Meaning(
        "The time from the fault until the whole system is back: every service good at the same time, an order acknowledged "
        "and read back from end to end, and a test page delivered.",
        "By the probes of all services together with the `order` probe (2 a second) and the `page` probe (each 10 s). The "
        "time until redundancy is back, with a standby streaming and all planned pods ready, is a row of its own.",
    ),
    "data_loss": Meaning(
        "How far back acknowledged writes are missing after recovery. If nothing acknowledged is lost it is 0. Else it is the "
        "time from the recovery point, the latest instant before which every acknowledged write is there, to the fault or "
        "to the last lost acknowledgement, whichever is later.",
        "By numbered writes: each acknowledgement is noted during the run, and the surviving database is read back after it. "
        "A write that timed out is unknown and does not count as lost. An acknowledged write that was not looked for makes "
        "the result INCONCLUSIVE, unless a lost one is already proven.",
    ),
    "rpo.models": Meaning(
        "The greatest age that the copy of the models in the other region reached during the run.",
        "By samples of the copy's recovery point each second: age at t is the earlier of t and the source's last write, minus "
        "the recovery point. Writes to the source are at most a tenth of the limit apart.",
    ),
    "latency": Meaning(
        "The 95th percentile of a service's own time, waiting in its queue and working, without the calls it waits for. The "
        "sum along a chain of calls could never meet the limits of its parts.",
        "By histograms of every request that each service reports itself, before the fault and after recovery; during the "
        "fault it is shown and not judged. What the caller sees, p50, p99 and p99.9 are rows of their own. "
        "Intervals come from trials or batches, never from the count of requests.",
    ),
    "throughput": Meaning(
        "New orders completed a second, retries apart.",
        "In whole windows of 60 s before the fault and after recovery, completed against sent. If less was sent than "
        "intended, our generator is at fault and the result is INCONCLUSIVE.",
    ),
    "detection": Meaning(
        "Whether the alert fires when its condition holds, and the page arrives in time. An alert is expected when its "
        "condition, computed from probes, load and samples, held longer than `for`, one scrape and one evaluation together, and is "
        "late when it takes Alertmanager's group_wait longer still.",
        "By the facts alert pending, firing and resolved, page sent and page received. The rules as intended are judged; the rules "
        "as written are reported beside them. An alert whose condition never held is not exercised. One that fired before the "
        "fault makes its row INCONCLUSIVE.",
    ),
    "response": Meaning(
        "The time from the page until somebody engages, against what the incident's severity asks for.",
        "By the facts page received, acknowledged, engaged, escalated, notified and update sent. It is judged when people "
        "answered; scripted people prove nothing about people.",
    ),
    "change": Meaning(
        "Downtime of a change, and time of its rollback, against what its change request declared.",
        "By the probes between the facts change started and change finished, or rollback started and finished.",
    ),
    "load_test": Meaning(
        "The system carries this load for this long and still meets the latency limits.",
        "When the scenario offers that load for that long: completed against sent in whole windows of 60 s.",
    ),
    "house_rule": Meaning(
        "What the runbook takes for granted. One violation is a FAIL, however short.",
        "By the ledger of writes: what was sent, what was acknowledged, and what each database timeline holds when it is "
        "read back after the run.",
    ),
    "integrity": Meaning(
        "Whether the record itself can be trusted: counts that add up, times in order, faults that landed and went.",
        "By the record's own tables. A broken instrument turns the results that depend on it into INCONCLUSIVE.",
    ),
}
for _name in ("configuration", "logs"):
    MEANINGS[f"rpo.{_name}"] = Meaning(
        MEANINGS["rpo.models"].definition.replace("models", _name), MEANINGS["rpo.models"].measured
    )
