"""The processes of a run, real ones: messages, torn lines, ends."""

import queue
import sys

import pytest

from experiments.run.children import Child, Message

TALKER = """
import json, sys, time
document = json.loads(sys.stdin.readline())
mark = {"t_us": document["at"], "kind": "load_started", "subject": "client", "detail": {}}
print(json.dumps({"mark": mark}), flush=True)
for line in sys.stdin:
    mark["subject"] = json.loads(line)["say"]
    print(json.dumps({"mark": mark}), flush=True)
sys.stdout.write('{"mark": {"t_us": 1, "ki')
sys.stdout.flush()
sys.exit(3)
"""
HELLO = """
import json, sys
mark = {"t_us": 0, "kind": "load_started", "subject": sys.executable, "detail": {}}
print(json.dumps({"mark": mark}), flush=True)
"""
DEAF = f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{HELLO}\ntime.sleep(60)"


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def take(messages: "queue.Queue[Message]") -> Message:
    return messages.get(timeout=20)


def test_a_child_is_told_its_settings_and_answers_what_it_is_told(module) -> None:
    messages: queue.Queue[Message] = queue.Queue()
    child = Child("talker", [module("talker", TALKER)], {"at": 7})
    child.start(messages)
    assert take(messages).body["mark"]["t_us"] == 7
    child.tell({"say": "hello"})
    assert take(messages).body["mark"]["subject"] == "hello"
    child.finish()
    last = take(messages)
    assert last.ended == 3, "the line that was cut off is no message"
    child.tell({"say": "too late"})
    assert not child.alive


def test_one_that_does_not_end_is_ended(module) -> None:
    messages: queue.Queue[Message] = queue.Queue()
    child = Child("deaf", [module("deaf", DEAF)], {})
    child.start(messages)
    take(messages)  # it listens no more
    assert child.alive
    child.stop(within_s=0.5)
    assert not child.alive
    assert take(messages).ended == -9


@pytest.mark.proves("An executor that does not read what it is told holds up nobody: it is taken for dead, and killed")
def test_one_that_does_not_listen_is_killed(module) -> None:
    messages: queue.Queue[Message] = queue.Queue()
    child = Child("deaf", [module("deaf", DEAF)], {})
    child.start(messages)
    take(messages)
    for _ in range(100):  # more than a pipe holds
        child.tell({"fact": ["x" * 4_000, ""]})
    assert take(messages).ended == -9


def test_settings_longer_than_a_pipe_arrive(module) -> None:
    messages: queue.Queue[Message] = queue.Queue()
    child = Child("talker", [module("talker", TALKER)], {"at": 7, "more": "x" * 1_000_000})
    child.start(messages)
    assert take(messages).body["mark"]["t_us"] == 7
    child.stop()


def test_it_runs_on_this_python(module) -> None:
    messages: queue.Queue[Message] = queue.Queue()
    child = Child("which", [module("which", HELLO)], {})
    child.start(messages)
    assert take(messages).body["mark"]["subject"] == sys.executable
    child.stop()
