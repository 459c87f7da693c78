"""A pending failback is kept and blocks the next run."""

from pathlib import Path

import pytest

from experiments.safety import pending
from experiments.testbed.errors import TestbedError
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


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"old": "us-east-1"}', '{"a": 1}', "NUMBERS"])
def test_a_damaged_file_is_said_and_kept(text: str) -> None:
    pending.keep("us-east-1", "us-west-2", "one", None)
    file = pending._file()
    text = text if text != "NUMBERS" else file.read_text().replace('"us-east-1"', "1")
    file.write_text(text)
    for look in (pending.read, pending.refuse):
        with pytest.raises(TestbedError, match=r"pending\.json") as raised:
            look()
        assert "gameday undo" in raised.value.problems[0].remedy
    assert file.read_text() == text
