"""`python -m experiments.testbed.measure`: how long each service works on an order, at the rate that game days offer.

Orders go out at fixed instants, whatever became of those before, on connections that stay open. Each answer says how
long each service worked on it itself (`X-Own`); the caller's time counts from the instant at which the order was due.
"""

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

import aiohttp

from experiments.testbed.plan import plan

RATE_PER_S = 100
DURATION_S = 60
_WARM_UP_S = 5  # left out: connections are made, caches are cold


@dataclass(frozen=True)
class Fit:
    """Times of one service, microseconds; `sigma` is the log-standard-deviation."""

    count: int
    mean_us: float
    sigma: float
    p50_us: float
    p95_us: float
    p99_us: float

    @classmethod
    def of(cls, times_us: Sequence[float]) -> "Fit":
        """Describe times, one or more."""
        ordered = sorted(times_us)
        at = [ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.95, 0.99)]
        logs = [math.log(max(time_us, 1)) for time_us in ordered]
        return cls(len(ordered), round(fmean(ordered), 1), round(pstdev(logs), 3), *at)


async def measure(url: str, rate_per_s: float, duration_s: float) -> tuple[dict[str, Fit], int]:
    """Send orders to a strategic service; return the times by service (and `caller`), and how many failed."""
    times: dict[str, list[float]] = {}
    failed = 0
    first_key = time.time_ns() // 1_000_000

    async def one(session: aiohttp.ClientSession, number: int, due_s: float) -> None:
        nonlocal failed
        order = {"key": first_key + number, "seq": number, "sent_us": time.time_ns() // 1000}
        try:
            async with session.post(f"{url}/orders", json=order) as answer:
                await answer.read()
                ok, own = answer.status == 200, answer.headers.get("X-Own", "")
        except (aiohttp.ClientError, TimeoutError):
            ok, own = False, ""
        passed_us = (time.monotonic() - due_s) * 1e6
        if not ok:
            failed += 1
        elif number >= _WARM_UP_S * rate_per_s:
            times.setdefault("caller", []).append(passed_us)
            for part in filter(None, own.split(",")):
                service, _, microseconds = part.partition("=")
                times.setdefault(service, []).append(float(microseconds))

    timeout = aiohttp.ClientTimeout(total=5)
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as group:
        began_s = time.monotonic()
        for number in range(round(rate_per_s * (duration_s + _WARM_UP_S))):
            due_s = began_s + number / rate_per_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            group.create_task(one(session, number, due_s))
    return {service: Fit.of(values) for service, values in times.items()}, failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the home region and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m experiments.testbed.measure", description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE_PER_S, help="orders a second")
    parser.add_argument("--seconds", type=float, default=DURATION_S)
    given = parser.parse_args(arguments)
    fits, failed = asyncio.run(measure(plan().home.url("strategic"), given.rate, given.seconds))
    result = {"failed": failed, "rate_per_s": given.rate, "services": {name: vars(fit) for name, fit in fits.items()}}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
