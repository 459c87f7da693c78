"""The closed lists both data planes share: commands, statuses, balancers, patience (docs/explanation/data-plane.md)."""

from dataclasses import dataclass
from enum import IntEnum


class Command(IntEnum):
    """Control plane -> data plane, applied at the plane's clock (section 4)."""

    LIST = 0
    STATE = 1
    LOSE = 2
    WARM = 3
    SLOW = 4
    CPU = 5
    SLOTS = 6
    POOL = 7
    DNS = 8
    TARGET = 9
    CUT = 10
    WRITABLE = 11
    GATE = 12
    FORK = 13
    TRADING = 14
    SEND = 15


@dataclass(frozen=True)
class Timed:
    """A command and when it is given: a line of a script."""

    at_ns: int
    command: Command
    a: int = 0
    b: int = 0
    c: int = 0


class ReplicaState(IntEnum):
    """How a replica meets a call that is delivered to it."""

    SERVING = 0
    REFUSING = 1
    BLACK_HOLE = 2


class Status(IntEnum):
    """How a call ended."""

    OK = 0
    BREAKER = 1
    NO_ADDRESS = 2
    POOL_FULL = 3
    POOL_TIMEOUT = 4
    NO_ENDPOINT = 5
    REFUSED = 6
    QUEUE_FULL = 7
    QUEUE_TIMEOUT = 8
    READ_ONLY = 9
    CALLEE_FAILED = 10
    RESET = 11
    TIMEOUT = 12
    STOPPED = 13


class Outcome(IntEnum):
    """What the sender of a request knows at its end."""

    PENDING = 0
    OK = 1
    FAILED = 2
    UNKNOWN = 3


class Patience(IntEnum):
    """How long a job waits in a queue at most: all equally long, or drawn for each (section 3, accept)."""

    FIXED = 0
    LOGNORMAL = 1
    EXPONENTIAL = 2


class Balancer(IntEnum):
    """How an edge picks a replica (section 3, step 5)."""

    RANDOM = 0
    ROUND_ROBIN = 1
    LEAST_CONNECTIONS = 2
    POWER_OF_TWO = 3
