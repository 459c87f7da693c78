"""What an objective is judged from, for a world that does not record everything."""

from collections.abc import Mapping
from typing import Any

from validators.conditions import metrics
from validators.recorded import COUNTED

_COUNTING = ("latency", "throughput", "load_test")


def load(objective: Mapping[str, Any], topology: Mapping[str, Any]) -> bool:
    """Whether an objective is judged from counts of requests (the record's table `load`)."""
    kind, subject = objective["kind"], objective["subject"]
    if kind == "detection":
        rules = topology["monitoring"]["alerts"]
        return any(COUNTED in metrics(r["intended"]) for r in rules if r["alert"] == subject)
    return kind in _COUNTING or (kind == "integrity" and subject == "flow")
