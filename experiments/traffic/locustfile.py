"""The runbook's load tests as Locust users: `locust -f experiments/traffic/locustfile.py --headless --test load`.

A user sends one order a second and waits for its answer, so the number of users is the rate. It finds the system by the
name, through a cache of its own that obeys the TTL. Locust is a closed loop and rounds its own figures to milliseconds:
what counts goes to `--rows`, a line of JSON for each second, with unrounded histograms.
Source of the tests: the runbook, Performance Testing / Load Testing.
"""

import locust  # before anything that opens a socket: it changes how sockets wait

# isort: split
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from locust import FastHttpUser, LoadTestShape, constant_throughput, events, task

from experiments.observe.names import PROBE_KEYS
from experiments.testbed import layout
from scenarios.record.histogram import bin_of

TESTS = {"load": (1_000, 600), "stress": (5_000, 300), "endurance": (500, 14_400)}  # orders a second, seconds
TIMEOUT_S = 1.0
# Keys of Locust's orders: nobody's in the ledger, and no prober's.
KEYS = PROBE_KEYS + (1 << 61)
_keys: Iterator[int] = itertools.count(KEYS + time.time_ns() // 1_000)


def options(parser: Any) -> None:
    """Add our options to Locust's."""
    parser.add_argument("--test", choices=sorted(TESTS), default="load", help="which of the runbook's load tests")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the runbook's rate, for a small system")
    parser.add_argument("--lasts", type=float, default=0.0, help="seconds, instead of the runbook's")
    parser.add_argument("--rows", default="", help="file that gets a line of JSON for each second")
    parser.add_argument("--name", default=layout.TRADE_NAME, help="name that users go to")
    parser.add_argument("--dns", default=f"{layout.HOST}:{layout.DNS_PORT}", help="name server to ask")
    parser.add_argument("--port", type=int, default=layout.PORTS["strategic"], help="port of the edge")


class Test(LoadTestShape):
    """As many users as the test has orders a second, from its first second to its last."""

    def tick(self) -> tuple[int, float] | None:
        """Users now and how many are started a second; None: the test is over."""
        runner: Any = self.runner
        chosen, begun_s = runner.environment.parsed_options, self.start_time
        rate, lasts_s = TESTS[chosen.test]
        if time.perf_counter() - begun_s >= (chosen.lasts or lasts_s):
            return None
        users = max(1, round(rate * chosen.scale))
        return users, float(users)


class Trader(FastHttpUser):
    """Sends an order a second."""

    wait_time = constant_throughput(1)
    host = "http://trade"  # orders go to the address that the name leads to
    connection_timeout = TIMEOUT_S
    network_timeout = TIMEOUT_S
    max_retries = 0

    def on_start(self) -> None:
        """No answer of the name server is known yet; the users' first ones end at different times."""
        self._address, self._until_s = "", 0.0
        self._share = (id(self) // 16 % 97 + 1) / 97

    def _edge(self) -> str:
        """Address of the edge, by an answer that is not older than its TTL; empty when there is none."""
        now_s = time.monotonic()
        if now_s < self._until_s:
            return self._address
        chosen = self.environment.parsed_options
        host, _, port = chosen.dns.rpartition(":")
        question = dns.message.make_query(chosen.name, dns.rdatatype.A)
        try:
            answer = dns.query.udp(question, host, timeout=TIMEOUT_S, port=int(port))
            record = next(found for found in answer.answer if found.rdtype == dns.rdatatype.A)
        except (dns.exception.DNSException, OSError, StopIteration):
            self._until_s = 0.0
            return ""
        self._until_s, self._share = now_s + record.ttl * self._share, 1.0
        self._address = record[0].to_text()
        return self._address

    @task
    def order(self) -> None:
        """Send one order and wait for its answer."""
        address, chosen = self._edge(), self.environment.parsed_options
        if not address:
            self.environment.events.request.fire(
                request_type="POST", name="/orders", response_time=TIMEOUT_S * 1e3, response_length=0, context={},
                response=None, exception=LookupError("no address"), start_time=time.time(), url="",
            )  # fmt: skip
            return
        key = next(_keys)
        body = {"key": key, "seq": -1, "sent_us": time.time_ns() // 1_000}
        url = f"http://{address}:{chosen.port}/orders"
        self.client.post(url, name="/orders", json=body, headers={"Host": f"{chosen.name}:{chosen.port}"})


class Rows:
    """Counts of each second, written when it is over."""

    def __init__(self, environment: Any, path: str) -> None:
        self._environment = environment
        self._path = Path(path)
        self._seconds: dict[int, Counter[str]] = {}
        self._paths: dict[int, Counter[int]] = {}
        environment.events.request.add_listener(self._ended)
        self._written_to_s = 0

    def _ended(self, response_time: float, exception: Any, response: Any, start_time: float, **_: Any) -> None:
        code = getattr(response, "status_code", 0) or 0
        silent = response is not None and code == 0 and "refused" not in str(exception).lower()
        outcome = "ok" if exception is None else "unknown" if silent or code == 504 else "failed"
        now_s = math.floor(time.time())
        self._seconds.setdefault(math.floor(start_time), Counter())["sent"] += 1
        self._seconds.setdefault(now_s, Counter())[outcome] += 1
        self._paths.setdefault(now_s, Counter())[bin_of(round(response_time * 1e6))] += 1
        if now_s > self._written_to_s:
            self._written_to_s = now_s
            self.write(now_s - math.ceil(TIMEOUT_S))  # what began then has ended

    def write(self, before_s: int) -> None:
        """Write all seconds before one."""
        lines = []
        for second in sorted(s for s in self._seconds if s < before_s):
            counts, path = self._seconds.pop(second), self._paths.pop(second, Counter())
            users = self._environment.runner.user_count if self._environment.runner else 0
            row = {"epoch_s": second, "users": users, **counts, "path": sorted(path.items())}
            lines.append(json.dumps(row) + "\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(lines)


def begin(environment: Any, **_: Any) -> None:
    """Open the file of rows."""
    if environment.parsed_options.rows:
        environment.rows = Rows(environment, environment.parsed_options.rows)


def end(environment: Any, **_: Any) -> None:
    """Write the last seconds."""
    if hasattr(environment, "rows"):
        environment.rows.write(math.floor(time.time()) + 1)


_hooks: Any = events
_hooks.init_command_line_parser.add_listener(options)
_hooks.test_start.add_listener(begin)
_hooks.quitting.add_listener(end)

__all__ = ["Test", "Trader", "locust"]
