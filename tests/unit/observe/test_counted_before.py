"""What services had counted before the run, from what a Prometheus answers."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from experiments.observe import watchers
from experiments.observe.clock import Clock, Origin
from experiments.observe.counted_before import LookBack, Row, counted_before

from .servers import REGION, Answer, document, free_port, http, parent

SECOND = 1_000_000
START_S = 1_700_000_000  # by the wall clock
LOOK = LookBack(300 * SECOND, 5 * SECOND)
EVERY = tuple(range(-312, 12, 5))  # from 312 s before to 8 s after the start


def series(name: str, values: Mapping[int, float], **labels: str) -> dict[str, Any]:
    """One series of an answer; instants in seconds of the run."""
    return {
        "metric": {"__name__": name, "job": "risk-service", "region": REGION, **labels},
        "values": [[START_S + t + 0.25, str(v)] for t, v in values.items()],
    }


def requests(values: Mapping[int, float], status: str = "200", **labels: str) -> dict[str, Any]:
    return series("http_requests_total", values, status=status, **labels)


def up(instants: tuple[int, ...] = EVERY) -> dict[str, Any]:
    return series("up", dict.fromkeys(instants, 1))


def steady(value: float = 7) -> dict[int, float]:
    return dict.fromkeys(EVERY, value)


def rows(*found: dict[str, Any]) -> list[Row] | None:
    return counted_before(found, REGION, ("risk",), LOOK, lambda epoch_us: epoch_us - START_S * SECOND)


def at(found: list[Row] | None, name: str) -> list[tuple[float, int]]:
    """Instants in seconds, and counts, of one quantity."""
    return [(t / SECOND, n) for subject, what, t, n in found or [] if (subject, what) == (f"{REGION}/risk", name)]


@pytest.mark.proves("a region whose servers had counted nothing before the run says so; a silent one says nothing")
def test_nothing_was_counted_is_a_fact_and_silence_is_none() -> None:
    for found in (rows(up()), rows(up(), requests(steady()))):
        assert at(found, "answered_ok") == [(-300, 0), (8.25, 0)]
        assert at(found, "answered_5xx") == [(-300, 0), (8.25, 0)]
    assert rows() is None
    assert rows(up(EVERY[:-2]), requests(steady())) is None  # not scraped since the start yet


def test_what_was_counted_stands_where_a_scrape_found_it_summed_over_pods() -> None:
    one = {t: 100 + 10 * (t >= -97) + 5 * (t >= -42) for t in EVERY}
    other = {t: 900 + 2 * (t >= -97) for t in EVERY}
    wrong = {t: 3 + 4 * (t >= -52) for t in EVERY}
    found = rows(up(), requests(one, pod="a"), requests(other, pod="b"), requests(wrong, "503", pod="a"))
    assert at(found, "answered_ok") == [(-300, 0), (-96.75, 12), (-41.75, 17), (8.25, 17)]
    assert at(found, "answered_5xx") == [(-300, 0), (-51.75, 4), (8.25, 4)]


def test_what_the_first_scrape_of_the_run_found_is_told_and_nothing_later() -> None:
    found = rows(up(), requests({t: 50 + 20 * (t >= 3) + 400 * (t >= 8) for t in EVERY}))
    assert at(found, "answered_ok") == [(-300, 0), (3.25, 20), (8.25, 20)]


def test_counts_of_the_other_region_and_of_others_are_left_out() -> None:
    grown = {t: 5 + (t > -50) for t in EVERY}
    found = rows(up(), requests(grown, region="us-west-2"), requests(grown, job="grafana"))
    assert at(found, "answered_ok") == [(-300, 0), (8.25, 0)]


def test_a_counter_of_answers_that_begins_was_at_zero_and_one_that_ends_is_over() -> None:
    found = rows(up(), requests({t: 8 for t in EVERY if t >= -102}), requests({t: 5 for t in EVERY if t < -150}))
    assert at(found, "answered_ok") == [(-300, 0), (-101.75, 8), (8.25, 8)]


@pytest.mark.proves("where counters began anew or scrapes are missing, nothing is said of what was before the run")
@pytest.mark.parametrize(
    "counter",
    [
        requests({t: 500 if t < -100 else 20 for t in EVERY}),  # began anew
        requests({t: 7 for t in EVERY if not -60 < t < -50}),  # a scrape is missing
        requests({t: 7 for t in EVERY if t >= -97}, "503"),  # of errors, and rules do not see the first
        requests({t: 7 for t in EVERY if t < 0}),  # nobody saw it after the start
    ],
)
def test_what_cannot_be_told_is_not_said(counter: dict[str, Any]) -> None:
    assert rows(up(), requests(steady(), pod="b"), counter) == []


@pytest.mark.parametrize("instants", [EVERY[10:], (*EVERY[:30], *EVERY[33:])])
def test_a_prometheus_that_did_not_look_all_the_time_says_nothing(instants: tuple[int, ...]) -> None:
    assert rows(up(instants)) == []


def watched(now_s: float, answers: list[Answer], times: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Samples, and what a Prometheus was asked, when it is looked so often so long after the start."""
    settings = document(
        "watchers", port=free_port(), dns_port=free_port(), home=REGION, since_epoch_us=0, first_key=0,
        entry="strategic", copies=[], monitoring=[REGION], look_back_us=300 * SECOND, scrape_us=5 * SECOND,
    )  # fmt: skip
    settings["services"] = {"risk": "risk-deployment"}
    begun = Origin.soon(-now_s)

    def answer(_: str, path: str, __: Any) -> Answer:
        asked.append(path)
        return answers.pop(0)

    async def play() -> None:
        async with http(answer) as server:
            settings["ports"] = settings["ports"] | {"prometheus": server.port}
            watching = watchers.Watching(settings, Clock(begun), found.wire)
            for _ in range(times):
                await watching._look_back_at_counts(REGION)

    asked: list[str] = []
    with parent() as found:
        asyncio.run(play())
    return list(found.rows("samples")), asked


def told(now_s: float) -> Answer:
    """An answer of a Prometheus so long after the start."""
    begun_s = Origin.soon(-now_s).epoch_us / SECOND
    everything = [up(), requests({t: 7 + 2 * (t > -50) for t in EVERY})]
    for one in everything:
        one["values"] = [[at_s - START_S + begun_s, value] for at_s, value in one["values"]]
    return 200, {}, {"status": "success", "data": {"resultType": "matrix", "result": everything}}


@pytest.mark.proves("what was counted before the run is asked for once, and again while a Prometheus is silent")
def test_prometheus_is_asked_until_it_has_answered() -> None:
    refused: Answer = (503, {}, {"status": "error"})
    samples, asked = watched(12, [refused, (200, {}, ["what"]), told(12), told(12)], 5)
    assert len(asked) == 3
    query = parse_qs(urlparse(asked[0]).query)["query"][0]
    assert query.startswith('{__name__=~"http_requests_total|up"}[32')
    assert {(s["subject"], s["name"]) for s in samples} == {
        (f"{REGION}/risk", "answered_ok"), (f"{REGION}/risk", "answered_5xx"),
    }  # fmt: skip
    assert [s["value"] for s in samples if s["name"] == "answered_ok"] == [0, 2, 2]
    assert min(s["t_us"] for s in samples) == -300 * SECOND


@pytest.mark.parametrize("now_s", [-5, 3, 400])
def test_it_is_not_asked_before_it_has_scraped_nor_when_it_has_forgotten(now_s: float) -> None:
    assert watched(now_s, [], 2) == ([], [])
