"""What can be wrong with the testbed, or with the machine that it shall stand on."""

from scenarios.errors import GamedayError


class TestbedError(GamedayError, RuntimeError):
    """The testbed cannot be made, looked at, set back or removed; says how to mend it."""

    __test__ = False  # no test, whatever its name looks like
