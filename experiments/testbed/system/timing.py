"""Who worked how long on a request, and how long it may still take."""

import time

OWN = "X-Own"
DEADLINE = "X-Deadline-Ms"


def epoch_us() -> int:
    """Now, in microseconds since 1970."""
    return time.time_ns() // 1000


class Watch:
    """Follows one request through one hop.

    Attributes:
        service: The hop's name.
        below: What the callees said of their own times, as they said it.
    """

    def __init__(self, service: str, most_ms: int, asked_ms: str | None = None) -> None:
        """Begin.

        Args:
            service: The hop's name.
            most_ms: Greatest time a request may take here, in milliseconds.
            asked_ms: The caller's header, in milliseconds; a smaller one counts, anything unreadable does not.
        """
        self.service = service
        self.below = ""
        self._waited_ns = 0
        self._began_ns = time.perf_counter_ns()
        asked = int(asked_ms) if asked_ms is not None and asked_ms.isdecimal() else most_ms
        self._until_ns = self._began_ns + min(asked, most_ms) * 1_000_000

    def left_s(self) -> float:
        """Time that is left, in seconds; never negative."""
        return max(0, self._until_ns - time.perf_counter_ns()) / 1e9

    def left_header(self) -> str:
        """Time that is left, as the next hop is told: whole milliseconds, rounded down."""
        return str(int(self.left_s() * 1000))

    def elapsed_s(self) -> float:
        """Time since the request came, in seconds."""
        return (time.perf_counter_ns() - self._began_ns) / 1e9

    def waited(self, callee: str | None, since_ns: int) -> None:
        """Time since `since_ns` (of `time.perf_counter_ns`) was spent waiting for a callee.

        Args:
            callee: Its name when it cannot speak for itself (database, redis), else None.
            since_ns: When the wait began, in nanoseconds.
        """
        spent_ns = time.perf_counter_ns() - since_ns
        self._waited_ns += spent_ns
        if callee is not None:
            self.below = join_own(self.below, f"{callee}={spent_ns // 1000}")

    def own(self) -> str:
        """The header: this hop's own time first, then what is below it, in microseconds."""
        own_us = max(0, time.perf_counter_ns() - self._began_ns - self._waited_ns) // 1000
        return join_own(f"{self.service}={own_us}", self.below)


def join_own(first: str, second: str) -> str:
    """Two lists of own times as one; a name that is in both gets the sum."""
    total: dict[str, int] = {}
    for part in (*first.split(","), *second.split(",")):
        name, sign, value = part.partition("=")
        if name and sign and value.isdecimal():
            total[name] = total.get(name, 0) + int(value)
    return ",".join(f"{name}={value}" for name, value in total.items())
