"""Every kubectl command of the runbook, run as it is written against the home region: works, fails, or never returns.

The table holds what is expected, by section and the command's place in it; the commands are read from the runbook.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from experiments.testbed.layout import NAMESPACE
from experiments.testbed.plan import plan
from experiments.testbed.status import Status
from tests.conftest import RUNBOOK

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kubectl"), pytest.mark.needs("runbook")]

ENDS_WITHIN_S = 60  # a command that shall end: on a slow machine too
NEVER_S = 10  # one that shall not end is left so long
WORKS, FAILS, NEVER = "works", "fails", "never returns"
NO_METRICS = (FAILS, "Metrics API not available")  # kind brings no metrics server
NO_FILE = (FAILS, "does not exist")  # the manifest exists only in the text
NO_NAMESPACE = (FAILS, "not found")  # as written it looks in the namespace `default`
NO_PLUGIN = (FAILS, "unknown command")  # Argo Rollouts is a program of its own
NO_NODE = (FAILS, "not found")
FINE = (WORKS, "")

EXPECTED: dict[str, list[tuple[str, str]]] = {
    "Step 1: Initial Response (0-15 minutes)": [FINE, NO_METRICS, FINE],
    "Step 2: Investigation (15-60 minutes)": [FINE, (FAILS, "not found")],  # there is no Jaeger
    "Step 3: Resolution (60+ minutes)": [NO_FILE, FINE, FINE, (NEVER, "")],
    "Infrastructure Readiness": [FINE, FINE, NO_METRICS, FINE, FINE, FINE],
    "Blue-Green Deployment": [NO_FILE, NO_NAMESPACE, NO_FILE],
    "Canary Deployment": [NO_FILE, NO_PLUGIN, NO_PLUGIN, NO_PLUGIN],
    "Rolling Update": [NO_NAMESPACE, NO_NAMESPACE],
    "Immediate Rollback": [FINE, NO_NAMESPACE, NO_NAMESPACE, (NEVER, "")],
    "Gradual Rollback": [NO_PLUGIN, NO_PLUGIN],
    "Infrastructure Health Checks": [FINE, FINE, FINE],
    "Automatic Failover": [FINE],
    "Manual Failover": [(FAILS, "no context exists"), NO_FILE],
    "Database Recovery": [NO_NAMESPACE],
    "Application Recovery": [NO_NAMESPACE, NO_NAMESPACE, NO_NAMESPACE],
    "Application Optimization": [NO_NAMESPACE],
    "Infrastructure Optimization": [NO_METRICS, NO_METRICS, NO_NAMESPACE],
    "Security Incident Response": [NO_NODE, NO_NODE, FINE],
    "System Emergency Shutdown": [NO_NAMESPACE, NO_NAMESPACE, NO_NAMESPACE, NO_NAMESPACE],
}
# Verbs that can be tried without doing anything: with the namespace they would have worked.
DRY = re.compile(r"kubectl (patch configmap|patch service|scale|set image) ")


def _commands() -> list[tuple[str, int, str]]:
    """Section, place in it and text of each command that calls kubectl."""
    found: list[tuple[str, int, str]] = []
    section, number, inside = "", 0, False
    for line in RUNBOOK.read_text(encoding="utf-8").splitlines() if RUNBOOK.exists() else []:
        if line.startswith("```"):
            inside = line == "```bash"
        elif not inside and (heading := re.match(r"#{2,4} (?:\d+\. )?(.*)", line)):
            section, number = heading[1], 0
        elif inside and re.match(r"(watch )?kubectl ", line):
            found.append((section, number, line))
            number += 1
    return found


COMMANDS = _commands()
WATCH = pytest.mark.needs("watch")


def _run(command: str, folder: Path, patience_s: float = ENDS_WITHIN_S) -> tuple[str, str]:
    """Outcome and words of a command; it has a kubeconfig of its own, so that nothing leaks into the next."""
    kubeconfig = folder / "kubeconfig"
    shutil.copy(plan().home.kubeconfig, kubeconfig)
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "TERM": "xterm"}
    with subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return NEVER, process.communicate()[0]
    return (WORKS if process.returncode == 0 else FAILS), said


def test_the_table_names_every_command() -> None:
    counts: dict[str, int] = {}
    for section, _, _ in COMMANDS:
        counts[section] = counts.get(section, 0) + 1
    assert counts == {section: len(expected) for section, expected in EXPECTED.items()}


@pytest.mark.parametrize(
    ("section", "number", "command"),
    [
        pytest.param(s, n, command, id=f"{s}-{n + 1}", marks=WATCH if command.startswith("watch ") else ())
        for s, n, command in COMMANDS
    ],
)
@pytest.mark.proves(
    "each kubectl command of the runbook does on the testbed what a table says: works, fails, never returns"
)
def test_command_as_written(section: str, number: int, command: str, tmp_path: Path, whole_testbed: Status) -> None:
    expected, words = EXPECTED[section][number]
    outcome, said = _run(command, tmp_path, NEVER_S if expected == NEVER else ENDS_WITHIN_S)
    assert outcome == expected, said
    assert words in said


@pytest.mark.parametrize("command", sorted({c for _, _, c in COMMANDS if DRY.match(c)}))
def test_with_the_namespace_it_would_have_worked(command: str, tmp_path: Path, whole_testbed: Status) -> None:
    outcome, said = _run(f"{command} --namespace {NAMESPACE} --dry-run=server", tmp_path)
    assert outcome == WORKS, said
