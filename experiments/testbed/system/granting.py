"""Who may write: one region at a time holds the writer's lease; another one gets it when the last has run out."""

from dataclasses import dataclass, replace


class Refused(Exception):
    """The lease is not given; the text says why."""


@dataclass(frozen=True)
class Lease:
    """The state of the lease.

    Attributes:
        holder: Region that may renew.
        fenced: Whether it may not any more.
        expires_us: The latest instant, epoch microseconds, until which anybody was told to write.
    """

    holder: str
    fenced: bool
    expires_us: int


class Grants:
    """Renews, fences and grants; pure, time is handed in."""

    def __init__(self, lease: Lease, length_us: int) -> None:
        """Begin.

        Args:
            lease: As remembered.
            length_us: How long a renewal lasts, in microseconds.
        """
        self.lease = lease
        self._length_us = length_us

    def renew(self, region: str, now_us: int) -> int:
        """Let the holder write on.

        Returns:
            Until when, epoch microseconds.

        Raises:
            Refused: Another region holds it, or it is fenced.
        """
        if region != self.lease.holder:
            raise Refused(f"{self.lease.holder} holds the lease")
        if self.lease.fenced:
            raise Refused(f"{region} is fenced")
        self.lease = replace(self.lease, expires_us=max(self.lease.expires_us, now_us + self._length_us))
        return self.lease.expires_us

    def fence(self, region: str, now_us: int) -> int:
        """Renew no more for a region.

        Returns:
            When it can surely write no more, epoch microseconds; for who does not hold it, that is now.
        """
        if region != self.lease.holder:
            return now_us
        self.lease = replace(self.lease, fenced=True)
        return max(now_us, self.lease.expires_us)

    def grant(self, region: str, now_us: int) -> None:
        """Let a region hold the lease; it may renew from now on.

        Raises:
            Refused: Another one's has not run out yet.
        """
        if region != self.lease.holder and now_us < self.lease.expires_us:
            left_s = (self.lease.expires_us - now_us) / 1e6
            raise Refused(f"the lease of {self.lease.holder} runs for another {left_s:.1f} s")
        self.lease = replace(self.lease, holder=region, fenced=False)
