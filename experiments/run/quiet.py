"""Before a run: no alert may hold, else what an earlier fault left in its window is taken for this run's.

Only the rules as intended are waited for: as written, one of them fires for as long as the other region stands ready.
"""

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from urllib.request import urlopen

from experiments.platforms.site import site

QUIET_WITHIN_S = 420.0  # rates look five minutes back
LOOK_S = 5.0
ANSWER_S = 3.0


def wait(told: Callable[[float, str], None], within_s: float = QUIET_WITHIN_S) -> tuple[str, ...]:
    """Wait until no alert is pending or firing in any region; return those that still are.

    `told` is given the share of the time that has passed, and words.
    """
    began_s = time.monotonic()
    while active := tuple(alerts()):
        passed_s = time.monotonic() - began_s
        if passed_s > within_s:
            return active
        told(passed_s / within_s, f"waiting until no alert holds: {', '.join(active)}")
        time.sleep(LOOK_S)
    return ()


def alerts() -> Iterator[str]:
    """Alerts that are pending or firing now, each once; a Prometheus that does not answer has none."""
    found: dict[str, None] = {}
    for region in site().places:
        try:
            with urlopen(f"{site().url(region, 'prometheus')}/api/v1/alerts", timeout=ANSWER_S) as answer:
                active = json.load(answer)["data"]["alerts"]
        except (OSError, HTTPException, ValueError, KeyError):
            continue
        found |= {a["labels"]["alertname"]: None for a in active if a["labels"].get("rules") == "intended"}
    yield from found
