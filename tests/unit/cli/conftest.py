"""A place to work in, with no settings of anybody's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.config import settings


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to be in, whose records are kept in `runs`."""
    for name in ("SCENARIO_PATHS", "RUNS_FOLDER", "WORKERS"):
        monkeypatch.delenv(f"GAMEDAY_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()
