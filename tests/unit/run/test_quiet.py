"""A run waits until no alert holds."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from experiments.platforms.site import TESTBED
from experiments.run import quiet
from experiments.run.quiet import Before
from experiments.testbed.layout import Place


class Prometheus:
    """Answers as Prometheus does; each look takes the next list of alerts, the last one stays."""

    def __init__(self, *answers: list[str], rules: str = "intended", raw: bytes | None = None) -> None:
        left = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                names = left.pop(0) if len(left) > 1 else left[0]
                alerts = [{"labels": {"alertname": name, "rules": rules}, "state": "pending"} for name in names]
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"data": {"alerts": alerts}}).encode() if raw is None else raw)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def prometheus(monkeypatch):
    started = []

    def start(*answers: list[str], **more: Any) -> Prometheus:
        found = Prometheus(*answers, **more)
        started.append(found)
        port = found.server.server_address[1]
        here = replace(TESTBED, places={"here": Place("here", "127.0.0.1", 1)}, ports={"prometheus": port})
        monkeypatch.setattr(quiet, "site", lambda: here)
        monkeypatch.setattr(quiet, "LOOK_S", 0.01)
        return found

    yield start
    for each in started:
        each.close()


def test_it_waits_until_the_last_one_is_over(prometheus) -> None:
    prometheus(["HighErrorRate"], ["HighErrorRate"], [])
    said: list[str] = []
    assert quiet.wait(lambda _, words: said.append(words)) == Before()
    assert len(said) == 2
    assert "HighErrorRate" in said[0]


def test_one_that_stays_is_named_after_a_time(prometheus) -> None:
    prometheus(["StrategicAgentDown"])
    assert quiet.wait(lambda *_: None, within_s=0.05) == Before(alerts=("StrategicAgentDown",))


def test_rules_as_written_are_not_waited_for(prometheus) -> None:
    prometheus(["StrategicAgentDown"], rules="written")
    assert quiet.wait(lambda *_: None, within_s=0.05) == Before()


@pytest.mark.proves("A Prometheus that does not answer, or makes no sense, is not taken for one without alerts")
@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"data": {"alerts": [7]}}', b'{"data": {"alerts": [{}]}}'])
def test_one_that_says_nothing_is_not_quiet(prometheus, answer: bytes) -> None:
    prometheus([], raw=answer)
    found = quiet.wait(lambda *_: None, within_s=0.05)
    assert found == Before(silent=("here",))
    assert str(found) == "Prometheus of here does not answer"


def test_one_that_is_not_there_is_not_quiet(prometheus) -> None:
    prometheus([]).close()
    assert quiet.wait(lambda *_: None, within_s=0.05) == Before(silent=("here",))
