"""What this machine lacks for a game day, and how to get it."""

import math
import os
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.platforms.docker import endpoint
from experiments.platforms.shell import CommandError, Result, attempt
from experiments.testbed import images, layout
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import PLACES, PORTS, Place
from scenarios.errors import Problem

MEMORY_GB = 4.0  # the testbed itself takes less; a run, its probers and its load stand beside it
CPUS = 2
DISK_GB = 12.0
STATE_MB = 50.0

_INSTALL = {
    "docker": "Linux: https://docs.docker.com/engine/install/. macOS, Windows: https://docs.docker.com/desktop/.",
    "kind": "macOS: `brew install kind`. Else one file: https://kind.sigs.k8s.io/docs/user/quick-start/#installation.",
}
_KUBECTL = "Only for looking yourself, and the runbook's commands: https://kubernetes.io/docs/tasks/tools/."
_NEWEST_ENOUGH = {
    "docker": ((20, 10), ("docker", "info", "-f", "{{.ServerVersion}}")),
    "kind": ((0, 24), ("kind", "version", "-q")),  # network policies hold, and pods may sleep before they end
}
_NOT_RUNNING = "Start it: `sudo systemctl start docker`, or open Docker Desktop. `docker info` says more."
_HERE = "Docker of this machine: the regions are reached at its loopback addresses, Docker by its socket"
_BACK = "Unset DOCKER_HOST, or `docker context use` one of this machine."
_NOT_ALLOWED = "`sudo usermod -aG docker $USER`, then log in again."


@dataclass(frozen=True)
class Finding:
    """One thing that a game day needs. `needed`: without it the testbed cannot be made."""

    subject: str
    ok: bool
    found: str
    expected: str
    remedy: str
    needed: bool = True

    @property
    def problem(self) -> Problem:
        """It, as a problem."""
        return Problem(self.subject, self.found, self.expected, self.remedy)


def examine() -> list[Finding]:
    """Everything that a game day needs, the good and the bad."""
    return list(_examine())


def require() -> None:
    """Raise TestbedError with all that keeps this machine from making the testbed."""
    _refuse(finding for finding in _examine() if finding.needed)


def require_programs() -> None:
    """Raise TestbedError unless docker and kind are there and Docker runs."""
    _refuse(finding for finding in _programs() if finding.needed)


def _refuse(findings: Iterator[Finding]) -> None:
    if problems := [finding.problem for finding in findings if not finding.ok]:
        raise TestbedError(*problems)


def _examine() -> Iterator[Finding]:
    """All of it; what cannot be asked because a program is missing is looked up without it, or left out."""
    programs = list(_programs())
    yield from programs
    good = {finding.subject for finding in programs if finding.ok}
    docker = "docker running" in good
    yield from (_version(name) for name in _NEWEST_ENOUGH if name in good and (docker or name != "docker"))
    there = set(_asked("kind", "get", "clusters").lines) if docker and "kind" in good else set()
    yield from _machine(docker=docker, there=bool(there & {place.cluster for place in PLACES.values()}))
    yield from _ports(there, docker=docker)
    if docker:
        yield from _images()


def _programs() -> Iterator[Finding]:
    for name, remedy in _INSTALL.items():
        path = shutil.which(name)
        yield Finding(name, path is not None, path or "no such program", "it on the PATH", remedy)
    path = shutil.which("kubectl")
    yield Finding("kubectl", path is not None, path or "no such program", "it on the PATH", _KUBECTL, needed=False)
    if shutil.which("docker"):
        answer = _asked("docker", "info", "-f", "{{.ServerVersion}}")
        found = "yes" if answer.ok else (answer.stderr.strip() or "no answer")[-200:]
        remedy = _NOT_ALLOWED if "permission denied" in found else _NOT_RUNNING
        yield Finding("docker running", answer.ok, found, "an answer of its server", remedy)
        where = endpoint()
        yield Finding("docker here", not where or where.startswith("unix://"), where or "yes", _HERE, _BACK)


def _version(name: str) -> Finding:
    """Whether a program is new enough."""
    least, command = _NEWEST_ENOUGH[name]
    said = _asked(*command).stdout.strip()
    found = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    expected = f"{'.'.join(map(str, least))} or newer"
    return Finding(f"{name} version", found >= least, said or "no answer", expected, f"Install a newer {name}.")


def _machine(*, docker: bool, there: bool) -> Iterator[Finding]:
    """Cores, memory, disk: Docker's, where it answers, else those of this machine. `there`: the testbed has its own."""
    cpus, total_gb, root = os.cpu_count() or 1, math.inf, ""
    if docker:
        told = _asked("docker", "info", "-f", "{{.NCPU}}\t{{.MemTotal}}\t{{.DockerRootDir}}").stdout.strip().split("\t")
        if len(told) == 3 and told[0].isdecimal() and told[1].isdecimal():  # else another program takes Docker's part
            cpus, total_gb, root = int(told[0]), int(told[1]) / 1e9, told[2]
    more = "Docker Desktop: Settings, Resources."
    yield Finding("CPU", cpus >= CPUS, f"{cpus} cores", f"{CPUS} or more", f"Give Docker's machine more cores. {more}")
    memory_gb = min(total_gb, _available_gb())
    if memory_gb < math.inf:
        yield Finding(
            "memory",
            there or memory_gb >= MEMORY_GB,
            f"{memory_gb:.1f} GB available",
            f"{MEMORY_GB:g} GB",
            f"Close what takes memory, or give Docker's machine more. {more}",
        )
    if root and Path(root).exists():  # else it is inside Docker's own machine
        free_gb = shutil.disk_usage(root).free / 1e9
        remedy = "Free some, for instance with `docker system prune`."
        yield Finding(
            "disk of Docker", there or free_gb >= DISK_GB, f"{free_gb:.0f} GB free", f"{DISK_GB:g} GB", remedy
        )
    yield _state_folder()


def _state_folder() -> Finding:
    """Whether there is room for what the testbed keeps of itself."""
    folder = layout.state_folder()
    above = next(path for path in (folder, *folder.parents) if path.exists())
    free_mb = shutil.disk_usage(above).free / 1e6
    writable = above.is_dir() and os.access(above, os.W_OK)
    good = writable and free_mb >= STATE_MB
    found = f"{free_mb:.0f} MB free" if writable else f"{above} is not writable"
    expected = f"{STATE_MB:g} MB in {folder}"
    return Finding("disk of our state", good, found, expected, "Free some space, or name another in GAMEDAY_STATE.")


def _available_gb() -> float:
    """Memory that can be had now on this machine; infinite where that is not known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return math.inf
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024 / 1e9


def _ports(there: set[str], *, docker: bool) -> Iterator[Finding]:
    """Ports of what is not there yet."""
    for place in PLACES.values():
        if place.cluster not in there:
            yield _free(place.region, place.address, list(PORTS.values()))
    published = {
        layout.OUTSIDE: layout.OUTSIDE_PORT,
        layout.LINK: layout.LINK_ADMIN_PORT,
        layout.REVERTER: layout.REVERTER_PORT,
        layout.DNS_SERVER: layout.DNS_PORT,
        layout.ALERTMANAGER: layout.ALERTMANAGER_PORT,
    }
    for name, port in published.items():
        if not (docker and attempt("docker", "inspect", "--type", "container", name).ok):
            yield _free(name, layout.HOST, [port])


def _free(subject: str, address: str, ports: list[int]) -> Finding:
    """Whether ports of an address can be had; names those that cannot, and the container that has them."""
    taken = [port for port in ports if not _can_listen(address, port)]
    expected = f"{address} port{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))} free"
    if not taken:
        return Finding(f"ports of {subject}", True, "free", expected, "")
    if not _can_listen(address, 0):
        found, remedy = f"{address} is no address of this machine", f"macOS: `sudo ifconfig lo0 alias {address}`."
        return Finding(f"ports of {subject}", False, found, expected, remedy)
    by_holder: dict[str, list[str]] = {}
    for port in taken:
        by_holder.setdefault(_holder(port), []).append(str(port))
    found = "; ".join(f"{address}: {', '.join(held)} taken by {holder}" for holder, held in by_holder.items())
    return Finding(f"ports of {subject}", False, found, expected, "Stop what listens there (`ss -ltnp` names it).")


def taken(place: Place) -> str:
    """Ports of a region's edge that others have while its own node does not, and who; empty: none."""
    found = _free(place.region, place.address, list(PORTS.values()))
    return "" if found.ok else found.found


def _can_listen(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    names = _asked("docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}").lines
    return f"container {names[0]}" if names else "a program of this machine"


def _images() -> Iterator[Finding]:
    """Images are pulled by `testbed up`; without the internet somebody has to bring them."""
    missing = images.missing()
    found = f"not yet here: {', '.join(missing)}" if missing else "all here"
    yield Finding("images", not missing, found, "all here", "`gameday testbed up` pulls them.", needed=False)


def _asked(*command: str) -> Result:
    try:
        return attempt(*command, timeout_s=20)
    except CommandError as error:
        return Result(command, 1, "", error.problems[0].found)
