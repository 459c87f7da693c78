from collections.abc import Callable

import pytest

from experiments.testbed.system import settings
from experiments.testbed.system.roles import ROLES, main
from experiments.testbed.system.settings import SettingError


@pytest.mark.parametrize("role", [role for role in ROLES if role != "reverter"])
def test_a_role_that_is_told_nothing_says_what_it_wants(
    role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("REGION", "ZONE", "TARGETS"):
        monkeypatch.delenv(name, raising=False)
    assert main([role]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{role}: environment variable ")
    assert "is not set" in said


@pytest.mark.parametrize("arguments", [[], ["nobody"], ["risk", "tactical"]])
def test_another_role_is_refused_with_the_list(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "strategic, tactical, risk" in capsys.readouterr().err


def test_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " a=1.5, b = 2 ")
    assert settings.numbers("X") == {"a": 1.5, "b": 2.0}
    assert settings.whole("NOT_SET", 7) == 7
    assert settings.address("X", "host:5432") == ("host", 5432)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (settings.number, "-1"),
        (settings.number, "nan"),
        (settings.number, "soon"),
        (settings.whole, "0"),
        (settings.whole, "1.5"),
        (settings.pairs, "a=1,b"),
        (settings.numbers, "a=x"),
    ],
)
def test_what_cannot_be_is_named(read: Callable[[str], object], value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_NUMBER", value)
    with pytest.raises(SettingError, match="SOME_NUMBER"):
        read("SOME_NUMBER")
    with pytest.raises(SettingError, match="host:port"):
        settings.address("SOME_NUMBER", "host")


@pytest.mark.parametrize("value", ["grandmodel", "mysql://h/x", "postgresql:///x", "postgresql://h:port/x"])
def test_a_url_that_cannot_be_is_refused_without_showing_it(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    with pytest.raises(SettingError, match="DATABASE_URL") as refused:
        settings.url("DATABASE_URL", "postgresql", "postgres")
    assert value not in str(refused.value)
    monkeypatch.setenv("DATABASE_URL", "postgres://app:app@postgres:5432/grandmodel")
    assert settings.url("DATABASE_URL", "postgresql", "postgres").startswith("postgres:")
