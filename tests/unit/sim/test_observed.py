"""What can be seen from outside: scrapes of pods, watches over probes."""

from tests.unit.sim.stage import HOME, OTHER, Stage, library, scenario


def up(stage: Stage, service: str, region: str = HOME) -> list[bool]:
    return [t.up for t in stage.observations.scrape(HOME, region) if t.service == service]


def test_every_pod_is_a_target() -> None:
    stage = Stage(scenario(), state=True)
    stage.until(0.5)
    targets = stage.observations.scrape(HOME, HOME)
    assert len(targets) == 16
    assert all(t.up for t in targets)
    assert not stage.observations.scrape(HOME, OTHER)  # a pilot light has no pods


def test_counters_count_what_a_pod_has_answered_since_its_start() -> None:
    stage = Stage(scenario(), state=True)
    stage.until(1)
    ok = sum(t.ok for t in stage.observations.scrape(HOME, HOME) if t.service == "strategic")
    assert 0.98 < ok / (10_500 * 60) < 1.02
    cluster = stage.clusters[HOME]
    cluster.restart("strategic")
    stage.until(8)
    young = [t for t in stage.observations.scrape(HOME, HOME) if t.service == "strategic"]
    assert len(young) == 4
    assert sum(t.ok for t in young) < 10_500 * 60 * 8 * 0.99  # counters begin at nothing with each process


def test_a_dead_pod_stays_a_target() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    node = cluster.node_of("risk")
    dead = sum(p.service == "risk" for p in cluster.pods_on(node))
    cluster.lose_node(node)
    stage.until(1)
    assert sorted(up(stage, "risk")) == [False] * dead + [True] * (8 - dead)


def test_a_deleted_pod_is_a_target_until_discovery_notices() -> None:
    stage = Stage(scenario(monitoring__discovery_delay="5 s"))
    stage.until(1)
    stage.clusters[HOME].scale("risk", 6)
    assert sorted(up(stage, "risk")) == [False] * 2 + [True] * 6
    stage.until(1 + 4.9 / 60)
    assert len(up(stage, "risk")) == 8
    stage.until(1 + 5.1 / 60)
    assert up(stage, "risk") == [True] * 6


def test_discovery_keeps_its_last_list_while_the_api_is_down() -> None:
    stage = Stage(scenario())
    stage.until(1)
    before = len(stage.observations.scrape(HOME, HOME))
    stage.context.apis.set(f"kubernetes:{HOME}", up=False)
    stage.clusters[HOME].lose()
    stage.until(3)
    assert len(stage.observations.scrape(HOME, HOME)) == before
    assert not any(t.up for t in stage.observations.scrape(HOME, HOME))


def test_a_watch_turns_there_and_back() -> None:
    stage = Stage(library("strategic-crash-loop"), state=True)
    watch = stage.observations.watch("strategic/dns", 3, 2)
    stage.until(4.9)
    assert not watch.failing
    fails, turned = watch.fails(), []
    fails.callbacks.append(lambda _: turned.append(stage.context.now_ns))
    stage.until(5.1)
    assert watch.failing
    assert 300 * 10**9 < turned[0] <= 300 * 10**9 + 3 * 50_000_000 + 6_000_000
    assert watch.fails().triggered
    assert not watch.recovers().triggered
    stage.clusters[HOME].mend("strategic")
    stage.until(12)
    assert not watch.failing
    assert watch.recovers().triggered


def test_a_class_that_is_unwatched_is_not_looked_at() -> None:
    stage = Stage(library("strategic-crash-loop"), state=True)
    watch = stage.observations.watch("strategic/dns", 1, 1)
    stage.observations.unwatch("strategic/dns")
    stage.until(6)
    assert not watch.failing
    again = stage.observations.watch("strategic/dns", 1, 1)
    assert again is not watch
    stage.until(6.1)
    assert again.failing
