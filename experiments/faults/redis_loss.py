"""redis-loss: the cache is gone."""

from typing import Any

from experiments.faults import base, cluster, scaling
from experiments.testbed.layout import NAMESPACE

_PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/redis"


def plan(region: str) -> base.Plan:
    """Plan to take the cache away."""
    return scaling.plan("redis-loss", region, _PATH, "redis", f"the cache of {region} is gone, with all it holds.")


def inject(fault: str, region: str) -> dict[str, Any]:
    """Take it away."""
    return base.inject(fault, plan(region), scaling.take_away)


def landed(fault: str) -> bool:
    """Whether no pod of it is left."""
    return base.look(fault, lambda p: not cluster.pods(p.facts["region"], "redis"), without=False)


def gone(fault: str) -> bool:
    """Whether it is back, empty."""
    return base.look(fault, scaling.is_back, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Bring it back."""
    return base.lift(fault, by)
