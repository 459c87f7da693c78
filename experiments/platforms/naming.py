"""Asking a name server, as a client of the system does."""

from collections.abc import Collection

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from dns.rrset import RRset

QUESTION_TIMEOUT_S = 1.0


def address_of(name: str, server: tuple[str, int], edges: Collection[str] = ()) -> str:
    """Address, or edge, that a name leads to now; empty when nobody answers."""
    host, port = server
    try:
        answer = dns.query.udp(
            dns.message.make_query(name, dns.rdatatype.A), host, timeout=QUESTION_TIMEOUT_S, port=port
        )
    except (dns.exception.DNSException, OSError, ValueError):
        return ""
    found = chosen(answer.answer, edges)
    return found[0] if found else ""


def chosen(records: Collection[RRset], edges: Collection[str] = ()) -> tuple[str, int] | None:
    """Where an answer leads, and its TTL in seconds: an edge that it names as an alias, else its first address.

    A load balancer's addresses change; its name, which a record leads to, does not.
    """
    for found in records:
        if found.rdtype == dns.rdatatype.CNAME and found[0].to_text().rstrip(".") in edges:
            return found[0].to_text().rstrip("."), int(found.ttl)
    for found in records:
        if found.rdtype == dns.rdatatype.A and len(found):
            return found[0].to_text(), int(found.ttl)
    return None
