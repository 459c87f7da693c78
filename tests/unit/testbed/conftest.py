"""A machine of a test's own: the programs that it names, and an empty state folder."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments.platforms.site import at, site

DOCKER = """
case "$*" in
  "info -f {{.ServerVersion}}") echo 29.0 ;;
  "info -f {{.NCPU}}"*) printf '8\\t%s\\t/nowhere\\n' "${MEMORY:-64000000000}" ;;
  "ps --filter"*) echo "$HOLDER" ;;
  "image inspect"*) exit 0 ;;
  "inspect --type container"*) echo "[]"; echo "Error response from daemon: No such container" >&2; exit 1 ;;
  *) exit 1 ;;
esac
"""
KIND = 'test "$1" != version || echo 0.30.0'


@dataclass(frozen=True)
class Machine:
    """Scripts in the place of the programs; each call of one may be kept in `calls`."""

    programs: Path
    calls: Path

    def program(self, name: str, body: str) -> None:
        """Put a shell script in a program's place."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def whole(self) -> None:
        """Everything that a testbed needs is there."""
        self.program("docker", DOCKER)
        self.program("kind", KIND)
        self.program("kubectl", "true")

    def keeps_calls_of(self, name: str, otherwise: str) -> None:
        """A program that notes its first argument, and then does something."""
        self.program(name, f'echo "$1" >> {self.calls}\n{otherwise}')

    def called(self) -> list[str]:
        """First arguments of those calls, in order."""
        return self.calls.read_text(encoding="utf-8").split() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Without any program of the testbed, at first; its reverter does not answer."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cat"):
        (programs / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("experiments.safety.lock.refuse_heard", lambda: None)  # this machine's may be heard
    for name in ("GAMEDAY_KUBECONFIGS", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    with at(replace(site(), reverter="http://127.0.0.1:9")):
        yield Machine(programs, tmp_path / "calls")
