"""The testbed is what it says: whole, behind one name, with a standby that follows."""

import json
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import dns.message
import dns.query
import psycopg
import pytest

from experiments.testbed import clusters, layout, state, status
from experiments.testbed.layout import EAST, PLACES, PORTS, WEST, Place
from experiments.testbed.plan import plan
from experiments.testbed.status import Status

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]


def _address() -> str:
    question = dns.message.make_query(layout.TRADE_NAME, "A")
    answer = dns.query.udp(question, layout.HOST, timeout=3, port=layout.DNS_PORT)
    [record] = [item for rows in answer.answer for item in rows]
    assert all(rows.ttl <= layout.DNS_TTL_S for rows in answer.answer)
    return record.to_text()


def _call(method: str, url: str, body: object = None) -> tuple[dict[str, object], dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}, method=method), timeout=5) as answer:
        return json.load(answer), dict(answer.headers)


def _probe(place: Place, key: int) -> tuple[int, int, str, bool]:
    with psycopg.connect(
        host=place.address, port=PORTS["database"], user="prober", password="prober", dbname="grandmodel"
    ) as connection:
        row = connection.execute(
            'SELECT timeline, "position", region, writable FROM gameday_probe(%s, %s)', (key, time.time_ns() // 1000)
        ).fetchone()
    assert row is not None
    return row


def test_it_is_whole_and_the_plan_is_the_topologys(whole_testbed: Status) -> None:
    for place in PLACES.values():
        found = whole_testbed.regions[place.region].workloads
        assert {name: found[name].ready for name in plan().replicas(place)} == plan().replicas(place)
    assert not whole_testbed.pending_failback


def test_the_clusters_are_those_that_were_remembered(whole_testbed: Status) -> None:
    assert state.read().identities == {place.region: clusters.identity(place) for place in PLACES.values()}


@pytest.mark.proves("an order goes through the testbed's name, is committed once, and is read back by its key")
def test_an_order_goes_through_the_name(whole_testbed: Status) -> None:
    url = f"http://{_address()}:{PORTS['strategic']}"
    key = time.time_ns() // 1000
    order = {"key": key, "seq": 1, "sent_us": key}
    accepted, headers = _call("POST", f"{url}/orders", order)
    again, _ = _call("POST", f"{url}/orders", order)
    read, _ = _call("GET", f"{url}/orders/{key}")
    assert headers["x-region"] == plan().home.region
    assert {"strategic", "tactical", "risk", "database"} <= {
        part.partition("=")[0] for part in headers["x-own"].split(",")
    }
    assert accepted == again
    assert (read["key"], read["position"], read["copies"]) == (key, accepted["position"], 1)


def test_an_unknown_order_is_not_there(whole_testbed: Status) -> None:
    with pytest.raises(HTTPError, match="404"):
        _call("GET", f"{EAST.url('strategic')}/orders/{2**60}")


@pytest.mark.proves("the testbed's standby in the other region follows its primary")
def test_the_standby_streams(whole_testbed: Status) -> None:
    _, position, region, writable = _probe(plan().home, time.time_ns() // 1000)
    assert (region, writable) == (plan().home.region, True)
    for _ in range(100):
        behind = status.database(plan().away)
        if behind is not None and behind.position > position:
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"the standby has not replayed {position}: {behind}")
    _, _, region, writable = _probe(plan().away, time.time_ns() // 1000)
    assert (region, writable) == (plan().away.region, False)


def test_the_pilot_light_answers_no_orders(whole_testbed: Status) -> None:
    with pytest.raises(OSError, match=r"refused|reset|without response"):
        _call("GET", f"{WEST.url('strategic')}/probe")


@pytest.mark.proves(
    "the testbed refuses each of many connections to a service without pods, as a region that is down does"
)
def test_a_service_without_pods_refuses_every_connection() -> None:
    """Linux answers one in a second otherwise; the rest hang, and docker-proxy runs out of files."""
    for _ in range(40):
        with pytest.raises(OSError, match=r"refused|reset|without response"):
            _call("GET", f"{WEST.url('strategic')}/probe")
