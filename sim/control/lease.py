"""The commit lease: a primary that cannot renew it stops committing, so that another may begin.

It is renewed every few seconds with a witness outside the primary's region. Whoever wants to take over refuses further
renewals and waits until the lease has expired; whether the old primary still answers does not matter.
Source: CALIBRATION 3 (Patroni: ttl 30 s, loop_wait 10 s) and 9.
"""

from sim.control.context import Context


class Lease:
    """The lease of one primary; `name` is of its draws."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._length_ns = context.ns("postgres.commit_lease")
        self._period_ns = context.ns("postgres.commit_lease_renewal")
        self._phase_ns = int(context.draws.uniform(name, "renewal phase") * self._period_ns)
        self._ceased_ns: int | None = None  # cut off since then
        self._taken_ns: int | None = None  # renewals are refused since then

    def cut_off(self) -> None:
        """The holder cannot renew from now on."""
        if self._ceased_ns is None:
            self._ceased_ns = self._context.now_ns

    def reach(self) -> None:
        """The holder can renew again, unless somebody has taken the lease."""
        self._ceased_ns = None

    def take(self) -> int:
        """Refuse renewals from now on. Returns when the lease expires at last."""
        if self._taken_ns is None:
            self._taken_ns = self._context.now_ns
        return self.expires_ns()

    @property
    def taken(self) -> bool:
        """Whether somebody has taken it from its first holder."""
        return self._taken_ns is not None

    def expires_ns(self) -> int:
        """When the lease expires at last: its length after the last renewal; far away while it is renewed."""
        ends = [t for t in (self._ceased_ns, self._taken_ns) if t is not None]
        if not ends:
            return 1 << 62
        return (min(ends) - self._phase_ns) // self._period_ns * self._period_ns + self._phase_ns + self._length_ns
