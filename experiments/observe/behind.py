"""Orders that the standby does not have, counted each second without going through all of them each second."""

from dataclasses import dataclass

OVERLAP = 2_000  # orders under way may be committed after later ones; keys so far back are looked at again


@dataclass(frozen=True)
class Found:
    """Orders between two keys: those that the standby lacks, and the last key of all. None: there is no such order."""

    orders: int
    oldest_us: int | None
    first_key: int | None
    last_key: int | None
    now_us: int  # by the clock that wrote `oldest_us`


class Behind:
    """What is known of a standby that stands at one position.

    Args:
        held: its position.
        replicated_to: all orders up to this key are on it.
    """

    def __init__(self, held: int, replicated_to: int) -> None:
        self.held = held
        self.replicated_to = self.counted_to = replicated_to
        self._orders = 0
        self._oldest_us: int | None = None

    def with_more(self, found: Found) -> tuple[int, int | None]:
        """Return all orders behind, and when the oldest was written; `found`: those after `counted_to`."""
        if not self._orders and found.last_key is not None:
            # So far all is held: under load something is always under way behind it.
            held_to = found.last_key if found.first_key is None else found.first_key - 1
            self.replicated_to = self.counted_to = max(self.counted_to, held_to - OVERLAP)
        return self._sum(found)

    def settle(self, found: Found, to: int) -> None:
        """Keep what was counted after `counted_to` up to the key `to`, so that it is not counted again."""
        self._orders, self._oldest_us = self._sum(found)
        self.counted_to = to

    def _sum(self, found: Found) -> tuple[int, int | None]:
        known = [us for us in (self._oldest_us, found.oldest_us) if us is not None]
        return self._orders + found.orders, min(known, default=None)
