"""What the testbed says on a machine that lacks something, or where somebody else's things are in the way."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.testbed import clusters, containers, doctor, layout, lifecycle, state
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import EAST, WEST
from gameday.cli.main import run
from gameday.exit_codes import ExitCode

DOCKER = """
case "$*" in
  "info -f {{.ServerVersion}}") echo 29.0 ;;
  "info -f {{.NCPU}}"*) printf '8\\t%s\\t/nowhere\\n' "${MEMORY:-64000000000}" ;;
  "ps --filter"*) echo somebody ;;
  "image inspect"*) exit 0 ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own: only the programs of this folder, and an empty state folder."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cat"):
        (programs / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    return programs


def _program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def _whole(folder: Path) -> None:
    _program(folder, "docker", DOCKER)
    _program(folder, "kind", "true")
    _program(folder, "kubectl", "true")


@pytest.mark.parametrize("missing", ["docker", "kind", "kubectl"])
@pytest.mark.parametrize("does", [lifecycle.up, lifecycle.reset, lifecycle.down])
def test_a_missing_program_is_named_with_its_remedy(
    machine: Path, missing: str, does: Callable[[lifecycle.Progress], object]
) -> None:
    _whole(machine)
    (machine / missing).unlink()
    with pytest.raises(TestbedError) as raised:
        does(lambda *_: None)
    [problem] = raised.value.problems
    assert problem.where == missing
    assert "https://" in problem.remedy


def test_docker_that_does_not_run(machine: Path) -> None:
    _whole(machine)
    _program(machine, "docker", "echo Cannot connect to the Docker daemon >&2; exit 1")
    with pytest.raises(TestbedError, match=r"docker running: found Cannot connect.*Start Docker"):
        lifecycle.status()


def test_a_port_that_is_taken_is_named_and_who_has_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _whole(machine)
    with socket.socket() as other:
        other.bind((EAST.address, 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {"strategic": port})
        findings = {finding.subject: finding for finding in doctor.examine()}
    finding = findings[f"ports of {EAST.region}"]
    assert not finding.ok
    assert finding.needed
    assert finding.found == f"{EAST.address}:{port} is taken by container somebody"
    assert findings[f"ports of {WEST.region}"].ok


def test_too_little_memory(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _whole(machine)
    monkeypatch.setattr(doctor, "MEMORY_GB", 1e6)
    with pytest.raises(TestbedError, match=r"memory: found .* GB available"):
        doctor.require()


def test_a_cluster_that_kind_cannot_make(machine: Path) -> None:
    _whole(machine)
    _program(machine, "kind", 'test "$1" = get || { echo no such image >&2; exit 1; }')
    with pytest.raises(TestbedError, match=rf"cluster {EAST.cluster}: found exit code 1: no such image"):
        clusters.make(EAST)
    assert EAST.cluster in state.read().making  # the next `up` knows that it began this one


def test_down_refuses_a_cluster_that_is_not_ours(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _whole(machine)
    deleted = machine / "deleted"
    _program(machine, "kind", f'case "$1" in get) echo {EAST.cluster} ;; delete) : > {deleted} ;; esac')
    monkeypatch.setattr(clusters, "is_ours", lambda _: False)
    with pytest.raises(TestbedError, match="one that is not ours"):
        lifecycle.down(lambda *_: None)
    assert not deleted.exists()


def test_down_removes_what_it_knows_even_when_it_does_not_answer(machine: Path) -> None:
    _whole(machine)
    deleted = machine / "deleted"
    _program(machine, "kind", f'case "$1" in get) echo {EAST.cluster} ;; delete) echo $4 > {deleted} ;; esac')
    state.change(identities={EAST.region: state.Identity(EAST.cluster, "uid", "ca")})
    lifecycle.down(lambda *_: None)
    assert deleted.read_text(encoding="utf-8").strip() == EAST.cluster
    assert state.read() == state.State()


def test_reset_without_a_testbed_says_up(machine: Path) -> None:
    _whole(machine)
    with pytest.raises(TestbedError, match="Run `gameday testbed up`"):
        lifecycle.reset(lambda *_: None)


def test_doctor_finds_nothing_and_tells_all_at_once(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == ExitCode.MISSED
    said = capsys.readouterr()
    assert all(name in said.out for name in ("docker", "kind", "kubectl"))
    assert said.err.count("https://") == 3


def test_a_testbed_error_is_wrong_usage(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["testbed", "up"]) == ExitCode.USAGE
    assert "Install Docker" in capsys.readouterr().err


def test_what_is_remembered_survives(machine: Path) -> None:
    remembered = state.change(seed=4, making=frozenset({"a"}), identities={"x": state.Identity("a", "b", "c")})
    assert state.read() == remembered
    state.forget()
    assert state.read() == state.State()


def test_a_container_is_made_anew_when_a_file_of_it_changes(machine: Path) -> None:
    containers.write_files()
    [spec] = [spec for spec in containers.specs() if spec.name == layout.DNS_SERVER]
    [path] = spec.files
    before = spec.digest("image")
    assert spec.digest("image") == before
    path.write_text("another", encoding="utf-8")
    assert spec.digest("image") != before
    assert spec.digest("other image") != spec.digest("image")


def test_a_cluster_that_was_begun_and_not_finished_is_made_anew(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _whole(machine)
    calls = machine / "calls"
    _program(machine, "kind", f'echo "$1" >> {calls}; test "$1" != get || echo {EAST.cluster}')
    monkeypatch.setattr(clusters, "_wait_until_it_answers", lambda _: None)
    monkeypatch.setattr(clusters, "_mark", lambda _: None)
    state.change(making=frozenset({EAST.cluster}))
    clusters.make(EAST)
    assert calls.read_text(encoding="utf-8").split() == ["get", "delete", "create"]


def test_a_cluster_of_our_name_that_is_not_ours_is_left_alone(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _whole(machine)
    calls = machine / "calls"
    _program(machine, "kind", f'echo "$1" >> {calls}; test "$1" != get || echo {EAST.cluster}')
    monkeypatch.setattr(clusters, "_wait_until_it_answers", lambda _: None)
    monkeypatch.setattr(clusters, "node_states", lambda places: dict.fromkeys(places[0].nodes, "running"))
    monkeypatch.setattr(clusters, "is_ours", lambda _: False)
    with pytest.raises(TestbedError, match="one that is not ours"):
        clusters.make(EAST)
    assert calls.read_text(encoding="utf-8").split() == ["get", "export"]
