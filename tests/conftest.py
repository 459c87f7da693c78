"""Programs that a test needs, and the guarantees that tests prove."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from experiments.testbed import layout

ROOT = Path(__file__).parent.parent
PLAYS_ON_THE_TESTBED = ("cluster", "kill")  # folders
CONTROL_PORTS = (layout.LINK_ADMIN_PORT, layout.REVERTER_PORT)
RUNBOOK = ROOT.parent / "shared" / "runbook" / "grandmodel-production-runbook.md"


def _missing(program: str) -> bool:
    if program == "runbook":
        return not RUNBOOK.exists()
    if program == "unshare":  # it is there on many machines where it may not be used
        return subprocess.run(["sh", "-c", "unshare -rm true"], capture_output=True, check=False).returncode != 0
    return shutil.which(program) is None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test whose program is missing; in CI that is an error."""
    for marker in item.iter_markers("needs"):
        program = marker.args[0]
        if _missing(program):
            if os.environ.get("GAMEDAY_CI"):
                pytest.fail(f"{program} is missing on this CI machine", pytrace=False)
            pytest.skip(f"needs {program}")


@pytest.fixture(autouse=True)
def testbed_is_left_alone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A test that does not play on the testbed never changes the one of this machine: a game day may be on.

    Nor does it take this machine's lock, which would refuse that one, or be refused by it.
    """
    if request.path.relative_to(ROOT / "tests").parts[0] in PLAYS_ON_THE_TESTBED:
        return
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path_factory.getbasetemp() / "state"))
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[1] in CONTROL_PORTS:
            pytest.fail(f"the test asks the testbed of this machine to change, at {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture(scope="session")
def runbook_text() -> str:
    """The runbook, read from beside the project."""
    return RUNBOOK.read_text(encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests found worth telling: `record_property("summary", text)`."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, text in report.user_properties:
            if name == "summary" and report.when == "call":
                terminalreporter.write_line(str(text))
