"""From what Prometheus and the page receiver answer to facts."""

from typing import Any

from experiments.observe.alert_facts import AlertFacts, page_facts, reported_fact


def _alert(state: str, rules: str = "intended", **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": "HighErrorRate", "rules": rules, **labels},
        "state": state,
        "activeAt": "2026-01-02T03:04:05.25Z",
    }


def _play(*looks: list[dict[str, Any]]) -> list[list[str]]:
    facts = AlertFacts("us-west-2")
    return [[f.kind.removeprefix("alert_") for f in facts.seen(look)] for look in looks]


def test_an_alert_is_pending_fires_and_resolves() -> None:
    looks = [[], [_alert("pending")], [_alert("pending")], [_alert("firing")], [_alert("firing")], []]
    assert _play(*looks) == [[], ["pending"], [], ["firing"], [], ["resolved"]]


def test_an_alert_that_fires_at_once_was_pending_before() -> None:
    assert _play([_alert("firing")], [_alert("pending")], []) == [["pending", "firing"], ["resolved", "pending"], []]


def test_an_alert_of_several_elements_fires_while_one_of_them_does() -> None:
    both = [_alert("pending", pod="a"), _alert("firing", pod="b")]
    assert _play(both, both[::-1], both[:1]) == [["pending", "firing"], [], ["resolved", "pending"]]


def test_both_readings_of_a_rule_are_told_apart() -> None:
    facts = AlertFacts("us-west-2")
    found = facts.seen([_alert("firing", "written"), _alert("pending"), _alert("firing", "")])
    assert [(f.kind, f.detail) for f in found] == [
        ("alert_pending", {"rules": "intended", "region": "us-west-2"}),
        ("alert_pending", {"rules": "written", "region": "us-west-2"}),
        ("alert_firing", {"rules": "written", "region": "us-west-2"}),
    ]
    assert found[0].source_epoch_us == 1767323045250000


def test_a_page_that_fires_wakes_somebody() -> None:
    page = {"n": 1, "received_us": 5, "alert": "HighErrorRate", "severity": "critical", "status": "firing"}
    assert [(f.kind, f.detail, f.source_epoch_us) for f in page_facts(page)] == [
        ("page_received", {"alert": "HighErrorRate", "severity": "critical"}, 5),
    ]
    assert page_facts(page | {"status": "resolved"}) == []
    assert page_facts(page | {"alert": "TestPage"}) == []


def test_actors_report_what_they_do_and_nothing_else() -> None:
    step = {"n": 1, "t_us": 7, "kind": "step_started", "subject": "automatic-failover"}
    fact = reported_fact(step | {"detail": {"step": "fence", "actor": "automation"}})
    assert fact is not None
    assert (fact.kind, fact.subject, fact.source_epoch_us) == ("step_started", "automatic-failover", 7)
    assert reported_fact(step | {"detail": {"step": "fence"}}) is None
    assert reported_fact(step | {"kind": "promoted", "detail": {"timeline": "us-west-2/2", "position": 1}}) is None
    assert reported_fact(step | {"kind": "nonsense", "detail": {}}) is None
