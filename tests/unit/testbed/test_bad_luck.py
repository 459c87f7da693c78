"""Bad luck with a testbed: each is a clear error with exit code 2, and nothing is changed or left behind.

What needs a real cluster is tried in `tests/cluster/test_bad_luck.py`.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from experiments.faults import base
from experiments.platforms import docker
from experiments.platforms.kube import KubernetesError, NoClusterError, client_of
from experiments.platforms.platform import platform
from experiments.safety import identity, lock, pending
from experiments.testbed import applying, clusters, containers, doctor, layout, lifecycle, state, status
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import EAST, MONITORING_NAMESPACE, NAMESPACE, PLACES, WEST
from gameday.cli.main import run
from gameday.exit_codes import ExitCode
from scenarios.errors import GamedayError
from tests.unit.testbed.api import Api, served
from tests.unit.testbed.conftest import DOCKER, Machine

RUN = ("run", "region-loss-automatic", "--world", "kind", "--yes")
CHANGING = [("testbed", "up"), ("testbed", "reset"), ("testbed", "down")]
ALL = [*CHANGING, ("testbed", "status"), RUN]


def _name(command: tuple[str, ...]) -> str:
    return " ".join(command[:2])


Refused = Callable[..., dict[str, str]]


@pytest.fixture
def refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that has to refuse; returns where -> found, expected and remedy in one text."""

    def refuse(*arguments: str) -> dict[str, str]:
        assert run(list(arguments)) == ExitCode.USAGE
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        problems = said.err.split("error: ")[1:]
        for problem in problems:
            assert [line.split()[0] for line in problem.splitlines()[1:4]] == ["found", "expected", "remedy"]
        left = [path for path in layout.state_folder().rglob("*") if path.is_file() and path.stat().st_size]
        assert [path.name for path in left if path.name != "testbed.json"] == []
        return {problem.splitlines()[0]: " ".join(problem.split()) for problem in problems}

    return refuse


@pytest.mark.proves("without Docker or kind every command says so, how to get it, and changes nothing")
@pytest.mark.parametrize("missing", ["docker", "kind"])
@pytest.mark.parametrize("command", ALL, ids=_name)
def test_no_docker_no_kind(machine: Machine, refused: Refused, missing: str, command: tuple[str, ...]) -> None:
    machine.whole()
    (machine.programs / missing).unlink()
    found = refused(*command)[missing]
    assert "no such program" in found
    assert "https://" in found


@pytest.mark.parametrize(
    ("said", "remedy"),
    [("Cannot connect to the Docker daemon", "systemctl start docker"), ("permission denied while", "usermod -aG")],
)
@pytest.mark.parametrize("command", ALL, ids=_name)
def test_docker_not_running(
    machine: Machine, refused: Refused, command: tuple[str, ...], said: str, remedy: str
) -> None:
    machine.whole()
    machine.program("docker", f"echo {said} >&2; exit 1")
    found = refused(*command)["docker running"]
    assert said in found
    assert remedy in found


def test_a_docker_that_cannot_be_started(machine: Machine, refused: Refused) -> None:
    """Made for another machine, or a script whose interpreter is gone."""
    machine.whole()
    (machine.programs / "docker").write_bytes(b"\x7fELF of another machine")
    assert "it cannot be started" in refused("testbed", "up")["docker running"]


def test_a_program_in_the_place_of_docker(machine: Machine, refused: Refused) -> None:
    """It answers, and knows nothing of what Docker is asked."""
    machine.whole()
    machine.program("docker", "echo 29.0")
    machine.program("kind", "exit 1")
    assert "kind version" in refused("testbed", "up")


@pytest.mark.parametrize("url", ["tcp://10.0.0.7:2375", "ssh://somebody@elsewhere"])
@pytest.mark.parametrize("how", ["DOCKER_HOST", "context"])
def test_docker_of_another_machine(
    machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch, url: str, how: str
) -> None:
    """Nobody reaches a region there at a loopback address, and no fault is lifted by its socket."""
    machine.whole()
    if how == "DOCKER_HOST":
        monkeypatch.setenv("DOCKER_HOST", url)
    else:
        machine.program("docker", f'case "$*" in context*) echo {url} ;; *) {{ {DOCKER}\n}} ;; esac')
    assert url in refused("testbed", "up")["docker here"]


@pytest.mark.parametrize(("path", "mounted"), [("/run/user/7/docker.sock", True), ("/home/x/.docker/sock", False)])
def test_docker_of_a_context(machine: Machine, path: str, mounted: bool) -> None:
    """Of a user's own Docker the reverter gets that socket; Docker Desktop has the usual one inside its machine."""
    system = "Debian" if mounted else "Docker Desktop"
    machine.program("docker", f'case "$1" in context) echo unix://{path} ;; info) echo {system} ;; *) exit 1 ;; esac')
    assert docker.socket_path() == path
    assert docker.mounted_socket() == (path if mounted else docker.INSIDE)
    assert platform().lifter(Path("nowhere"), 1.0).engine._path == path
    machine.program("docker", "exit 1")
    assert docker.socket_path() == docker.INSIDE


@pytest.mark.proves("A container of the testbed's name that is somebody else's stops it before anything is changed")
@pytest.mark.parametrize("command", [("testbed", "up"), ("testbed", "reset")], ids=_name)
def test_a_container_that_is_not_ours(
    machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    machine.whole()
    monkeypatch.setattr(lifecycle, "_require_made", lambda: None)
    monkeypatch.setattr(doctor, "require", lambda: None)
    absent = 'echo "[]"; echo "Error response from daemon: No such container" >&2; exit 1'
    calls = f'case "$*" in info*) echo 29.0;; "inspect"*gameday-dns) exit 0;; "inspect"*) {absent};; *) exit 1;; esac'
    machine.keeps_calls_of("docker", calls)
    assert "one that is not ours" in refused(*command)["container gameday-dns"]
    assert {"rm", "run", "pull", "build"}.isdisjoint(machine.called())


def _remember(api: Api) -> None:
    """The testbed was made with this API server in both regions."""
    for place in PLACES.values():
        api.kubeconfig(place)
    state.change(identities={place.region: api.identity(place) for place in PLACES.values()})


@pytest.fixture
def api(machine: Machine) -> Iterator[Api]:
    """An API server that both regions' kubeconfigs lead to, and that was remembered."""
    machine.whole()
    with served(Api()) as found:
        found.own(NAMESPACE)
        _remember(found)
        yield found


def test_wrong_target(api: Api) -> None:
    """The run itself refuses too: `tests/unit/safety/test_identity.py`."""
    assert not any("its API" in lack for lack in status._region_lacks(EAST, status._region(EAST)))
    api.uid = "somebody-else"
    lacks = " ".join(status._region_lacks(EAST, status._region(EAST)))
    assert "another cluster (kube-system somebody-else, not uid)" in lacks


@pytest.mark.parametrize(
    "text", ["", "{ this is: [no yaml", "just words", "- a list", "{}", '{"contexts": 1, "current-context": "x"}']
)
def test_a_kubeconfig_that_is_damaged(api: Api, text: str) -> None:
    EAST.kubeconfig.write_text(text, encoding="utf-8")
    with pytest.raises(NoClusterError, match="`gameday testbed up` writes it anew"):
        client_of(EAST)
    assert status._region(EAST).refused
    with pytest.raises(identity.WrongTargetError), identity.used():
        pytest.fail("a run began")
    assert list((layout.state_folder() / "targets").glob("*")) == []  # no copy of a key
    assert identity.VARIABLE not in os.environ


def test_a_cluster_that_is_not_ours_is_left_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    machine.whole()
    machine.keeps_calls_of("kind", f"test $1 != get || echo {EAST.cluster}")
    monkeypatch.setattr(clusters, "is_ours", lambda _: False)
    assert "one that is not ours" in refused("testbed", "down")[f"cluster {EAST.cluster}"]
    monkeypatch.setattr(clusters, "_wait_until_it_answers", lambda _: None)
    monkeypatch.setattr(clusters, "node_states", lambda places: dict.fromkeys(places[0].nodes, "running"))
    with pytest.raises(TestbedError, match="one that is not ours"):
        clusters.make(EAST)
    assert set(machine.called()) == {"get", "export"}


@pytest.mark.proves("a cluster that is lost while something is done to it is an error, whenever it is lost")
def test_cluster_lost_in_the_middle(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the client remembers kinds of objects
    documents = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]

    def apply() -> None:
        for remembered in tmp_path.glob("osrcp-*.json"):
            remembered.unlink()
        clusters.identity(EAST)
        applying.check_namespaces(EAST)
        applying.apply(EAST, documents)

    apply()
    whole = len(api.asked)
    assert ("PATCH", f"/api/v1/namespaces/{NAMESPACE}") in api.asked
    for api.answers in range(whole):
        api.asked.clear()
        with pytest.raises(KubernetesError, match=r"no answer.*gameday testbed up"):
            apply()


def test_image_missing(machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.whole()
    monkeypatch.setattr(doctor, "require", lambda: None)
    monkeypatch.setattr(lifecycle, "_refuse_pending", lambda: None)  # this machine's testbed may be failed over
    machine.program("docker", 'test "$1" = info || { echo manifest unknown >&2; exit 1; }')
    machine.keeps_calls_of("kind", "true")
    found = refused("testbed", "up")[f"image {layout.POSTGRES_IMAGE}"]
    assert "manifest unknown" in found
    assert "Connect to the internet, or bring the image" in found
    assert machine.called() == []


@pytest.mark.proves("`testbed up` refuses a pending failback before it touches a node: the old primary stays cut off")
def test_up_while_a_failback_is_pending(machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.whole()
    monkeypatch.setattr(doctor, "require", lambda: None)
    machine.keeps_calls_of("docker", 'case "$*" in "image inspect"*) exit 0;; *) exit 1;; esac')
    machine.keeps_calls_of("kind", "true")
    region = status.Region({}, 0, {}, None, prometheus=False)
    failed_over = status.Status(dict.fromkeys(PLACES, region), {}, WEST.region, WEST.region, None, None, True, ())
    monkeypatch.setattr(status, "look", lambda: failed_over)
    found = refused("testbed", "up")["testbed"]
    assert f"failed over to {WEST.region}" in found
    assert "gameday undo --home" in found
    assert set(machine.called()) <= {"image"}, "only looked at"


@pytest.mark.proves(
    "A testbed that fails over while it is brought up is not waited for any longer: it is said how to mend it"
)
def test_it_fails_over_while_it_is_brought_up(monkeypatch: pytest.MonkeyPatch) -> None:
    region = status.Region({}, 0, {}, None, prometheus=False)
    parts = dict.fromkeys(PLACES, region), {}, WEST.region
    looks = [
        status.Status(*parts, lease, None, None, lease == WEST.region, ("the database is in recovery",))
        for lease in (EAST.region, WEST.region)
    ]
    monkeypatch.setattr(status, "look", lambda: looks.pop(0))
    monkeypatch.setattr(lifecycle, "_STEP_S", 0)
    with pytest.raises(TestbedError, match=f"failed over to {WEST.region} while .* expected .* `gameday undo --home`"):
        lifecycle._wait(lambda *_: None, 0.7)
    assert looks == []


@pytest.mark.parametrize("holder", ["somebody", ""])
def test_port_taken(machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch, holder: str) -> None:
    machine.whole()
    machine.keeps_calls_of("kind", 'test "$1" != version || echo 0.30.0')
    monkeypatch.setenv("HOLDER", holder)
    with socket.socket() as other:
        other.bind((EAST.address, 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {"strategic": port})
        found = refused("testbed", "up")
    assert f"ports of {WEST.region}" not in found
    by = f"container {holder}" if holder else "a program of this machine"
    assert f"{EAST.address}: {port} taken by {by}" in found[f"ports of {EAST.region}"]
    assert set(machine.called()) == {"version", "get"}


def test_too_little_memory(machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.whole()
    monkeypatch.setenv("MEMORY", "1900000000")  # of Docker's own machine, whatever this one has
    assert "1.9 GB available expected 4 GB" in refused("testbed", "up")["memory"]


def test_half_built_testbed(machine: Machine, refused: Refused) -> None:
    machine.whole()
    machine.program("kind", f"test $1 != get || printf '{EAST.cluster}\\n{WEST.cluster}\\n'")
    state.change(making=frozenset({WEST.cluster}))
    assert f"cluster {WEST.cluster} half made" in refused("testbed", "reset")["testbed"]
    assert f"node {WEST.control_plane} is absent" in refused(*RUN)["testbed"]


@pytest.mark.parametrize("text", ['{"image": "', "[]", "{}", '{"making": [], "identities": {"x": {"other": 1}}}', ""])
def test_what_is_remembered_is_damaged(machine: Machine, refused: Refused, text: str) -> None:
    machine.whole()
    machine.keeps_calls_of("kind", f"test $1 != get || printf '{EAST.cluster}\\n{WEST.cluster}\\n'")
    state.path().parent.mkdir(parents=True)
    state.path().write_text(text, encoding="utf-8")
    for command in (("testbed", "reset"), ("testbed", "down"), ("undo",)):
        assert "Remove the file, then `gameday testbed up`" in refused(*command)[str(state.path())]
    assert "delete" not in machine.called()
    assert state.path().read_text(encoding="utf-8") == text


def test_expired_token(api: Api) -> None:
    api.token = "a newer one"
    lacks = list(status._region_lacks(EAST, status._region(EAST)))
    assert f"{EAST.region}: its API: 401 Unauthorized: the token has expired" in lacks
    assert not any("pods ready" in lack or "nodes ready" in lack for lack in lacks)
    with pytest.raises(KubernetesError, match="401 Unauthorized: the token has expired"):
        clusters.is_ours(EAST)
    with pytest.raises(identity.WrongTargetError, match="401"), identity.used():
        pytest.fail("a run began")


@pytest.mark.proves(
    "a namespace of the testbed's name that is somebody else's stops it before either region is changed"
)
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "somebody"}])
def test_a_namespace_that_is_not_ours(machine: Machine, labels: dict[str, str]) -> None:
    machine.whole()
    with ExitStack() as stack:
        apis = {place: stack.enter_context(served(Api())) for place in PLACES.values()}
        for place, api in apis.items():
            api.own(NAMESPACE)
            api.own(MONITORING_NAMESPACE)
            api.kubeconfig(place)
        apis[WEST].namespaces[MONITORING_NAMESPACE] = labels
        with pytest.raises(TestbedError, match=f"{WEST.cluster}: namespace {MONITORING_NAMESPACE}: found not ours"):
            lifecycle._apply("image")
        assert {method for api in apis.values() for method, _ in api.asked} == {"GET"}


HOLDS = """
import sys
from experiments.safety.lock import HostLock, this_process
HostLock().take(this_process("the-first"))
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def another_run(machine: Machine) -> Iterator[int]:
    """A process that is in a game day; yields its id."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process.pid


def test_two_runs_at_once(machine: Machine, another_run: int, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (RUN, *CHANGING):  # whatever else is wrong: this machine has no programs at all
        assert run(list(command)) == ExitCode.USAGE
        said = capsys.readouterr().err
        assert said.startswith("error: game day on this machine")
        assert f"run the-first (process {another_run} on" in said
    assert json.loads((layout.state_folder() / "lock").read_text())["run"] == "the-first"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may have a byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _lock_and_unlock() -> None:
    held = lock.HostLock()
    held.take(lock.this_process("run"))
    held.give_back()


WRITES: dict[str, Callable[[], object]] = {
    "lock": _lock_and_unlock,
    "state": lambda: state.change(seed=2),
    "files of containers": containers.write_files,
    "plan of a fault": lambda: base.keep("pod-kill:0", base.Plan("pod-kill", (), "")),
    "pending failback": lambda: pending.keep("us-east-1", "us-west-2", "run", None),
}


@pytest.mark.parametrize("what", WRITES)
def test_disk_full(machine: Machine, what: str) -> None:
    state.change(seed=7)
    folder = layout.state_folder()
    with full_disk(), pytest.raises(GamedayError, match=r"found file too large.*ulimit -f"):
        WRITES[what]()
    assert state.read().seed == 7
    assert [path.name for path in folder.rglob("*") if path.is_file() and path.stat().st_size] == ["testbed.json"]
    assert list(folder.rglob("*.tmp")) == []
    WRITES[what]()  # when there is room again


def test_a_folder_that_may_not_be_written(machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.whole()
    monkeypatch.setenv("GAMEDAY_STATE", "/proc/gameday")
    found = refused("testbed", "up")
    assert "Choose" in found["/proc/gameday/gameday/lock"]


def test_a_full_disk_is_seen_before_anything_is_made(
    machine: Machine, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.whole()
    monkeypatch.setattr(doctor, "STATE_MB", 1e12)
    assert "MB free" in refused("testbed", "up")["disk of our state"]
