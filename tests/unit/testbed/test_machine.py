"""What the testbed makes, keeps and removes on a machine; `test_bad_luck.py` has what can be wrong there."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from experiments.faults import containers as node_containers
from experiments.platforms import docker
from experiments.platforms.shell import CommandError
from experiments.safety import pending
from experiments.testbed import clusters, containers, layout, lifecycle, state
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import EAST, PLACES
from gameday.cli.main import run
from gameday.exit_codes import ExitCode
from tests.unit.testbed.conftest import Machine


def test_a_cluster_that_kind_cannot_make(machine: Machine) -> None:
    machine.whole()
    machine.program("kind", 'test "$1" = get || { echo no such image >&2; exit 1; }')
    with pytest.raises(TestbedError, match=rf"cluster {EAST.cluster}: found exit code 1: no such image"):
        clusters.make(EAST)
    assert EAST.cluster in state.read().making  # the next `up` knows that it began this one


def test_down_removes_what_it_knows_even_when_it_does_not_answer(machine: Machine) -> None:
    machine.whole()
    machine.keeps_calls_of("kind", f"test $1 != get || echo {EAST.cluster}")
    state.change(identities={EAST.region: state.Identity(EAST.cluster, "uid", "ca")})
    pending.keep("us-east-1", "us-west-2", "a-run", None, demoted=False)
    lifecycle.down(lambda *_: None)
    assert machine.called() == ["get", "delete"]
    assert state.read() == state.State()
    assert pending.read() is None, "what was pending went with the clusters"


def test_reset_without_a_testbed_says_up(machine: Machine) -> None:
    machine.whole()
    with pytest.raises(TestbedError, match="Run `gameday testbed up`"):
        lifecycle.reset(lambda *_: None)


def test_doctor_finds_nothing_and_tells_all_at_once(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == ExitCode.MISSED
    said = capsys.readouterr()
    rows = {line.split("  ")[0] for line in said.out.splitlines()}
    assert {"docker", "kind", "kubectl", "CPU", "memory", "disk of our state"} <= rows
    assert all(f"{name}: expected it on the PATH." in said.err for name in ("docker", "kind", "kubectl"))
    assert said.err.count("https://") == 4


def test_a_program_that_is_too_old(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.whole()
    machine.program("kind", 'test "$1" != version || echo 0.23.0')
    assert run(["doctor"]) == ExitCode.MISSED
    said = capsys.readouterr()
    assert "kind version: expected 0.24 or newer. Install a newer kind." in said.err
    assert "docker version" not in said.err


def test_without_kubectl_a_testbed_can_be_made(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.whole()
    (machine.programs / "kubectl").unlink()
    run(["doctor"])
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kubectl")]
    assert "later" in row


def test_what_is_remembered_survives(machine: Machine) -> None:
    remembered = state.change(seed=4, making=frozenset({"a"}), identities={"x": state.Identity("a", "b", "c")})
    assert state.read() == remembered
    state.forget()
    assert state.read() == state.State()


def test_both_clusters_are_begun_and_finished_at_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one that was made counts as begun, and is deleted by the next `up`."""
    read = state.read

    def slow() -> state.State:
        found = read()
        time.sleep(0.05)
        return found

    monkeypatch.setattr(state, "read", slow)
    names = [place.cluster for place in PLACES.values()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(state.begin, names))
        assert read().making == set(names)
        list(pool.map(state.finish, names))
        assert read().making == set()


def test_a_container_is_made_anew_when_a_file_of_it_changes(machine: Machine) -> None:
    containers.write_files()
    [spec] = [spec for spec in containers.specs() if spec.name == layout.DNS_SERVER]
    [path] = spec.files
    before = spec.digest("image")
    assert spec.digest("image") == before
    path.write_text("another", encoding="utf-8")
    assert spec.digest("image") != before
    assert spec.digest("other image") != spec.digest("image")


def test_a_cluster_that_was_begun_and_not_finished_is_made_anew(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.whole()
    machine.keeps_calls_of("kind", f"test $1 != get || echo {EAST.cluster}")
    monkeypatch.setattr(clusters, "_wait_until_it_answers", lambda _: None)
    monkeypatch.setattr(clusters, "_mark", lambda _: None)
    state.change(making=frozenset({EAST.cluster}))
    monkeypatch.setattr(clusters, "_refuse_aloud", lambda _: None)
    clusters.make(EAST)
    assert machine.called() == ["get", "delete", "create"]


def test_every_node_is_told_to_refuse_aloud(machine: Machine) -> None:
    machine.whole()
    machine.keeps_calls_of("docker", 'echo "$@"')
    clusters._refuse_aloud(EAST)
    assert machine.called() == ["exec"] * len(EAST.nodes)


SAYS = """
echo once >> "$CALLS"
test "$(wc -l < "$CALLS")" -gt SILENT || { echo; exit 1; }
echo '[{"Name": "/gameday-a"}]'
"""


@pytest.mark.parametrize(("silent", "said"), [(0, True), (2, True), (3, False)])
def test_docker_that_says_nothing_is_asked_again(
    silent: int, said: bool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so for a moment while a container is unpaused. That is not the same as that there is no container."""
    monkeypatch.setenv("CALLS", str(machine.calls))
    (machine.programs / "wc").symlink_to("/usr/bin/wc")
    machine.program("docker", SAYS.replace("SILENT", str(silent)))
    if said:
        assert docker.inspected("gameday-a") == [{"Name": "/gameday-a"}]
        return
    with pytest.raises(CommandError, match="docker inspect: found exit code 1: nothing"):
        docker.inspected("gameday-a")


def test_containers_that_are_not_there(machine: Machine) -> None:
    machine.whole()
    assert docker.inspected("gameday-a") == []
    with pytest.raises(CommandError, match="no such container"):
        node_containers.inspect("gameday-a")
    machine.program("docker", 'echo "[]"; echo "Cannot connect to the Docker daemon" >&2; exit 1')
    with pytest.raises(CommandError, match="Cannot connect"):
        clusters.node_states([EAST])
