"""A plan whose file is damaged: every look says no, nothing is injected over it, and all that can be lifted is."""

import json
import sys
from pathlib import Path

import pytest

from experiments.faults import base
from experiments.operate.watching import until_gone
from experiments.run.remains import lift_remains
from experiments.testbed.errors import TestbedError
from scenarios.errors import LeftBehindError
from tests.unit.faults import fake

NAME = "pod-hang:0"
WHOLE = base.Plan("pod-hang", ("us-east-1/risk",), "a file").to_json()
DAMAGED = ["", "{", "[]", "null", "\x00", '{"kind": "pod-hang"}', json.dumps({**WHOLE, "lifts": [{"verb": "rm"}]})]


def damage(text: str = "{", name: str = NAME) -> Path:
    file = base._file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("text", DAMAGED)
def test_a_look_says_no(text: str) -> None:
    damage(text)
    assert fake.landed(NAME) is False
    assert fake.gone(NAME) is False
    assert until_gone(NAME, "pod-hang", 0.0) is False


@pytest.mark.parametrize("text", DAMAGED)
def test_it_is_said_where_and_what_to_do(text: str) -> None:
    file = damage(text)
    with pytest.raises(TestbedError) as raised:
        base.kept(NAME)
    assert raised.value.problems[0].where == str(file)
    assert "gameday undo" in raised.value.problems[0].remedy


def test_a_folder_in_its_place_is_damage_too() -> None:
    file = damage()
    file.unlink()
    file.mkdir()
    assert fake.gone(NAME) is False


def test_nothing_is_injected_over_it(tmp_path: Path) -> None:
    file = damage()
    base.protect(fake.Arms(tmp_path))
    with pytest.raises(TestbedError):
        fake.inject(NAME, str(tmp_path))
    assert not (tmp_path / "order").exists()
    assert file.read_text() == "{"


@pytest.mark.proves("A fault whose plan is damaged is lifted by the ledger, and said to be left")
def test_what_was_armed_is_lifted_all_the_same(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path))
    fake.inject(NAME, str(tmp_path))
    file = damage()
    with pytest.raises(LeftBehindError, match=r"pod-hang-0\.json"):
        fake.lift(NAME)
    assert not (tmp_path / "broken").exists()
    assert file.exists()


@pytest.mark.proves("One damaged plan keeps no other fault from being lifted")
def test_the_others_are_lifted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "experiments.faults.pod_hang", fake)
    arms = fake.Arms(tmp_path)
    base.protect(arms)
    fake.inject("pod-hang:1", str(tmp_path))
    damage()
    damage(name="preparation")
    left = lift_remains(arms, lambda *_, **__: None, 0.0)
    assert base.all_kept() == ["pod-hang:0", "preparation"]
    assert len(left) == 2
    assert all("json" in words for words in left)
    assert not (tmp_path / "broken").exists()
