"""Each mechanism of pods, nodes, DNS and requests off: a named measure of a named scenario changes (fixed draws)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.worlds import Played, played

SIM = Path(__file__).parents[3] / "sim"
# The files whose switches are tried here; those of the operational mechanisms are in test_ablation_operations.
FILES = [
    SIM / "build.py",
    *(SIM / "control" / f"{n}.py" for n in ("cluster", "pods", "nodes", "dns", "faults", "injections")),
]

Measure = Callable[[Played], float]


def attempts_an_order(found: Played) -> float:
    """Calls that clients made for each order."""
    return found.counted("attempts") / found.counted("sent")


def calls_at(service: str) -> Measure:
    """Calls that reached the home region's pods of a service."""
    return lambda found: found.counted("attempts", service, "us-east-1")


def unknown(found: Played) -> float:
    """Orders whose sender does not know what became of them."""
    return found.counted("unknown")


def duplicates(found: Played) -> float:
    """Orders that were written more than once."""
    return int((found.copies() > 1).sum())


def own_ms(service: str, q: float, after_s: float = 0) -> Measure:
    """Quantile of a service's own latency."""
    return lambda found: found.quantile_ms("own", q, service, after_s=after_s)


def path_ms(q: float) -> Measure:
    """Quantile of the latency from the intended send time."""
    return lambda found: found.quantile_ms("path", q, "edge")


def wrong(service: str) -> Measure:
    """Users' probes of a service that were wrong."""
    return lambda found: len(found.wrong_s(service))


def outage(service: str) -> Measure:
    """Seconds from the fault to the last bad probe of a service."""
    return lambda found: found.bad_s(service)[-1] - found.time("injection_begun")


def crashes(found: Played) -> float:
    """Containers that ended."""
    return len(found.times("crashed"))


def stale(found: Played) -> float:
    """Share of the clients still led to the lost region at the end."""
    return float(found.sampled("stale_share")[1][-1])


def deployed_s(found: Played) -> float:
    """Seconds from the first pod of the other region until the last one is ready."""
    first, ends = found.time("pod_created"), found.time("run_ended")
    return max(t for t in found.times("pod_ready") if t < ends) - first


def read_s(found: Played) -> float:
    """Seconds from the patch of the ConfigMap until the last pod has read it."""
    return found.time("trading_disabled") - found.time("step_finished")


def restored_ms(found: Played) -> float:
    """Quantile of the database's own latency from the moment on that it takes writes again."""
    return found.quantile_ms("own", 0.5, "database", after_s=found.time("database_available"))


@dataclass(frozen=True)
class Ablation:
    """A switch, the scenario, what changes, and whether it grows when the mechanism is off."""

    switch: str
    name: str
    fidelity: str
    measure: Measure
    grows: bool = False
    by: float = 0.1  # at least, of the greater value
    set: dict[str, object] = field(default_factory=dict)
    section: str = "switches"


SOON = {f"people.{name}": "5 s" for name in ("acknowledge", "assemble", "decide", "manual_step")}
TABLE = (
    Ablation("client_retries", "slow-risk", "request", attempts_an_order, by=0.005),
    Ablation("retry_budget", "slow-risk", "request", attempts_an_order, grows=True, by=0.005),
    Ablation("breaker", "too-much", "request", calls_at("strategic"), grows=True),
    Ablation("queue_patience", "too-much", "request", own_ms("strategic", 0.99), grows=True),
    Ablation("client_timeout", "risk-hangs", "request", unknown),
    Ablation("pools", "busy", "request", own_ms("database", 0.95), grows=True, set={"database.own.mean": "6 ms"}),
    Ablation("balancing", "busy", "request", own_ms("risk", 0.95), by=0.02),
    Ablation("warm_up", "one-risk-pod-killed", "request", own_ms("risk", 0.99, 25)),
    Ablation("processor_sharing", "busy", "request", own_ms("risk", 0.99)),
    Ablation("held_slots", "slow-risk", "request", wrong("strategic")),
    Ablation("idempotent_writes", "busy", "request", duplicates, grows=True, set={"calls.0.timeout": "10 ms"}),
    Ablation("stale_clients", "region-checked", "control", stale),
    Ablation("dns_cache", "region-checked", "control", outage("strategic"), by=0.02),
    Ablation("health_check", "region-checked", "control", outage("strategic")),
    Ablation("dns_propagation", "region-loss-automatic", "control", outage("order"), by=0.02),
    Ablation("image_pull", "region-loss-automatic", "control", deployed_s),
    Ablation("app_warm_up", "region-loss-automatic", "control", deployed_s),
    Ablation("node_provision", "region-loss-automatic", "control", deployed_s),
    Ablation("readiness_probes", "risk-node-loss-1-replica", "control", outage("risk"), by=0.005),
    Ablation("node_leases", "risk-node-loss-1-replica", "control", outage("risk")),
    Ablation("toleration", "risk-node-loss-1-replica", "control", outage("risk")),
    Ablation("endpoint_propagation", "one-risk-pod-killed", "control", wrong("risk")),
    Ablation("crash_back_off", "strategic-crashes", "control", crashes, grows=True),
    Ablation("config_sync", "stopped", "control", read_s),
    Ablation(
        "cold_blocks",
        "drop-table-restore",
        "request",
        restored_ms,
        set={**SOON, "workload.rate": "20/s", "switches.restore_time": "off"},
    ),
    # one node in each zone: one that dies is a whole zone, and its pod is placed anew only where zones are evicted
    Ablation(
        "zone_loss_evicts",
        "risk-node-loss-1-replica",
        "control",
        outage("risk"),
        grows=True,
        set={"regions.us-east-1.nodes": 3},
        section="kubernetes",
    ),
)


@pytest.mark.proves("Every mechanism of pods, nodes, DNS and requests changes a named measure when it is switched off")
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.switch)
def test_a_mechanism_that_is_off_changes_its_measure(row: Ablation) -> None:
    on = row.measure(played(row.name, row.fidelity, **row.set))
    off = row.measure(played(row.name, row.fidelity, **row.set, **{f"{row.section}__{row.switch}": "off"}))
    assert (off > on) == row.grows, (on, off)
    assert abs(off - on) >= row.by * max(abs(on), abs(off)), (on, off)


def test_every_switch_that_is_read_here_is_tried() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    read = set(re.findall(r"\bon\(\"(?:switches\.)?([a-z_]+)\"\)", text))
    assert read == {row.switch for row in TABLE} - {"cold_blocks", "zone_loss_evicts"}  # read elsewhere
