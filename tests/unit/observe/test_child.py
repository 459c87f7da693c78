"""A measuring process: told by its first line, ended by its parent, whatever way the parent goes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from experiments.observe.child import go_first, read_document
from experiments.observe.clock import Origin
from experiments.observe.wire import Reader
from scenarios.errors import UsageError

from .servers import document, free_port

ENDS_WITHIN_S = 60


def _start(settings: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.traffic"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write((settings if isinstance(settings, bytes) else json.dumps(settings).encode()) + b"\n")
    process.stdin.flush()
    return process


def _settings() -> dict[str, Any]:
    origin, factors = Origin.soon(), ("opening_first_minute", "opening_first_five_minutes")
    return document(
        "sender", port=free_port(), dns_port=free_port(), origin_ns=origin.monotonic_ns, seed=1,
        origin_epoch_us=origin.epoch_us, profile="steady", rate_per_s=50.0, first_seq=0, first_key=1, entry="strategic",
        services=["strategic"],
        factors=dict.fromkeys((*factors, "diurnal_edges", "diurnal_trough"), 1.0), clients=2, ignore_ttl=0.0,
        timeout_us=100_000, retries=0, back_off_us=0, budget=None, budget_burst=1, breaker=None,
    )  # fmt: skip


def _close_stdin(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def _stop_reading(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()


def _terminate(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("end", [_close_stdin, _stop_reading, _terminate])
@pytest.mark.proves("a measuring process ends when its parent asks it to, and when its parent is gone")
def test_it_ends_however_its_parent_ends_it(end: Callable[[subprocess.Popen[bytes]], None]) -> None:
    process = _start(_settings())
    assert process.stdout is not None
    reader, seen = Reader(), []
    while not any(m.get("table") == "writes_sent" for m in seen):
        seen += list(reader.feed(os.read(process.stdout.fileno(), 65536)))
    end(process)
    if not process.stdout.closed:
        seen += list(reader.feed(process.stdout.read()))
        kinds = [m["mark"]["kind"] for m in seen if "mark" in m]
        assert kinds == ["load_started", "load_stopped"]
        rows = {
            t: [r for m in seen if m.get("table") == t for r in m["columns"]["key"]]
            for t in ("writes_sent", "writes_done")
        }
        assert sorted(rows["writes_done"]) == rows["writes_sent"]  # what was begun was finished
    assert process.wait(ENDS_WITHIN_S) == 0


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"role": "nobody"}', b'{"role": "sender", "origin_ns": 1.5}'])
def test_what_are_no_settings_is_refused(line: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        read_document(line, ("sender",))
    assert refused.value.problems[0].where == "standard input"


def test_what_are_no_settings_is_said_in_a_line() -> None:
    process = _start(b"{")
    out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 2
    assert out == b""
    assert err.decode().startswith("standard input: found ")
    assert len(err.decode().splitlines()) == 1


def test_where_the_kernel_has_no_such_preference_it_works_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    preferred: list[int] = []
    monkeypatch.delattr(os, "sched_setscheduler")
    monkeypatch.setattr(os, "setpriority", lambda _, __, priority: preferred.append(priority))
    go_first(at_once=True)
    assert len(preferred) == 1
