"""When each service was last bad, as far as the run itself must know to see that it has settled.

The judge measures recovery from the record by the definition of DESIGN; this is the coarser question "is it quiet
yet?", by the same numbers: a service is bad where more than one in a hundred of the probes of five seconds were wrong,
or one whose probes come slower than 20 a second.
"""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
WINDOW_NS = 5_000_000_000
DENSE_NS = 50_000_000  # spacing of 20 a second
SHARE_WRONG = 0.01
REMEMBERED_NS = 12 * WINDOW_NS  # a probe that ends later than this after it was due comes too late to count


class Goodness:
    """Last bad instant of each service. Probes may be noted in any order of their intended times."""

    def __init__(self, spacing_ns: dict[str, int]) -> None:
        self._allowed = {
            service: int(WINDOW_NS / spacing * SHARE_WRONG + 1e-9) if spacing <= DENSE_NS else 0
            for service, spacing in spacing_ns.items()
        }
        self._wrong: dict[str, I64] = {}
        self.last_bad_ns: dict[str, int] = dict.fromkeys(spacing_ns, -1)

    def note(self, service: str, wrong_ns: I64) -> None:
        """Take the intended times of more probes of a service whose answers were not right."""
        if len(wrong_ns) == 0:
            return
        allowed = self._allowed[service]
        wrong = np.sort(np.concatenate([self._wrong.get(service, wrong_ns[:0]), wrong_ns]))
        bad = np.flatnonzero(wrong[allowed:] - wrong[: len(wrong) - allowed] < WINDOW_NS)
        if len(bad):
            self.last_bad_ns[service] = max(self.last_bad_ns[service], int(wrong[allowed + bad[-1]]))
        self._wrong[service] = wrong[wrong > wrong[-1] - REMEMBERED_NS]

    @property
    def bad_until_ns(self) -> int:
        """Latest bad instant of any service, -1 if none was bad."""
        return max(self.last_bad_ns.values(), default=-1)
