"""A client's DNS cache: it asks when it has no answer or its TTL is over, and at no other time.

While a question is under way, all that need the answer wait for the same one. A failed question is not remembered: the
next one who needs the name asks again.
"""

import asyncio
from collections.abc import Callable, Collection

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from experiments.platforms.naming import QUESTION_TIMEOUT_S, chosen


class DnsCache:
    """One client's cache of one name.

    `phase` in (0, 1]: the first answer counts only for this share of its TTL, so that the caches of many clients that
    start together do not expire together. `forever`: a client that ignores the TTL and keeps its first answer.
    """

    def __init__(
        self,
        server: tuple[str, int],
        name: str,
        now_us: Callable[[], int],
        *,
        phase: float = 1.0,
        forever: bool = False,
        edges: Collection[str] = (),
    ) -> None:
        self._server = server
        self._name = name
        self._now_us = now_us
        self._share = phase
        self._forever = forever
        self._edges = edges
        self._address: str | None = None
        self._until_us = 0
        self._asking: asyncio.Task[str | None] | None = None
        self.asked = 0
        self.last: str | None = None  # the latest answer, even after its TTL

    async def address(self) -> str | None:
        """The address that this client goes to now; None: no name server answered."""
        if self._address is not None and (self._forever or self._now_us() < self._until_us):
            return self._address
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> str | None:
        self._address = None
        self.asked += 1
        answer = await ask(self._server, self._name, self._edges)
        if answer is None:
            return None
        address, ttl_s = answer
        # An answer of TTL 0 may be used by those who waited for it, and by nobody after them.
        self._until_us = self._now_us() + round(ttl_s * 1_000_000 * self._share)
        self._share = 1.0
        self._address = self.last = address
        return address


async def ask(server: tuple[str, int], name: str, edges: Collection[str] = ()) -> tuple[str, int] | None:
    """Address (or edge, when the answer names it as an alias) and TTL in seconds; None when there is no answer."""
    host, port = server
    question = dns.message.make_query(name, dns.rdatatype.A)
    try:
        answer = await dns.asyncquery.udp(question, host, timeout=QUESTION_TIMEOUT_S, port=port)
    except (dns.exception.DNSException, OSError):
        return None
    return chosen(answer.answer, edges)
