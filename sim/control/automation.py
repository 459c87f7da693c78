"""The failover automation: polls the home region from outside, acts after so many failures in a row.

It sees only whether its polls are answered. It dies with the region that it runs in, in the middle of a procedure if
need be, and may be broken from the start. Source: CALIBRATION 9.
"""

import simpy

from sim.control.context import Context, Wait


class Automation:
    """Watches the poll classes of the data plane; acts once, when none of them is answered (`roles.AutomationLike`)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._setting = context.topology.automation
        self._process: simpy.Process | None = None
        self._acted = False
        if self._setting is not None and self._setting.working:
            self._process = context.env.process(self._watch(1))

    def _watch(self, after_ns: int) -> Wait:
        """Look at the polls from a while on; act when all of them fail."""
        context, setting = self._context, self._setting
        assert setting is not None, "an automation that watches has its settings"
        try:
            yield context.env.timeout(after_ns)
            polls = [c.name for c in context.names.classes if c.route == "poll"]
            watches = [context.observed.watch(name, setting.failures, 1) for name in polls]
            while not all(w.failing for w in watches):
                yield context.env.any_of([w.fails() for w in watches if not w.failing])
            context.mark("automation_detected", "automation", failures=setting.failures)
            yield context.env.timeout(context.draws.sample_ns("aws.lambda_cold_start", "automation"))
        except simpy.Interrupt:
            return
        self._acted = True
        context.mark("decided", "automation", procedure=setting.procedure)
        yield from context.procedures.run(setting.procedure, "automation")

    def lose(self, region: str) -> None:
        """It stops if it runs there."""
        if self._setting is not None and self._setting.region == region and self._process is not None:
            if self._process.is_alive:
                self._process.interrupt("its region is gone")
            self._process = None

    def regain(self, region: str) -> None:
        """It runs again if it runs there and has not acted; it polls as often as before until it believes a failure."""
        if self._setting is None or self._setting.region != region or not self._setting.working:
            return
        if self._process is None and not self._acted:
            again_ns = self._setting.failures * self._setting.poll_us * 1_000
            self._process = self._context.env.process(self._watch(again_ns))
