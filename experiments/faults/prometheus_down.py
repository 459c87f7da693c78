"""prometheus-down: the Prometheus of a region is down."""

from typing import Any

from experiments.faults import base, containers, scaling
from experiments.testbed.layout import MONITORING_NAMESPACE

_PATH = f"/apis/apps/v1/namespaces/{MONITORING_NAMESPACE}/deployments/prometheus"
_HEALTHY = "/-/healthy"


def plan(region: str) -> base.Plan:
    """Plan to take it away."""
    radius = f"the Prometheus of {region} is down: it sees nothing and sends no alert."
    return scaling.plan("prometheus-down", region, _PATH, "prometheus", radius)


def inject(fault: str, region: str) -> dict[str, Any]:
    """Take it away."""
    return base.inject(fault, plan(region), scaling.take_away)


def landed(fault: str) -> bool:
    """Whether its pod is gone, and it does not answer."""
    return base.look(
        fault,
        lambda p: scaling.is_away(p) and not containers.answers(p.facts["region"], "prometheus", _HEALTHY),
        without=False,
    )


def gone(fault: str) -> bool:
    """Whether it answers, and is whole."""
    return base.look(
        fault,
        lambda p: containers.answers(p.facts["region"], "prometheus", _HEALTHY) and scaling.is_back(p),
        without=True,
    )


def lift(fault: str, by: str = "clean-up") -> str:
    """Bring it back."""
    return base.lift(fault, by)
