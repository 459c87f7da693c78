"""Kill tests run only when they are asked for: `pytest tests/kill`, after `gameday testbed up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.testbed import lifecycle
from experiments.testbed.status import Status

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of a run of all tests: half an hour, and the testbed for themselves."""
    asked = any(Path(argument.partition("::")[0]).resolve().is_relative_to(_HERE) for argument in config.args)
    if not asked:
        for item in items:
            if item.path.is_relative_to(_HERE):
                item.add_marker(pytest.mark.skip("not asked for: pytest tests/kill"))


@pytest.fixture
def whole() -> Iterator[Status]:
    """A whole testbed, and whole again whatever the test does."""
    found = lifecycle.status(measure=False)
    if not found.whole:
        found = lifecycle.reset(lambda *_: None)
    yield found
    if not lifecycle.status(measure=False).whole:
        lifecycle.reset(lambda *_: None)
