"""The folder that a user begins with: it is accepted as it is, and says what is still to be filled in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.platforms.eks.sites import problems
from experiments.platforms.eks.targets import of_regions
from gameday.cli.main import run
from gameday.config import settings
from gameday.settings import read
from scenarios.files.load import load
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "how-to" / "eks"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands are given in the folder."""
    monkeypatch.chdir(FOLDER)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("there")
def test_check_accepts_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr().out == "nothing wrong\n"


def test_it_declares_all_that_a_game_day_asks() -> None:
    """The scenario has a target for each region, and a port for each service of the topology."""
    found = read(FOLDER / "gameday.toml")
    resolved = load("pod-kill-production", paths=found.scenario_paths, world="eks")
    targets = of_regions(found.targets, tuple(resolved.topology.regions))
    assert problems(resolved, targets, found.outside) == []
    assert found.outside.sink
    assert Path(found.production.approvals).is_relative_to(FOLDER)
