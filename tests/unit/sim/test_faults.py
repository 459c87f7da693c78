"""Every kind of fault breaks what it says, is seen to land and to go, and leaves nothing behind."""

from typing import Any

import pytest

from scenarios.model.faults import FAULTS
from sim.data.commands import Command
from tests.unit.sim.stage import HOME, OTHER, Stage, StillPlane, scenario

AT = 2.0  # min
RISK = "{region: us-east-1, service: risk}"
REGION = "{region: us-east-1}"
TARGET = {
    "region-loss": REGION,
    "pod-kill": RISK,
    "pod-hang": RISK,
    "crash-loop": RISK,
    "node-loss": RISK,
    "drop-table": REGION,
    "database-failure": REGION,
    "slow-pod": RISK,
    "partition": RISK,
    "dns-api-down": "{}",
    "api-down": "{api: 'rds:us-east-1'}",
    "prometheus-down": REGION,
    "var-shock": RISK,
    "replication-stalled": "{region: us-west-2}",
    "none": "{}",
}
# Seconds from the injection until it is seen: when one asks at once; when probes must time out; when it takes a while.
LANDS = {
    "region-loss": (1.0, 1.3),
    "database-failure": (0, 0.3),
    "partition": (1.0, 1.6),
    "replication-stalled": (2, 2.3),
}
GONE = {  # seconds from the lift
    "region-loss": (30, 200),
    "pod-hang": (0, 15),
    "crash-loop": (10, 400),
    "node-loss": (20, 200),
    "replication-stalled": (0, 60),
}
PLAYED = [name for name, kind in FAULTS.items() if "twin" in kind.worlds]
LIFTED = [name for name in PLAYED if FAULTS[name].lifted]


def play(kind: str, *, until: str | None = None, target: str | None = None, **overrides: object) -> Stage:
    lasts = f", until: {until}" if until else ""
    line = f"[{{at: 2 min, fault: {kind}, target: {target or TARGET[kind]}{lasts}}}]"
    return Stage(scenario(line, **overrides), state=True)


def seconds(stage: Stage, kind: str) -> float:
    return stage.minute(kind) * 60


def test_every_kind_is_tried_here() -> None:
    assert set(TARGET) == set(PLAYED)


@pytest.mark.proves("Each kind of fault is seen to land, by a look at what it aims at")
@pytest.mark.parametrize("kind", PLAYED)
def test_it_is_seen_to_land(kind: str) -> None:
    stage = play(kind)
    stage.until(AT + 0.2)
    begun = stage.minutes("injection_begun", f"{kind}:0")
    assert begun == [AT]
    least, most = LANDS.get(kind, (0.05, 0.45))
    assert least <= seconds(stage, "effect_seen") - AT * 60 <= most


@pytest.mark.proves("A fault that is lifted is seen to be gone")
@pytest.mark.parametrize("kind", LIFTED)
def test_it_is_lifted_after_its_time_and_seen_to_be_gone(kind: str) -> None:
    stage = play(kind, until="1 min")
    stage.until(12)
    lifted = seconds(stage, "lifted")
    assert lifted == pytest.approx((AT + 1) * 60, abs=0.1)
    least, most = GONE.get(kind, (0, 0.6))
    assert least <= seconds(stage, "fault_gone") - lifted <= most
    assert not stage.faults.going
    assert stage.faults.pending == 0


@pytest.mark.parametrize("kind", LIFTED)
def test_nothing_is_left_behind(kind: str) -> None:
    """Ten minutes after the lift every pod, node, API and database is as before, or replaced."""
    stage = play(kind, until="1 min")
    stage.until(14)
    context = stage.context
    for cluster in stage.clusters.values():
        assert all(n.alive and not n.seen_lost for n in cluster.nodes.nodes)
        for deployment in cluster.deployments.values():
            wanted = deployment.wanted
            assert len(wanted) == deployment.plan
            assert all(p.ready and p.listed and p.serving and p.slow_milli == 1_000 for p in wanted)
            assert all(p.wanted for p in deployment.pods if p.exists)
            assert not any(p.template.crashes for p in wanted)
    assert all(context.apis.up(a) for r in (HOME, OTHER) for a in context.apis.of_region(r, dns_there=True))
    assert all(context.monitoring.healthy(region) for region in (HOME, OTHER))
    statuses = stage.plane.drain().probes_status[-200:]
    assert (statuses == 0).sum() > 100


def test_a_fault_until_the_end_is_lifted_in_the_clean_up() -> None:
    stage = play("pod-hang", until="end")
    stage.until(5)
    assert not stage.minutes("lifted")
    assert stage.faults.pending == 0  # it does not keep the run from settling
    stage.faults.clean_up()
    assert [f.detail["by"] for f in stage.until(6).facts if f.kind == "lifted"] == ["clean-up"]
    assert stage.minutes("fault_gone")


def test_one_that_a_procedure_ends_is_not_lifted() -> None:
    stage = play("crash-loop")
    stage.until(4)
    stage.faults.clean_up()
    assert not stage.until(5).minutes("lifted")


def test_the_blast_radius_is_on_record_before_anything_breaks() -> None:
    stage = play("node-loss")
    stage.until(3)
    kinds = [f.kind for f in stage.facts]
    assert kinds.index("injection_begun") < kinds.index("pod_lost")
    target = next(f.detail["target"] for f in stage.facts if f.kind == "injection_begun")
    assert target[0].startswith(f"{HOME}/node-")
    assert {f.subject for f in stage.facts if f.kind == "pod_lost"} == set(target[1:])


# --- looks see what is there, not what was meant


@pytest.mark.proves("A fault that does nothing is never seen to land")
@pytest.mark.parametrize("kind", ["region-loss", "pod-hang", "slow-pod", "partition", "database-failure", "crash-loop"])
def test_a_fault_without_effect_is_not_seen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is given an injection that breaks nothing."""
    stage = play(kind)
    made = stage.faults._injections.of

    def harmless(entry: Any) -> Any:
        injection = made(entry)
        return type(injection)(injection.target, lambda: None, lambda: None, injection.landed, injection.gone)

    monkeypatch.setattr(stage.faults._injections, "of", harmless)
    stage.until(8)
    assert stage.minutes("injection_begun")
    assert not stage.minutes("effect_seen")
    assert stage.faults.pending == 0  # a minute of looking is enough


def test_a_slow_pod_without_load_is_not_seen() -> None:
    """Nothing passes through it that could be timed: us-west-2 has warm pods and no users."""
    warm = {f"regions.{OTHER}.role": "warm", f"regions.{OTHER}.warm_replicas": 2}
    stage = play("slow-pod", target=f"{{region: {OTHER}, service: tactical}}", **warm)
    assert not stage.until(4).minutes("effect_seen")


@pytest.mark.parametrize("kind", ["pod-kill", "pod-hang", "slow-pod", "crash-loop", "node-loss"])
def test_what_finds_no_pod_hits_nothing_and_is_not_seen(kind: str) -> None:
    """The region has just come back, and its pods are still starting."""
    lost = f"{{at: 1 min, fault: region-loss, target: {REGION}, until: 30 s}}"
    stage = Stage(scenario(f"[{lost}, {{at: 91 s, fault: {kind}, target: {RISK}}}]"), state=True)
    stage.until(4)
    assert stage.minutes("injection_begun", f"{kind}:1")
    assert kind == "crash-loop" or not stage.minutes("effect_seen", f"{kind}:1")
    assert stage.faults.pending == 0


def test_a_lost_pilot_light_lands_too() -> None:
    stage = play("region-loss", target=f"{{region: {OTHER}}}")
    assert stage.until(3).minutes("effect_seen")


# --- when


def test_a_fault_may_wait_for_a_fact_and_a_while() -> None:
    stage = Stage(
        scenario(
            "[{at: 1 min, fault: pod-kill, target: {region: us-east-1, service: risk}},"
            " {when: {mark: pod_ready, after: 30 s}, fault: api-down, target: {api: route53}, until: 1 min}]"
        ),
        state=True,
    )
    ready = stage.until_fact("pod_ready")
    stage.until(ready + 0.1)
    assert stage.faults.pending == 1  # it is coming: the run has not settled
    stage.until(ready + 3)
    assert stage.minute("injection_begun", "api-down:1") == pytest.approx(ready + 0.5, abs=1e-6)
    assert stage.minute("lifted", "api-down:1") == pytest.approx(ready + 1.5, abs=1e-6)
    assert stage.faults.pending == 0


def test_a_fault_whose_fact_never_comes_holds_nothing_up() -> None:
    stage = Stage(scenario("[{when: {mark: promoted}, fault: none}]"), state=True)
    stage.until(3)
    assert stage.faults.pending == 0
    assert not stage.minutes("injection_begun")


def test_two_reasons_keep_an_api_down() -> None:
    """A lost region and an API that is down by itself: it answers when both are over."""
    stage = Stage(
        scenario(
            "[{at: 1 min, fault: api-down, target: {api: 'rds:us-east-1'}, until: 4 min},"
            " {at: 2 min, fault: region-loss, target: {region: us-east-1}, until: 1 min}]"
        ),
        state=True,
    )
    assert not stage.until(4).context.apis.up(f"rds:{HOME}")
    assert stage.until(6).context.apis.up(f"rds:{HOME}")


def test_route53_goes_with_us_east_1() -> None:
    stage = play("region-loss")
    stage.until(AT + 1)
    assert not stage.context.apis.up("route53")
    elsewhere = play("region-loss", dns__control_plane_in_us_east_1="off")
    assert elsewhere.until(AT + 1).context.apis.up("route53")


# --- what they do


def test_a_share_of_the_pods_crashes() -> None:
    stage = Stage(scenario(f"[{{at: 1 min, fault: crash-loop, target: {RISK}, with: {{share: 40 %}}}}]"), state=True)
    stage.until(1.5)
    assert stage.clusters[HOME].ready("risk") == (4, 8)  # 3.2 pods, rounded up


@pytest.mark.parametrize(
    ("kind", "command", "value"), [("slow-pod", Command.SLOW, 3_000), ("pod-hang", Command.STATE, 2)]
)
def test_so_many_pods_are_hit(kind: str, command: Command, value: int) -> None:
    options = "{count: 2, factor: 3}" if kind == "slow-pod" else "{count: 2}"
    stage = Stage(scenario(f"[{{at: 1 min, fault: {kind}, target: {RISK}, with: {options}}}]"))
    stage.until(1.01)
    assert isinstance(stage.plane, StillPlane)
    hit = [a for _, c, a, b, _ in stage.plane.commands if (c, b) == (command, value)]
    assert len(set(hit)) == 2


def test_a_partition_stops_orders_and_leaves_the_services_up() -> None:
    stage = play("partition")
    stage.until(3)
    chunk = stage.plane.drain()
    names = [c.name for c in stage.context.names.classes]
    late = chunk.probes_intended_ns > 150e9

    def of(name: str) -> Any:
        return chunk.probes_status[late & (chunk.probes_class == names.index(name))]

    assert (of("order/dns") != 0).all()
    assert (of("tactical/dns") == 0).all()
    assert (of("database/dns") == 0).all()
