"""The closed list of kinds of facts and what each must say."""

from dataclasses import dataclass

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Fact:
    """A kind of fact: the names its `detail` must hold (more are allowed), and what it means."""

    kind: str
    detail: tuple[str, ...]
    means: str


@dataclass(frozen=True)
class Group:
    """Facts about one matter, and what their subject is."""

    title: str
    subject: str
    facts: tuple[Fact, ...]


# Subjects are named as in the topology: a region "us-east-1", a station "us-east-1/risk", a pod "us-east-1/risk/0",
# a service "risk", a database "us-east-1/database".
GROUPS: tuple[Group, ...] = (
    Group("Faults", "the fault's name in the timeline, `region-loss:0`", (
        Fact("injection_begun", ("fault", "target"), "a fault begins; target: subjects in its blast radius"),
        Fact("effect_seen", ("fault",), "its effect is seen for the first time"),
        Fact("lift_begun", ("fault",), "it begins to be lifted"),
        Fact("lifted", ("fault", "by"), "it is lifted; by: procedure, clean-up or self"),
        Fact("fault_gone", ("fault",), "it is seen to be gone"),
        Fact("left_to_failback", ("fault", "what"), "it stays, for its region was replaced as the primary's"),
    )),
    Group("Alerting", "the alert", (
        Fact("alert_pending", ("rules", "region"), "the condition holds in this region; rules: intended or written"),
        Fact("alert_firing", ("rules", "region"), "it held for as long as `for` asks"),
        Fact("alert_resolved", ("rules", "region"), "it holds no longer"),
        Fact("page_sent", ("alert",), "Alertmanager sends"),
        Fact("page_received", ("alert", "severity"), "the responder's telephone rings"),
    )),
    Group("People", "a role: L1, incident-commander, technical-lead", (
        Fact("acknowledged", ("alert",), "the page is acknowledged"),
        Fact("escalated", ("to",), "the next level is paged"),
        Fact("engaged", ("role",), "somebody works on it"),
        Fact("declared", ("severity",), "an incident is declared"),
        Fact("decided", ("procedure",), "what to do is decided"),
        Fact("notified", ("audience",), "stakeholders are told"),
        Fact("update_sent", ("audience",), "they are told again"),
    )),
    Group("Procedures", "the procedure", (
        Fact("procedure_started", ("actor",), "actor: automation, people or controller"),
        Fact("step_started", ("step", "actor"), "a step begins"),
        Fact("step_finished", ("step", "actor", "ok"), "a step ends; ok: whether it did what it should"),
        Fact("step_waiting", ("step", "for"), "a step waits for something that is not there, such as an API"),
        Fact("procedure_finished", ("ok",), "the last step has ended"),
    )),
    Group("Automation", "the automation", (
        Fact("automation_detected", ("failures",), "as many polls in a row failed as it takes to act"),
    )),
    Group("The system", "the object", (
        Fact("pod_created", (), "a pod exists"),
        Fact("pod_ready", (), "it answers its readiness probe"),
        Fact("pod_unready", (), "it does not, as often as the threshold says"),
        Fact("pod_lost", ("reason",), "it is gone"),
        Fact("node_not_ready", (), "the control plane sees a node as lost"),
        Fact("node_ready", (), "a node can take pods"),
        Fact("endpoints_changed", ("ready",), "callers see another set of pods"),
        Fact("crashed", ("restarts", "back_off_s"), "a container ended; the next start waits for back_off_s"),
        Fact("breaker_changed", ("state",), "a caller's breaker: closed, open, half-open"),
        Fact("promotion_begun", (), "a replica is being promoted"),
        Fact("promoted", ("timeline", "position"), "it is the primary of a new timeline, forked at this position"),
        Fact("promotion_refused", ("reason",), "it cannot be promoted now"),
        Fact("fenced", ("by",), "the old primary can commit no longer"),
        Fact("database_failed", (), "it does not answer"),
        Fact("database_available", ("timeline",), "it does"),
        Fact("standby_streaming", (), "a standby receives the log"),
        Fact("redundancy_restored", ("what",), "what was lost can be lost again"),
        Fact("restore_begun", ("source",), "a restore begins"),
        Fact("restored", ("timeline", "recovered_to_us"), "it holds everything written before recovered_to_us"),
        Fact("data_dropped", ("timeline", "position"), "data is dropped; replicas drop it too"),
        Fact("dns_change_submitted", ("region",), "a record is to be changed"),
        Fact("dns_switched", ("region",), "name servers answer with this region"),
        Fact("health_check_failed", ("region",), "checkers agree that it is down"),
        Fact("health_check_passed", ("region",), "checkers agree that it is up"),
        Fact("trading_disabled", (), "services have read that orders are refused"),
        Fact("trading_enabled", (), "services have read that orders are taken"),
        Fact("change_started", ("change",), "a change begins"),
        Fact("change_finished", ("change", "ok"), "it ends"),
        Fact("rollback_started", ("change",), "it is being undone"),
        Fact("rollback_finished", ("change",), "it is undone"),
    )),
    Group("The run and its instrument", "the run, or the instrument's part", (
        Fact("load_started", (), "the first order is sent"),
        Fact("load_stopped", (), "the last one was"),
        Fact("settled", (), "everything was good for the sustain window"),
        Fact("run_ended", ("reason",), "settled, at most, by hand when it was only observed, or interrupted"),
        Fact("readback_done", ("timeline",), "a timeline was read"),
        Fact("observer_gap", ("what", "from_us", "to_us"), "nothing was observed in between"),
        Fact("clock_step", ("step_us",), "the instrument's clock jumped"),
        Fact("left_behind", ("what",), "something of the run is still there"),
    )),
)  # fmt: skip

KINDS: dict[str, tuple[str, ...]] = {fact.kind: fact.detail for group in GROUPS for fact in group.facts}
