"""A proxy of the environment is nobody's way to the testbed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from experiments.faults import containers
from experiments.run import quiet
from experiments.testbed import outside, status


class Answers(BaseHTTPRequestHandler):
    """Every path is there."""

    def do_GET(self) -> None:
        data = json.dumps({"region": "us-east-1", "data": {"alerts": []}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server at an address of a region, on a machine whose web is reached by a proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")
    with HTTPServer(("127.0.1.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.1.1:{server.server_port}"
        server.shutdown()


@pytest.mark.proves("The testbed is reached directly on a machine whose environment names a proxy")
def test_nothing_goes_by_the_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert containers.request("GET", f"{url}/probe")[0] == 200
    assert outside.call("GET", f"{url}/dns")["region"] == "us-east-1"
    assert status._get(f"{url}/status") is not None
    assert status._answers(f"{url}/-/ready")
    monkeypatch.setattr(quiet.site().__class__, "url", lambda *_: url)
    assert quiet.look() == quiet.Before()
