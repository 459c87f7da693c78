"""Abort conditions, watched on what the probers send: a run stops itself before it does more harm than was agreed.

Before the first injection nothing may be bad for long, nor at all in the window just before it: what was bad before
proves nothing. After it, what lies outside the blast radius may not be bad for long: a service that is hit, and every
service that waits for it, is inside. Bad is what the judge calls bad: more than one wrong probe in a hundred of 5 s.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.run.settling import spacings_ns
from scenarios.files.resolved import Resolved
from scenarios.model.faults import blast_radius
from scenarios.model.goodness import WINDOW_NS, Goodness

SECOND_US = 1_000_000
BAD_FOR_US = 60 * SECOND_US
WINDOW_US = WINDOW_NS // 1_000
LEAST_DISK_BYTES = 512 << 20
LEAST_MEMORY_BYTES = 256 << 20
MOST_RESIDENT_BYTES = 3 << 30
LOOK_S = 1.0  # between looks at this machine
TOGETHER_US = 100_000  # samples of two databases that belong to the same instant
WRITERS_SEEN = 2  # instants in a row with two writers

type Stop = Callable[[str], None]


def inside_radius(resolved: Resolved, faults: frozenset[int] | None = None) -> frozenset[str]:
    """Services, and "database", that may be bad because of the timeline's faults: hit, or waiting for what is hit.

    Args:
        resolved: the scenario with its topology.
        faults: positions in the timeline; nothing: all of them. A change may touch every service.
    """
    topology = resolved.topology.model_dump(mode="json")
    every = frozenset({*topology["services"], "database"})
    found: set[str] = set()
    for position, entry in enumerate(resolved.scenario.timeline):
        if faults is None or position in faults:
            found |= blast_radius(entry.fault, entry.target, topology) if entry.fault else every
    waits = [(call["caller"], call["callee"]) for call in topology["calls"] if call["mode"] == "sync"]
    while more := {caller for caller, callee in waits if callee in found and caller in every} - found:
        found |= more
    return frozenset(found & every)


@dataclass
class AbortConditions:
    """Told every message of the observers; calls `stop` with the reason when a condition holds.

    Args:
        resolved: what is played.
        folder: where the record grows.
        others: further conditions of this process, each a reason or nothing: the reverter lost, the lock stolen.
        bad_for_us: how long a service outside the radius may be bad, in microseconds.
    """

    resolved: Resolved
    folder: Path
    others: tuple[Callable[[], str], ...] = ()
    bad_for_us: int = BAD_FOR_US
    least_disk_bytes: int = LEAST_DISK_BYTES
    least_memory_bytes: int = LEAST_MEMORY_BYTES
    most_resident_bytes: int = MOST_RESIDENT_BYTES
    _radius: frozenset[str] = frozenset()
    _begun: set[int] = field(default_factory=set)
    _bad_us: dict[str, tuple[int, int]] = field(default_factory=dict)  # service: bad since, and until
    _writers: dict[str, tuple[int, bool]] = field(default_factory=dict)  # database: when sampled, writable
    _together: int = 0
    _looked_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._goodness = Goodness(spacings_ns(self.resolved))
        faults = [entry for entry in self.resolved.scenario.timeline if entry.fault not in (None, "none")]
        self._first_us = min((entry.at_us for entry in faults if entry.at_us is not None), default=None)

    def __call__(self, message: Mapping[str, Any], stop: Stop) -> None:
        """Take a message and stop the run when it, or this machine, asks for it."""
        reason = self._of(message) or self._here()
        if reason:
            stop(reason)

    def _of(self, message: Mapping[str, Any]) -> str:
        if "mark" in message:
            self._mark(message["mark"])
            return ""
        columns = message.get("columns", {})
        if message.get("table") == "probes":
            return self._probes(columns)
        return self._samples(columns) if message.get("table") == "samples" else ""

    def _mark(self, mark: Mapping[str, Any]) -> None:
        """From an injection on its blast radius may be bad, to the end: what it led to may outlast it."""
        position = str(mark["subject"]).rpartition(":")[2]
        if mark["kind"] == "injection_begun" and position.isdigit():
            self._begun.add(int(position))
            self._radius = inside_radius(self.resolved, frozenset(self._begun))

    def _probes(self, columns: Mapping[str, Any]) -> str:
        watched = {*self.resolved.topology.services, "database"} - self._radius
        rows = zip(columns["service"], columns["route"], columns["intended_us"], columns["right"], strict=True)
        for service, route, intended_us, right in rows:
            if (
                route == "dns"
                and service in watched
                and right != "yes"
                and (reason := self._wrong(service, intended_us))
            ):
                return reason
        return ""

    def _wrong(self, service: str, intended_us: int) -> str:
        """Note a wrong answer of a service; why it ends the run, or nothing."""
        self._goodness.note(service, np.array([intended_us * 1_000], dtype=np.int64))
        last_us = self._goodness.last_bad_ns[service] // 1_000
        since_us, until_us = self._bad_us.get(service, (last_us, last_us))
        if last_us < 0 or last_us < until_us:
            return ""
        if last_us - until_us > WINDOW_US:
            since_us = last_us  # it was good in between
        self._bad_us[service] = since_us, last_us
        if last_us - since_us >= self.bad_for_us:
            where = "outside the blast radius" if self._begun else "before anything was injected"
            return f"{service} has been bad for {(last_us - since_us) / SECOND_US:.0f} s, {where}"
        if not self._begun and self._first_us is not None and last_us >= self._first_us - WINDOW_US:
            return f"{service} was bad just before the first fault: nothing was injected"
        return ""

    def _samples(self, columns: Mapping[str, Any]) -> str:
        for at, name in enumerate(columns["name"]):
            if name != "writable":
                continue
            t_us, subject, writable = columns["t_us"][at], columns["subject"][at], columns["value"][at] >= 1
            self._writers[subject] = t_us, writable
            seen = {s: can for s, (seen_us, can) in self._writers.items() if t_us - seen_us <= TOGETHER_US}
            others = seen.keys() - {subject}
            if not others:
                continue  # the first of an instant
            both = sorted(s for s in others if seen[s]) if writable else []
            self._together = self._together + 1 if both else 0
            if self._together >= WRITERS_SEEN:
                return f"{subject} and {both[0]} take writes at the same time"
        return ""

    def _here(self) -> str:
        """What this machine and this process say, at most once a second."""
        if time.monotonic() - self._looked_s < LOOK_S:
            return ""
        self._looked_s = time.monotonic()
        try:
            free_bytes = shutil.disk_usage(self.folder).free
        except OSError as error:
            return f"the disk of the record does not answer: {(error.strerror or str(error)).lower()}"
        memory_bytes = available_memory_bytes()
        if free_bytes < self.least_disk_bytes:
            return f"the disk of the record has {free_bytes >> 20} MB left"
        if memory_bytes is not None and memory_bytes < self.least_memory_bytes:
            return f"this machine has {memory_bytes >> 20} MB of memory left"
        resident_bytes = own_memory_bytes()
        if resident_bytes is not None and resident_bytes > self.most_resident_bytes:
            return f"this process holds {resident_bytes >> 20} MB of memory"
        return next((reason for condition in self.others if (reason := condition())), "")


def available_memory_bytes() -> int | None:
    """Memory that can be taken without swapping; nothing where the kernel does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return int(words[1]) * 1024 if words else None


def own_memory_bytes() -> int | None:
    """Memory of this process; nothing where the kernel does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
