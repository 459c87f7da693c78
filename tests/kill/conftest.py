"""Kill tests run only when they are asked for: `pytest tests/kill`, after `gameday testbed up`."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of a run of all tests: half an hour, and the testbed for themselves."""
    asked = any(Path(argument.partition("::")[0]).resolve().is_relative_to(_HERE) for argument in config.args)
    if not asked:
        for item in items:
            if item.path.is_relative_to(_HERE):
                item.add_marker(pytest.mark.skip("not asked for: pytest tests/kill"))
