"""Images get into the nodes whatever store Docker keeps them in."""

import pytest

from experiments.testbed import images
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import EAST
from tests.unit.testbed.conftest import Machine

# With containerd's store an archive of all platforms lacks the content of all but one, and kind fails on it.
DOCKER = """
case "$*" in
  "info -f {{json .DriverStatus}}") echo '[["driver-type","%s"]]' ;;
  "version -f"*) echo linux/arm64 ;;
  "image save --platform linux/arm64 -o "*) test -z "$OLD" || { echo 'unknown flag: --platform' >&2; exit 125; } ;;
  *) exit 1 ;;
esac
"""


def load(machine: Machine, store: str) -> list[list[str]]:
    """Words of each call of kind."""
    machine.program("docker", DOCKER % store)
    machine.program("kind", f'echo "$*" >> {machine.calls}')
    images.load(EAST)
    return [line.split() for line in machine.calls.read_text(encoding="utf-8").splitlines()]


def test_kind_takes_them_from_docker(machine: Machine) -> None:
    for words, some in zip(load(machine, "overlay2"), (images.WITH_DATA, images.OURS), strict=True):
        assert words[:2] == ["load", "docker-image"]
        assert set(some) < set(words)


@pytest.mark.proves("the testbed's images get into its nodes when Docker keeps them in containerd's store")
def test_of_containerd_s_store_one_platform_is_loaded(machine: Machine) -> None:
    found = load(machine, "io.containerd.snapshotter.v1")
    assert [words[:2] for words in found] == [["load", "image-archive"]] * 2
    assert [words[words.index("--nodes") + 1] for words in found] == [EAST.worker_nodes[0], ",".join(EAST.worker_nodes)]


def test_a_docker_that_cannot_save_one_platform_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "yes")
    with pytest.raises(TestbedError, match="Docker 28 or newer"):
        load(machine, "io.containerd.snapshotter.v1")
