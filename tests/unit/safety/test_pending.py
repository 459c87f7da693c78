"""A pending failback is kept and blocks the next run."""

from pathlib import Path

import pytest

from experiments.safety import pending
from scenarios.errors import UsageError


@pytest.mark.proves("a pending failback blocks the next run until it is done")
def test_blocks_until_done(tmp_path: Path) -> None:
    pending.refuse()
    pending.keep("us-east-1", "us-west-2", "one", tmp_path / "record")
    with pytest.raises(UsageError, match="us-west-2 was promoted in run one"):
        pending.refuse()
    found = pending.read()
    assert found is not None
    assert found.record == str(tmp_path / "record")
    pending.clear()
    pending.refuse()
    pending.clear()
