"""Test pages: one each ten seconds through the same path as a real one, as probes of the service `page`.

It is delivered while a Prometheus and its Alertmanager live somewhere. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Callable

from sim.control.context import Context, PageProbe, S, Wait

SPACING_NS = 10 * S


class Pages:
    """Sends test pages from the first living server's region."""

    def __init__(self, context: Context, senders: Callable[[], list[str]]) -> None:
        self._context = context
        self._senders = senders
        context.env.process(self._send())

    def _send(self) -> Wait:
        context = self._context
        n = 0
        while True:
            yield context.env.timeout(SPACING_NS)
            n += 1
            sender = next(iter(self._senders()), None)
            taken = context.draws.sample_ns("monitoring.page_delivery", "test page", n)
            done = context.now_ns + taken if sender is not None else None
            context.page_probes.append(PageProbe(context.now_ns, sender, done))
