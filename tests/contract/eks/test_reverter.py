"""The reverter of EKS: a process outside both clusters that echoes, listens for heartbeats, and lifts in silence."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.faults import verbs
from experiments.platforms.eks import reverter as eks
from experiments.platforms.eks.reverter import Service, server_of
from experiments.platforms.site import Site
from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed.layout import Place
from experiments.testbed.system.plan import Store
from experiments.testbed.system.watch import Watch
from tests.contract.eks.kube import Api, kubeconfig
from tests.unit.safety.doubles import Clock, Lifting

LIFT = verbs.unpause("gameday-a")
PLAN = {"run": "one", "home": "", "nodes": {}, "network": "", "lifts": [LIFT.to_json()]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Service:
    return Service(Watch(Store(tmp_path), Lifting(), "", silent_s=20, now_s=clock))


@pytest.fixture
def reverter(service: Service) -> Iterator[Reverter]:
    server = server_of(service)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Reverter(f"http://127.0.0.1:{server.server_port}/{service.path}")
    server.shutdown()
    server.server_close()


def test_it_speaks_as_the_testbed_s(reverter: Reverter) -> None:
    """What the product's own client asks of it: echo, heartbeat, lift, refusals."""
    assert reverter.plan()["lifts"] == []
    assert reverter.put({**PLAN, "generation": 1})["lifts"] == [LIFT.to_json()]
    assert reverter.heartbeat("one")["run"] == "one"
    with pytest.raises(ReverterError, match="409"):
        reverter.heartbeat("another")
    with pytest.raises(ReverterError, match="409"):
        reverter.put({**PLAN, "generation": 7})
    with pytest.raises(ReverterError, match="400"):
        reverter.put({"generation": "x"})
    [result] = reverter.lift(1, "clean-up")["results"]
    assert result["ok"]


@pytest.mark.proves("EKS: who does not know the reverter's secret path can neither read nor change its plan")
def test_a_stranger_is_told_nothing(reverter: Reverter, service: Service) -> None:
    stranger = Reverter(reverter.url.rpartition("/")[0])
    for ask in (stranger.plan, lambda: stranger.put({**PLAN, "generation": 1})):
        with pytest.raises(ReverterError, match="404"):
            ask()
    assert service.watch.plan.run == ""


def test_it_ends_only_when_nothing_is_held(reverter: Reverter, service: Service, clock: Clock) -> None:
    reverter.put({**PLAN, "generation": 1})
    assert not eks.end(reverter.url)
    clock.s += 3600
    waiting = threading.Thread(target=service.wait, args=(900.0, 0.01), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive(), "it must not end while it holds a fault, however long nobody is heard"
    reverter.lift(1, "clean-up")
    waiting.join(5)
    assert not waiting.is_alive()
    assert eks.end(reverter.url)


@pytest.mark.proves("EKS: when the runner falls silent a process of its own lifts the fault on the cluster")
@pytest.mark.timeout(60)
def test_a_process_of_its_own_lifts_in_silence(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as a run starts it; nothing is heard after the plan was stored."""
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    api.forget()
    path = "/apis/apps/v1/namespaces/grandmodel/deployments/redis"
    api.objects[path] = {"spec": {"replicas": 0}}
    region = "us-east-1"
    place = Place(region, "127.0.0.1", 0, named="east")
    there = Site("eks", {region: place}, {}, {}, ("127.0.0.1", 9), "trade.example.com", None, "")
    kubeconfig(api, tmp_path / f"kubeconfig-{region}.yaml")
    url = eks.started(there, tmp_path, silent_s=0.5)
    known = json.loads((there.state / "reverter" / eks.FILE).read_text())
    try:
        assert os.getsid(known["pid"]) == known["pid"]  # Ctrl-C of the runner's terminal does not reach it
        lift = verbs.patch(region, path, {"spec": {"replicas": 2}}, "merge")
        stored = Reverter(url).put({**PLAN, "generation": 1, "lifts": [lift.to_json()]})
        assert stored["lifts"] == [lift.to_json()]
        _until(lambda: api.objects[path]["spec"]["replicas"] == 2)
        _until(lambda: Reverter(url).plan()["lifted_by"] == "silence")
        assert eks.running(there.state / "reverter") == url
        assert eks.end(url)
        _until(lambda: not eks.running(there.state / "reverter"))
        _until(lambda: not [*(there.state / "reverter").glob("kubeconfig-*")])
    finally:
        if eks.running(there.state / "reverter"):
            os.kill(known["pid"], signal.SIGTERM)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
