"""One factor an incident: what makes people slow tonight makes them slow at everything. Source: CALIBRATION 4.

The factor is a part of each stage's own spread, not an addition to it: a stage that is LN(m, s) stays LN(m, s), and
two stages of one incident have the logarithmic covariance f^2, f being the factor's log-sd.
"""

import math

from sim.control.context import Context


class Incident:
    """The people's draws of one incident."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sigma = (
            context.parameters.number("people.incident_factor_sigma") if context.on("incident_factor") else 0.0
        )
        self._common = context.draws.normal("incident", "factor")

    def sample_ns(self, parameter: str, entity: str, n: int = 0) -> int:
        """How long a person takes for something, in nanoseconds, at least one."""
        own = self._context.draws.normal(entity, parameter, n)
        known = self._context.parameters.by_name[parameter]
        spread = known.values[1] if known.kind == "lognormal" else 0.0
        share = min(1.0, self._sigma / spread) if spread > 0 else 0.0
        normal = share * self._common + math.sqrt(1.0 - share**2) * own
        uniform = 0.5 * math.erfc(-normal / math.sqrt(2.0))
        return max(1, round(known.sample(uniform, normal) * 1_000))
