"""Before a run: no alert may hold, else what an earlier fault left in its window is taken for this run's.

Only the rules as intended are waited for: as written, one of them fires for as long as the other region stands ready.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException

from experiments.platforms.direct import urlopen
from experiments.platforms.site import site

QUIET_WITHIN_S = 420.0  # rates look five minutes back
LOOK_S = 5.0
ANSWER_S = 3.0


@dataclass(frozen=True)
class Before:
    """What was not quiet when a run began: alerts that held still, and regions whose Prometheus did not answer."""

    alerts: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()

    def to_json(self) -> dict[str, list[str]]:
        """Return it as JSON values."""
        return {"alerts": list(self.alerts), "silent": list(self.silent)}

    def __str__(self) -> str:
        """Return it in words; empty: all was quiet."""
        silent = [f"Prometheus of {region} does not answer" for region in self.silent]
        return "; ".join([*(f"{alert} holds" for alert in self.alerts), *silent])


def wait(told: Callable[[float, str], None], within_s: float = QUIET_WITHIN_S) -> Before:
    """Wait until every Prometheus says that no alert is pending or firing; return what is not so at the end.

    `told` is given the share of the time that has passed, and words.
    """
    began_s = time.monotonic()
    while words := str(now := look()):
        passed_s = time.monotonic() - began_s
        if passed_s > within_s:
            break
        told(passed_s / within_s, f"waiting until all is quiet: {words}")
        time.sleep(LOOK_S)
    return now


def look() -> Before:
    """Alerts that are pending or firing now, each once, and who does not say."""
    found: dict[str, None] = {}
    silent: list[str] = []
    for region in site().places:
        try:
            with urlopen(f"{site().url(region, 'prometheus')}/api/v1/alerts", timeout=ANSWER_S) as answer:
                active = json.load(answer)["data"]["alerts"]
            found |= {a["labels"]["alertname"]: None for a in active if a["labels"].get("rules") == "intended"}
        except (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError):
            silent.append(region)  # an answer that makes no sense is none
    return Before(tuple(found), tuple(silent))
