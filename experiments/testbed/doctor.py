"""What this machine lacks for a game day, and how to get it."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.platforms.shell import CommandError, Result, attempt
from experiments.testbed import clusters, images, layout
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import PLACES, PORTS
from scenarios.errors import Problem

MEMORY_GB = 4.0  # the testbed itself takes less; a run, its probers and its load stand beside it
CPUS = 2
DISK_GB = 12.0

_INSTALL = {
    "docker": "Install Docker: https://docs.docker.com/engine/install/",
    "kind": "Install kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "kubectl": "Install kubectl: https://kubernetes.io/docs/tasks/tools/",
}


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
    """Raise TestbedError unless docker, kind and kubectl are there and Docker runs."""
    _refuse(_programs())


def _refuse(findings: Iterator[Finding]) -> None:
    if problems := [finding.problem for finding in findings if not finding.ok]:
        raise TestbedError(*problems)


def _examine() -> Iterator[Finding]:
    programs = list(_programs())
    yield from programs
    if all(finding.ok for finding in programs):
        yield from _machine()
        yield from _ports()
        yield from _images()


def _programs() -> Iterator[Finding]:
    for name, remedy in _INSTALL.items():
        path = shutil.which(name)
        yield Finding(name, path is not None, path or "no such program", "it on the PATH", remedy)
    if shutil.which("docker"):
        answer = _asked("docker", "info", "-f", "{{.ServerVersion}}")
        found = answer.stdout.strip() if answer.ok else (answer.stderr.strip() or "no answer")[-200:]
        remedy = "Start Docker (`systemctl start docker`, or Docker Desktop), and join the group docker."
        yield Finding("docker running", answer.ok, found, "an answer of its server", remedy)


def _machine() -> Iterator[Finding]:
    cpus, memory_bytes, root = (
        _asked("docker", "info", "-f", "{{.NCPU}}\t{{.MemTotal}}\t{{.DockerRootDir}}").stdout.strip().split("\t")
    )
    yield Finding("CPU", int(cpus) >= CPUS, f"{cpus} cores", f"{CPUS} or more", "Give Docker's machine more cores.")
    memory_gb = _available_gb(int(memory_bytes) / 1e9)
    there = bool(clusters.existing() & {place.cluster for place in PLACES.values()})
    yield Finding(
        "memory",
        there or memory_gb >= MEMORY_GB,
        f"{memory_gb:.1f} GB available",
        f"{MEMORY_GB:g} GB",
        "Close what takes memory, or give Docker's machine more.",
    )
    if Path(root).exists():  # else it is inside Docker's own machine
        free_gb = shutil.disk_usage(root).free / 1e9
        remedy = "Free some, for instance with `docker system prune`."
        yield Finding("disk", there or free_gb >= DISK_GB, f"{free_gb:.0f} GB free", f"{DISK_GB:g} GB", remedy)


def _available_gb(total_gb: float) -> float:
    """Memory that can be had now; of Docker's own machine only the whole is known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return total_gb
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024 / 1e9


def _ports() -> Iterator[Finding]:
    there = clusters.existing()
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
        if not attempt("docker", "inspect", "--type", "container", name).ok:
            yield _free(name, layout.HOST, [port])


def _free(subject: str, address: str, ports: list[int]) -> Finding:
    """Whether ports of an address can be had; names those that cannot, and the container that has them."""
    taken = [port for port in ports if not _can_listen(address, port)]
    expected = f"{address} ports {', '.join(map(str, ports))} free"
    if not taken:
        return Finding(f"ports of {subject}", True, "free", expected, "")
    holders = [f"{address}:{port} is taken by {_holder(port)}" for port in taken]
    remedy = "Stop what listens there (`ss -ltnp` names it)."
    if not _can_listen(address, 0):
        holders, remedy = [f"{address} is no address of this machine"], f"macOS: `sudo ifconfig lo0 alias {address}`."
    return Finding(f"ports of {subject}", False, "; ".join(holders), expected, remedy)


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
