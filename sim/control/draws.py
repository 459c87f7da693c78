"""Random numbers of the control plane: one stream for each entity and purpose."""

from functools import cache

from scenarios.files.resolved import Resolved
from sim.data.draws import normal_quantile, stream_key, uniform


class Draws:
    """Named streams: number n of a purpose of an entity does not depend on anything else drawn."""

    def __init__(self, resolved: Resolved, seed: int, trial: int) -> None:
        self._parameters = resolved.parameters
        self._key = cache(lambda entity, purpose: stream_key(seed, trial, entity, purpose))

    def uniform(self, entity: str, purpose: str, n: int = 0) -> float:
        """Return a number in (0, 1)."""
        return float(uniform(self._key(entity, purpose), n))

    def normal(self, entity: str, purpose: str, n: int = 0) -> float:
        """Return a standard normal number."""
        return float(normal_quantile(self.uniform(entity, purpose, n)))

    def sample(self, parameter: str, entity: str, n: int = 0) -> float:
        """Return a value of a parameter, in its unit of storage; the parameter's name is the purpose."""
        u = self.uniform(entity, parameter, n)
        return self._parameters.sample(parameter, u, float(normal_quantile(u)))

    def sample_ns(self, parameter: str, entity: str, n: int = 0) -> int:
        """Return a value of a duration, in nanoseconds, at least one."""
        return max(1, round(self.sample(parameter, entity, n) * 1_000))
