"""The zone as CoreDNS reads it."""

from collections.abc import Mapping

USERS_NAME = "trade"


def zone_text(zone: str, ttl_s: int, serial: int, region: str, addresses: Mapping[str, str]) -> str:
    """A zone file in which the users' name is a region's address, and each region has a name.

    Args:
        zone: Its name.
        ttl_s: How long an answer may be kept, in seconds.
        serial: Greater than the last one, or the server reads it not.
        region: Where the users' name points.
        addresses: Of the regions' edges.

    Returns:
        The text.
    """
    records = {"ns": addresses[region], USERS_NAME: addresses[region], **addresses}
    lines = [
        f"$ORIGIN {zone}.",
        f"$TTL {ttl_s}",
        f"@ IN SOA ns.{zone}. hostmaster.{zone}. {serial} 3600 600 86400 {ttl_s}",
        f"@ IN NS ns.{zone}.",
        *(f"{name} IN A {address}" for name, address in records.items()),
    ]
    return "\n".join(lines) + "\n"


def next_serial(last: int, now_s: int) -> int:
    """A serial that is greater than the last, and the time where it can be."""
    return max(last + 1, now_s)
