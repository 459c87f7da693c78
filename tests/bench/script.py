"""Timed commands of the benchmark's scripts."""

from dataclasses import dataclass

from sim.data.commands import Command


@dataclass(frozen=True)
class Timed:
    """A command and when it is given."""

    at_ns: int
    command: Command
    a: int = 0
    b: int = 0
    c: int = 0
