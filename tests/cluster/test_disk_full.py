"""The log of a database is whole after its disk was full, whatever runs beside the lift, and wherever it was ended.

On a container of the test's own, of the image of kind's nodes: a folder with segments, and no database.
"""

import subprocess
import time
from collections.abc import Iterator

import pytest

from experiments.faults import disk_full, inside
from experiments.platforms.shell import Result, attempt, run

pytestmark = pytest.mark.needs("docker")

NODE, IMAGE, DATA = "gameday-try-wal", "kindest/node:v1.34.4", "/data"
_SUMS = f"cd {DATA}/pg/pg_wal && find . -type f -exec sha256sum {{}} + | sort"
_MAKE = f"""umount {DATA}/pg/pg_wal 2>/dev/null
rm -rf {DATA} /run/gameday-*; mkdir -p {DATA}/pg/pg_wal/archive_status; chmod 700 {DATA}/pg/pg_wal
for n in $(seq 40); do head -c 1M /dev/urandom > {DATA}/pg/pg_wal/$n; done
{_SUMS}"""

# Nobody starts databases here; and copying takes long enough to be met in the middle.
_DOUBLES = """cd /usr/local/bin; printf '#!/bin/sh\\n' > systemctl
printf '#!/bin/sh\\nsleep 0.3; /bin/cp "$@"; done=$?; sleep 0.3; exit $done\\n' > cp; chmod +x systemctl cp"""


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    attempt("docker", "rm", "-f", NODE)
    entry = ("--entrypoint", "sleep", IMAGE, "infinity")
    run("docker", "run", "-d", "--privileged", "--name", NODE, "--tmpfs", "/run", *entry, timeout_s=120)
    try:
        inside.run(NODE, ["sh", "-c", _DOUBLES])
        yield NODE
    finally:
        attempt("docker", "rm", "-f", NODE)


@pytest.fixture
def segments(node: str) -> str:
    """Sums of the log's segments as they were."""
    return inside.run(node, ["sh", "-c", _MAKE])


def fill(token: str) -> list[str]:
    script = inside.shell(disk_full._FILL, "no-such-pod", DATA, str(disk_full.ROOM_MB))
    return inside.injecting(token, script, disk_full._LOCK)


def empty(token: str) -> list[str]:
    script = inside.shell(disk_full._EMPTY, "no-such-pod", DATA)
    return list(inside.lifting(NODE, token, script, disk_full._LOCK).arguments["command"])


def begin(command: list[str]) -> "subprocess.Popen[str]":
    words = ["docker", "exec", NODE, *command]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lifted(token: str) -> Result:
    return attempt("docker", "exec", NODE, *empty(token))


def is_whole(segments: str) -> bool:
    """Whether the log holds what it held, on the node's own disk, and nothing else is left of the fault."""
    left = inside.run(NODE, ["sh", "-c", f"ls {DATA}; mountpoint -q {DATA}/pg/pg_wal && echo mounted; true"]).split()
    return left == ["pg"] and inside.run(NODE, ["sh", "-c", _SUMS]) == segments


def test_a_full_disk_is_full_and_lifted_with_what_was_written_meanwhile(segments: str) -> None:
    inside.run(NODE, fill("a"))
    assert inside.run(NODE, ["stat", "-f", "-c", "%a", f"{DATA}/pg/pg_wal"]).strip() == "0"
    inside.run(NODE, ["sh", "-c", f"cd {DATA}/pg/pg_wal && rm filler && echo 61 > 61"])
    assert lifted("a").ok
    inside.run(NODE, ["sh", "-c", f"[ $(cat {DATA}/pg/pg_wal/61) = 61 ] && rm {DATA}/pg/pg_wal/61"])
    assert is_whole(segments)
    mode = inside.run(NODE, ["stat", "-c", "%a", f"{DATA}/pg/pg_wal"])
    assert mode.strip() == "700"


@pytest.mark.proves("The lift of a full disk loses no segment of the log, beside its injection or another lift")
@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.4, 0.6, 0.8])
def test_a_lift_beside_its_injection(segments: str, after_s: float) -> None:
    injection = begin(fill("b"))
    time.sleep(after_s)
    assert lifted("b").ok
    injection.wait()
    assert is_whole(segments)


@pytest.mark.parametrize("after_s", [0.0, 0.4, 0.8])
def test_two_lifts_at_once(segments: str, after_s: float) -> None:
    inside.run(NODE, fill("c"))
    first = begin(empty("c"))
    time.sleep(after_s)
    assert lifted("c").ok
    assert first.wait() == 0
    assert is_whole(segments)


@pytest.mark.proves("What is injected inside a node is not begun any more once its lift has")
def test_an_injection_that_comes_after_its_lift(segments: str) -> None:
    assert lifted("d").ok
    late = attempt("docker", "exec", NODE, *fill("d"))
    assert "lifted before it began" in late.stderr
    assert is_whole(segments)


def test_a_lift_while_somebody_writes_loses_nothing(segments: str) -> None:
    inside.run(NODE, fill("e"))
    inside.run(NODE, ["sh", "-c", f"rm {DATA}/pg/pg_wal/filler"])
    inside.run(NODE, ["sh", "-c", f"sleep 600 3> {DATA}/pg/pg_wal/61 & echo $! > /run/writer"])
    refused = lifted("e")
    assert not refused.ok
    assert "somebody writes" in refused.stderr
    inside.run(NODE, ["sh", "-c", f"kill $(cat /run/writer); sleep 0.2; rm {DATA}/pg/pg_wal/61"])
    assert lifted("e").ok
    assert is_whole(segments)


@pytest.mark.parametrize(
    "reached",
    [
        "mv pg/pg_wal wal.disk",
        "mv pg/pg_wal wal.disk; mkdir pg/pg_wal; mount -t tmpfs tmpfs pg/pg_wal; cp wal.disk/1 pg/pg_wal/",
        "cp -a pg/pg_wal wal.back; mv pg/pg_wal wal.disk; touch wal.disk/moved; mkdir pg/pg_wal",
        "cp -a pg/pg_wal wal.back; mv pg/pg_wal wal.disk; touch wal.disk/moved",
        "cp -a pg/pg_wal wal.disk; touch wal.disk/moved; rm wal.disk/1*",
        "cp -a pg/pg_wal wal.old; rm wal.old/1*",
    ],
)
def test_a_lift_goes_on_where_one_before_was_ended(segments: str, reached: str) -> None:
    inside.run(NODE, ["sh", "-c", f"cd {DATA} && {reached}"])
    assert lifted("f").ok
    assert is_whole(segments)


def test_a_log_that_was_lost_with_the_memory_is_said(segments: str) -> None:
    inside.run(NODE, fill("g"))
    inside.run(NODE, ["umount", f"{DATA}/pg/pg_wal"])
    result = lifted("g")
    assert not result.ok
    assert "the log is lost" in result.stderr
    inside.run(NODE, ["test", "-e", f"{DATA}/wal.disk/1"])


def test_a_second_injection_does_not_move_what_was_moved(segments: str) -> None:
    inside.run(NODE, fill("h"))
    again = attempt("docker", "exec", NODE, *fill("i"))
    assert "not brought back" in again.stderr
    assert lifted("h").ok
    assert is_whole(segments)
