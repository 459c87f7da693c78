from pathlib import Path

import pytest

from experiments.testbed.system.outside import Names, Numbered, Pages, Witness, page

from .http import ask

REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZONE", "grandmodel.test")
    monkeypatch.setenv("ADDRESSES", "us-east-1=127.0.1.1,us-west-2=127.0.2.1")
    monkeypatch.setenv("HOME_REGION", "us-east-1")
    monkeypatch.setenv("LEASE_S", "1")


def test_the_zone_is_written_at_the_start_and_at_each_change_and_remembered(tmp_path: Path) -> None:
    names, file = Names(tmp_path, tmp_path), tmp_path / "db.grandmodel.test"
    assert "trade IN A 127.0.1.1" in file.read_text()
    status, before = ask(names.read)
    assert (status, before["region"]) == (200, "us-east-1")
    status, after = ask(names.change, {"region": "us-west-2"})
    assert (status, after["region"]) == (200, "us-west-2")
    assert after["serial"] > before["serial"]
    assert "trade IN A 127.0.2.1" in file.read_text()
    assert ask(Names(tmp_path, tmp_path).read)[1]["region"] == "us-west-2"


def test_a_blocked_change_changes_nothing(tmp_path: Path) -> None:
    names = Names(tmp_path, tmp_path)
    assert ask(names.block, {"blocked": True})[0] == 200
    assert ask(names.change, {"region": "us-west-2"})[0] == 503
    assert ask(names.read)[1]["region"] == "us-east-1"
    assert ask(names.block, {"blocked": False})[0] == 200
    assert ask(names.change, {"region": "us-west-2"})[0] == 200


@pytest.mark.parametrize("body", [None, [], {}, {"region": "eu-west-1"}, {"region": ["us-east-1", 3]}, b"{"])
def test_what_names_no_region_is_refused(body: object, tmp_path: Path) -> None:
    names, witness = Names(tmp_path, tmp_path), Witness(tmp_path, REGIONS)
    for handler in (names.change, witness.renew, witness.fence, witness.grant):
        assert ask(handler, body)[0] == 400


def test_fencing_answers_when_the_lease_has_run_out_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    witness = Witness(tmp_path, REGIONS)
    status, renewed = ask(witness.renew, {"region": "us-east-1"})
    assert status == 200
    assert ask(witness.grant, {"region": "us-west-2"})[0] == 409
    status, fenced = ask(witness.fence, {"region": "us-east-1"})
    assert status == 200
    assert fenced["expires_us"] >= renewed["expires_us"]
    anew = Witness(tmp_path, REGIONS)
    assert ask(anew.renew, {"region": "us-east-1"}) == (409, {"reason": "us-east-1 is fenced"})
    assert ask(anew.grant, {"region": "us-west-2"})[0] == 409  # it cannot know how long the old lease runs
    assert ask(witness.grant, {"region": "us-west-2"})[0] == 200
    assert ask(witness.renew, {"region": "us-east-1"})[0] == 409
    assert ask(Witness(tmp_path, REGIONS).read)[1]["region"] == "us-west-2"


def test_pages_are_numbered_and_read_from_any_number_on() -> None:
    pages = Pages("http://alertmanager")
    labels = {"alertname": "StrategicAgentDown", "severity": "critical", "region": "us-east-1"}
    body = {"alerts": [{"status": "firing", "labels": labels}, {"status": "resolved", "labels": {}}]}
    assert ask(pages.receive, body) == (200, {"pages": 2})
    found = ask(pages.received.read)[1]
    assert [entry["n"] for entry in found] == [1, 2]
    assert found[0]["alert"] == "StrategicAgentDown"
    assert (found[0]["severity"], found[0]["region"], found[0]["status"]) == ("critical", "us-east-1", "firing")
    assert found[0]["received_us"] == found[1]["received_us"] > 0
    assert [entry["n"] for entry in ask(pages.received.read, query="after=1")[1]] == [2]
    assert ask(pages.received.read, query="after=9")[1] == []
    assert ask(pages.received.read, query="after=-1")[0] == 400
    assert ask(pages.receive, {"alerts": "none"})[0] == 400


def test_a_test_page_carries_its_key_and_others_none() -> None:
    assert page({"labels": {"alertname": "TestPage", "key": "7"}, "status": "firing"}, 1)["key"] == "7"
    assert "key" not in page({"labels": {}}, 1)


def test_numbers_have_no_gap() -> None:
    facts = Numbered()
    assert [facts.add({"kind": "x"})["n"] for _ in range(3)] == [1, 2, 3]
