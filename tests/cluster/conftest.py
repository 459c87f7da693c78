"""Tests on the real testbed run only when they are asked for: `pytest tests/cluster`, after `gameday testbed up`."""

from pathlib import Path

import pytest

from experiments.testbed import lifecycle
from experiments.testbed.status import Status

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of a run of all tests: they need minutes, and the testbed for themselves."""
    asked = any(Path(argument.partition("::")[0]).resolve().is_relative_to(_HERE) for argument in config.args)
    if not asked:
        for item in items:
            if item.path.is_relative_to(_HERE):
                item.add_marker(pytest.mark.skip("not asked for: pytest tests/cluster"))


@pytest.fixture(scope="session")
def whole_testbed() -> Status:
    """The testbed as it is found, which has to be whole."""
    found = lifecycle.status(measure=False)
    assert found.whole, f"run `gameday testbed up` or `reset`: {'; '.join(found.lacks)}"
    return found
