"""When the reverter lifts, what it refuses, and how an old primary returns."""

import contextlib
import http.client
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.safety.guard import settle
from experiments.safety.journal import Journal
from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed.system.plan import PlanError, Store
from experiments.testbed.system.returning import carry_out, writer
from experiments.testbed.system.watch import GRACE_S, RETRY_S, SILENT_S, STALLED_S, RefusedError, Watch
from tests.unit.safety.doubles import Clock, Lifting, Witness


def unpause(name: str) -> dict[str, Any]:
    return {"verb": "docker-unpause", "target": name, "arguments": {}}


A, B = unpause("gameday-a"), unpause("gameday-b")
NODES = {"us-east-1": ["gameday-a"], "us-west-2": ["gameday-b"]}


def plan(generation: int, *lifts: dict[str, Any], run: str = "one", **more: Any) -> dict[str, Any]:
    return {"generation": generation, "run": run, "lifts": list(lifts), "network": "kind", **more}


def pass_time(watch: Watch, clock: Clock, seconds: float) -> None:
    for _ in range(round(seconds * 2)):
        clock.s += 0.5
        watch.tick()


@pytest.mark.proves("faults are lifted by the reverter when the runner was silent for 20 s, and not before")
def test_lifts_after_silence(watch: Watch, clock: Clock, lifting: Lifting) -> None:
    watch.put(plan(1, A))
    pass_time(watch, clock, SILENT_S - 1)
    assert lifting.docker.done == []
    watch.heard("one")
    pass_time(watch, clock, SILENT_S - 1)
    assert lifting.docker.done == []
    pass_time(watch, clock, 2)
    assert lifting.docker.done == [("unpause", "gameday-a")]
    assert watch.plan.done
    assert watch.plan.lifted_by == "silence"


def test_a_restarted_reverter_keeps_the_plan(
    watch: Watch, clock: Clock, lifting: Lifting, witness: Witness, tmp_path: Path
) -> None:
    watch.put(plan(1, A))
    again = Watch(Store(tmp_path / "plans"), lifting, witness.url, now_s=clock)
    assert again.plan == watch.plan
    pass_time(again, clock, SILENT_S + 1)
    assert lifting.docker.done == [("unpause", "gameday-a")]


def test_a_reverter_that_was_paused_gives_the_runner_time_to_be_heard(
    watch: Watch, clock: Clock, lifting: Lifting
) -> None:
    watch.put(plan(1, A))
    clock.s += 3600
    watch.tick()
    pass_time(watch, clock, GRACE_S - 1)
    watch.heard("one")
    pass_time(watch, clock, SILENT_S - 1)
    assert lifting.docker.done == []


def test_a_reverter_that_was_paused_reads_the_generation_again(
    watch: Watch, clock: Clock, lifting: Lifting, witness: Witness, tmp_path: Path
) -> None:
    watch.put(plan(1, A))
    other = Watch(Store(tmp_path / "plans"), Lifting(), witness.url, now_s=clock)
    other.put(plan(2, B))
    clock.s += 3600
    watch.tick()
    assert watch.plan.generation == 2
    pass_time(watch, clock, GRACE_S + 1)
    assert lifting.docker.done == [("unpause", "gameday-b")]


def test_a_plan_stored_by_another_reverter_is_not_overtaken(
    watch: Watch, clock: Clock, lifting: Lifting, witness: Witness, tmp_path: Path
) -> None:
    watch.put(plan(1, A))
    pass_time(watch, clock, SILENT_S - 1)
    Watch(Store(tmp_path / "plans"), Lifting(), witness.url, now_s=clock).put(plan(2, B))
    pass_time(watch, clock, 2)
    assert lifting.docker.done == []
    assert watch.plan.generation == 2


def test_what_fails_is_tried_again(watch: Watch, clock: Clock, lifting: Lifting) -> None:
    lifting.docker.broken.add("unpause")
    watch.put(plan(1, A))
    pass_time(watch, clock, SILENT_S + 1)
    assert not watch.plan.done
    assert "cannot unpause" in watch.plan.results[0]["detail"]
    lifting.docker.broken.clear()
    pass_time(watch, clock, RETRY_S + 1)
    assert watch.plan.done


def test_generations_are_compared(watch: Watch) -> None:
    watch.put(plan(1, A))
    for wrong in (0, 1, 3):
        with pytest.raises(RefusedError, match="1 is held"):
            watch.put(plan(wrong, A))
    with pytest.raises(RefusedError, match="1 is held"):
        watch.lift(2, by="test")


def test_another_run_waits(watch: Watch, clock: Clock) -> None:
    watch.put(plan(1))
    with pytest.raises(RefusedError, match="run one is on"):
        watch.put(plan(2, run="two"))
    with pytest.raises(RefusedError, match="of run one"):
        watch.heard("two")
    pass_time(watch, clock, SILENT_S + 1)
    assert watch.put(plan(2, run="two")).run == "two"


def test_another_run_waits_for_what_is_left(watch: Watch, clock: Clock, lifting: Lifting) -> None:
    lifting.docker.broken.add("unpause")
    watch.put(plan(1, A))
    pass_time(watch, clock, SILENT_S + 1)
    with pytest.raises(RefusedError, match="not lifted"):
        watch.put(plan(2, run="two"))


def test_a_run_that_was_given_up_breaks_nothing_more(watch: Watch, clock: Clock) -> None:
    watch.put(plan(1, A))
    pass_time(watch, clock, SILENT_S + 1)
    with pytest.raises(RefusedError, match="was silent"):
        watch.put(plan(2, B))


def test_a_part_is_lifted_and_leaves_the_plan(watch: Watch, lifting: Lifting) -> None:
    watch.put(plan(1, A, B))
    done = watch.lift(1, by="procedure", only=[B])
    assert [result["target"] for result in done.results] == ["gameday-b"]
    assert watch.plan.lifts == (A,)
    assert watch.plan.generation == 2
    assert lifting.docker.done == [("unpause", "gameday-b")]


def test_only_containers_of_the_testbed(watch: Watch) -> None:
    with pytest.raises(PlanError, match="no container of the testbed"):
        watch.put(plan(1, unpause("somebody-elses")))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"generation": 1},
        {"generation": "1", "run": "x"},
        plan(1, {"verb": "x"}),
        {**plan(1), "more": 1},
        {**plan(1), "generation": True},
        {**plan(1), "nodes": ["gameday-a"]},
        {**plan(1), "network": 5},
        {**plan(1), "cut": {"gameday-a": 1}},
        {**plan(1), "results": [{}]},
        {**plan(1), "home": None},
        plan(1, {**A, "verb": "docker-rm"}),
        plan(1, {**A, "verb": "docker-connect"}),
        plan(1, {**A, "arguments": {"f": 1}}),
        plan(1, {**A, "arguments": []}),
        plan(1, {**A, "target": ["gameday-a"]}),
        plan(1, unpause("gameday-../..")),
        plan(1, unpause("gameday-")),
    ],
)
def test_no_plan(watch: Watch, document: object) -> None:
    with pytest.raises(PlanError):
        watch.put(document)


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b"\xff", b"{}"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/plan"), ("DELETE", "/plan"), ("POST", "/heartbeat"), ("POST", "/lift")]
)
def test_garbage_is_refused_as_such(reverter: Reverter, method: str, path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(reverter.url.removeprefix("http://"), timeout=5)
    connection.request(method, path, body)
    assert connection.getresponse().status == 400
    connection.close()


DAMAGED = ["", "{", "[]", '{"generation": 3}', "\x00"]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_plan_is_set_aside_at_the_start(
    watch: Watch, clock: Clock, lifting: Lifting, witness: Witness, tmp_path: Path, text: str
) -> None:
    watch.put(plan(1, A))
    (tmp_path / "plans" / "plan.json").write_text(text)
    again = Watch(Store(tmp_path / "plans"), lifting, witness.url, now_s=clock)
    assert again.plan.done
    assert (tmp_path / "plans" / "plan.damaged").read_text() == text
    again.put(plan(1, B, run="two"))


@pytest.mark.proves("the reverter lifts what it holds though the file that keeps it was damaged, or removed")
@pytest.mark.parametrize("text", [*DAMAGED, None])
def test_a_plan_that_was_damaged_on_the_disk_is_lifted(
    watch: Watch, clock: Clock, lifting: Lifting, tmp_path: Path, text: str | None
) -> None:
    watch.put(plan(1, A))
    file = tmp_path / "plans" / "plan.json"
    file.unlink() if text is None else file.write_text(text)
    pass_time(watch, clock, SILENT_S + 1)
    assert lifting.docker.done == [("unpause", "gameday-a")]
    assert watch.plan.done


@pytest.mark.parametrize("answer", ["", "{", "[]", "null", "{}", '{"generation": 1, "run": "one", "lifts": []}'])
def test_a_garbled_answer_is_no_consent(monkeypatch: pytest.MonkeyPatch, answer: str, tmp_path: Path) -> None:
    monkeypatch.setattr("experiments.safety.reverter.call_url", lambda *_, **__: (200, answer))
    helper = Reverter("http://nowhere")
    with pytest.raises(ReverterError):
        helper.plan()
    settle(helper, Journal(tmp_path / "faults.jsonl"))


@pytest.mark.proves("after a promotion the old primary's nodes are cut from the network before they go on")
@pytest.mark.parametrize("lease", [{"region": "us-west-2"}, {"region": "us-east-1", "fenced": True}, None])
def test_an_old_primary_returns_fenced(
    watch: Watch, clock: Clock, lifting: Lifting, witness: Witness, lease: dict[str, Any] | None
) -> None:
    witness.lease = lease
    watch.put(plan(1, A, B, home="us-east-1", nodes=NODES))
    pass_time(watch, clock, SILENT_S + 1)
    assert lifting.docker.done == [("disconnect", "gameday-a"), ("unpause", "gameday-a"), ("unpause", "gameday-b")]
    assert watch.plan.cut == {"gameday-a": "10.0.0.2"}
    assert [(fact["kind"], fact["subject"]) for fact in witness.facts] == [("fenced", "us-east-1/database")]
    with pytest.raises(RefusedError, match="cut from the network"):
        watch.put(plan(2, run="two"))
    lifting.docker.addresses["gameday-a"] = "10.0.0.2"  # somebody has connected it
    assert watch.put(plan(2, run="two")).cut == {}


def test_a_node_that_cannot_be_cut_stays_paused(watch: Watch, lifting: Lifting, witness: Witness) -> None:
    witness.lease = {"region": "us-west-2"}
    lifting.docker.broken.add("disconnect")
    watch.put(plan(1, A, home="us-east-1", nodes=NODES))
    assert not watch.lift(1, by="test").done
    assert lifting.docker.paused == {"gameday-a", "gameday-b"}


def test_a_region_that_was_cut_stays_cut(watch: Watch, lifting: Lifting, witness: Witness) -> None:
    witness.lease = {"region": "us-west-2"}
    connect = {"verb": "docker-connect", "target": "gameday-a", "arguments": {"network": "kind", "ip": "10.0.0.9"}}
    watch.put(plan(1, connect, home="us-east-1", nodes=NODES))
    assert watch.lift(1, by="test").done
    assert lifting.docker.done == []
    assert watch.plan.cut == {"gameday-a": "10.0.0.9"}


def test_a_region_that_was_stopped_stays_stopped(watch: Watch, lifting: Lifting, witness: Witness) -> None:
    """A node of kind does not start without its network."""
    witness.lease = {"region": "us-west-2"}
    lifting.docker.stopped = {"gameday-a", "gameday-b"}
    starts = [{**lift, "verb": "docker-start"} for lift in (A, B)]
    watch.put(plan(1, *starts, home="us-east-1", nodes=NODES))
    assert watch.lift(1, by="test").done
    assert lifting.docker.done == [("start", "gameday-b")]


def test_the_address_is_kept_before_the_cut(lifting: Lifting, witness: Witness, watch: Watch) -> None:
    """Who dies between the two leaves a node that can be connected again."""
    witness.lease = None
    watch.put(plan(1, A, home="us-east-1", nodes=NODES))
    seen = []

    def keep(cut: Any) -> None:
        seen.append((dict(cut), list(lifting.docker.done)))

    carry_out([A], watch.plan, lifting, outside_url=witness.url, keep=keep)
    assert seen == [({"gameday-a": "10.0.0.2"}, [])]


def test_a_promotion_in_the_very_moment_cuts_what_came_back(
    watch: Watch, lifting: Lifting, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.put(plan(1, A, home="us-east-1", nodes=NODES))
    perform = lifting.perform_one

    def promoted_now(lift: Any) -> Any:
        witness.lease = {"region": "us-west-2"}
        return perform(lift)

    monkeypatch.setattr(lifting, "perform_one", promoted_now)
    assert watch.lift(1, by="test").done
    assert lifting.docker.done == [("unpause", "gameday-a"), ("disconnect", "gameday-a")]


def test_dropped_plans_are_forgotten(watch: Watch) -> None:
    watch.put(plan(1, A))
    with pytest.raises(RefusedError):
        watch.drop(7)
    assert watch.drop(1).lifts == ()
    assert replace(watch.plan, stored_us=0).run == ""


@pytest.mark.parametrize("answer", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{{{{{", b""])
def test_a_garbled_witness_is_a_silent_one(answer: bytes) -> None:
    """An answer that makes no sense must not end the watch."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=garble, args=(server, answer), daemon=True)
        thread.start()
        assert writer(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=2) is None
        thread.join(10)


def garble(server: socket.socket, answer: bytes) -> None:
    server.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)


@pytest.mark.proves("a reverter whose watch has stalled refuses heartbeats, so that its runner stops")
def test_a_watch_that_does_not_look_refuses_heartbeats(watch: Watch, clock: Clock) -> None:
    watch.put(plan(1, A))
    clock.s += STALLED_S + 1
    with pytest.raises(RefusedError, match="has not looked"):
        watch.heard("one")
    watch.tick()
    watch.heard("one")


def test_nothing_ends_the_watch(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tick fails in its own way; the last one ends the test's thread, as nothing in the product does."""
    failures = iter([http.client.BadStatusLine("x"), KeyError("x"), OSError("full"), SystemExit()])

    def tick() -> None:
        raise next(failures)

    monkeypatch.setattr(watch, "tick", tick)
    monkeypatch.setattr("experiments.testbed.system.watch.TICK_S", 0)
    with pytest.raises(SystemExit):
        watch.run()
