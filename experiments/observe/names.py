"""What the record calls the things that answers name."""

from collections.abc import Mapping

from experiments.observe.clock import Clock

# Keys of the probers' own orders and rows: nobody's orders, left out of the ledger. Far above every order's key.
PROBE_KEYS = 1 << 62


def timeline_name(said: str | None) -> str | None:
    """Name of a timeline in the record, region/number, from a service's `us-east-1:1`.

    >>> timeline_name("us-east-1:1")
    'us-east-1/1'
    """
    return said.replace(":", "/") if said else None


def pod_name(region: str | None, service: str, pod: str | None) -> str | None:
    """Name of a pod in the record, region/service/pod; None when the answer does not say who it is from."""
    return f"{region}/{service}/{pod}" if region and pod else None


def as_of_us(headers: Mapping[str, str], clock: Clock) -> int | None:
    """Time of the data that an answer stands on, in the run's time."""
    said = headers.get("x-as-of-us", "")
    return clock.of_epoch(int(said)) if said.isdigit() else None


def own_times_us(headers: Mapping[str, str]) -> dict[str, int]:
    """Own time of each service that worked on an answer.

    >>> own_times_us({"x-own": "strategic=412,risk=1800"})
    {'strategic': 412, 'risk': 1800}
    """
    pairs = (part.partition("=") for part in headers.get("x-own", "").split(","))
    return {name.strip(): int(value) for name, _, value in pairs if value.strip().isdigit()}
