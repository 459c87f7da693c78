"""A record that the commands of the documentation can work on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def played_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of runs with one in it."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, "-m", "gameday", "simulate", "risk-node-loss-1-replica", "--fidelity", "control"],
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}, check=False,
    )  # fmt: skip
    return folder / "runs"
