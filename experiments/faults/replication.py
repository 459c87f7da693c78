"""The line that replication goes through, and how far a standby is behind."""

from typing import Any

from experiments.faults import base, containers, database, verbs
from experiments.faults.verbs import Lift
from experiments.testbed.layout import HOST, LINK_ADMIN_PORT, PLACES

URL = f"http://{HOST}:{LINK_ADMIN_PORT}/replication"
USUAL_S = 2.5  # a standby is never further behind: the lease is written each second

_PASSES = {"mode": "pass", "delay_ms": 0}


def as_before() -> Lift:
    """Lift that lets everything pass."""
    return verbs.http(URL, "PUT", _PASSES)


def standby(region: str) -> None:
    """Insist that a region's database is a standby that follows, over a line that lets everything pass.

    There is one line, and a lift lets it pass: of two faults on it the second would be lifted with the first.

    Raises:
        NothingToHitError: it is none, or something else has changed the line.
    """
    found = database.state(region)
    if found is None or not found.in_recovery or found.behind_s > USUAL_S:
        words = (
            "no answer" if found is None else "a primary" if not found.in_recovery else f"{found.behind_s:.0f} s behind"
        )
        raise base.nothing(f"{region}/database", words, "a standby that follows", "Name the region where it is.")
    if (line := _line()) != _PASSES:
        raise base.nothing(URL, str(line), "a line that lets everything pass", "Lift the other fault of it first.")


def _line() -> Any:
    """What the line does, or why nobody can say."""
    try:
        status, found = containers.request("GET", URL, timeout_s=5.0)
    except OSError as error:
        return f"no answer: {error}"
    if status != 200 or not isinstance(found, dict):
        return f"{status} {found}"
    return {name: found.get(name) for name in _PASSES}


def set_mode(body: dict[str, Any]) -> None:
    """Have the line stall, delay, or let pass. Raises NothingToHitError when it refuses."""
    status, found = containers.request("PUT", URL, body, timeout_s=5.0)
    if status != 200:
        raise base.nothing(URL, f"{status} {found}", "200")


def is_behind(region: str, seconds: float) -> bool:
    """Whether a standby has replayed nothing that is younger."""
    found = database.state(region)
    return found is not None and found.in_recovery and found.behind_s >= seconds


def follows(region: str) -> bool:
    """Whether a standby follows as usual, or is none any more."""
    found = database.state(region)
    if found is None:
        return False
    if not found.in_recovery:
        return True
    primaries = [database.state(other) for other in PLACES if other != region]
    return found.behind_s < USUAL_S and any(p is not None and p.standbys > 0 for p in primaries)
